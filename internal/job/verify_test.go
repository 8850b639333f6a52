package job

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"
)

// verified returns what Verify has to say of one path.
func verified(t *testing.T, path string) *report.Verification {
	t.Helper()
	var found []*report.Verification
	err := Verify(t.Context(), New(), []string{path}, false, func(v *report.Verification) error {
		found = append(found, v)
		return nil
	})
	if err != nil || len(found) != 1 {
		t.Fatalf("%d files, %v", len(found), err)
	}
	return found[0]
}

// keptOf makes a run file and a part of a small capture.
func keptOf(t *testing.T) (run, part string) {
	t.Helper()
	runs, parts := t.TempDir(), t.TempDir()
	found := capture.Find(durable.OS, []string{"../../testdata/example.pcap"}, false)
	if _, err := Map(t.Context(), New(), runs, 2, found); err != nil {
		t.Fatal(err)
	}
	paths, err := RunFiles(durable.OS, []string{runs})
	if err == nil {
		_, err = Reduce(t.Context(), New(), paths, 0, parts)
	}
	if err != nil {
		t.Fatal(err)
	}
	list, err := Parts(durable.OS, []string{parts})
	if err != nil {
		t.Fatal(err)
	}
	return paths[0], list[0]
}

// Whatever bit of a run file or a part is another, and wherever it is cut, Verify
// finds it.
func TestVerifyEveryBit(t *testing.T) {
	t.Parallel()
	run, part := keptOf(t)
	for _, path := range []string{run, part} {
		if v := verified(t, path); v.Damage != nil {
			t.Fatalf("whole, and yet %s", v.Line())
		}
		data := load(t, path)
		spoilt := filepath.Join(t.TempDir(), filepath.Base(path))
		check := func(data []byte, what string, n int) {
			write(t, spoilt, data)
			if v := verified(t, spoilt); v.Damage == nil || v.Damage.Kind != report.KindKept {
				t.Errorf("%s %d: %s", what, n, v.Line())
			}
		}
		step := 11 // of a few thousand: odd, so that all places in a byte get their turn
		if testing.Short() {
			step = 97
		}
		for bit := 0; bit < 8*len(data); bit += step {
			changed := bytes.Clone(data)
			changed[bit/8] ^= 1 << (bit % 8)
			check(changed, "bit", bit)
		}
		for n := 0; n < len(data); n += step {
			check(data[:n], "cut at", n)
		}
		check(append(bytes.Clone(data), 0), "longer", 1)
	}
}

// A state directory is verified as a whole: a run file that does not fit to it is
// as bad as one that is damaged.
func TestVerifyState(t *testing.T) {
	t.Parallel()
	dir, other := t.TempDir(), t.TempDir()
	for i, state := range []string{dir, other} {
		c := New()
		c.Sessions.Unidirectional = i > 0
		name := []string{"example.pcap", "idle-gaps.pcap"}[i]
		if _, err := Resume(t.Context(), c, state, capture.Find(durable.OS, []string{"../../testdata/" + name}, false), io.Discard); err != nil {
			t.Fatal(err)
		}
	}
	lines := func() (text string) {
		err := Verify(t.Context(), New(), []string{dir}, false, func(v *report.Verification) error {
			text += strings.TrimPrefix(v.Line(), dir+"/") + "\n"
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	if text := lines(); strings.Contains(text, "DAMAGED") || strings.Count(text, "whole: ") != 2 {
		t.Errorf("of a whole one:\n%s", text)
	}
	runs, err := RunFiles(durable.OS, []string{other})
	if err == nil {
		err = os.Link(runs[0], filepath.Join(dir, filepath.Base(runs[0])))
	}
	if err != nil {
		t.Fatal(err)
	}
	if text := lines(); !strings.Contains(text, `DAMAGED: made with other options than the state directory: --direction is "bidirectional" and "unidirectional"`) {
		t.Errorf("with a run file of another:\n%s", text)
	}
}
