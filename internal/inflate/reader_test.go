package inflate

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"testing/iotest"

	kgzip "github.com/klauspost/compress/gzip"

	"pcapbatch/internal/capturetest"
)

// squeeze gives data as one gzip member of compress/gzip.
func squeeze(t testing.TB, data []byte, level int) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// encoders are the ways in which tests make members.
func encoders(t testing.TB) map[string]func([]byte) []byte {
	m := map[string]func([]byte) []byte{}
	for level := -2; level <= 9; level++ {
		m[fmt.Sprintf("std%d", level)] = func(data []byte) []byte { return squeeze(t, data, level) }
		m[fmt.Sprintf("klauspost%d", level)] = func(data []byte) []byte {
			var b bytes.Buffer
			w, _ := kgzip.NewWriterLevel(&b, level)
			_, _ = w.Write(data)
			_ = w.Close()
			return b.Bytes()
		}
	}
	m["flushes"] = func(data []byte) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		r := rand.New(rand.NewPCG(5, 6))
		for len(data) > 0 {
			n := min(len(data), r.IntN(20000))
			_, _ = w.Write(data[:n])
			_ = w.Flush()
			data = data[n:]
		}
		_ = w.Close()
		return b.Bytes()
	}
	for name, args := range map[string][]string{"gzip": {"-6"}, "gzip-rsyncable": {"--rsyncable"}, "igzip": {"-1"}, "libdeflate-gzip": {"-9"}} {
		path, err := exec.LookPath(firstField(name))
		if err != nil {
			continue
		}
		if name == "libdeflate-gzip" {
			path = name
		}
		m[name] = func(data []byte) []byte {
			c := exec.Command(path, append(args, "-c")...)
			c.Stdin = bytes.NewReader(data)
			out, err := c.Output()
			if err != nil {
				t.Logf("%s: %v", name, err)
				return squeeze(t, data, 6)
			}
			return out
		}
	}
	return m
}

// firstField is a program's name without our variant of its options.
func firstField(name string) string {
	if name == "gzip-rsyncable" {
		return "gzip"
	}
	return name
}

// contents are the kinds of data that tests compress.
func contents(n int) map[string][]byte {
	mixed := append(captureData(n/3), randomData(n/3)...)
	return map[string][]byte{
		"empty":   {},
		"one":     {'x'},
		"text":    textData(n),
		"capture": captureData(n),
		"random":  randomData(n),
		"zeros":   make([]byte, n),
		"mixed":   append(mixed, textData(n/3)...),
	}
}

// readAll reads r with Reads of the given sizes in turn.
func readAll(r io.Reader, sizes ...int) ([]byte, error) {
	var out []byte
	buf := make([]byte, slices.Max(sizes))
	for i := 0; ; i++ {
		n, err := r.Read(buf[:sizes[i%len(sizes)]])
		out = append(out, buf[:n]...)
		for j := range n {
			buf[j] = 0xee // the slice is the caller's again
		}
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

func TestReaderRoundTrip(t *testing.T) {
	capturetest.OneGoroutine(t)
	for kind, data := range contents(250_000) {
		for name, encode := range encoders(t) {
			comp := encode(data)
			got, err := readAll(NewReader(bytes.NewReader(comp)), 1<<20)
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%s by %s: %d bytes for %d, error %v", kind, name, len(got), len(data), err)
			}
		}
	}
}

func TestReaderReadSizes(t *testing.T) {
	capturetest.OneGoroutine(t)
	data := contents(500_000)["mixed"]
	comp := squeeze(t, data, 6)
	comp = append(comp, comp...)
	want := append(data[:len(data):len(data)], data...)
	for _, sizes := range [][]int{{1}, {7}, {4096}, {directSize}, {directSize - 1}, {1 << 20}, {100_000, 3}, {3, 70_000, 65_536, 500}} {
		got, err := readAll(NewReader(bytes.NewReader(comp)), sizes...)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("sizes %v: %d bytes for %d, error %v", sizes, len(got), len(want), err)
		}
	}
	sources := map[string]func(io.Reader) io.Reader{
		"one byte": iotest.OneByteReader, "half": iotest.HalfReader, "data with error": iotest.DataErrReader,
	}
	for name, source := range sources {
		for _, size := range []int{1 << 20, 1000} {
			got, err := readAll(NewReader(source(bytes.NewReader(comp))), size)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s, size %d: %d bytes for %d, error %v", name, size, len(got), len(want), err)
			}
		}
	}
	var b bytes.Buffer
	z := NewReader(bytes.NewReader(comp))
	if _, err := io.CopyN(&b, z, 1000); err != nil {
		t.Fatal(err)
	}
	n, err := io.Copy(&b, z)
	if err != nil || n != int64(len(want)-1000) || !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the rest: %d bytes, error %v", n, err)
	}
}

