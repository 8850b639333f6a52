package main

import (
	"bytes"
	"compress/gzip"
	"os"
	"path/filepath"
	"testing"
)

func TestGunzipFile(t *testing.T) {
	text := bytes.Repeat([]byte("every byte that went in comes out again\n"), 100_000)
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	whole, cut := filepath.Join(t.TempDir(), "whole.gz"), filepath.Join(t.TempDir(), "cut.gz")
	for path, content := range map[string][]byte{whole: b.Bytes(), cut: b.Bytes()[:b.Len()-9]} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, workers := range []int{1, 2} {
		for _, klauspost := range []bool{false, true} {
			n, err := gunzipFile(whole, workers, klauspost)
			if err != nil || n != int64(len(text)) {
				t.Errorf("%d workers, klauspost %v: %d bytes of %d, %v", workers, klauspost, n, len(text), err)
			}
			if _, err := gunzipFile(cut, workers, klauspost); err == nil {
				t.Errorf("%d workers, klauspost %v: no error at a cut end", workers, klauspost)
			}
		}
	}
}

func TestInflateWithoutFiles(t *testing.T) {
	var out, complaints bytes.Buffer
	if code := run([]string{"inflate", "-data", t.TempDir()}, &out, &complaints); code != 2 || !bytes.Contains(complaints.Bytes(), []byte("no quarter/mix.pcap.gz")) {
		t.Errorf("exit code %d, %s", code, complaints.Bytes())
	}
}
