// Package capture finds captures, names them, tells whether one has changed, and
// puts them in capture order.
//
// It is step 1 of the walk from captures to the table: names that a user gave
// come in, paths go out (Find). Identity is what is kept of a capture beside its
// sessions, so that a later run can tell whether it is still the same. The
// package never looks at the records of a capture; it holds no files open and
// starts no goroutines.
package capture
