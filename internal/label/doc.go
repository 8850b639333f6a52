// Package label gives sessions the label of the first rule that matches them.
//
// Read makes a Set of the rules in a CSV file (docs/labels.md), and package job
// asks it for every row. A Set never changes after Read, so that any number of
// goroutines may use it; a Matcher, which also counts, belongs to one
// goroutine. No goroutine is started here.
//
// # How the first rule is found
//
// Most of the time of a search is waiting for memory, so the parts below are
// there to look at few places of it.
//
// The rules are divided by the ports that they ask for: a list for each pair of
// ports, one for each single port, and one of the rules without ports. Both
// directions of a pair are one list, in which a rule has one entry, and only
// rules without ports have an entry for each direction. A session has four lists
// to search. The one without ports comes first, since what it has is general and
// often matches early in the file; then a small array says, mostly, that another
// list has no rule that stands before that one (portTable).
//
// A list of up to 24 entries has screens: 24 bytes for each entry, by which
// nearly all rules are refused that do not match. A longer one is a grid: a
// matrix of bits with rows for ranges of addresses and times and for protocols,
// and a column for each entry. The conjunction of a few rows has ones for the
// rules that must be compared, 64 rules at a time and in the order of the file,
// so the search ends with the first that matches.
//
// A list of more than 512 entries is divided by a tree. Each node of it looks at
// one field, at the first bits of an address, say. Entries that leave the field
// open are in one child, the others in one child for each value. Nodes for times
// are those of an interval tree: what ends before an instant, what begins after
// it, and what contains it. A session can match entries of several children; all
// of them are searched but those whose first rule stands after one that matches.
// Where memory allows, a node is closed: the entries that leave the field open
// are repeated in the children of all values that they can match, so that a
// session need look into one child only. How many entries may be repeated is
// bounded, so memory is linear in the number of rules. Which field a node looks
// at is chosen for the fewest entries left on average (see choose).
//
// A tree is good for rules of which most sessions match none, and bad for general
// ones, of which a session matches many all over the tree. So the first 4096
// entries of a list, and the 32768 after them, are grids before the tree, if half
// of the sessions of a sample find a match there.
//
// Tables, screens, grids and trees decide where to look and never what matches:
// every rule is compared as a whole before it counts. Rule files can be made that
// no choice divides, such as many thousands of rules that differ in one wide range
// of times each; then a row costs as much as a scan of the bits of those rules.
//
// A rule takes 68 bytes, and its entries and what finds them 30 to 60, up to 100
// where they are repeated.
package label
