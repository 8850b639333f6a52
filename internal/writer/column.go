package writer

import "pcapbatch/internal/agg"

// Type is what a column's cells are, in every row.
type Type string

const (
	Text    Type = "text"    // may be empty; quoted where RFC 4180 asks for it
	Integer Type = "integer" // digits, a leading minus for negative numbers; no point
	Decimal Type = "decimal" // always with a point, never with an exponent
)

// Kind says how the Value of a column is to be read.
type Kind uint8

const (
	// Address is an IP address; Version says of which family.
	Address Kind = iota
	// Unsigned is Lo.
	Unsigned
	// Signed is Lo as the bits of an int64.
	Signed
	// Nanos is Lo, in ns; the column is in seconds.
	Nanos
	// Micros is Lo, in millionths of the column's unit.
	Micros
	// Micros128 is Hi<<64 | Lo, in millionths of the column's unit, below
	// 10^44.
	Micros128
	// Halves is Hi<<64 | Lo, in halves of the column's unit, below 2^65.
	Halves
	// Bytes has no Value: Column.AppendText gives it. It is UTF-8 in all
	// columns but capture and label, which may be any bytes.
	Bytes
)

// A Value is one typed value of a row. Which fields mean something is the
// column's Kind.
type Value struct {
	Hi, Lo  uint64 // of an address: the bytes of flow.Key, big endian
	Version uint8  // of an address: 4 or 6
}

// A Column is one entry of the data dictionary.
type Column struct {
	Name       string `json:"name"`
	Group      Group  `json:"group"`
	Type       Type   `json:"type"`
	Unit       string `json:"unit"`
	Definition string `json:"definition"`
	// Exactness says how far the value can be from the true one.
	Exactness string `json:"exactness"`
	Kind      Kind   `json:"-"`

	// value gives the value of a defined cell, of all kinds but Bytes.
	value func(*Row) Value
	// field, if there is one, is where Value.Lo stands, and value is nil: a
	// Formatter reads it without a call.
	field func(*agg.Summary) *uint64
	// text appends the text of a defined cell, of kind Bytes.
	text func([]byte, *Row) []byte
	// time gives the time, in ns since the epoch, that text writes; nil for other
	// texts.
	time func(*Row) int64
	// stats is set in the columns of a statistic: it gives where the statistic
	// stands, and part is which of its columns this is.
	stats func(*agg.Summary) *agg.Stats
	part  statPart
	// tuple is the place of the column in the 5-tuple of the session, from 1; 0
	// of other columns.
	tuple int
	// storage is how typed outputs keep an integer of few bits; "" otherwise.
	storage Storage
	// needs are the facts that a session must have for the value to be defined.
	// position is the number of packets before the one that the column is about,
	// 0 for other columns: a session that lacks this packet has no value.
	needs    needs
	position int
	// void are facts without which the cell has the same text in all rows: that
	// of an undefined value or, as that of an idle time of 0, a defined one. By
	// default these are the facts in needs.
	void needs
	// free: the text may be of any length and any bytes; else it is at most
	// maxCell bytes that never need quoting.
	free bool
}

// Defined reports whether the row has a value in c.
func (c *Column) Defined(r *Row) bool {
	return c.needs&^r.facts == 0 && uint64(c.position) < r.Summary.Packets
}

// Value returns the value of r in c. Requires: it is defined, and c is not of
// kind Bytes.
func (c *Column) Value(r *Row) Value {
	if c.field != nil {
		return Value{Lo: *c.field(&r.Summary)}
	}
	return c.value(r)
}

// AppendText appends the value of r in c to dst, unquoted and as it is.
// Requires: it is defined, and c is of kind Bytes.
func (c *Column) AppendText(dst []byte, r *Row) []byte { return c.text(dst, r) }

// A Row holds the values of one session, for the columns of one layout. It
// belongs to one goroutine and is used for one session after the other.
type Row struct {
	// Summary is the session, as Load found it.
	Summary agg.Summary

	summarizer agg.Summarizer
	sample     bool // deviations are those of a sample
	groups     bool // there are columns that ask for groupFacts
	facts      needs
	label      SessionText // of Options.Label; nil until it is asked for
	observer   Observer    // nil: none
	clock      clock
	nanos      nanos // what seconds returned last
}

// NewRow returns a row for the columns of l.
func (l *Layout) NewRow() *Row {
	n, _ := Needs(l.options)
	r := &Row{sample: l.options.SampleStd, groups: n != 0}
	r.nanos.set(0)
	for _, q := range l.options.Quantiles {
		r.summarizer.Asked = append(r.summarizer.Asked, q.Value)
	}
	if l.options.Observe != nil {
		if r.observer = l.options.Observe(); r.observer != nil {
			r.summarizer.Gaps = r.observer
		}
	}
	return r
}

