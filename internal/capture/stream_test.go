package capture

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"testing/iotest"

	"pcapbatch/internal/durable"
)

// A stream has the size and the digest of a file of the same content, in whatever
// pieces it is read.
func TestStream(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	path := filepath.Join(t.TempDir(), "c")
	for _, size := range []int{0, 1, 100, digestBytes - 1, digestBytes, digestBytes + 1, 2*digestBytes - 1, 2 * digestBytes, 3*digestBytes + 77} {
		data := make([]byte, size)
		for i := range data {
			data[i] = byte(rng.Uint32())
		}
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		want, err := Identify(durable.OS, path)
		if err != nil {
			t.Fatal(err)
		}
		for _, piece := range []int{1000, digestBytes, size + 1} {
			s := NewStream(bytes.NewReader(data))
			b := make([]byte, piece)
			for n, err := 1, error(nil); err == nil && n > 0; {
				n, err = s.Read(b[:1+rng.IntN(piece)])
				if rng.IntN(9) == 0 {
					break // the rest is read by Rest
				}
			}
			if err := s.Rest(); err != nil {
				t.Fatal(err)
			}
			id := Identity{Path: path, ModTime: want.ModTime}
			if s.Identify(&id); id != *want {
				t.Errorf("%d bytes, pieces of %d: %+v, want %+v", size, piece, id, *want)
			}
		}
	}
	if err := NewStream(io.MultiReader(bytes.NewReader([]byte("x")), iotest.ErrReader(os.ErrClosed))).Rest(); err != os.ErrClosed {
		t.Error(err)
	}
}

// Of two identities with a tag the tags count alone.
func TestTag(t *testing.T) {
	a, b := Identity{Size: 1, ModTime: 2, Digest: "d"}, Identity{Size: 1, ModTime: 2, Digest: "d"}
	for _, c := range []struct {
		a, b string
		same bool
	}{{"", "", true}, {"x", "", false}, {"", "x", false}, {"x", "y", false}, {"x", "x", true}} {
		if a.Tag, b.Tag = c.a, c.b; a.Unchanged(&b) != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, !c.same)
		}
	}
	if a.Tag, b.Tag, b.Size = "x", "x", 0; !a.Unchanged(&b) {
		t.Error("the size of a stream is not known before it was read")
	}
}
