package agg

import (
	"encoding/binary"

	"pcapbatch/internal/flow"
)

// KeepsOf returns what an encoding has besides the basic statistics: the
// feature groups, and the length of sequences. The table that is to take it
// must have the same Options.
func KeepsOf(data []byte) (n Needs, sequence int, err error) {
	var s Session
	d := decoder{data: data}
	d.key(&s)
	return d.needs, d.sequence, d.err
}

// KeyOf returns the session key at the front of an encoding, for sorting and
// merging without decoding the rest.
func KeyOf(data []byte) (flow.Key, error) {
	var s Session
	d := decoder{data: data}
	d.key(&s)
	return s.key, d.err
}

// RowOf returns what the row of the session at the front of an encoding is
// sorted by, time in ns and key, and whether InexactGaps counts the session,
// without decoding the rest.
func RowOf(data []byte) (first int64, key flow.Key, inexact bool, err error) {
	var s Session
	d := decoder{data: data}
	d.key(&s)
	first = int64(binary.BigEndian.Uint64(d.bytes(8)))
	return first, s.rowKey(), s.state&inexactGaps != 0, d.err
}
