package main

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

const committed = ".."

// TestCommitted makes every file again and compares it with testdata.
func TestCommitted(t *testing.T) {
	for _, s := range stories() {
		t.Run(s.file, func(t *testing.T) {
			c, err := s.build()
			if errors.Is(err, exec.ErrNotFound) {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			same(t, s.file, c.data)
		})
	}
	same(t, "README.md", readme())
}

// same fails unless the committed file holds exactly the bytes want.
func same(t *testing.T, file string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(filepath.Join(committed, file))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s: %d bytes committed, %d made, different; run go run ./testdata/gen", file, len(got), len(want))
	}
}

// TestNothingElse holds testdata to what the generator makes, each name once,
// and to its size.
func TestNothingElse(t *testing.T) {
	const limit = 400_000
	known := map[string]bool{"gen": true, "README.md": true}
	for _, s := range stories() {
		if known[s.file] {
			t.Errorf("two stories called %s", s.file)
		}
		known[s.file] = true
	}
	entries, err := os.ReadDir(committed)
	if err != nil {
		t.Fatal(err)
	}
	var total int64
	for _, e := range entries {
		if !known[e.Name()] {
			t.Errorf("%s is not made by the generator", e.Name())
		}
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if !e.IsDir() {
			total += info.Size()
		}
	}
	if total > limit {
		t.Errorf("testdata holds %d bytes, more than %d", total, limit)
	}
}

// TestGenerate writes everything into an empty directory.
func TestGenerate(t *testing.T) {
	dir := t.TempDir()
	if err := generate(dir); err != nil {
		t.Fatal(err)
	}
	for _, s := range stories() {
		_, err := os.Stat(filepath.Join(dir, s.file))
		if err != nil && s.tool == "" {
			t.Error(err)
		}
	}
}

// TestUnpack unpacks the committed files with libraries other than the ones
// that packed them, where there are others, and expects the plain capture.
func TestUnpack(t *testing.T) {
	unpack := map[string]func(io.Reader) (io.Reader, error){
		".gz":  func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
		".zst": func(r io.Reader) (io.Reader, error) { return zstd.NewReader(r) },
		".lz4": func(r io.Reader) (io.Reader, error) { return allFrames(r) },
		".xz":  func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) },
		".bz2": func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil },
	}
	for _, s := range compressions() {
		t.Run(s.file, func(t *testing.T) {
			packed, err := os.ReadFile(filepath.Join(committed, s.file))
			if err != nil {
				t.Fatal(err)
			}
			open := unpack[filepath.Ext(s.file)]
			if open == nil {
				open = unpack[".gz"] // under another name
			}
			r, err := open(bytes.NewReader(packed))
			if err != nil {
				t.Fatal(err)
			}
			plain, err := io.ReadAll(r)
			if wantErr := strings.Contains(s.file, "trailing"); (err != nil) != wantErr {
				t.Errorf("unpack: error %v, want one: %v", err, wantErr)
			}
			if !bytes.Equal(plain, s.capture.data) {
				t.Errorf("unpacked to %d bytes that are not the capture of %d bytes", len(plain), len(s.capture.data))
			}
		})
	}
}

// allFrames reads every lz4 frame of r, one after the other.
func allFrames(r io.Reader) (io.Reader, error) {
	packed, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for rest := bytes.NewReader(packed); rest.Len() > 0; {
		if _, err := io.Copy(&out, lz4.NewReader(rest)); err != nil {
			return nil, err
		}
	}
	return &out, nil
}

// packet is what tshark says about one record.
type packet struct {
	ns         int64
	wire, kept int
	layers     string
	malformed  bool
}

// alreadyRead is the list of the files that tshark has read as the generator
// made them: tshark takes long to start, and will not read the same bytes
// otherwise. A file that is not in it is read each time; PCAPBATCH_FULL=1 reads
// all, and with -args -update writes the list.
const alreadyRead = "testdata/tshark.sum"

