// Package label gives sessions the label of the first rule that matches them.
//
// Read makes a Set of a CSV of rules (specification, section 8.12), job asks it
// for every row. A Set never changes after Read, so that any number of
// goroutines may use it; a Matcher, which also counts, belongs to one
// goroutine. No goroutine is started here.
//
// # How the first rule is found
//
// A rule has two entries in a tree, one for each direction, so that one search
// finds both. Each node of the tree looks at one field, at the first bits of an
// address, say, or at a port. Entries that leave the field open are in one
// child, the others in one child for each value. Nodes for times are those of
// an interval tree: what ends before an instant, what begins after it, and what
// contains it. A session can match entries of several children; all of them are
// searched but those whose first rule stands after one that matches. Where there
// is room, a node is closed: what leaves the field open is with every value, too,
// and one child is enough. The room is bounded, so memory is linear in the
// rules.
//
// A rule that matches much often is early in the file, or else those after it
// would be in vain. So the first 64th of the rules and those up to the first
// eighth have trees of their own, and a session that finds a rule in one of them
// is done.
//
// What a rule asks for is compared in the leaf, so the tree decides where to
// look and never what matches. Which field a node looks at is chosen for the
// fewest entries left on average (see choose). Rule files can be made for which
// no choice is good, such as many thousands of rules that differ in one wide
// range of times each; then a row costs as much as a scan of those rules.
//
// A rule takes 68 bytes, and its entries and their part of the tree 60 to 90.
package label
