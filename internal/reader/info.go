package reader

import (
	"fmt"
	"io"
	"slices"
)

// Info describes a capture. What is counted covers the records that were
// returned so far, and the few that Open read ahead; at the end of the capture
// the counts are complete.
type Info struct {
	Format         string // "pcap", "pcapng", "snoop" or "erf"
	Version        string // of the format, as "2.4"; empty for erf
	Compression    string // "" for none, else "gzip", "bgzf", "zstd", "lz4", "xz" or "bzip2"
	ByteOrder      string // "little-endian", "big-endian", or "mixed" for pcapng with sections of both
	TimeResolution string // "microseconds", "2^-20 s" and the like, "mixed" where interfaces differ
	Snaplen        uint32 // bytes; the largest of all interfaces; 0 where none is stated
	Links          []LinkCount
	Sections       uint64 // pcapng sections; 1 for other formats
	Interfaces     uint64 // pcapng interfaces over all sections; 1 for other formats
	Captures       uint64 // how many captures were joined in the file: 1 but for files made with cat
	Records        uint64
	NoTime         uint64 // records without a timestamp
	ClampedTime    uint64 // records whose timestamp lies outside int64 nanoseconds

	// WireLengthRaised counts records whose wire length was below their capture
	// length, and was raised to it (JSON: wire_length_raised).
	WireLengthRaised uint64
	// SubsecondOverflow counts records whose sub-second field is a second or
	// more; it was added as it stands (JSON: records_with_subsecond_overflow).
	// More often than not these are nanoseconds in a file that says
	// microseconds.
	SubsecondOverflow uint64
	// OtherLinks counts records of the link types beyond those in Links, which
	// has the first 256 of the capture.
	OtherLinks uint64

	Skipped  []BlockCount // blocks that carry no packets, by sort
	Warnings []string     // what was odd and cost no record
}

// LinkCount is how many records have a link type. Link types come in the order
// of their first record.
type LinkCount struct {
	Link    uint16 // LINKTYPE_ number
	Records uint64
}

// BlockCount is how many blocks of one type were stepped over because they
// carry no packets: blocks of pcapng, records of ERF.
type BlockCount struct {
	Name   string
	Blocks uint64
}

// Info describes the capture as far as it was read. Like Next it belongs to the
// capture's goroutine.
func (c *Capture) Info() Info {
	i := c.describe()
	i.Compression = c.content.name
	i.Records, i.NoTime, i.ClampedTime = c.records, c.seen.noTime, c.seen.clamped
	i.WireLengthRaised, i.SubsecondOverflow = c.seen.raised, c.seen.overflows
	i.Captures = c.joins + 1
	i.Links = slices.Clone(c.seen.links[:min(len(c.seen.links), mostLinks)])
	if len(c.seen.links) > mostLinks {
		i.OtherLinks = c.seen.links[mostLinks].Records
	}
	i.Warnings = append(i.Warnings, c.oddities(&i)...)
	return i
}

// describe is what the formats of the file tell, those of captures joined
// before the current one included.
func (c *Capture) describe() Info {
	i := Info{Sections: 1, Interfaces: 1}
	c.format.describe(&i)
	if c.joined != nil {
		i = c.joined.and(i)
	}
	return i
}

// and describes a file that i describes up to the last of its captures, and
// next from there on.
func (i *Info) and(next Info) Info {
	if next.Version = both(i.Version, next.Version); i.Format != next.Format {
		next.Version = "" // of what
	}
	next.Format = both(i.Format, next.Format)
	next.ByteOrder = both(i.ByteOrder, next.ByteOrder)
	next.TimeResolution = both(i.TimeResolution, next.TimeResolution)
	next.Snaplen = max(i.Snaplen, next.Snaplen)
	next.Sections += i.Sections
	next.Interfaces += i.Interfaces
	for _, s := range i.Skipped {
		at := slices.IndexFunc(next.Skipped, func(n BlockCount) bool { return n.Name == s.Name })
		if at < 0 {
			next.Skipped = append(next.Skipped, s)
		} else {
			next.Skipped[at].Blocks += s.Blocks
		}
	}
	return next
}

// both is how a property of two captures is shown.
func both(a, b string) string {
	switch {
	case a == b, b == "":
		return a
	case a == "":
		return b
	}
	return "mixed"
}

// bgzfEnd is the empty block that ends a bgzf stream.
const bgzfEnd = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// oddities are what was odd about a capture that cost no record.
func (c *Capture) oddities(i *Info) (all []string) {
	if n := i.WireLengthRaised; n > 0 {
		all = append(all, fmt.Sprintf("records whose wire length was below their capture length, and was raised to it: %d", n))
	}
	if n := i.SubsecondOverflow; n > 0 {
		all = append(all, fmt.Sprintf("records with a sub-second field of a second or more, added as it stands (it may be nanoseconds in a file that says %s): %d", i.TimeResolution, n))
	}
	if n := c.seen.unaligned; n > 0 {
		all = append(all, fmt.Sprintf("blocks with a length that is no multiple of 4: %d", n))
	}
	if c.flaw != nil && c.err != nil && c.err != error(c.flaw) {
		all = append(all, fmt.Sprintf("also, at record %d, offset %d: %v", c.flaw.Record, c.flaw.Offset, c.flaw.Err))
	}
	if c.part == nil && (c.err == io.EOF || c.flaw != nil && c.err == error(c.flaw)) && c.content.lastBGZF && !c.content.padded && string(c.raw.tail[:]) != bgzfEnd {
		all = append(all, "the bgzf stream lacks its end mark: blocks may be missing")
	}
	return all
}

// mostLinks is how many link types of a capture are counted by themselves: what
// is kept of a capture that was read must stay small, and there are some 300 in
// all.
const mostLinks = 256

// tally counts what the records of a file have in common.
type tally struct {
	noTime, clamped   uint64
	raised, overflows uint64 // Info.WireLengthRaised, Info.SubsecondOverflow
	unaligned         uint64 // pcapng blocks with lengths that are no multiple of 4
	trials            int    // see looksLikeJoin
	flaws             uint64
	links             []LinkCount      // at most mostLinks, and one for all others
	slots             map[uint16]int32 // link type to its place in links
	flaw              *flaw            // for Capture to report; nil for none
	last              int64            // time of the last record, for records without one
}

// slot returns the place of a link type in links, a new one for a new type.
func (t *tally) slot(link uint16) int32 {
	if s, ok := t.slots[link]; ok {
		return s
	}
	if t.slots == nil {
		t.slots = make(map[uint16]int32)
	}
	s := int32(len(t.links))
	switch {
	case s > mostLinks:
		return mostLinks
	case s < mostLinks:
		t.slots[link] = s
	}
	t.links = append(t.links, LinkCount{Link: link})
	return s
}

// raise gives r the wire length that it has at least.
func (t *tally) raise(r Record) Record {
	if r.WireLen < r.CapLen {
		r.WireLen = r.CapLen
		t.raised++
	}
	return r
}

// flaw is damage that loses nothing, and where in a walk it was.
type flaw struct {
	err     error
	records int // of the batch, before it
	off     int // in its bytes
}

// flawed notes a flaw in the block at off, after so many records of the batch.
func (t *tally) flawed(err error, records, off int) {
	t.flaws++
	if t.flaw == nil {
		t.flaw = &flaw{err, records, off}
	}
}
