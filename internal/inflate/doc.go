// Package inflate decodes gzip streams (RFC 1952, DEFLATE: RFC 1951) of any
// length at the speed of the machine, without cgo.
//
// Reader is the sequential decoder: one goroutine, the caller's. It decodes
// straight into the slice given to Read when that is large enough.
// NewParallelReader decodes one file on several cores and gives the same bytes
// and the same errors. Nothing in it knows packets.
//
// Memory: a Reader holds about 240 KiB whatever the stream says. A
// ParallelReader holds a fixed number of segments, see NewParallelReader.
//
// Concurrency: a Reader belongs to one goroutine. A ParallelReader belongs to
// one goroutine too, and starts workers of its own, which Close ends and
// waits for. Their order is invisible in what it returns.
//
// Strictness is that of compress/gzip with three deliberate differences:
// reserved header flags are an error (RFC 1952, section 2.3.1.2), names and
// comments may have any length, and bytes after the last member, zeros too, end
// the stream with ErrTrailing. It does not read zlib or raw DEFLATE streams,
// does not seek, and does not show what a header says.
package inflate
