package decode

import (
	"math/rand/v2"
	"testing"

	"pcapbatch/internal/flow"
)

// A twins are two decoders, one of which never takes the short way.
type twins struct{ short, long, probe *Decoder }

func newTwins(o Options) twins {
	w := twins{New(o), New(o), New(o)}
	w.long.Decode(new(flow.Event), 1, make([]byte, 14), 14, 0)
	w.short.Decode(new(flow.Event), 1, make([]byte, 14), 14, 0)
	w.long.ethernet = false
	return w
}

// decode decodes a frame both ways and reports whether the short way took it.
func (w twins) decode(t *testing.T, data []byte, wireLen uint32) bool {
	t.Helper()
	var a, b flow.Event
	okA, okB := w.short.Decode(&a, 1, data, wireLen, 7), w.long.Decode(&b, 1, data, wireLen, 7)
	if okA != okB || okA && a != b {
		t.Fatalf("%x\nthe short way: %v %+v\nthe long way:  %v %+v", data, okA, a, okB, b)
	}
	if okA && w.short.opts.Details && w.short.Detail() != w.long.Detail() {
		t.Fatalf("%x\nthe short way: %v\nthe long way:  %v", data, w.short.Detail(), w.long.Detail())
	}
	if a, b := w.short.Counts(), w.long.Counts(); a.Events != b.Events || a.Tunnelled != b.Tunnelled || a.Fragments != b.Fragments || a.Records() != b.Records() {
		t.Fatalf("%x\nthe short way: %+v\nthe long way:  %+v", data, a, b)
	}
	if w.short.packet.event != w.long.packet.event || w.short.HasFragments() != w.long.HasFragments() || w.short.More(&a) || w.long.More(&b) {
		t.Fatalf("%x: the decoders have come apart", data)
	}
	return w.probe.common(&b, data, wireLen, 7)
}

var commonOptions = []Options{
	{Seed: 1, Shards: 7},
	{Seed: 2, Shards: 256, Unidirectional: true, Details: true},
	{Seed: 3, Shards: 1, Decapsulate: true, VLANKey: true, Details: true},
}

// FuzzCommon: the short way of a common frame ends where the long one does.
//
//	go test -fuzz FuzzCommon -fuzztime 60s ./internal/decode/
func FuzzCommon(f *testing.F) {
	for _, c := range tunnels {
		f.Add(append(fromHex(macs+"0800"), fromHex(c.hex)...), uint32(2000))
	}
	udp := macs + "0800" + ipv4(17, `1234 0035 000c 0000 01020304`)
	tcp6 := macs + "86dd" + ipv6(6, `1234 0035 00000001 00000002 5018 1000 0000 0000 0102`)
	for _, text := range []string{ethIPv4TCP, vlanIPv4TCP, ethIPv6UDP, udp, tcp6} {
		f.Add(fromHex(text), uint32(66))
	}
	f.Fuzz(func(t *testing.T, data []byte, wireLen uint32) {
		for _, o := range commonOptions {
			newTwins(o).decode(t, data, wireLen)
		}
	})
}

// TestCommon changes bytes of common frames.
func TestCommon(t *testing.T) {
	const seed = 1
	rng := rand.New(rand.NewPCG(seed, 0))
	frames := [][]byte{fromHex(ethIPv4TCP), fromHex(macs + "0800" + ipv4(17, `1234 0035 000c 0000 01020304`)), fromHex(ethIPv6UDP), fromHex(macs + "86dd" + ipv6(6, `1234 0035 00000001 00000002 5018 1000 0000 0000 0102`))}
	for _, o := range commonOptions {
		w := newTwins(o)
		took := 0
		const tries = 20000
		for range tries {
			data := append([]byte(nil), frames[rng.IntN(len(frames))]...)
			for range rng.IntN(4) {
				data[12+rng.IntN(len(data)-12)] = byte(rng.Uint32())
			}
			data = data[:len(data)-rng.IntN(2)*rng.IntN(30)]
			if w.decode(t, data, uint32(len(data)+rng.IntN(3))) {
				took++
			}
		}
		if took < tries/4 || took == tries {
			t.Errorf("%d of %d frames took the short way", took, tries)
		}
	}
}

// TestCommonReal decodes the Ethernet frames of all real captures both ways.
func TestCommonReal(t *testing.T) {
	took, all := 0, 0
	for _, path := range capturesOf(t) {
		for _, o := range commonOptions {
			w := newTwins(o)
			for _, r := range readRecords(t, path) {
				if r.link != 1 {
					continue
				}
				all++
				if w.decode(t, r.data, r.wireLen) {
					took++
				}
			}
		}
	}
	if took < all/3 {
		t.Errorf("%d of %d frames took the short way", took, all)
	}
	t.Logf("%d of %d frames took the short way", took, all)
}