var update = flag.Bool("update", false, "write "+alreadyRead)

// sum is of all that a comparison with tshark depends on, but for tshark.
func (s *story) sum(t *testing.T) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(committed, s.file))
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	h.Write(data)
	fmt.Fprint(h, s.tshark, s.layers, s.capture.records)
	return fmt.Sprintf("%x  %s\n", h.Sum(nil), s.file)
}

// TestAgainstTshark compares the records of every file that tshark can read
// with the records that the generator put in.
func TestAgainstTshark(t *testing.T) {
	if testing.Short() {
		t.Skip("starts tshark once a capture")
	}
	if _, err := exec.LookPath("tshark"); err != nil {
		t.Skip(err)
	}
	known, err := os.ReadFile(alreadyRead)
	if err != nil {
		t.Fatal(err)
	}
	var sums strings.Builder
	t.Cleanup(func() {
		if *update && !t.Failed() {
			os.WriteFile(alreadyRead, []byte(sums.String()), 0o666)
		}
	})
	for _, s := range stories() {
		if s.tshark == unread {
			continue
		}
		sum := s.sum(t)
		sums.WriteString(sum)
		if strings.Contains(string(known), sum) && !capturetest.Full() {
			continue
		}
		t.Run(s.file, func(t *testing.T) {
			t.Parallel()
			got, damage := tshark(t, filepath.Join(committed, s.file))
			if (damage != "") != (s.tshark == asDamaged) {
				t.Errorf("tshark reports damage: %q", damage)
			}
			if len(got) != len(s.capture.records) {
				t.Fatalf("tshark reads %d records, want %d", len(got), len(s.capture.records))
			}
			if s.tshark != number {
				compare(t, s.capture.records, got)
			}
			if !someHas(got, s.layers) {
				t.Errorf("tshark sees no packet of %s, but %v", s.layers, got)
			}
		})
	}
}

func compare(t *testing.T, want []record, got []packet) {
	t.Helper()
	for i, w := range want {
		g := got[i]
		if g.ns != w.ns || g.wire != w.wire || g.kept != len(w.data) {
			t.Errorf("record %d: tshark reads %d ns, %d bytes of %d, want %d ns, %d of %d",
				i+1, g.ns, g.kept, g.wire, w.ns, len(w.data), w.wire)
		}
		if g.malformed && len(w.data) == w.wire {
			t.Errorf("record %d: malformed: %s", i+1, g.layers)
		}
	}
}

func someHas(packets []packet, layers string) bool {
	for _, p := range packets {
		if strings.Contains(p.layers, layers) {
			return true
		}
	}
	return layers == "" || len(packets) == 0
}

// tshark returns the records of a capture, and its complaint about the file.
func tshark(t *testing.T, path string) (packets []packet, damage string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("tshark", "-n", "-r", path, "-T", "fields", "-e", "frame.time_epoch",
		"-e", "frame.len", "-e", "frame.cap_len", "-e", "frame.protocols", "-e", "_ws.malformed")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		damage = fmt.Sprint(err, ": ", stderr.String())
	}
	for line := range strings.Lines(stdout.String()) {
		fields := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(fields) != 5 {
			t.Fatalf("tshark prints %q", line)
		}
		// tshark numbers custom and journal blocks among the packets.
		if fields[3] != "data" && fields[3] != "systemd_journal" {
			packets = append(packets, parse(fields))
		}
	}
	return packets, damage
}

// parse leaves what is not a number (times beyond tshark's range) at 0.
func parse(fields []string) packet {
	ns, _ := strconv.ParseInt(strings.Replace(fields[0], ".", "", 1), 10, 64) // 9 decimals: without the point, ns
	wire, _ := strconv.Atoi(fields[1])
	kept, _ := strconv.Atoi(fields[2])
	return packet{ns, wire, kept, fields[3], fields[4] != ""}
}
