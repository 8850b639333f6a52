// Package shard runs the pipeline: it spreads decoding over goroutines and
// gives each session to the one worker that owns its key.
//
// It is step 4 of the walk from captures to the CSV, called by package job,
// with the blocks and stretches of package ingest. Blocks of records come in,
// tables of sessions go out (Run). The goroutines of the pipeline start here,
// and Run waits for all of them before it returns.
//
// # Order
//
// The result must not depend on which goroutine was faster. A session sees its
// packets in capture order because
//
//  1. one goroutine reads a stretch of captures, block by block, and hands
//     every block to every worker's queue in that order; then it hands the
//     block to a decoder that is idle or, if none is, decodes it itself;
//  2. a worker takes blocks from its queue in order, and waits for a block that
//     is still being decoded instead of taking the next;
//  3. a block keeps the order of its events when it sorts them by worker;
//  4. what depends on earlier packets of other sessions (fragments) is resolved
//     in block order too: such a block waits until all before it are done;
//  5. stretches fill tables of their own, which each worker merges in stretch
//     order.
//
// Which stretches there are depends on the captures alone, never on the number
// of workers; nor does anything that agg computes.
//
// # Memory
//
// Blocks come from a free list whose length is fixed when the run begins, so a
// slow worker stops the reader instead of letting blocks pile up. Every queue
// can hold all blocks there are: sending never blocks, taking from the free
// list does. That is the only back-pressure, and it cannot dead-lock: a block
// taken from the list is decoded and consumed without waiting for one that is
// still to be taken. A block that waits for earlier ones of its stretch (4)
// does not keep these from being decoded either: each is with a goroutine of
// its own by then, and the earliest of them waits for none.
//
// Tables grow with the sessions. With Config.Share a worker whose tables have
// grown to its share gives sessions to a Keeper, which stores them (spill.go),
// or sets them aside with their packets and replays those later (aside.go). The
// package itself opens no files, and knows nothing of captures, packets or
// rows.
package shard
