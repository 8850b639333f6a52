package runfile

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
)

// Every bit of the header counts, those that are always 0 too.
func TestEveryBitOfTheHeader(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.run")
	w, err := Create(durable.OS, path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.next(); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(&Meta{Kind: Rows, Part: &Part{}}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	open := func() error {
		_, err := (&Files{FS: durable.OS}).Open(path)
		return err
	}
	if err := open(); err != nil {
		t.Fatal(err)
	}
	for bit := range fileHeader * 8 {
		data[bit/8] ^= 1 << (bit % 8)
		capturetest.Write(t, path, data)
		if err := open(); !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrVersion) {
			t.Errorf("bit %d of byte %d: %v", bit%8, bit/8, err)
		}
		data[bit/8] ^= 1 << (bit % 8)
	}
}
