// Package report holds what a run found, as plain values: the counts of
// records, packets and sessions, what there is to say of each capture, the
// damage, and the texts and the JSON that are made of them.
//
// Its callers fill the values: ingest with what it read, job with what it
// joined, cmd/batch with what the user asked for. Nothing here takes a lock,
// writes to a terminal or knows how a capture is read. The JSON is what
// --summary writes and what run files keep of a capture, so a name, once given,
// stays.
package report
