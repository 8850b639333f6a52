package label

import (
	"math"
	"slices"
)

const (
	mostAddressRows = 64
	mostTimeRows    = 32
	leastRows       = 8
)

// A reach is the ranks that an entry allows a session to have in a field.
type reach struct{ from, to uint16 }

// reach returns the ranks that e allows in field f, and whether it leaves the
// field open.
func (b *builder) reach(e entry, f int) (ranks reach, open bool) {
	r := b.rules.at(e.place())
	switch f {
	case gridProtocol:
		row := protocolRow(r.protocol)
		return reach{row, row}, r.fields&hasProto == 0
	case gridLast, gridFirst, gridTime:
		from, to := b.scales[scaleTime].rank2(ordered(r.start), ordered(r.end))
		switch f {
		case gridLast:
			return reach{from, math.MaxUint16}, r.start == math.MinInt64
		case gridFirst:
			return reach{0, to}, r.end == math.MaxInt64
		}
		return reach{from, to}, r.start == math.MinInt64 && r.end == math.MaxInt64
	}
	a, n := r.src, r.srcBits
	if (f == gridDst) != e.swapped() {
		a, n = r.dst, r.dstBits
	}
	from, to := b.scales[versionScale(max(r.fields&versionMask, version4))].rank2(a.high, a.high|math.MaxUint64>>n)
	return reach{from, to}, n == 0
}

// grid makes the grid of list, and returns its number.
func (b *builder) grid(list []entry) uint32 {
	g := grid{entries: make([]lined, len(list))}
	for i, e := range list {
		g.entries[i] = b.lined(e)
		if i%64 == 0 {
			g.lines = append(g.lines, g.entries[i].line)
		}
	}
	for f := range g.fields {
		r := &g.fields[f]
		r.from = uint16(g.n)
		if f == gridProtocol {
			r.n = protocolRows
		} else {
			b.setRows(r, list, f)
		}
		g.n += int(r.n)
	}
	g.rows = make([]uint64, g.n*len(g.lines))
	rows := g.rows
	for block := range slices.Chunk(list, gridBlock) {
		words := (len(block) + 63) / 64
		for f := range g.fields {
			b.fill(rows, words, &g.fields[f], f, block)
		}
		rows = rows[g.n*words:]
	}
	b.grids = append(b.grids, g)
	return uint32(len(b.grids) - 1)
}

// setRows chooses the ranks of the rows of f. All entries of list allow the
// ranks before the first one at which one of them ends, or after the last one at
// which one begins, in the same way, so no row need divide those.
func (b *builder) setRows(r *rowRange, list []entry, f int) {
	least, greatest := uint16(math.MaxUint16), uint16(0)
	for _, e := range list {
		ranks, open := b.reach(e, f)
		switch {
		case open:
		case f == gridLast:
			least, greatest = min(least, ranks.from), max(greatest, ranks.from)
		case f == gridFirst:
			least, greatest = min(least, ranks.to), max(greatest, ranks.to)
		default:
			least, greatest = min(least, ranks.to), max(greatest, ranks.from)
		}
	}
	if least >= greatest {
		r.n = 1
		return
	}
	most := mostAddressRows
	if f >= gridLast {
		most = mostTimeRows
	}
	// A short list gets fewer rows, about so many bits for an entry as there are
	// rows for a long one.
	for most > leastRows && most > len(list)/8 {
		most /= 2
	}
	r.base = least
	for int(greatest-least)>>r.shift >= most {
		r.shift++
	}
	r.n = (greatest-least)>>r.shift + 1
}

// fill sets the bits of f in the rows of a block, which have so many words.
func (b *builder) fill(rows []uint64, words int, r *rowRange, f int, block []entry) {
	for i, e := range block {
		from, to := int(r.from), int(r.from+r.n-1)
		if ranks, open := b.reach(e, f); !open {
			from, to = r.row(ranks.from), r.row(ranks.to)
		}
		for row := from; row <= to; row++ {
			rows[row*words+i/64] |= 1 << (i % 64)
		}
	}
}
