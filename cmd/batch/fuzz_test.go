package main

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// fuzzLimit bounds what a run over one small file may allocate, in bytes, all
// told. A run over a capture of testdata takes 0.8 MB, with bzip2 4 MB; a
// record or block that is believed can be 16 MB.
const fuzzLimit = 64 << 20

// FuzzRun gives whole files to the command: whatever they hold, it ends by
// itself with exit code 0 or 1, its rows are a CSV, and its memory is bounded.
// A failing balance of records is exit code 3. The first byte chooses flags.
func FuzzRun(f *testing.F) {
	for i, name := range files(f) {
		f.Add(byte(i), read(f, filepath.Join(testdata, name)))
	}
	f.Fuzz(func(t *testing.T, flags byte, data []byte) {
		path := filepath.Join(t.TempDir(), "c")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		args := []string{"extract", "-j1", path}
		for bit, flag := range []string{"--decapsulate", "--key=vlan", "--direction=unidirectional", "--idle-timeout=1s", "--features=all", "--undefined=empty", "--sample-std"} {
			if flags>>bit&1 == 1 {
				args = append(args, flag)
			}
		}
		var before, after runtime.MemStats
		var stdout, stderr bytes.Buffer
		runtime.ReadMemStats(&before)
		code := runStreams(strings.NewReader(""), &stdout, &stderr, args...)
		runtime.ReadMemStats(&after)
		if code != exitOK && code != exitDamaged {
			t.Fatalf("exit code %d: %s", code, &stderr)
		}
		if code == exitDamaged && stderr.Len() == 0 {
			t.Error("exit code 1 without a word why")
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > fuzzLimit {
			t.Errorf("%d bytes allocated for a file of %d", n, len(data))
		}
		if stdout.Len() > 0 || code == exitOK { // nothing is written if the file is no capture
			parseRows(t, stdout.String())
		}
	})
}
