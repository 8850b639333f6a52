package report

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// span is a capture from one time to another; without records if to < from.
func span(path string, from, to int64) Capture {
	c := Capture{Path: path}
	if from <= to {
		c.First, c.Last = &from, &to
	}
	return c
}

// A capture overlaps where it begins before an earlier one has ended: the one
// that ends last is named. To begin at the very end of another is no overlap.
func TestOverlaps(t *testing.T) {
	for name, c := range map[string]struct {
		captures []Capture
		want     []Overlap
	}{
		"none":            {nil, []Overlap{}},
		"one":             {[]Capture{span("a", 1, 9)}, []Overlap{}},
		"one after other": {[]Capture{span("a", 1, 9), span("b", 10, 20), span("c", 21, 21)}, []Overlap{}},
		"at the end":      {[]Capture{span("a", 1, 9), span("b", 9, 20)}, []Overlap{}},
		"by 1 ns":         {[]Capture{span("a", 1, 10), span("b", 9, 20)}, []Overlap{{"b", "a"}}},
		"inside":          {[]Capture{span("a", 1, 100), span("b", 2, 3), span("c", 50, 60), span("d", 99, 120), span("e", 110, 111)}, []Overlap{{"b", "a"}, {"c", "a"}, {"d", "a"}, {"e", "d"}}},
		"same times":      {[]Capture{span("a", 1, 5), span("b", 1, 5)}, []Overlap{{"b", "a"}}},
		"single packets":  {[]Capture{span("a", 7, 7), span("b", 7, 7)}, []Overlap{}},
		"before 1970":     {[]Capture{span("a", -9, -1), span("b", -5, 3)}, []Overlap{{"b", "a"}}},
		"without records": {[]Capture{span("a", 1, 9), span("x", 1, 0), span("b", 5, 20), span("y", 1, 0)}, []Overlap{{"b", "a"}}},
	} {
		r := New()
		r.Captures = c.captures
		if r.Finish(false); !slices.Equal(r.Overlaps, c.want) {
			t.Errorf("%s: %v, want %v", name, r.Overlaps, c.want)
		}
		r = New()
		r.Captures = c.captures
		if r.Finish(true); len(r.Overlaps) != 0 {
			t.Errorf("%s, merged by time: %v", name, r.Overlaps)
		}
		if text, err := json.Marshal(r); err != nil || !strings.Contains(string(text), `"overlapping_captures":[]`) {
			t.Errorf("%s: %s, %v", name, text, err)
		}
	}
}

// Every record is in exactly one count; a report where it is not says so.
func TestBalance(t *testing.T) {
	r := New()
	r.Add(&Run{
		Records: 20, Packets: 10, NonIP: 4, NonIPKinds: map[string]uint64{"arp": 4},
		Undecodable: map[string]uint64{"truncated": 3, "header": 1}, Unsupported: map[uint16]uint64{147: 2},
	})
	if err := r.Balance(); err != nil {
		t.Error(err)
	}
	for _, change := range []func(){
		func() { r.Records++ }, func() { r.Packets += 2 }, func() { r.NonIP += 3 },
		func() { r.Undecodable["header"] += 4 }, func() { r.Unsupported[1]++ },
	} {
		if change(); r.Balance() == nil {
			t.Errorf("%+v is taken for balanced", r)
		}
	}
}

// Damage is sorted by path, and what is missing can be told from what is
// damaged.
func TestDamage(t *testing.T) {
	r := New()
	r.Damage = []Damage{{Path: "b", Record: 2, Offset: 40, Kind: "truncated", Reason: "cut short"}, {Path: "a", Record: 9, Kind: "malformed", Reason: "bad length"}, {Path: "a", Kind: "empty", Reason: "empty file"}}
	r.Finish(false)
	var lines []string
	for i := range r.Damage {
		lines = append(lines, r.Damage[i].String())
	}
	if want := []string{"a: empty file", "a: record 9 at offset 0: bad length", "b: record 2 at offset 40: cut short"}; !slices.Equal(lines, want) {
		t.Errorf("%q, want %q", lines, want)
	}
	if !r.Damaged() || r.Failed() {
		t.Errorf("damaged: %t, failed: %t", r.Damaged(), r.Failed())
	}
	if r.Damage = append(r.Damage, Damage{Path: "c", Kind: KindIO, Reason: "no such file"}); !r.Failed() {
		t.Error("a missing capture is no failure")
	}
}

// Adding reports one by one makes the sum of all, whatever the order.
func TestAdd(t *testing.T) {
	one := &Run{Records: 3, Bytes: 100, Packets: 1, NonIP: 1, Reordered: 5, Fragments: 2, Unmatched: 1, Tunnelled: 1, NoTime: 1, ClampedTime: 2,
		NonIPKinds: map[string]uint64{"arp": 1}, Unsupported: map[uint16]uint64{9: 1}, Captures: []Capture{{Path: "a"}}, Sessions: 7}
	r := New()
	r.Add(one)
	r.Add(one)
	if r.Records != 6 || r.Bytes != 200 || r.Packets != 2 || r.NonIP != 2 || r.Reordered != 10 || r.Fragments != 4 || r.Unmatched != 2 || r.Tunnelled != 2 ||
		r.NoTime != 2 || r.ClampedTime != 4 || r.NonIPKinds["arp"] != 2 || r.Unsupported[9] != 2 || len(r.Captures) != 2 || r.Sessions != 0 {
		t.Errorf("%+v", r)
	}
	if one.NonIPKinds["arp"] != 1 {
		t.Error("a report that was added has changed")
	}
}
