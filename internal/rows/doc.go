// Package rows turns sessions into the ordered rows of the output.
//
// It is step 5 of the walk from captures to the table: tables of sessions, and
// sorted sessions on disk, come in; rows go out, ordered by time, formatted side
// by side and written in order. A Joiner does all of it. Sessions come from
// memory, from temporary files where they did not fit, or from run files of
// other runs; the rows are the same.
//
// The text of a row is made by a Formatter, which package writer implements for
// CSV. Goroutines start and end within each call.
package rows
