package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/race"

	"github.com/klauspost/compress/zstd"
)

// atMost runs batch in a process of its own, with two workers and so much
// memory, and fails if it ever used more than it promises: the limit, 64 MiB,
// 4 MiB for each worker and, for many captures, what beyond says. It returns
// the exit status and what was written to standard output and error.
//
// Where twenty processes wait for two cores, the garbage collector of one may
// come late. So a command that would do the same again has up to three tries.
func atMost(t *testing.T, memory, beyond int, args ...string) (int, string, string) {
	t.Helper()
	notUnderRace(t)
	const workers = 2
	most := memory + 64 + 4*workers + beyond>>20
	for try := 1; ; try++ {
		var stdout, stderr bytes.Buffer
		cmd := exec.Command("batch-peak", append([]string{args[0], "-j", fmt.Sprint(workers), "--memory", fmt.Sprintf("%dM", memory)}, args[1:]...)...)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		peak := peakOf(t, cmd) >> 10
		t.Logf("%d MiB of %d", peak, most)
		if peak > most && try < 3 && args[0] == "extract" && !slices.Contains(args, "--state") {
			continue
		}
		if peak > most {
			t.Errorf("batch %q used %d MiB, which is more than %d", args, peak, most)
		}
		return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
	}
}

// notUnderRace skips a test of memory, best before it makes its captures.
func notUnderRace(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector takes several times the memory")
	}
}

// peakOf runs batch-peak to its end and returns how many KiB of memory it used at
// most.
func peakOf(t *testing.T, cmd *exec.Cmd) (peak int) {
	t.Helper()
	peakFile := filepath.Join(t.TempDir(), "peak")
	cmd.Env = append(os.Environ(), peakVariable+"="+peakFile)
	err := cmd.Run()
	if text, _ := os.ReadFile(peakFile); len(text) > 0 {
		fmt.Sscan(string(text), &peak)
	}
	if peak == 0 {
		t.Skip("the system does not say how much memory a process used:", err)
	}
	return peak
}

// peakVariable names the file to which mainPeak writes.
const peakVariable = "BATCH_TEST_PEAK"

// mainPeak is main, and writes to a file how many KiB of memory the process
// used at most, where the system says. What wait4 says of a process is at least
// what the one that began it used.
func mainPeak() {
	code := run(defaultName)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.SplitSeq(string(status), "\n") {
		if f := strings.Fields(line); len(f) > 1 && f[0] == "VmHWM:" {
			os.WriteFile(os.Getenv(peakVariable), []byte(f[1]), 0o600)
		}
	}
	os.Exit(code)
}

// largeRecords writes a capture with n records of 16 MiB.
func largeRecords(w io.Writer, n int) {
	head := pcap()
	binary.LittleEndian.PutUint32(head[16:], 16<<20) // snaplen
	w.Write(head)
	data := append(ip(client, server, protoUDP, udp(0, 53, 8)), make([]byte, 16<<20-200)...)
	for i := range n {
		binary.BigEndian.PutUint16(data[34:], uint16(i)) // the source port
		w.Write(pcap(record{Time: begin + int64(i)*second, Data: data})[24:])
	}
}

