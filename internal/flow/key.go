package flow

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Key identifies a session: the 5-tuple, and with --key vlan the VLAN ids.
//
// Two packets belong to one session exactly when their keys are equal, so
// whoever makes a Key must leave unused bytes zero. The zero Key is not valid.
// A Key is 42 bytes without padding and holds no pointers.
type Key struct {
	// Src and Dst are addresses in network byte order. An IPv4 address
	// takes the first four bytes; the rest are zero.
	Src, Dst [16]byte
	// SrcPort and DstPort are 0 for protocols without ports, for fragments
	// whose first fragment was not seen, and where the header was cut off.
	SrcPort, DstPort uint16
	// VLANOuter and VLANInner are VLAN ids (12 bits), 0 where there is no
	// tag, and always 0 unless the VLAN ids are part of the key.
	VLANOuter, VLANInner uint16
	// Protocol is the IP protocol number: for IPv6 the first upper-layer
	// protocol behind the extension headers.
	Protocol uint8
	// Version is 4 or 6.
	Version uint8
}

// Equal reports whether k and o are the same session key. It inlines to
// word compares, where == on the struct calls into the runtime.
func (k *Key) Equal(o *Key) bool {
	le := binary.LittleEndian
	d := le.Uint64(k.Src[:8]) ^ le.Uint64(o.Src[:8])
	d |= le.Uint64(k.Src[8:]) ^ le.Uint64(o.Src[8:])
	d |= le.Uint64(k.Dst[:8]) ^ le.Uint64(o.Dst[:8])
	d |= le.Uint64(k.Dst[8:]) ^ le.Uint64(o.Dst[8:])
	return d == 0 && k.tail() == o.tail() &&
		k.Protocol == o.Protocol && k.Version == o.Version
}

func (k *Key) tail() uint64 {
	return uint64(k.SrcPort) | uint64(k.DstPort)<<16 |
		uint64(k.VLANOuter)<<32 | uint64(k.VLANInner)<<48
}

// Compare orders keys as rows are ordered: by source address (IPv4 before
// IPv6), destination address, source port, destination port, protocol, and
// last the VLAN ids.
func (k *Key) Compare(o *Key) int {
	if k.Version != o.Version {
		return cmp.Compare(k.Version, o.Version)
	}
	if c := bytes.Compare(k.Src[:], o.Src[:]); c != 0 {
		return c
	}
	if c := bytes.Compare(k.Dst[:], o.Dst[:]); c != 0 {
		return c
	}
	return cmp.Or(
		cmp.Compare(k.SrcPort, o.SrcPort),
		cmp.Compare(k.DstPort, o.DstPort),
		cmp.Compare(k.Protocol, o.Protocol),
		cmp.Compare(k.VLANOuter, o.VLANOuter),
		cmp.Compare(k.VLANInner, o.VLANInner),
	)
}

// Reverse exchanges source and destination.
func (k *Key) Reverse() {
	k.Src, k.Dst = k.Dst, k.Src
	k.SrcPort, k.DstPort = k.DstPort, k.SrcPort
}

// SetTurned makes k the key o or, if turned is true, o with source and
// destination exchanged. It is for rows, where turned is as good as random from
// one session to the next: it has no branch, which a CPU would guess wrong.
func (k *Key) SetTurned(o *Key, turned bool) {
	le := binary.LittleEndian
	turn := uint64(0)
	if turned {
		turn = 1
	}
	for i := 0; i < len(k.Src); i += 8 {
		src, dst := le.Uint64(o.Src[i:]), le.Uint64(o.Dst[i:])
		swap := (src ^ dst) & -turn
		le.PutUint64(k.Src[i:], src^swap)
		le.PutUint64(k.Dst[i:], dst^swap)
	}
	ports := bits.RotateLeft32(uint32(o.SrcPort)|uint32(o.DstPort)<<16, int(16*turn))
	k.SrcPort, k.DstPort = uint16(ports), uint16(ports>>16)
	k.VLANOuter, k.VLANInner = o.VLANOuter, o.VLANInner
	k.Protocol, k.Version = o.Protocol, o.Version
}