// Load makes r the row of session i of t. Requires: i < t.Len(), and t keeps
// what Needs says that the layout needs.
func (r *Row) Load(t *agg.Table, i uint32) {
	r.summarizer.Summarize(t, i, &r.Summary)
	if r.observer != nil {
		r.observer.Session(&r.Summary)
	}
	r.facts = factsOf(&r.Summary, r.sample)
	if r.groups {
		r.facts |= groupFacts(&r.Summary, r.sample)
	}
}

// seconds returns the text of v ns in seconds, valid until the next call. It
// keeps the last one, because neighbouring columns often have the same value:
// duration and active time, and of two packets also the interarrival times.
func (r *Row) seconds(v uint64) *nanos {
	if r.nanos.of != v {
		r.nanos.set(v)
	}
	return &r.nanos
}

// Quantiles returns those of the session, in the order of Options.Quantiles,
// valid until the next Load.
func (r *Row) Quantiles() []agg.Quantiles { return r.summarizer.Quantiles }

// Sequence returns the session's first packets, valid until the next Load.
func (r *Row) Sequence() []agg.SequencePacket { return r.summarizer.Sequence }

// needs are facts about a session on which cells depend.
type needs uint64

const (
	someGap      needs = 1 << iota // two packets or more
	deviatingGap                   // enough gaps for a standard deviation: see leastOf
	deviating                      // enough packets for one
	someDuration                   // not all packets at one time
	someIdleTime                   // a gap above the idle threshold

	// The same of one direction.
	someForward
	gapForward
	deviatingForward
	deviatingGapForward
	someBackward
	gapBackward
	deviatingBackward
	deviatingGapBackward

	windowForward // a TCP window
	windowBackward
	ttlForward // a packet
	ttlBackward
	answered        // a SYN, and then a SYN with ACK
	completed       // and then an ACK
	someIdle        // an idle period
	deviatingIdle   // enough for a deviation
	deviatingActive // enough active ones
	icmpKnown       // the first packet has type and code
	tcpProtocol
	flagsForward // a TCP flag
	flagsBackward
	bulkForward // a bulk
	bulkBackward
	bulkTimeForward // a bulk that lasts
	bulkTimeBackward
)

// factsOf returns which of the facts on which basic columns depend the session
// has. With sample, deviations are those of a sample.
func factsOf(s *agg.Summary, sample bool) (n needs) {
	least := leastOf(sample)
	if s.Gaps.N > 0 {
		n |= someGap
	}
	if s.Gaps.N >= least {
		n |= deviatingGap
	}
	if s.Packets >= least {
		n |= deviating
	}
	if s.First != s.Last {
		n |= someDuration
	}
	if s.Idle > 0 {
		n |= someIdleTime
	}
	return n
}

// leastOf returns how many values a standard deviation needs: two of a sample,
// one of the population.
func leastOf(sample bool) uint64 {
	if sample {
		return 2
	}
	return 1
}

// groupFacts returns which of the facts on which columns of other groups depend
// the session has.
func groupFacts(s *agg.Summary, sample bool) (n needs) {
	least := leastOf(sample)
	for i := range sides {
		n |= sides[i].facts(s, least)
	}
	if s.TCP.SYNToSYNACK.Defined {
		n |= answered
	}
	if s.TCP.SYNACKToACK.Defined {
		n |= completed
	}
	if s.Activity.Idle.N > 0 {
		n |= someIdle
	}
	if s.Activity.Idle.N >= least {
		n |= deviatingIdle
	}
	if s.Activity.Active.N >= least {
		n |= deviatingActive
	}
	if s.IP.ICMP.Defined {
		n |= icmpKnown
	}
	if s.Key.Protocol == 6 {
		n |= tcpProtocol
	}
	return n
}

// facts returns what the session has in the direction d.
func (d *side) facts(s *agg.Summary, least uint64) (n needs) {
	of := &s.Directions[d.index]
	if of.Packets > 0 {
		n |= d.some
	}
	if of.Gaps.N > 0 {
		n |= d.someGap
	}
	if of.Packets >= least {
		n |= d.deviating
	}
	if of.Gaps.N >= least {
		n |= d.deviatingGap
	}
	if s.TCP.Window[d.index].Defined {
		n |= d.window
	}
	if s.IP.TTL[d.index].Defined {
		n |= d.ttl
	}
	if s.Flags[d.index] != ([8]uint64{}) {
		n |= d.flags
	}
	if s.Bulk.Bulks[d.index].Bulks > 0 {
		n |= d.bulk
	}
	if s.Bulk.Bulks[d.index].Duration > 0 {
		n |= d.bulkTime
	}
	return n
}
