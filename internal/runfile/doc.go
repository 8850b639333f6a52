// Package runfile stores sorted sessions and rows in files, and merges them
// again in constant memory.
//
// One format and one merge serve four purposes: sessions that do not fit into
// memory (Temp), run files and parts, which are kept for later runs (Writer,
// Run), the merge of either, and the external sort of sessions into the order
// of the CSV (Collector). Callers are packages job and rows. docs/run-files.md
// describes the format.
//
// Two kinds of file are apart from that: a Pack holds many small run files,
// byte for byte, and a Scratch holds pieces of bytes that mean nothing here.
//
// A file has sections, one after the other, and a section has blocks. A block
// holds entries, each with its length before it; it is compressed with zstd and
// covered by a CRC-32C, which also covers the place of the block in its file.
// An entry is a session, as package agg encodes it, or a row. Sessions are
// sorted by partition, then by canonical key, those of one key by time; rows
// are sorted as in the CSV.
//
// Nothing here starts goroutines. A Temp, Scratch, Writer, PackWriter,
// PackReader or Collector belongs to one goroutine at a time; any number of
// goroutines may read sections, runs and packs.
//
// Memory: a writer holds one block and its compressed form, a merge one block
// for each input, of which there are at most MaxInputs. Readers do not trust a
// file: each length is checked against a limit before memory is allocated for
// it, and entries must come in order. Whatever is wrong is an error that wraps
// ErrDamaged and names path and offset. The package does not repair files, does
// not skip what is damaged, and does not know what the options and the report
// in a footer mean.
package runfile
