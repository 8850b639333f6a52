package inflate

import (
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// goRoot is where the standard library's source stands; empty if there is no
// go command to say.
var goRoot = sync.OnceValue(func() string {
	out, _ := exec.Command("go", "env", "GOROOT").Output()
	return strings.TrimSpace(string(out))
})

// textData gives n bytes of Go source, the standard library's.
func textData(n int) []byte {
	out := make([]byte, 0, n)
	root := filepath.Join(goRoot(), "src")
	_ = filepath.WalkDir(root, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		if len(out) >= n {
			return filepath.SkipAll
		}
		b, _ := os.ReadFile(path)
		out = append(out, b...)
		return nil
	})
	return repeatTo(out, n)
}

// repeatTo cuts or repeats b to n bytes.
func repeatTo(b []byte, n int) []byte {
	if len(b) == 0 {
		b = []byte("no text here\n")
	}
	for len(b) < n {
		b = append(b, b[:min(len(b), n-len(b))]...)
	}
	return b[:n]
}

// randomData gives n bytes that no encoder can make smaller.
func randomData(n int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, (n+7)&^7)
	for i := 0; i < len(b); i += 8 {
		binary.LittleEndian.PutUint64(b[i:], r.Uint64())
	}
	return b[:n]
}

// captureData gives n bytes of a pcap file: records of a few thousand TCP and
// UDP flows with skewed activity, whose payload is text, zeros, counters or
// random bytes.
func captureData(n int) []byte {
	r := rand.New(rand.NewPCG(3, 4))
	text := sourceText()
	type session struct {
		head     [54]byte
		seq, ack uint32
		kind     int
	}
	sessions := make([]session, 3000)
	for i := range sessions {
		s := &sessions[i]
		for j := range 12 {
			s.head[j] = byte(r.Uint32())
		}
		copy(s.head[:3], "\x00\x1b\x21")
		copy(s.head[6:9], "\x00\x50\x56")
		copy(s.head[12:], "\x08\x00\x45\x00")
		s.head[22], s.head[23] = 64, 6
		binary.BigEndian.PutUint32(s.head[26:], 0x0a000000|r.Uint32N(1<<12))
		binary.BigEndian.PutUint32(s.head[30:], r.Uint32())
		binary.BigEndian.PutUint16(s.head[34:], uint16(r.Uint32()))
		binary.BigEndian.PutUint16(s.head[36:], 443)
		s.seq, s.ack, s.kind = r.Uint32(), r.Uint32(), r.IntN(10)
	}
	out := make([]byte, 0, n+2048)
	out = append(out, "\xd4\xc3\xb2\xa1\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x04\x00\x01\x00\x00\x00"...)
	ns := uint64(1_700_000_000_000_000)
	id := uint16(0)
	for len(out) < n {
		s := &sessions[min(r.IntN(3000), r.IntN(3000), r.IntN(3000))]
		size := 0
		if r.IntN(10) >= 4 {
			size = []int{1460, 1460, 1460, 517, 120, 52, 31}[r.IntN(7)]
		}
		ns += uint64(r.ExpFloat64() * 50)
		id++
		le := binary.LittleEndian
		out = le.AppendUint32(out, uint32(ns/1_000_000))
		out = le.AppendUint32(out, uint32(ns%1_000_000))
		out = le.AppendUint32(out, uint32(54+size))
		out = le.AppendUint32(out, uint32(54+size))
		binary.BigEndian.PutUint16(s.head[16:], uint16(40+size))
		binary.BigEndian.PutUint16(s.head[18:], id)
		binary.BigEndian.PutUint16(s.head[24:], uint16(r.Uint32()))
		binary.BigEndian.PutUint32(s.head[38:], s.seq)
		binary.BigEndian.PutUint32(s.head[42:], s.ack)
		s.seq += uint32(size)
		s.head[46], s.head[47] = 0x50, 0x10
		binary.BigEndian.PutUint16(s.head[50:], uint16(r.Uint32()))
		out = append(out, s.head[:]...)
		switch {
		case s.kind < 4: // plain text
			at := r.IntN(len(text) - size)
			out = append(out, text[at:at+size]...)
		case s.kind < 5: // padding
			out = append(out, make([]byte, size)...)
		case s.kind < 7: // binary fields
			for j := 0; j < size; j++ {
				out = append(out, byte(r.IntN(16)*r.IntN(16)))
			}
		default: // ciphertext
			for j := 0; j < size; j++ {
				out = append(out, byte(r.Uint32()))
			}
		}
	}
	return out[:n]
}

var sourceText = sync.OnceValue(func() []byte { return textData(8 << 20) })

// discard reads r to its end and returns how many bytes came.
func discard(r io.Reader) (int64, error) {
	return io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, make([]byte, 512<<10))
}
