package job

import "pcapbatch/internal/ingest"

// bufferBytes is what a run uses besides sessions: blocks that are read and
// decoded, text of rows, the runtime.
func bufferBytes(workers int) int64 { return 16<<20 + int64(workers)*(8<<20) }

// leastShare is the memory for sessions below which a worker would only spill.
const leastShare = 8 << 20

// mostShare is the memory for sessions that an agg.Table can number with room
// to spare.
const mostShare = 128 << 30

// LeastMemory is the smallest limit of memory, in bytes, that a job with so many
// workers can keep to.
func LeastMemory(workers int) int64 { return bufferBytes(workers) + int64(workers)*leastShare }

// share returns how many bytes of sessions each worker may hold. An eighth is
// left for sorting.
func (c *Config) share() int64 {
	if c.Share > 0 {
		return c.Share
	}
	if c.Memory == 0 {
		return mostShare
	}
	return min((c.Memory-bufferBytes(c.Workers))/int64(c.Workers)/8*7, mostShare)
}

// usualCapture is what bufferBytes has for the capture that each worker reads.
const usualCapture = 4 << 20

// openBytes is how many bytes the captures that are open may hold together at
// most: what the sessions leave where they have as little as can be. 0: there is
// no limit.
func (c *Config) openBytes() int64 {
	if c.Memory == 0 {
		return 0
	}
	return c.Memory - LeastMemory(c.Workers) + int64(c.Workers)*usualCapture
}

// divide takes from the sessions what the captures need beyond the usual. It
// goes by the beginnings of the captures alone, so that the same run divides
// its memory in the same way every time.
func (r *run) divide(inputs []*ingest.Input) {
	if r.Memory == 0 {
		return
	}
	usual := int64(r.Workers) * usualCapture
	spare := (r.Memory - LeastMemory(r.Workers)) / 4 // for what the beginnings do not tell
	r.forCaptures = min(r.openBytes(), max(usual+spare, ingest.Needs(inputs, r.Workers, r.Interleave)))
	if more := r.forCaptures - usual - spare; more > 0 && r.Share == 0 {
		r.share = min(r.share, max(leastShare, (r.Memory-bufferBytes(r.Workers)-more)/int64(r.Workers))/8*7)
	}
}
