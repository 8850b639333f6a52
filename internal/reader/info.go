package reader

import (
	"io"
	"slices"
)

// Info describes a capture. What is counted covers the records that were returned so far, and the few that Open read
// ahead; at the end of the capture the counts are complete.
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
	Records        uint64
	NoTime         uint64       // records without a timestamp
	ClampedTime    uint64       // records whose timestamp lies outside int64 nanoseconds
	Skipped        []BlockCount // blocks that carry no packets, by sort
	Warnings       []string     // oddities that cost no record, as garbage behind a gzip stream
}

// LinkCount is how many records have a link type. Link types come in the order of their first record.
type LinkCount struct {
	Link    uint16 // LINKTYPE_ number
	Records uint64
}

// BlockCount is how many blocks of a sort were stepped over.
type BlockCount struct {
	Name   string
	Blocks uint64
}

// Info describes the capture as far as it was read. Like Next it belongs to the capture's goroutine.
func (c *Capture) Info() Info {
	i := Info{
		Compression: c.unpack.name,
		Sections:    1, Interfaces: 1,
		Records: c.records, NoTime: c.seen.noTime, ClampedTime: c.seen.clamped,
		Links: slices.Clone(c.seen.links),
	}
	c.format.describe(&i)
	if w := c.oddity(); w != "" {
		i.Warnings = append(i.Warnings, w)
	}
	return i
}

// bgzfEnd is the empty block that ends a bgzf stream.
const bgzfEnd = "\x1f\x8b\x08\x04\x00\x00\x00\x00\x00\xff\x06\x00BC\x02\x00\x1b\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00"

// oddity is what was odd about a compressed stream that was read to its end.
func (c *Capture) oddity() string {
	if c.err != io.EOF {
		return ""
	}
	if c.unpack.warning != nil {
		if w := c.unpack.warning(); w != "" {
			return w
		}
	}
	if c.unpack.name == "bgzf" && string(c.raw.tail[:]) != bgzfEnd {
		return "the bgzf stream lacks its end mark: blocks may be missing"
	}
	return ""
}

// tally counts what the records of a capture have in common.
type tally struct {
	noTime, clamped uint64
	links           []LinkCount
	slots           map[uint16]int32 // link type to its place in links
	last            int64            // time of the last record; kept by formats that have records without one
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
	t.slots[link] = s
	t.links = append(t.links, LinkCount{Link: link})
	return s
}
