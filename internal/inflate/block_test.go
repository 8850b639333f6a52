package inflate

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"testing"

	"pcapbatch/internal/capturetest"
)

// TestMain collects garbage less often and keeps files in memory, to save time:
// see capturetest.Run.
func TestMain(m *testing.M) { os.Exit(capturetest.Run(m)) }

// handMade are streams that encoders hardly ever write. A nil contents means
// that the stream is not valid.
func handMade() map[string]struct{ deflated, data []byte } {
	type stream = struct{ deflated, data []byte }
	m := map[string]stream{}
	add := func(name string, data []byte, write func(w *bitWriter)) {
		w := new(bitWriter)
		write(w)
		m[name] = stream{w.align(), data}
	}
	big := randomData(65535)
	add("stored blocks of 0 and 65535", append(bytes.Clone(big), big...), func(w *bitWriter) {
		w.stored(nil, 0)
		w.stored(big, 0)
		w.stored(nil, 0)
		w.stored(big, 0)
		w.stored(nil, 1)
	})
	add("stored length wrong", nil, func(w *bitWriter) {
		w.put(1, 3)
		w.align()
		w.put(5|5<<16, 32)
	})
	add("block type 3", nil, func(w *bitWriter) { w.put(7, 3) })

	// The farthest and longest match.
	lit := newCode(lengthsOf(286, map[int]uint8{'a': 2, 256: 2, 285: 2, 284: 2}))
	far := newCode(lengthsOf(30, map[int]uint8{29: 1, 0: 1}))
	window := randomData(windowSize)
	farthest := func(back int) func(w *bitWriter) {
		return func(w *bitWriter) {
			w.stored(window, 0)
			w.dynamic(lit, far, 1)
			w.symbol(lit, 285)
			w.symbol(far, 29)
			w.put(uint64(back-24577), 13)
			w.symbol(lit, 284) // 258 by the code below it and all extra bits
			w.put(31, 5)
			w.symbol(far, 0)
			w.symbol(lit, 256)
		}
	}
	runs := bytes.Repeat([]byte{window[257]}, 258)
	add("distance 32768, length 258", bytes.Join([][]byte{window, window[:258], runs}, nil), farthest(32768))
	window = window[:windowSize-1]
	add("distance behind the start", nil, farthest(32768))

	deep := newCode(deepLengths(286, 256, 'a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j', 'k', 'l', 'm', 257, 285))
	deepDist := newCode(deepLengths(30, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))
	var want []byte
	w := new(bitWriter)
	w.dynamic(deep, deepDist, 1)
	r := rand.New(rand.NewPCG(7, 8))
	for range 20_000 {
		s, n := []int{'a' + r.IntN(13), 'm', 257, 285}[r.IntN(4)], 0
		if len(want) == 0 {
			s = 'a'
		}
		w.symbol(deep, s)
		switch s {
		case 257:
			n = 3
		case 285:
			n = 258
		default:
			want = append(want, byte(s))
			continue
		}
		ds := r.IntN(16)
		base := int(distBase[ds] >> 16 & 0xffff)
		extra := r.IntN(1 << (distBase[ds] & 63))
		if base+extra > len(want) {
			ds, base, extra = 0, 1, 0
		}
		w.symbol(deepDist, ds)
		w.put(uint64(extra), uint(distBase[ds]&63))
		for range n {
			want = append(want, want[len(want)-base-extra])
		}
	}
	w.symbol(deep, 256)
	m["codes of 15 bits"] = stream{w.align(), want}

	one := newCode(lengthsOf(257, map[int]uint8{256: 1}))
	none := newCode([]uint8{0})
	add("a single code", []byte{}, func(w *bitWriter) {
		w.dynamic(one, none, 1)
		w.symbol(one, 256)
	})
	add("the code that a single code leaves", nil, func(w *bitWriter) {
		w.dynamic(one, none, 1)
		w.put(1, 1)
		w.put(0, 60)
	})
	add("one distance", []byte("aaaa"), func(w *bitWriter) {
		near := newCode([]uint8{1})
		l := newCode(lengthsOf(258, map[int]uint8{'a': 2, 'b': 2, 256: 2, 257: 2}))
		w.dynamic(l, near, 1)
		w.symbol(l, 'a')
		w.symbol(l, 257)
		w.symbol(near, 0)
		w.symbol(l, 256)
	})
	for name, l := range map[string][]uint8{
		"no codes at all": lengthsOf(257, nil),
		"incomplete":      lengthsOf(257, map[int]uint8{'a': 1, 256: 2}),
		"single of 2":     lengthsOf(257, map[int]uint8{256: 2}),
		"over-subscribed": lengthsOf(257, map[int]uint8{'a': 1, 'b': 1, 256: 1}),
		"no end of block": lengthsOf(257, map[int]uint8{'a': 1, 'b': 1}),
	} {
		add("literals "+name, nil, func(w *bitWriter) {
			w.dynamic(newCode(l), none, 1)
			w.put(0, 40)
		})
	}
	two := newCode(lengthsOf(258, map[int]uint8{'a': 2, 'b': 2, 256: 2, 257: 2}))
	for name, l := range map[string][]uint8{
		"no codes at all": {0, 0},
		"incomplete":      {1, 2},
		"over-subscribed": {1, 1, 1},
		"single of 2":     {2},
	} {
		add("distances "+name, nil, func(w *bitWriter) {
			w.dynamic(two, newCode(l), 1)
			w.symbol(two, 'a')
			w.symbol(two, 257)
			w.put(0, 40)
		})
	}
	fixed := func(prefix, dist uint64) func(w *bitWriter) {
		return func(w *bitWriter) {
			w.put(3, 3)
			w.put(0x0c, 8) // literal 0: 00110000
			w.put(prefix, 8)
			w.put(dist, 5)
			w.put(0, 40)
		}
	}
	add("fixed symbol 286", nil, fixed(0x63, 0)) // 11000110
	add("fixed symbol 287", nil, fixed(0xe3, 0)) // 11000111
	add("fixed distance 30", nil, fixed(0xa3, 0x0f))
	add("fixed distance 31", nil, fixed(0xa3, 0x1f))
	add("fixed end", []byte{}, func(w *bitWriter) { w.put(3, 10) })

	head := func(nlit, ndist, npre uint64, pre []uint64, rest uint64) func(w *bitWriter) {
		return func(w *bitWriter) {
			w.put(5, 3)
			w.put(nlit, 5)
			w.put(ndist, 5)
			w.put(npre, 4)
			for _, p := range pre {
				w.put(p, 3)
			}
			w.put(rest, 50)
		}
	}
	add("287 literal codes", nil, head(30, 0, 0, nil, 0))
	add("31 distance codes", nil, head(0, 30, 0, nil, 0))
	add("repeat of nothing", nil, head(0, 0, 0, []uint64{1, 1, 0, 0}, 0))
	add("repeat behind the end", nil, head(0, 0, 0, []uint64{0, 0, 1, 1}, 1<<50-1))
	add("code length code incomplete", nil, head(0, 0, 0, []uint64{2, 0, 0, 1}, 0))
	add("code length code empty", nil, head(0, 0, 0, []uint64{0, 0, 0, 0}, 0))
	add("code length code over-subscribed", nil, head(0, 0, 0, []uint64{1, 1, 1, 0}, 0))
	return m
}

