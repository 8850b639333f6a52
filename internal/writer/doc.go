// Package writer knows the columns of the output, and makes its text: one line
// of CSV (RFC 4180) for each session. Package parquet takes typed values of the
// same columns.
//
// Step 6 of the walk from file to CSV. Sessions come from agg as summaries of
// integers; here they become decimal text, rounded once, the same bytes on
// every CPU. The table in columns.go is the only list of columns: the header
// line, the rows, and the data dictionary of "batch fields" all come from it.
//
// A Layout is immutable and may be shared; a Formatter belongs to one
// goroutine. Nothing here starts goroutines, opens files or allocates per row.
package writer
