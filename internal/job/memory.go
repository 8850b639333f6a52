package job

import (
	"pcapbatch/internal/figures"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/parquet"
	"pcapbatch/internal/report"
)

// bufferBytes is what a run uses besides sessions: blocks that are read and
// decoded, text of rows, the runtime.
func bufferBytes(workers int) int64 { return 16<<20 + int64(workers)*(8<<20) }

// rowBytes is what making rows uses besides sessions, at a time when the blocks
// are not needed any more: chunks of rows, the runtime.
func rowBytes(workers int) int64 { return 8<<20 + int64(workers)*(4<<20) }

// leastShare is the memory for sessions below which a worker would only spill.
const leastShare = 8 << 20

// mostShare is the memory for sessions that an agg.Table can number with room
// to spare.
const mostShare = 128 << 30

// LeastMemory is the smallest limit of memory, in bytes, that a job with so many
// workers can keep to.
func LeastMemory(workers int) int64 { return bufferBytes(workers) + int64(workers)*leastShare }

// labelBytes is the memory of the rules of labels, which the garbage collector
// looks after. In a run it is not part of Memory any more: see takeLabels.
func (c *Config) labelBytes() int64 {
	if c.Labels == nil {
		return 0
	}
	return c.Labels.bytes(c.Workers)
}

// takeLabels takes from the memory what the rules of labels take. What is left
// is for everything else.
func (c *Config) takeLabels() error {
	if c.Memory == 0 || c.Labels == nil {
		return nil
	}
	rules, least := c.labelBytes(), LeastMemory(c.Workers)
	if c.Memory-rules < least {
		return failure(Usage, "--memory %s: at least %d bytes are needed: %s for %s of --labels, %s for %s",
			report.BinaryBytes(c.Memory), rules+least, report.BinaryBytes(rules), report.Plural(uint64(c.Labels.Rules.Len()), "rule"),
			report.BinaryBytes(least), report.Plural(uint64(c.Workers), "worker"))
	}
	c.Memory -= rules
	return nil
}

// share returns how many bytes of sessions each worker may hold. An eighth is
// left for sorting.
func (c *Config) share() int64 {
	if c.Share > 0 {
		return c.Share
	}
	if c.Memory == 0 {
		return mostShare
	}
	return min(max(leastShare, (c.Memory-c.buffers())/int64(c.Workers))/8*7, mostShare)
}

// buffers is what a run uses besides sessions: what reading needs or, if that is
// more, what rows need before they are written.
func (c *Config) buffers() int64 {
	reading, making := bufferBytes(c.Workers), rowBytes(c.Workers)+c.OutputMemory
	if c.Figures || c.ReportData {
		making += figures.Memory
	}
	if c.Format == Parquet && !c.spoolsRows() {
		reading += parquet.Memory
	}
	return max(reading, making)
}

// spoolsRows reports whether there is so little memory that a row group of
// Parquet is put together on disk. What it needs besides is less than what the
// blocks and captures took, which are not needed any more.
func (c *Config) spoolsRows() bool {
	return c.Memory > 0 && c.Memory < LeastMemory(c.Workers)+4*parquet.Memory
}

// usualCapture is what bufferBytes has for the capture that each worker reads.
const usualCapture = 4 << 20

// openBytes is how many bytes the captures that are open may hold together at
// most: what the sessions leave where they have as little as can be. 0: there is
// no limit.
func (c *Config) openBytes() int64 {
	if c.Memory == 0 || c.CaptureBytes > 0 {
		return c.CaptureBytes
	}
	return c.Memory - LeastMemory(c.Workers) + int64(c.Workers)*usualCapture
}

// aloneBytes is how many bytes more a capture may hold while no other is open.
// A process may use 64 MiB beyond Memory; these are for one capture with a
// window of 64 MiB where Memory is as little as that, the others for the
// program itself, its text and what is not collected yet.
const aloneBytes = 44 << 20

// fragmentBytes is the memory for the first fragments of each of the stretches
// that are begun and not merged, of which there are two for each worker; 0: there
// is no limit. It comes from the eighth that share leaves for sorting or, where
// that is little, from bufferBytes. Captures of packets of 1500 bytes need 3 MB.
func (c *Config) fragmentBytes() int64 {
	if c.Memory == 0 || c.FragmentBytes > 0 {
		return c.FragmentBytes
	}
	return max(leastFragments, c.Memory/int64(64*c.Workers))
}

// leastFragments is the memory of a stretch for first fragments where there is
// little.
const leastFragments = 1 << 20

// memoryFor is the smallest Memory that lets a capture hold so many bytes: by
// what its beginning asks for or, where Memory would have sufficed for that,
// later on.
func (c *Config) memoryFor(bytes int64) int64 {
	least, usual := LeastMemory(c.Workers), int64(c.Workers)*usualCapture
	bytes += 1 << 20 // with what else an open capture holds
	known := max(least, least+bytes-aloneBytes-usual)
	if known > c.Memory {
		return known + c.labelBytes()
	}
	return max(least, least+spareParts*(bytes-aloneBytes-usual)) + c.labelBytes()
}

// takeRuns takes from the sessions what run files take that are to be merged, and
// what the report says of their captures.
func (r *run) takeRuns(runs []*keptRun) {
	if r.Memory == 0 || r.Share > 0 {
		return
	}
	held := int64(0)
	for _, k := range runs {
		held += k.Held() + heldRun
	}
	r.share = min(r.share, max(leastShare, (r.Memory-r.buffers()-held)/int64(r.Workers))/8*7)
}

// heldRun is what a merge holds of each run file besides the runfile.Run: an
// input of it, and of the report a report.Capture with short texts.
const heldRun = 1 << 10

// limitHeap tells how many bytes are for what the garbage collector looks after:
// while captures are read that is all but the sessions.
func (r *run) limitHeap(bytes int64) {
	if r.HeapLimit != nil && r.Memory > 0 {
		r.HeapLimit(bytes + r.labelBytes())
	}
}

// spareParts is the part of what the sessions leave that is for what captures
// ask for after their beginnings.
const spareParts = 8

// divide takes from the sessions what the captures need beyond the usual. It
// goes by the beginnings of the captures alone, so that the same run divides
// its memory in the same way every time.
func (r *run) divide(inputs []*ingest.Input) {
	if r.Memory == 0 || r.CaptureBytes > 0 {
		return
	}
	usual := int64(r.Workers) * usualCapture
	left := r.Memory - LeastMemory(r.Workers)
	needs, largest := ingest.Needs(inputs, r.Workers, r.Interleave)
	if r.Interleave {
		needs = min(needs, max(largest, usual+left/2)) // what is spooled of captures costs no exactness
	}
	r.forCaptures = min(r.openBytes(), max(usual+left/spareParts, needs))
	r.limitHeap(min(r.Memory, bufferBytes(r.Workers)+r.forCaptures-usual) + aloneBytes)
	if more := r.forCaptures - usual; more > 0 && r.Share == 0 {
		r.share = min(r.share, max(leastShare, (r.Memory-r.buffers()-more)/int64(r.Workers))/8*7)
	}
}
