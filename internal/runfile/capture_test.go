package runfile

import (
	"context"
	"errors"
	"testing"

	"pcapbatch/internal/agg"
)

// Sessions of one key are joined within a capture, and never with those of
// another, in whatever order their inputs come.
func TestMergeTellsCapturesApart(t *testing.T) {
	o := options
	o.Captures = true
	list := events(11, 6000, 40)
	dir := t.TempDir()
	var runs []*Run
	want := 0
	for _, name := range []string{"a", "b", "c"} {
		r := open(t, writeRun(t, dir, name, list, 3))
		runs = append(runs, r)
		for _, s := range r.Index {
			want += int(s.Entries)
		}
	}
	groups, group, partitions := Groups(runs, true)
	for i := range groups {
		g := group(i)
		// A second part of the first capture.
		g = append(g, g[0])
		n := map[uint32]int{}
		_, err := combine(context.Background(), g, o, func(_ int, session []byte) error {
			number, ok := agg.CaptureOf(session)
			if !ok {
				t.Fatal("a session without a number")
			}
			n[number]++
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(n) != 3 || n[0] != n[1] || n[1] != n[2] {
			t.Errorf("sessions by capture: %v", n)
		}
		want -= n[0] + n[1] + n[2]
	}
	if want != 0 || partitions != 3 {
		t.Errorf("%d sessions were joined, %d partitions", want, partitions)
	}
}

// A session in a file that has a number already is damage, and so is one that
// is merged without numbers.
func TestForgedCaptureNumber(t *testing.T) {
	o := options
	o.Captures = true
	forged := agg.NewTable(o)
	defer forged.Release()
	list := events(12, 50, 5)
	order := make([]uint16, len(list))
	for i := range order {
		order[i] = uint16(i)
	}
	forged.Update(list, order)
	temp := open(t, writeRun(t, t.TempDir(), "x", list, 1)).Input(0)
	in := tableInput(forged, forged.KeyOrder(nil), sessionOrder(1))
	nothing := func(int, []byte) error { return nil }
	if _, err := combine(context.Background(), []Input{in.OfCapture(1)}, o, nothing); !errors.Is(err, ErrDamaged) {
		t.Errorf("a second number: %v", err)
	}
	if _, err := combine(context.Background(), []Input{temp}, o, nothing); !errors.Is(err, ErrDamaged) {
		t.Errorf("no number in a merge that tells captures apart: %v", err)
	}
}
