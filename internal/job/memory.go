package job

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
