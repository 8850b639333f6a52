package agg

import (
	"cmp"
	"slices"
)

// A Row names a session of a table, with the time that decides its place.
type Row struct {
	First int64 // ns since the epoch
	Index uint32
}

// Rows returns the sessions of t in the order of the output: by first time,
// then by key, then by number: those of one key are in capture order. Sessions
// begin in nearly that order, so sorting costs little more than looking. The
// caller owns the list.
func (t *Table) Rows() []Row {
	rows := make([]Row, t.Len())
	for i := range rows {
		rows[i] = Row{t.session(uint32(i)).first(), uint32(i)}
	}
	slices.SortFunc(rows, func(a, b Row) int { return cmp.Or(CompareRows(t, a, t, b), cmp.Compare(a.Index, b.Index)) })
	return rows
}

// CompareRows orders row a of t and row b of o as in the output. Only rows of
// one key that begin at one time compare equal: they are of one table, and
// their order is that of their numbers.
func CompareRows(t *Table, a Row, o *Table, b Row) int {
	switch {
	case a.First < b.First:
		return -1
	case a.First > b.First:
		return 1
	}
	ka, kb := t.session(a.Index).rowKey(), o.session(b.Index).rowKey()
	return ka.Compare(&kb)
}