// What a sender has flushed must come out before it sends more.
func TestReaderDoesNotHoldBack(t *testing.T) {
	pr, pw := io.Pipe()
	defer pw.Close()
	messages := make(chan string, 1)
	go func() {
		w := gzip.NewWriter(pw)
		for m := range messages {
			_, _ = w.Write([]byte(m))
			_ = w.Flush()
		}
		_ = w.Close()
		_ = pw.Close()
	}()
	z := NewReader(pr)
	buf := make([]byte, 1<<20)
	for i := range 20 {
		m := fmt.Sprintf("message %d", i*i)
		messages <- m
		n, err := io.ReadFull(z, buf[:len(m)])
		if err != nil || string(buf[:n]) != m {
			t.Fatalf("got %q, error %v, want %q", buf[:n], err, m)
		}
	}
	close(messages)
	if n, err := z.Read(buf); n != 0 || err != io.EOF {
		t.Fatalf("at the end: %d, %v", n, err)
	}
}

// wantError checks the cause and the offset of err.
func wantError(t *testing.T, what string, err, cause error, offset int) {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) || !errors.Is(err, cause) || e.Offset != int64(offset) {
		t.Errorf("%s: got %v, want %v at %d", what, err, cause, offset)
	}
}

func TestReaderMembers(t *testing.T) {
	capturetest.OneGoroutine(t)
	a, b, empty := squeeze(t, []byte("first member, "), 6), squeeze(t, []byte("second"), 1), squeeze(t, nil, 6)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	whole := len(a) + len(b)
	for _, c := range []struct {
		name   string
		in     []byte
		want   string
		cause  error
		offset int
	}{
		{"two", join(a, b), "first member, second", nil, 0},
		{"empty ones", join(empty, a, empty, empty, b, empty), "first member, second", nil, 0},
		{"zeros behind", join(a, b, make([]byte, 100_000)), "first member, second", ErrTrailing, whole},
		{"garbage behind", join(a, b, []byte("garbage")), "first member, second", ErrTrailing, whole},
		{"garbage like a header", join(a, b, []byte("\x1fgarbage")), "first member, second", ErrTrailing, whole},
		{"member behind zeros", join(a, b, make([]byte, 8), a), "first member, second", ErrTrailing, whole},
		{"half a magic", join(a, b, []byte{0x1f}), "first member, second", io.ErrUnexpectedEOF, whole + 1},
		{"magic alone", join(a, b, []byte{0x1f, 0x8b}), "first member, second", io.ErrUnexpectedEOF, whole + 2},
		{"other method", join(a, b, []byte{0x1f, 0x8b, 9, 0, 0, 0, 0, 0, 0, 0}), "first member, second", ErrHeader, whole},
		{"nothing", nil, "", io.ErrUnexpectedEOF, 0},
		{"no gzip", []byte("plain text, not compressed"), "", ErrHeader, 0},
		{"zeros only", make([]byte, 50), "", ErrHeader, 0},
	} {
		for _, size := range []int{1, 1 << 20} {
			src := iotest.HalfReader(bytes.NewReader(c.in))
			z := NewReader(src)
			got, err := readAll(z, size)
			if string(got) != c.want {
				t.Errorf("%s: got %q, want %q", c.name, got, c.want)
			}
			if c.cause != nil {
				wantError(t, c.name, err, c.cause, c.offset)
			} else if err != nil {
				t.Errorf("%s: %v", c.name, err)
			}
			if c.cause == ErrTrailing {
				rest, _ := io.ReadAll(io.MultiReader(bytes.NewReader(z.Unread()), src))
				if !bytes.Equal(rest, c.in[c.offset:]) {
					t.Errorf("%s: %d bytes are left, want %d", c.name, len(rest), len(c.in)-c.offset)
				}
			}
		}
	}
}

