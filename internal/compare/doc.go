// Package compare tells whether two tables of sessions are the same: of two
// versions of the program, of one machine and of many, CSV and Parquet.
//
// A Table gives rows in the order of the output; Open makes one of a file, or of
// a directory of files that hold parts of the rows. Tables compares two and says
// where they differ first. Callers are the command and tests.
//
// Values are compared, not text: 1.0 is 1, and a value that one table leaves
// undefined may be empty or 0 in the other. Medians and quantiles of sessions of
// more than 128 packets may differ where sessions were put together in another
// way (docs/semantics.md, section 4); such differences are counted apart, and
// are none as long as both values lie between the minimum and the maximum.
//
// Memory is that of a row for each CSV file, and of a page of each column for each
// Parquet file. Nothing is written.
package compare
