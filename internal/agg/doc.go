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
