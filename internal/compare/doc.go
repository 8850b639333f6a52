// Package compare tells whether two tables of sessions are the same: those of
// two versions of the program, say, those of one machine and of many, or a CSV
// and a Parquet file. Callers are the command and tests.
//
// A Table gives rows in the order of the output; Open makes one of a file, or of
// a directory of files that hold parts of the rows. Tables compares two and says
// where they differ first.
//
// Values are compared, not text: 1.0 is 1, and a value that one table leaves
// undefined may be empty or 0 in the other. Medians and quantiles of sessions of
// more than 128 packets may differ where sessions were put together in another
// way (docs/semantics.md, section 4). Where both values lie between the minimum
// and the maximum of their session, such a difference is only counted, and the
// tables still are the same.
//
// Memory is that of a row for each CSV file, and of a page of each column for
// each Parquet file. Nothing is written, and no goroutine is started here.
package compare
