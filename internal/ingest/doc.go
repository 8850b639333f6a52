// Package ingest turns captures into blocks of events.
//
// It is step 2 and 3 of the walk from captures to the table, where reader and
// decode are joined: paths come in, in any order; out come stretches, each a
// list of captures that one goroutine reads one after the other (Stretches) or
// merged by time (Interleave), whose blocks package shard has decoded side by
// side. What there is to say of each capture is kept with its Input until the
// run asks for it.
//
// A capture that is damaged is reported, and the next one goes on. Everything
// that may wait for ever, such as a pipe, waits in a goroutine of its own, so
// that the end of a context ends the wait.
package ingest