func TestMemoryOfLargeRecords(t *testing.T) {
	notUnderRace(t)
	n := capturetest.Usually(12, 20) // more than the memory there is
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithWindowSize(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	largeRecords(z, n)
	z.Close()
	path := write(t, "large.pcap.zst", packed.Bytes())
	for _, args := range [][]string{{"extract", path}, {"extract", "--interleave", path}} {
		code, rows, stderr := atMost(t, 64, 0, args...)
		if lines := strings.Count(rows, "\n"); code != exitOK || lines != n+1 {
			t.Errorf("%q: exit code %d, %d lines, %s", args, code, lines, stderr)
		}
	}
}

// All at once: a wide window, records as large as can be, and blocks of as many
// small ones as there can be, with first fragments. Where captures are merged, a
// large record is there a second time.
func TestMemoryOfLargeRecordsInAWideWindow(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks hundreds of megabytes")
	}
	large := capturetest.Usually(8, 20)
	path := filepath.Join(t.TempDir(), "wide.pcap.zst")
	var packed bytes.Buffer
	z, err := wideZstd(32)(&packed)
	if err != nil {
		t.Fatal(err)
	}
	fragmentsTo(t, z, 0, 600_000, 100_000)
	for i := range large {
		data := append(ip(client, server, protoUDP, udp(uint16(i), 53, 8))[14:], make([]byte, 16<<20-200)...)
		z.Write(pcap(record{Time: begin + int64(i)*second, Data: data})[24:])
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	mustWrite(t, path, packed.String())
	summary := filepath.Join(t.TempDir(), "summary.json")
	for _, how := range []string{"--interleave=false", "--interleave"} {
		code, _, stderr := atMost(t, 64, 0, "extract", "-q", "--features", "all", "--summary", summary, how, path)
		if r := readSummary(t, summary); code != exitOK || r.Records != 600_010+uint64(large) || r.Unmatched != 10 {
			t.Errorf("%s: exit code %d, %d records, %d unmatched, %s", how, code, r.Records, r.Unmatched, stderr)
		}
	}
}

// A packer makes a compressor.
type packer func(w io.Writer) (io.WriteCloser, error)

// wideZstd compresses with a window of so many MiB, 1 to 128, one capture at a
// time.
func wideZstd(window int) packer {
	z, err := zstd.NewWriter(nil, zstd.WithWindowSize(window<<20), zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	return func(w io.Writer) (io.WriteCloser, error) {
		if err == nil {
			z.Reset(w)
		}
		return z, err
	}
}

// An xzStore writes an xz stream with a dictionary of 64 MiB, as xz -9 does,
// without compressing anything, which takes long. The format is that of the .xz
// file format, version 1.1.0, and of LZMA2 chunks.
type xzStore struct {
	w    io.Writer
	data []byte
}

func wideXZ(w io.Writer) (io.WriteCloser, error) { return &xzStore{w: w}, nil }

func (x *xzStore) Write(p []byte) (int, error) {
	x.data = append(x.data, p...)
	return len(p), nil
}

func (x *xzStore) Close() error {
	le := binary.LittleEndian
	summed := func(b []byte) []byte { return le.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	padded := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	flags := []byte{0, 0} // no checksum of the data
	head := append([]byte("\xfd7zXZ\x00"), summed(flags)...)
	block := summed([]byte{2, 0, 0x21, 1, 28, 0, 0, 0}) // one filter, LZMA2, with 64 MiB
	for chunk := range slices.Chunk(x.data, 1<<16) {
		control := byte(2) // not compressed
		if len(block) == 12 {
			control = 1 // the first one
		}
		block = append(binary.BigEndian.AppendUint16(append(block, control), uint16(len(chunk)-1)), chunk...)
	}
	block = append(block, 0)
	index := binary.AppendUvarint([]byte{0, 1}, uint64(len(block)))
	index = summed(padded(binary.AppendUvarint(index, uint64(len(x.data)))))
	foot := append(le.AppendUint32(nil, uint32(len(index)/4-1)), flags...)
	foot = append(le.AppendUint32(nil, crc32.ChecksumIEEE(foot)), foot...)
	_, err := x.w.Write(slices.Concat(head, padded(block), index, foot, []byte("YZ")))
	return err
}

// wideCaptures makes n captures of so many packets of 100 KiB, which overlap
// from first to last. They are so large, compressed too, that no window is
// lowered.
func wideCaptures(t *testing.T, n, packets int, pack packer) string {
	t.Helper()
	dir := t.TempDir()
	noise := make([]byte, 100<<10)
	for i := range n {
		r := rand.NewChaCha8([32]byte{byte(i)})
		var packed bytes.Buffer
		z, err := pack(&packed)
		if err != nil {
			t.Fatal(err)
		}
		z.Write(pcap())
		fresh := 1<<10 + 400<<10/packets
		for k := range packets {
			r.Read(noise[:fresh])
			for at := fresh; at < len(noise); at *= 2 {
				copy(noise[at:], noise[:at])
			}
			data := append(ip(client, server, protoUDP, udp(uint16(i), 53, 8)), noise...)
			z.Write(appended(nil, record{Time: begin + int64(i) + int64(k)*second, Data: data}))
		}
		z.Close()
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%02d", i)), packed.String())
	}
	return dir
}

func TestMemoryOfWideWindows(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks a gigabyte")
	}
	n := capturetest.Usually(2, 4)
	dir := wideCaptures(t, n, 1400, wideZstd(128))
	for _, how := range []string{"--interleave=false", "--interleave"} {
		code, rows, stderr := atMost(t, 64, 0, "extract", how, dir)
		if code != exitDamaged || !strings.Contains(stderr, "a window of 134217728 bytes, where --memory leaves 71303168 for this capture (it would take --memory 125M), is unsupported") {
			t.Errorf("exit code %d, %d bytes, %s", code, len(rows), stderr)
		}
		for _, memory := range []int{125, 256}[:n/2] {
			code, rows, stderr = atMost(t, memory, 0, "extract", how, dir)
			if lines := strings.Count(rows, "\n"); code != exitOK || lines != n+1 {
				t.Errorf("%d MiB: exit code %d, %d lines, %s", memory, code, lines, stderr)
			}
		}
	}
}

// The rows of captures that are merged, more of them than there is memory for,
// are those of a run with enough.
func TestMemoryOfInterleaved(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks hundreds of megabytes")
	}
	for _, c := range []struct {
		name       string
		n, packets int
		pack       packer
	}{{"zstd --long=26", capturetest.Usually(8, 30), 60, wideZstd(64)}, {"xz -9", 3, capturetest.Usually(200, 700), wideXZ}} {
		t.Run(c.name, func(t *testing.T) {
			dir := wideCaptures(t, c.n, c.packets, c.pack)
			code, rows, stderr := atMost(t, 64, 0, "extract", "--interleave", dir)
			if want := mustRun(t, "extract", "--interleave", dir); code != exitOK || rows != want {
				t.Errorf("exit code %d, %d bytes of %d, %s", code, len(rows), len(want), stderr)
			}
		})
	}
}

func TestMemoryOfLinkTypes(t *testing.T) {
	if testing.Short() {
		t.Skip("reads millions of link types")
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := z.EncodeAll(capturetest.ManyLinks(), nil)
	dir := t.TempDir()
	n := capturetest.Usually(4, 60) // TestHeldOfACapture of package job has what one takes
	for i := range n {
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%02d.pcapng.zst", i)), string(packed))
	}
	for _, more := range [][]string{nil, {"--interleave"}, {"--state", filepath.Join(t.TempDir(), "state")}} {
		summary := filepath.Join(t.TempDir(), "summary.json")
		_, _, stderr := atMost(t, 64, 0, append([]string{"extract", "-q", "--summary", summary, dir}, more...)...)
		if r := readSummary(t, summary); r.Records != uint64(n)<<16 || len(r.Captures) != n {
			t.Errorf("%q: %d records of %d captures, %s", more, r.Records, len(r.Captures), stderr)
		}
	}
}

// The interfaces of a section count in what a capture holds, until it ends.
func TestMemoryOfInterfaces(t *testing.T) {
	if testing.Short() {
		t.Skip("reads millions of interfaces")
	}
	z, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	packed := z.EncodeAll(capturetest.ManyInterfaces(), nil)
	dir := t.TempDir()
	n := capturetest.Usually(16, 60)
	for i := range n {
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%02d.pcapng.zst", i)), string(packed))
	}
	for _, how := range []string{"--interleave=false", "--interleave"} {
		summary := filepath.Join(t.TempDir(), "summary.json")
		_, _, stderr := atMost(t, 64, 0, "extract", "-q", "--summary", summary, how, dir)
		if r := readSummary(t, summary); r.Records != uint64(n)*2623 || len(r.Captures) != n {
			t.Errorf("%s: %d records of %d captures, %s", how, r.Records, len(r.Captures), stderr)
		}
	}
}

func TestMemoryOfTinyCaptures(t *testing.T) {
	if testing.Short() {
		t.Skip("makes thousands of files")
	}
	n := capturetest.Usually(1000, 20_000) // TestHeldOfACapture of package job has what one takes
	dir := t.TempDir()
	smallCaptures(t, dir, n, nil)
	beyond := n * (256 + len(dir) + len("/000/000000.pcap"))
	for _, more := range [][]string{{"--summary", filepath.Join(t.TempDir(), "summary.json")}, {"--report", filepath.Join(t.TempDir(), "report.html")}, {"--state", filepath.Join(t.TempDir(), "state")}} {
		code, rows, stderr := atMost(t, 64, beyond, append([]string{"extract", "-q", "-r", dir}, more...)...)
		if lines := strings.Count(rows, "\n"); code != exitOK || lines != n/10+1 {
			t.Errorf("%q: exit code %d, %d lines, %s", more, code, lines, stderr)
		}
	}
}

// Rules of labels count in the memory: reading them takes no more than 200
// bytes a rule besides what a process takes that does nothing.
func TestMemoryOfLabels(t *testing.T) {
	notUnderRace(t)
	const n, idle = 300_000, 40 << 20
	r := rand.New(rand.NewPCG(1, 2))
	var rules strings.Builder
	rules.WriteString("src_ip,dst_ip,src_port,dst_port,protocol,start,end,label\n")
	some := func(format string, args ...any) {
		if r.IntN(10) > 0 {
			fmt.Fprintf(&rules, format, args...)
		}
		rules.WriteByte(',')
	}
	prefix := func() {
		some("%d.%d.%d.%d/%d", r.IntN(256), r.IntN(256), r.IntN(256), r.IntN(256), 3+r.IntN(30))
	}
	for i := range n {
		start := begin + r.Int64N(1e6)*second
		prefix()
		prefix()
		some("%d", r.IntN(1<<16))
		some("%d", r.IntN(1<<16))
		some("%d", []int{6, 17, 1}[r.IntN(3)])
		some("%d", start)
		some("%d", start+r.Int64N(3600)*second)
		fmt.Fprintf(&rules, "label %d\n", i%7)
	}
	path := write(t, "rules.csv", []byte(rules.String()))
	args := []string{"extract", "-q", "--labels", path, "../../testdata/example.pcap"}
	const memory = 128
	code, rows, stderr := atMost(t, memory, n*200+idle-(memory+64+8)<<20, args...)
	if code != exitOK || !strings.Contains(rows, ",label\n") {
		t.Errorf("exit code %d, %d bytes, %s", code, len(rows), stderr)
	}
	code, rows, stderr = atMost(t, 64, n*200, args...)
	if code != exitUsage || rows != "" || !strings.Contains(stderr, " for 300,000 rules of --labels, ") {
		t.Errorf("exit code %d, %d bytes, %s", code, len(rows), stderr)
	}
}

// growingSessions is a capture of n UDP sessions that all go on from its
// beginning to its end: their packets come in turn, so many of each.
func growingSessions(t *testing.T, n, packets int) string {
	t.Helper()
	var packed bytes.Buffer
	z, err := zstd.NewWriter(&packed, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(pcap())
	records := make([]byte, 0, 1<<20)
	frames := make([][]byte, n)
	for i := range frames {
		frames[i] = ip(client, server, protoUDP, udp(uint16(1024+i), 53, i%30))
	}
	at := int64(begin)
	for range packets {
		for _, data := range frames {
			at += 1000
			records = appended(records, record{Time: at, Data: data})
			if len(records) > 1<<20-1<<10 {
				z.Write(records)
				records = records[:0]
			}
		}
	}
	z.Write(records)
	z.Close()
	return write(t, "growing.pcap.zst", packed.Bytes())
}

// Rules that make a session of nearly every packet of one key.
func TestMemoryOfManySessionsOfOneKey(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a million packets")
	}
	n := capturetest.Usually(900_000, 1_200_000)
	path := growingSessions(t, 1, n)
	for _, rule := range []string{"--active-timeout=1ns", "--idle-timeout=1ns"} {
		code, rows, stderr := atMost(t, 64, 0, "extract", "-q", rule, path)
		if lines := strings.Count(rows, "\n"); code != exitOK || lines != n+1 {
			t.Errorf("%s: exit code %d, %d lines, %s", rule, code, lines, stderr)
		}
	}
}

// fragmentHeaders makes captures of what fragmentsTo writes.
func fragmentHeaders(t *testing.T, captures, records, back int) string {
	t.Helper()
	dir := t.TempDir()
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	for i := range captures {
		var packed bytes.Buffer
		z.Reset(&packed)
		fragmentsTo(t, z, i, records, back)
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		mustWrite(t, filepath.Join(dir, fmt.Sprintf("%02d.pcap.zst", i)), packed.String())
	}
	return dir
}

// fragmentsTo writes a capture of so many records that are IP headers and nothing
// else: 19 of 20 of a first fragment, each of another datagram, the others of a
// later fragment of one of them, which lies at most so many records back. Ten more
// have none.
func fragmentsTo(t *testing.T, w io.Writer, capture, records, back int) {
	t.Helper()
	r := rand.New(rand.NewPCG(5, 6))
	addresses := capturetest.Usually(1<<8, 1<<32) - 1 // a session for each
	packets := pcap()
	binary.LittleEndian.PutUint32(packets[16:], 16<<20) // snaplen
	binary.LittleEndian.PutUint32(packets[20:], 101)    // IP without a link layer
	data := ip(client, server, protoUDP, nil)[14:]
	data[12] = byte(capture)
	add := func(time int64, datagram int, field uint16) {
		binary.BigEndian.PutUint16(data[4:], uint16(datagram))
		binary.BigEndian.PutUint16(data[6:], field)
		binary.BigEndian.PutUint32(data[16:], uint32((datagram>>16^datagram)&addresses))
		packets = appended(packets, record{Time: begin + int64(capture) + time*100, Data: data})
		if len(packets) > 1<<20 {
			w.Write(packets)
			packets = packets[:0]
		}
	}
	for k := range records {
		if k%20 == 19 {
			add(int64(k), (k-1-r.IntN(min(k-1, back)))/20*20, 0x2003)
		} else {
			add(int64(k), k, 0x2000)
		}
	}
	for k := range 10 {
		add(int64(records+k), records+k, 0x2003)
	}
	if _, err := w.Write(packets); err != nil {
		t.Fatal(err)
	}
}

// What is remembered of first fragments keeps to the limit too: of one capture
// of nothing else, and of many, whatever is done with them.
func TestMemoryOfFragments(t *testing.T) {
	if testing.Short() {
		t.Skip("reads millions of fragments")
	}
	one, many := fragmentHeaders(t, 1, capturetest.Usually(800_000, 960_000), 700_000), fragmentHeaders(t, capturetest.Usually(2, 8), 600_000, 100_000)
	runs := t.TempDir()
	for _, args := range [][]string{
		{"extract", one}, {"extract", many}, {"extract", "--interleave", many}, {"extract", "--key", "capture", many},
		{"extract", "--state", filepath.Join(t.TempDir(), "state"), many}, {"map", "--out", runs, many}, {"merge", runs},
	} {
		summary := filepath.Join(t.TempDir(), "summary.json")
		more := []string{"-q", "--summary", summary}
		if args[0] != "map" {
			more = append(more, "-o", filepath.Join(t.TempDir(), "rows"))
		}
		code, _, stderr := atMost(t, 64, 0, append(args, more...)...)
		r := readSummary(t, summary)
		n := uint64(len(r.Captures))
		if code != exitOK || n == 0 || r.Fragments != r.Records || r.Unmatched != n*10 {
			t.Errorf("%q: exit code %d, %d captures, %d fragments of %d records, %d unmatched, %s", args, code, n, r.Fragments, r.Records, r.Unmatched, stderr)
		}
	}
}

// Sessions that all go on, and must not be cut, take no more memory than others:
// those that grow side by side leave behind what is too small for them.
func TestMemoryOfLiveSessions(t *testing.T) {
	if testing.Short() {
		t.Skip("reads a million packets")
	}
	n := capturetest.Usually(4000, 8000)
	path := growingSessions(t, n, 132)
	flags := []string{"extract", "-q", "--tcp-end", "--features", "all", "--quantiles", "25,75", path}
	whole := runWith(nil, flags...)
	for _, more := range [][]string{nil, {"--key", "capture"}, {"--key", "capture", "--state", filepath.Join(t.TempDir(), "state")}} {
		code, rows, stderr := atMost(t, 64, 0, append(slices.Clone(flags), more...)...)
		if code != exitOK || strings.Count(rows, "\n") != n+1 {
			t.Errorf("%q: exit code %d, %d lines, %s", more, code, strings.Count(rows, "\n"), stderr)
		}
		if more == nil && rows != whole.stdout {
			t.Errorf("other rows than without a limit of memory")
		}
	}
}

// A row group of many columns is put together on disk where memory is small;
// the file is that of a run with enough.
func TestMemoryOfParquet(t *testing.T) {
	if testing.Short() {
		t.Skip("writes hundreds of thousands of packets")
	}
	path := write(t, "sessions.pcap", pcap(capturetest.ManySessions(7, capturetest.Usually(150_000, 300_000))...))
	out := filepath.Join(t.TempDir(), "o.parquet")
	var files [2]string
	for i, memory := range []int{64, 1024} {
		code, _, stderr := atMost(t, memory, 0, "extract", "-q", "--features", "all", "--sequence", "20", "-o", out, path)
		if code != exitOK || stderr != "" {
			t.Fatalf("exit code %d, %s", code, stderr)
		}
		files[i] = string(read(t, out))
	}
	if files[0] != files[1] || !strings.HasPrefix(files[0], "PAR1") {
		t.Errorf("%d and %d bytes: other files", len(files[0]), len(files[1]))
	}
}
