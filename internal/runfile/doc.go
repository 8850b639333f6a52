// Package runfile puts sorted sessions and rows on disk and merges them again
// in constant memory.
//
// It serves four ends with one format and one merge: tables that outgrow the
// memory limit (Temp), partial results that are kept (Writer, Run), the merge
// of either, and the external sort into the order of the CSV (Collector). Callers are
// cmd/batch, and shard through an interface of its own. docs/run-files.md
// describes the format.
//
// A file is a row of blocks. A block holds entries, each with its length in
// front, compressed with zstd and covered by a CRC-32C that also covers the
// place of the block in its file. An entry is a session, as agg encodes it, or
// a row. Sessions are sorted by partition, then by canonical key, those of one
// key in time order; rows are sorted as in the CSV.
//
// Nothing here starts goroutines. A Temp, Writer or Collector belongs to one
// goroutine at a time; any number of goroutines may read sections and runs.
//
// Memory: a writer holds one block and its compressed form, a merge one block
// per input, of which there are at most MaxInputs. Readers trust nothing: each
// length is held against a limit before memory is asked for, entries must come
// in order, and whatever does not fit is an error that wraps ErrDamaged and
// names path and offset. The package does not repair, and does not skip.
package runfile
