// Package label gives sessions the label of the first rule that matches them.
//
// Read makes a Set of a CSV of rules (specification, section 8.12), job asks it
// for every row. A Set never changes after Read, so that any number of
// goroutines may use it; a Matcher, which also counts, belongs to one
// goroutine. No goroutine is started here.
//
// # How the first rule is found
//
// A Set is a tree over the rules. Each of its nodes looks at one field, at the
// first bits of an address, say, or at a port. Rules that leave the field open
// are in one child, the others in one child for each value, so that every rule
// is in one leaf and memory is linear in the rules. Nodes for times are those
// of an interval tree: what ends before an instant, what begins after it, and
// what contains it. A session can match rules of several children; all of them
// are searched but those whose first rule stands after one that matches.
//
// What a rule asks for is compared in the leaf, so the tree decides where to
// look and never what matches. Which field a node looks at is chosen for the
// fewest rules left on average (see choose). Rule files can be made for which
// no choice is good, such as many thousands of rules that differ in one wide
// range of times each; then a row costs as much as a scan of those rules.
//
// A rule takes 64 bytes, and the tree about half as much.
package label
