// Package rows turns sessions into the ordered rows of the output.
//
// It is step 6 of the walk from captures to the CSV, called by package job.
// Tables of sessions, and sorted sessions on disk, come in; rows go out,
// ordered by time. A Joiner does all of it: sessions come from memory, from
// temporary files where they did not fit, or from run files of other runs, and
// the rows are the same.
//
// Rows are formatted by several goroutines side by side and written by one, in
// order. The goroutines start and end within each call. Memory: at most four
// chunks of 1024 rows for each worker, and of the sessions that are merged what
// Options.Share allows. The package does not know what a row looks like: a
// Formatter makes its text, which package writer implements.
package rows