func TestBlocksByHand(t *testing.T) {
	capturetest.OneGoroutine(t)
	for name, s := range handMade() {
		want, wantErr := verdict(s.deflated)
		if (s.data == nil) != (wantErr != nil) || s.data != nil && !bytes.Equal(want, s.data) {
			t.Fatalf("%s: compress/flate says %d bytes, %v", name, len(want), wantErr)
		}
		in := member(s.deflated, s.data)
		if s.data == nil {
			in = in[:len(in)-8]
		}
		for _, size := range []int{1, 1000, 1 << 20} {
			got, err := readAll(NewReader(bytes.NewReader(in)), size)
			if !bytes.Equal(got, want) {
				t.Errorf("%s: %d bytes, want %d", name, len(got), len(want))
			}
			if s.data != nil && err != nil || s.data == nil && !errors.Is(err, ErrCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%s: error %v", name, err)
			}
			var corrupt flate.CorruptInputError
			if errors.As(wantErr, &corrupt) != errors.Is(err, ErrCorrupt) {
				t.Errorf("%s: error %v where compress/flate says %v", name, err, wantErr)
			}
		}
	}
}

// Any flipped bit gives what compress/flate makes of it.
func TestBlocksFlippedBits(t *testing.T) {
	capturetest.OneGoroutine(t)
	data := contents(6000)["mixed"]
	all, step := 1000, 41 // bits in front, and behind them
	if testing.Short() {
		all, step = 300, 203
	}
	for _, level := range []int{1, 6, flate.HuffmanOnly} {
		comp := squeeze(t, data, level)
		body := comp[10 : len(comp)-8]
		for i := range len(body) * 8 {
			if i > all && i%step != 0 {
				continue
			}
			body[i/8] ^= 1 << (i % 8)
			checkBody(t, body)
			body[i/8] ^= 1 << (i % 8)
		}
	}
}

// checkBody compares what Reader and compress/flate make of deflate data.
func checkBody(t *testing.T, body []byte) {
	t.Helper()
	src := bytes.NewReader(body)
	want, wantErr := io.ReadAll(io.LimitReader(flate.NewReader(src), 32<<20))
	if len(want) == 32<<20 {
		return
	}
	used := len(body) - src.Len()
	in := append(bytes.Clone(plainHeader), body...)
	for _, size := range []int{1 << 16, 1021} {
		got, err := readAll(NewReader(bytes.NewReader(in)), size)
		switch {
		case wantErr == nil:
			// Behind the last block come eight bytes of body, or too few.
			short := errors.Is(err, io.ErrUnexpectedEOF) && len(body)-used < 8
			if err == nil || errors.Is(err, ErrTrailing) {
				short = crc32Bytes(want) == binary.LittleEndian.Uint32(body[used:])
			}
			if !bytes.Equal(got, want) || !short && !errors.Is(err, ErrChecksum) {
				t.Fatalf("got %d bytes and %v, want %d and a checksum error", len(got), err, len(want))
			}
		case errors.Is(wantErr, io.ErrUnexpectedEOF):
			// compress/flate wants as many bits as the end of the block has
			// before it looks at the last symbols.
			var e *Error
			late := errors.As(err, &e) && e.Err == ErrCorrupt && e.Offset >= int64(len(in)-2)
			if !bytes.HasPrefix(got, want) || !errors.Is(err, io.ErrUnexpectedEOF) && !late {
				t.Fatalf("got %d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
			}
		default:
			// At the end of the input a code without symbols is corrupt for
			// compress/flate, and cut for a decoder that asks for a bit first.
			var corrupt flate.CorruptInputError
			cut := errors.Is(err, io.ErrUnexpectedEOF) && errors.As(wantErr, &corrupt) && int(corrupt) == len(body)
			if !bytes.Equal(got, want) || !cut && !errors.Is(err, ErrCorrupt) {
				t.Fatalf("got %d bytes and %v, want %d and %v", len(got), err, len(want), wantErr)
			}
		}
	}
}
