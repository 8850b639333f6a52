package flow

import (
	"bytes"
	"cmp"
	"math/bits"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"unsafe"
)

func newRand() *rand.Rand { return rand.New(rand.NewPCG(20240229, 1)) }

// randomKey returns a key whose fields are often equal to those of others.
func randomKey(r *rand.Rand) Key {
	k := Key{SrcPort: uint16(r.IntN(3)), DstPort: uint16(r.IntN(3)), Protocol: uint8(6 + 11*r.IntN(2)), Version: 4}
	if r.IntN(4) == 0 {
		k.VLANOuter, k.VLANInner = uint16(r.IntN(3)), uint16(r.IntN(2))
	}
	size := 4
	if r.IntN(2) == 0 {
		k.Version, size = 6, 16
	}
	k.Src[r.IntN(size)], k.Dst[r.IntN(size)] = byte(r.IntN(3)), byte(r.IntN(3))
	if r.IntN(3) == 0 {
		k.Dst = k.Src
	}
	return k
}

// variants are keys that differ from k in one byte or one bit each.
func variants(k Key) (list []Key) {
	size := 4
	if k.Version == 6 {
		size = 16
	}
	for i := range size {
		for bit := range 8 {
			a, b := k, k
			a.Src[i] ^= 1 << bit
			b.Dst[i] ^= 1 << bit
			list = append(list, a, b)
		}
	}
	for bit := range 16 {
		a, b, c, d := k, k, k, k
		a.SrcPort ^= 1 << bit
		b.DstPort ^= 1 << bit
		c.VLANOuter ^= 1 << bit
		d.VLANInner ^= 1 << bit
		list = append(list, a, b, c, d)
	}
	for bit := range 8 {
		a := k
		a.Protocol ^= 1 << bit
		list = append(list, a)
	}
	v := k
	v.Version = 10 - k.Version
	return append(list, v)
}

func TestSizes(t *testing.T) {
	if n := unsafe.Sizeof(Key{}); n != 42 {
		t.Errorf("a Key has %d bytes, want 42 without padding", n)
	}
	if n := unsafe.Sizeof(Event{}); n != 64 {
		t.Errorf("an Event has %d bytes, want a cache line of 64", n)
	}
}

func TestKeyEqual(t *testing.T) {
	r := newRand()
	for range 200 {
		k := randomKey(r)
		same := k
		if !k.Equal(&same) || !k.Equal(&k) {
			t.Fatalf("%v is not equal to itself", k)
		}
		for _, v := range variants(k) {
			if k.Equal(&v) || v.Equal(&k) {
				t.Fatalf("%v is equal to %v", k, v)
			}
		}
	}
	for range 100_000 {
		a, b := randomKey(r), randomKey(r)
		if got, want := a.Equal(&b), a == b; got != want {
			t.Fatalf("%v equal to %v: %v", a, b, got)
		}
	}
}

func TestKeyCompare(t *testing.T) {
	order := func(a, b *Key) int { // as SPEC orders rows: source, destination, ports, protocol
		return cmp.Or(
			a.SrcAddr().Compare(b.SrcAddr()), a.DstAddr().Compare(b.DstAddr()),
			cmp.Compare(a.SrcPort, b.SrcPort), cmp.Compare(a.DstPort, b.DstPort), cmp.Compare(a.Protocol, b.Protocol),
			cmp.Compare(a.VLANOuter, b.VLANOuter), cmp.Compare(a.VLANInner, b.VLANInner))
	}
	r := newRand()
	for range 100_000 {
		a, b := randomKey(r), randomKey(r)
		if got, want := a.Compare(&b), order(&a, &b); got != want {
			t.Fatalf("%v against %v: %d, want %d", a, b, got, want)
		}
		if a.Compare(&b) != -b.Compare(&a) || (a.Compare(&b) == 0) != a.Equal(&b) {
			t.Fatalf("%v against %v: %d, the other way %d", a, b, a.Compare(&b), b.Compare(&a))
		}
	}
	k := randomKey(r)
	for _, v := range variants(k) {
		if k.Compare(&v) == 0 {
			t.Errorf("%v compares equal to %v", k, v)
		}
	}
}

