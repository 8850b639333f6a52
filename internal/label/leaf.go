package label

import (
	"math"
	"math/bits"
)

// mostScreens is the number of entries up to which a leaf has screens; a longer
// one is a grid.
const mostScreens = 24

// A screen is an entry in a short leaf, with the line of its rule. It has in
// value what the rule asks for of the protocol and the first 28 bits of both
// addresses, and in mask those bits of them that it does ask for. So most rules
// of a leaf are refused without a look at them.
type screen struct {
	value, mask uint64
	lined
}

const screenBits = 28 // of an address

func (a address) top() uint64 { return a.high >> (64 - screenBits) }

func (q *query) screened() uint64 {
	return uint64(q.protocol)<<(2*screenBits) | q.src.top()<<screenBits | q.dst.top()
}

func (s *Set) screen(e entry) screen {
	r := s.rules.at(e.place())
	of := query{src: r.src, dst: r.dst, protocol: r.protocol}
	all := address{high: math.MaxUint64}
	mask := query{src: all.prefix(r.srcBits), dst: all.prefix(r.dstBits)}
	if r.fields&hasProto != 0 {
		mask.protocol = math.MaxUint8
	}
	if e.swapped() {
		of.src, of.dst = of.dst, of.src
		mask.src, mask.dst = mask.dst, mask.src
	}
	return screen{of.screened(), mask.screened(), s.lined(e)}
}

// Fields of a session that a grid looks at.
const (
	gridSrc = iota
	gridDst
	gridLast
	gridFirst
	gridTime // the first and the last packet are in one row
	gridProtocol
	gridFields
)

// A grid is a leaf of many entries, with a matrix of bits that has a column for
// each entry and several rows for each field. The value of a session says which
// row of the field is the one to look at: it has ones in the columns of all
// entries that can match a session with this value. So the conjunction of five
// rows leaves few entries of which the rules must be compared.
//
// A row of an address stands for some neighbouring ranks of a scale, and has the
// entries whose prefix meets them; a row of the time of the last packet those
// that do not start after its ranks, and one of the first packet those that do
// not end before them. Most sessions are short enough for a row of those that
// do neither, which is one instead of two.
//
// The matrix is cut into blocks of columns: then the rows of a block are
// neighbours, and each of them is one line of the cache.
type grid struct {
	entries []lined
	rows    []uint64 // of one block after the other
	lines   []uint32 // of the first entry of each word
	n       int      // number of rows
	fields  [gridFields]rowRange
}

const (
	gridBlock  = 512 // entries of a block
	blockWords = gridBlock / 64
)

// A rowRange is the rows of a field: n of them, from the given one on. Ranks
// from base on, 1 << shift each, have a row; those before them have the first
// one and those after them the last.
type rowRange struct {
	from, base, n uint16
	shift         uint8
}

func (r *rowRange) row(rank uint16) int {
	return int(r.from + min((max(rank, r.base)-r.base)>>r.shift, r.n-1))
}

const protocolRows = 8

// protocolRow keeps TCP, UDP, ICMP and SCTP apart.
func protocolRow(protocol uint8) uint16 { return uint16(protocol^protocol>>4) % protocolRows }

// scan searches a leaf.
func (s *Set) scan(p part, q *query) {
	switch {
	case p.n == 1:
		s.compare(lined{entry(p.at), p.first}, q)
		return
	case p.n > mostScreens:
		s.scanGrid(&s.grids[p.at], q)
		return
	}
	screens := s.screens[p.at:][:p.n]
	for i := range screens {
		l := &screens[i]
		if (l.value^q.screen)&l.mask == 0 && s.compare(l.lined, q) {
			return
		}
	}
}

// compare compares the rule of e. It reports whether entries after it need no
// look, because it matches or stands after a rule that does.
func (s *Set) compare(e lined, q *query) (done bool) {
	if e.line >= q.best {
		return true
	}
	if s.rules.at(e.place()).matches(q, e.swapped()) {
		q.best, q.found = e.line, e.place()
		return true
	}
	return false
}

func (s *Set) scanGrid(g *grid, q *query) {
	var row [gridFields]int
	for f, rank := range q.ranks {
		row[f] = g.fields[f].row(rank)
	}
	if time := g.fields[gridTime].row(q.ranks[gridLast]); time == g.fields[gridTime].row(q.ranks[gridFirst]) {
		row[gridLast], row[gridFirst] = time, time
	}
	row[gridProtocol] = g.fields[gridProtocol].row(protocolRow(q.protocol))
	rows := g.rows
	for at := 0; at < len(g.lines); at += blockWords {
		lines := g.lines[at:min(at+blockWords, len(g.lines))]
		words := len(lines)
		src := rows[row[gridSrc]*words:][:words]
		dst := rows[row[gridDst]*words:][:words]
		last := rows[row[gridLast]*words:][:words]
		first := rows[row[gridFirst]*words:][:words]
		protocol := rows[row[gridProtocol]*words:][:words]
		for i, line := range lines {
			if line >= q.best {
				return
			}
			for w := src[i] & dst[i] & last[i] & first[i] & protocol[i]; w != 0; w &= w - 1 {
				if s.compare(g.entries[(at+i)*64+bits.TrailingZeros64(w)], q) {
					return
				}
			}
		}
		rows = rows[g.n*words:]
	}
}
