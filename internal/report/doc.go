// Package report holds what a run found, as plain values: the counts of
// records, packets and sessions, what is known of each capture, and the damage;
// and it makes the texts and the JSON that show them.
//
// Its callers fill the values: ingest with what it read, job with what it
// joined, the command with how it was called. A Run belongs to one goroutine at
// a time. It takes some hundred bytes for each capture. Nothing here takes a
// lock, starts a goroutine, opens a file or knows how a capture is read.
//
// The JSON is what --summary writes and what run files keep of a capture, so a
// name in it never changes its meaning.
package report