func TestKeyCanonical(t *testing.T) {
	r := newRand()
	for range 100_000 {
		k := randomKey(r)
		back := k
		back.Reverse()
		if back.Src != k.Dst || back.Dst != k.Src || back.SrcPort != k.DstPort || back.DstPort != k.SrcPort ||
			back.Protocol != k.Protocol || back.Version != k.Version || back.VLANOuter != k.VLANOuter || back.VLANInner != k.VLANInner {
			t.Fatalf("%v reversed is %v", k, back)
		}
		a, b := k, back
		ra, rb := a.Canonical(), b.Canonical()
		if a != b {
			t.Fatalf("both directions of %v: %v and %v", k, a, b)
		}
		if symmetric := k == back; ra == rb && !symmetric || symmetric && (ra || rb) {
			t.Fatalf("%v: reversed %v, the other direction %v", k, ra, rb)
		}
		if restored := a; ra {
			if restored.Reverse(); restored != k {
				t.Fatalf("%v: %v after reversing twice", k, restored)
			}
		}
		if c := bytes.Compare(a.Src[:], a.Dst[:]); c > 0 || c == 0 && a.SrcPort > a.DstPort {
			t.Fatalf("%v: the larger endpoint is first", a)
		}
		if again := a; again.Canonical() || again != a {
			t.Fatalf("%v is not canonical the second time", a)
		}
	}
}

func TestKeyAddresses(t *testing.T) {
	four := Key{Version: 4, Src: [16]byte{192, 0, 2, 1}, Dst: [16]byte{255, 255, 255, 255}}
	six := Key{Version: 6, Src: netip.MustParseAddr("2001:db8::1").As16(), Dst: netip.MustParseAddr("::ffff:192.0.2.1").As16()}
	for _, c := range []struct {
		got  netip.Addr
		want string
	}{
		{four.SrcAddr(), "192.0.2.1"}, {four.DstAddr(), "255.255.255.255"},
		{six.SrcAddr(), "2001:db8::1"}, {six.DstAddr(), "::ffff:192.0.2.1"},
	} {
		if c.got != netip.MustParseAddr(c.want) {
			t.Errorf("%v, want %s", c.got, c.want)
		}
	}
}

func TestKeyHash(t *testing.T) {
	r := newRand()
	for range 300 {
		k, seed := randomKey(r), r.Uint64()
		same := k
		h := k.Hash(seed)
		if h != same.Hash(seed) {
			t.Fatal("equal keys, other hashes")
		}
		if h == k.Hash(seed+1) {
			t.Fatalf("the seed does not matter to %v", k)
		}
		for _, v := range variants(k) {
			if v.Hash(seed) == h {
				t.Fatalf("%v and %v collide", k, v)
			}
		}
	}
}

// Each bit of a key flips each bit of the hash half of the time, and the two
// halves that pick shard and slot are independent.
func TestKeyHashAvalanche(t *testing.T) {
	r := newRand()
	for _, version := range []uint8{4, 6} {
		var flips [64]int
		total := 0
		for range 400 {
			k := randomKey(r)
			k.Version = version
			if version == 4 {
				k.Src, k.Dst = [16]byte{10, 0, byte(r.Uint32()), byte(r.Uint32())}, [16]byte{192, 168, 0, byte(r.Uint32())}
			}
			seed := r.Uint64()
			h := k.Hash(seed)
			for _, v := range variants(k) {
				if v.Version != k.Version {
					continue
				}
				for d := h ^ v.Hash(seed); d != 0; d &= d - 1 {
					flips[bits.TrailingZeros64(d)]++
				}
				total++
			}
		}
		for bit, n := range flips {
			if share := float64(n) / float64(total); share < 0.48 || share > 0.52 {
				t.Errorf("IPv%d: bit %d flips in %.3f of all cases", version, bit, share)
			}
		}
	}
}

// scan is what a hash has to bear: one source, many destinations and ports.
func scan(n int) []Key {
	keys := make([]Key, n)
	for i := range keys {
		keys[i] = Key{Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 1, byte(i >> 12), byte(i >> 4)}, SrcPort: 40000, DstPort: uint16(i & 15), Protocol: 6, Version: 4}
	}
	return keys
}

func TestKeyHashCollisions(t *testing.T) {
	const n = 1 << 17
	for _, seed := range []uint64{0, 1, 0xdeadbeef, 1 << 63} {
		hashes := make([]uint32, n)
		for i, k := range scan(n) {
			hashes[i] = uint32(k.Hash(seed))
		}
		slices.Sort(hashes)
		distinct := len(slices.Compact(hashes))
		if collisions := n - distinct; collisions > 10 { // 2 are expected
			t.Errorf("seed %#x: %d of %d keys share their 32 low bits", seed, collisions, n)
		}
	}
}