func TestReaderHeader(t *testing.T) {
	capturetest.OneGoroutine(t)
	body := squeeze(t, []byte("data"), 6)[10:]
	long := bytes.Repeat([]byte("n"), 100_000)
	base := []byte{0x1f, 0x8b, 8, flagText | flagHeaderCRC | flagExtra | flagName | flagComment, 1, 2, 3, 4, 2, 7}
	head := append(base, 5, 0, 'e', 'x', 't', 'r', 'a')
	head = append(append(append(head, long...), 0), "a comment\x00"...)
	sum := crc32Bytes(head)
	good := bytes.Join([][]byte{head, {byte(sum), byte(sum >> 8)}, body}, nil)
	for _, size := range []int{1, 1 << 20} {
		z := NewReader(iotest.OneByteReader(bytes.NewReader(good)))
		got, err := readAll(z, size)
		if err != nil || string(got) != "data" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	for i := range head[:20] {
		bad := bytes.Clone(good)
		bad[i] ^= 0x20 // in byte 3: a reserved flag
		_, err := readAll(NewReader(bytes.NewReader(bad)), 100)
		if err == nil {
			t.Errorf("header byte %d changed: no error", i)
		}
	}
	bad := bytes.Clone(good)
	bad[len(head)] ^= 1
	_, err := readAll(NewReader(bytes.NewReader(append(squeeze(t, nil, 6), bad...))), 100)
	wantError(t, "header sum", err, ErrHeader, len(squeeze(t, nil, 6)))
	for n := range len(head) + 2 {
		if n > 20 && n < len(head)-20 {
			continue
		}
		_, err := readAll(NewReader(bytes.NewReader(good[:n])), 100)
		wantError(t, fmt.Sprintf("cut at %d", n), err, io.ErrUnexpectedEOF, n)
	}
}

func TestReaderChecksum(t *testing.T) {
	data := textData(100_000)
	comp := squeeze(t, data, 6)
	for i := len(comp) - 8; i < len(comp); i++ {
		bad := bytes.Clone(comp)
		bad[i] ^= 0x10
		got, err := readAll(NewReader(bytes.NewReader(bad)), 1000)
		wantError(t, "trailer", err, ErrChecksum, len(comp)-8)
		if !bytes.Equal(got, data) {
			t.Errorf("only %d bytes before the checksum error", len(got))
		}
	}
}

// Every cut gives what the bytes before it hold, and says where it is.
func TestReaderCut(t *testing.T) {
	capturetest.OneGoroutine(t)
	data := contents(40_000)["mixed"]
	all, step := 600, 37 // at both ends, and between them
	if testing.Short() {
		all, step = 100, 211
	}
	for _, level := range []int{0, 1, 6, gzip.HuffmanOnly} {
		comp := squeeze(t, data, level)
		last := 0
		for n := range comp {
			if n > all && n < len(comp)-all && n%step != 0 {
				continue
			}
			got, err := readAll(NewReader(bytes.NewReader(comp[:n])), 1<<16)
			wantError(t, fmt.Sprintf("level %d cut at %d", level, n), err, io.ErrUnexpectedEOF, n)
			if !bytes.HasPrefix(data, got) || len(got) < last {
				t.Fatalf("level %d cut at %d: wrong bytes", level, n)
			}
			last = len(got)
		}
		if last != len(data) {
			t.Errorf("level %d: a cut trailer gives %d of %d bytes", level, last, len(data))
		}
	}
}

func TestReaderSourceErrors(t *testing.T) {
	comp := squeeze(t, textData(1000), 6)
	broken := errors.New("disk on fire")
	_, err := readAll(NewReader(io.MultiReader(bytes.NewReader(comp[:100]), iotest.ErrReader(broken))), 1000)
	wantError(t, "broken source", err, broken, 100)
	_, err = readAll(NewReader(idle{}), 1000)
	wantError(t, "idle source", err, io.ErrNoProgress, 0)
	z := NewReader(bytes.NewReader(comp))
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := z.Read(make([]byte, 10)); err != ErrClosed {
		t.Errorf("after Close: %v", err)
	}
	z.Reset(bytes.NewReader(comp))
	if got, err := readAll(z, 1000); err != nil || len(got) != 1000 {
		t.Errorf("after Reset: %d bytes, %v", len(got), err)
	}
}

// idle is a reader that never gives anything.
type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }

// A member of more than 4 GiB: its length wraps in the trailer, and memory
// stays where it was.
func TestReaderHugeMember(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes 4 GiB")
	}
	comp, size := bomb(t, 65)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	z := NewReader(comp)
	n, err := discard(z)
	runtime.ReadMemStats(&after)
	if err != nil || n != size || n < 1<<32 {
		t.Errorf("%d bytes, error %v", n, err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20 {
		t.Errorf("allocated %d bytes", grown)
	}
}

func TestReaderAllocations(t *testing.T) {
	capturetest.OneGoroutine(t)
	comp := squeeze(t, captureData(1<<20), 6)
	src, z := bytes.NewReader(comp), NewReader(nil)
	buf := make([]byte, 1<<20)
	total := 0
	allocs := testing.AllocsPerRun(5, func() {
		src.Reset(comp)
		z.Reset(src)
		for {
			n, err := z.Read(buf)
			total += n
			if err != nil {
				break
			}
		}
	})
	if total != 6<<20 {
		t.Errorf("decoded %d bytes", total)
	}
	if allocs != 0 {
		t.Errorf("%v allocations a stream", allocs)
	}
}
