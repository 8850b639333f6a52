// Package ingest turns captures into blocks of events.
//
// It is steps 1 to 3 of the walk from captures to the CSV, where capture,
// reader and decode are joined, and is called by package job and, to inspect
// captures, by the command. Paths come in, in any order (Open). Out come
// stretches, each of them a list of captures that one goroutine reads one after
// the other (Pipeline.Stretches, Pipeline.Separate) or merged by time
// (Pipeline.Interleave). Package shard reads them and has their blocks decoded
// side by side. What was found in each capture is kept with its Input until job
// asks for it.
//
// A capture that is damaged is reported, and the next one is read. Whatever may
// wait for ever, such as reading a pipe, waits in a goroutine of its own
// (Await), so that the end of a context ends the wait; no other goroutines
// start here.
//
// Memory: a block for each one that shard asks for; with Interleave also one
// for each capture that has begun and not ended, and at most 256 open files.
// What captures hold keeps to Options.Memory: those that are read one after the
// other wait for it, and of those that are merged some go to temporary files.
// The package keeps no sessions and knows nothing of rows or run files.
package ingest