// Keys that differ in few bytes fill a table as random numbers would: linear
// probing at a load of one half takes 1.5 slots on average (Knuth, The Art of
// Computer Programming, volume 3, section 6.4) and 7 at the 99th percentile.
func TestKeyHashProbeLengths(t *testing.T) {
	const n = 1 << 14
	seeds := make([]uint64, 40)
	for i, r := 0, newRand(); i < len(seeds); i++ {
		seeds[i] = r.Uint64()
	}
	base := Key{Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}, SrcPort: 40000, DstPort: 443, Protocol: 6, Version: 4}
	for name, change := range map[string]func(k *Key, i int){
		"source port":        func(k *Key, i int) { k.SrcPort = uint16(i) },
		"destination port":   func(k *Key, i int) { k.DstPort = uint16(i) },
		"both ports":         func(k *Key, i int) { k.SrcPort, k.DstPort = uint16(i&127), uint16(i>>7) },
		"inner VLAN id":      func(k *Key, i int) { k.VLANInner = uint16(i) },
		"destination":        func(k *Key, i int) { k.Dst[2], k.Dst[3] = byte(i>>8), byte(i) },
		"source, port":       func(k *Key, i int) { k.Src[3], k.DstPort = byte(i>>8), uint16(i&255) },
		"IPv6 interface id":  func(k *Key, i int) { k.Version, k.Dst[14], k.Dst[15] = 6, byte(i>>8), byte(i) },
		"IPv6, source ports": func(k *Key, i int) { k.Version, k.SrcPort = 6, uint16(i) },
	} {
		for _, seed := range seeds {
			slots := make([]bool, 2*n)
			lengths := make([]int, n)
			for i := range lengths {
				k := base
				change(&k, i)
				at := int(uint32(k.Hash(seed))) % len(slots)
				for lengths[i] = 1; slots[at]; lengths[i]++ {
					at = (at + 1) % len(slots)
				}
				slots[at] = true
			}
			slices.Sort(lengths)
			if p99 := lengths[n*99/100]; p99 > 8 {
				t.Errorf("%s, seed %#x: 99 %% of the keys take up to %d slots", name, seed, p99)
			}
		}
	}
}

func TestShard(t *testing.T) {
	const count = 1 << 16
	sets := map[string]func(i int) Key{
		"scan": func(i int) Key {
			return Key{Version: 4, Protocol: 6, Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 1, byte(i >> 12), byte(i >> 4)}, SrcPort: 40000, DstPort: uint16(i & 15)}
		},
		"ports": func(i int) Key {
			return Key{Version: 4, Protocol: 17, Src: [16]byte{10, 0, 0, 1}, Dst: [16]byte{10, 0, 0, 2}, SrcPort: uint16(i), DstPort: 53}
		},
		"hosts": func(i int) Key {
			return Key{Version: 4, Protocol: 17, Src: [16]byte{10, 0, byte(i >> 8), byte(i)}, Dst: [16]byte{192, 0, 2, 1}, SrcPort: 123, DstPort: 123}
		},
		"IPv6": func(i int) Key {
			k := Key{Version: 6, Protocol: 58, Src: [16]byte{0x20, 1, 0xd, 0xb8}, Dst: [16]byte{0x20, 1, 0xd, 0xb8, 15: 1}}
			k.Src[14], k.Src[15] = byte(i>>8), byte(i)
			return k
		},
		"prefixes": func(i int) Key {
			k := Key{Version: 6, Protocol: 6, Src: [16]byte{0x20, 1, 0xd, 0xb8}, Dst: [16]byte{0x20, 1, 15: 1}, DstPort: 443}
			k.Src[6], k.Src[7] = byte(i>>8), byte(i)
			return k
		},
	}
	for name, key := range sets {
		for _, n := range []int{1, 2, 3, 7, 64, 255, 256} {
			load := make([]int, n)
			for i := range count {
				k := key(i)
				load[k.Shard(n)]++
			}
			mean := count / n
			if least, most := slices.Min(load), slices.Max(load); least < mean*7/10 || most > mean*13/10 {
				t.Errorf("%s: %d shards: from %d to %d keys each, %d on average", name, n, least, most, mean)
			}
		}
	}
}

// The bits that pick the slot are as good within one shard as over all.
func TestShardAndSlotAreIndependent(t *testing.T) {
	var slots [256]int
	n := 0
	for _, k := range scan(1 << 18) {
		if h := k.Hash(3); k.Shard(8) == 5 {
			slots[h&255]++
			n++
		}
	}
	mean := n / len(slots)
	if least, most := slices.Min(slots[:]), slices.Max(slots[:]); mean == 0 || least < mean/2 || most > 2*mean {
		t.Errorf("from %d to %d keys a slot, %d on average", least, most, mean)
	}
}

func TestFlags(t *testing.T) {
	const tcp = Flags(1<<6 - 1)
	if Reversed&tcp != 0 || Truncated&tcp != 0 || Reversed&Truncated != 0 {
		t.Errorf("flags overlap: %#x, %#x, TCP %#x", Reversed, Truncated, tcp)
	}
}

func BenchmarkKeyHash(b *testing.B) {
	keys := scan(1024)
	sum, i := uint64(0), 0
	for b.Loop() {
		sum += keys[i&1023].Hash(1)
		i++
	}
	if sum == 0 {
		b.Fatal("all hashes are 0")
	}
}
