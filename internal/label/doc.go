// Package label gives sessions the label of the first rule that matches them.
//
// Read makes a Set of the rules in a CSV file (docs/labels.md), and package job
// asks it for every row. A Set never changes after Read, so that any number of
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
// searched but those whose first rule stands after one that matches. Where
// memory allows, a node is closed: the entries that leave the field open are
// repeated in the children of all values that they can match, so that a session
// need look into one child only. How many entries may be repeated is bounded,
// so memory is linear in the number of rules.
//
// A rule that matches many sessions often stands early in the file, because it
// would hide most rules after it. So the first 64th of the rules have a tree of
// their own, and so have the next ones up to the first eighth; a session that
// finds a rule in one of these trees need not look into the next.
//
// What a rule asks for is compared in the leaf, so the tree decides where to
// look and never what matches. Which field a node looks at is chosen for the
// fewest entries left on average (see choose). Rule files can be made for which
// no choice is good, such as many thousands of rules that differ in one wide
// range of times each; then a row costs as much as a scan of those rules.
//
// A rule takes 68 bytes, and its entries and their part of the tree 60 to 90.
package label
