// Package agg keeps the statistics of sessions.
//
// Step 5 of the walk from file to CSV: in come the events of one shard, in
// capture order; out comes, per session, a Summary that writer turns into a
// row. A Table holds the sessions of one shard. It belongs to one goroutine
// at a time and takes no locks.
//
// # What a session costs
//
// A Session is 128 bytes: its key, and the first four packets as they came.
// More packets go to a block of 4, 12, 28, 60 or 124 records; up to 128 packets
// everything is kept and every statistic is exact. Packet 129 adds a block of
// digests and integer moments, and from then on the records are a buffer that
// is folded into that block whenever it is full. So the work per packet is one
// append, whatever the statistics are, and a session of any length stays below
// 8 KiB.
//
// # Feature groups
//
// What feature groups need (Options.Needs) stands in lists parallel to those
// of sessions, record blocks and digest blocks, which a table without groups
// does not have: 8 bytes a packet in sessions of up to 128 packets, whose groups
// are computed when the row is made. Beyond, a session has facts of the packets
// that were folded away (facts.go), six digests for the medians of its
// directions and three larger ones for quantiles; with all of it a session of
// any length stays below 32 KiB, sequences apart. Each statistic is a file
// that says what must be kept at both ends of a stretch of packets to join two
// of them: direction, flags, tcp, activity, bulk, ip, quantile, sequence.
//
// # Rules that end sessions
//
// ending.go has them as one object. The idle time-out can be asked of parts of
// sessions, too, and merging asks it; the active time-out and the end of TCP
// connections need the whole session so far, so sessions are right with them
// only where one table sees all packets of a key in capture order. A session may
// leave that table and come back (aside.go) between two of its packets.
//
// # Merging
//
// Sessions of the same key over consecutive stretches of time merge into what
// one pass would have made (merge.go), medians of sessions of more than 128
// packets with many distinct values apart. Merged tables serve captures read
// side by side; the codec (codec.go) takes the same sessions to disk.
//
// Memory comes from chunks outside the garbage collector's sight; with the
// build tag "safe" from ordinary slices. Nothing here knows files, goroutines
// or CSV.
package agg
