// Package parquet makes the output of typed columns: a file of Apache Parquet
// with a row for each session.
//
// It is the other encoder of step 6 of the walk from captures to rows, beside
// the CSV of package writer, which has the list of columns and their values. A
// Formatter puts the values of a row into a binary record, side by side with
// others; a Writer takes records in order and fills the columns of a row group
// from them, again several side by side.
//
// The bytes of a file depend on the rows and columns alone: values reach a
// column in batches of a fixed number of rows, whatever the number of workers
// is and however the records arrive.
//
// Package job writes with it. Write and Close start goroutines and wait for
// them. Memory is what the constant of that name says, or less with a spool.
//
// The library (github.com/parquet-go/parquet-go) is used here for writing, and
// in package compare for reading, nowhere else.
// Format: https://github.com/apache/parquet-format, version 2.
package parquet