// Canonical brings both directions of a 5-tuple to one form, the smaller
// (address, port) endpoint first, and reports whether it reversed the key.
func (k *Key) Canonical() (reversed bool) {
	be := binary.BigEndian
	s, d := be.Uint64(k.Src[:8]), be.Uint64(k.Dst[:8])
	if s == d {
		s, d = be.Uint64(k.Src[8:]), be.Uint64(k.Dst[8:])
		if s == d {
			s, d = uint64(k.SrcPort), uint64(k.DstPort)
		}
	}
	if s <= d {
		return false
	}
	k.Reverse()
	return true
}

// Hash mixes the key with a secret seed. All 64 bits are well mixed: shard
// takes the high ones to pick a shard, agg the low ones to pick a table slot.
//
// It folds 128-bit products, as wyhash does (Wang Yi, "wyhash", 2019), the last
// one with a constant. Without that last step the hash is a multiple of the
// ports wherever nothing else differs, and multiples fall into a table in
// clusters. The seed is drawn anew for each run, so that nobody can prepare
// keys that collide; results do not depend on it.
func (k *Key) Hash(seed uint64) uint64 {
	le := binary.LittleEndian
	return HashWords(le.Uint64(k.Src[:8]), le.Uint64(k.Src[8:]), le.Uint64(k.Dst[:8]), le.Uint64(k.Dst[8:]), k.tail(), k.Protocol, k.Version, seed)
}

// HashWords is Hash of a key that is given in words: src0 and src1 are the
// bytes of Src as two little-endian numbers, dst0 and dst1 those of Dst. tail
// holds, from the lowest bits up, 16 bits each of source port, destination
// port, outer and inner VLAN id. For version 4, src1 and dst1 are ignored.
//
// It is for a caller that has just made the key, and so has these words in
// registers. Hash would load the ports together that were stored one by one,
// for which a CPU waits a dozen cycles.
func HashWords(src0, src1, dst0, dst1, tail uint64, protocol, version uint8, seed uint64) uint64 {
	const (
		p0 = 0xa0761d6478bd642f
		p1 = 0xe7037ed1a0b428db
		p2 = 0x8ebc6af09c88c6e3
	)
	meta := uint64(protocol) | uint64(version)<<8 | seed<<16
	h := fold(src0^seed^p0, dst0^bits.RotateLeft64(seed, 23)^p1)
	if version != 4 { // an IPv4 address ends before the second word
		h ^= fold(src1^bits.RotateLeft64(seed, 41)^p2, dst1^seed^p0)
	}
	return fold(fold(h^meta^p1, tail^bits.RotateLeft64(seed, 11)^p2)^p0, p1)
}

func fold(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo
}

// Shard maps the key to one of n shards, 1 <= n <= 256. It depends on the key
// alone, not on a seed: which sessions share a table, and so where a table that
// outgrows the memory is cut, is the same in every run. Both directions of a
// canonical key have one shard.
//
// The price is that keys can be made for one shard: then one worker has all the
// work, but its table is as fast as ever.
func (k *Key) Shard(n int) uint8 {
	le := binary.LittleEndian
	return ShardWords(le.Uint64(k.Src[:8]), le.Uint64(k.Src[8:]), le.Uint64(k.Dst[:8]), le.Uint64(k.Dst[8:]), k.tail(), k.Protocol, k.Version, n)
}

// ShardWords is Shard of a key that is given in words, as for HashWords.
func ShardWords(src0, src1, dst0, dst1, tail uint64, protocol, version uint8, n int) uint8 {
	const m = 0x9e3779b97f4a7c15
	h := src0*m ^ bits.RotateLeft64(dst0*m, 29)
	if version != 4 {
		h += src1*m ^ bits.RotateLeft64(dst1*m, 17)
	}
	h = (h ^ h>>32 ^ uint64(protocol)<<8) * 0xd6e8feb86659fd93
	h = (h ^ h>>32 ^ tail) * m
	hi, _ := bits.Mul64((h^h>>29)*0xd6e8feb86659fd93, uint64(n))
	return uint8(hi)
}

// SrcAddr returns the source address.
func (k *Key) SrcAddr() netip.Addr { return addr(&k.Src, k.Version) }

// DstAddr returns the destination address.
func (k *Key) DstAddr() netip.Addr { return addr(&k.Dst, k.Version) }

func addr(b *[16]byte, version uint8) netip.Addr {
	if version == 4 {
		return netip.AddrFrom4([4]byte(b[:4]))
	}
	return netip.AddrFrom16(*b)
}
