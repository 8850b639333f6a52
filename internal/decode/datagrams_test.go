package decode

import (
	"encoding/binary"
	"math/rand/v2"
	"testing"
)

// Every field of a datagram comes back from the file: what it holds is what
// package binary makes of it.
func TestDatagramInFile(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, binary.Size(datagram{}))
	if len(random)+sumBytes != storedBytes {
		t.Fatalf("%d bytes in the file, want %d", storedBytes, len(random)+sumBytes)
	}
	for range 100 {
		for i := range random {
			random[i] = byte(r.Uint32())
		}
		var want, got datagram
		if _, err := binary.Decode(random, le, &want); err != nil {
			t.Fatal(err)
		}
		if text := want.appendTo(nil); string(text) != string(random) {
			t.Fatalf("written\n%x, want\n%x", text, random)
		}
		if got.load(random); got != want {
			t.Fatalf("read %+v, want %+v", got, want)
		}
	}
}
