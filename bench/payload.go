package main

import "encoding/binary"

// words is the vocabulary of readable payloads: 2048 chunks of eight bytes.
// Together with the random payloads of encrypted sessions it makes gzip -6
// reach the ratio and the mixture of literals and short matches of a real
// capture; the figure is in README.md.
type words [2048]uint64

func newWords(r *rng) *words {
	const letters = "etaoinshrdlucmfwypvbgkETAONI0123456789 =;:/<>.\"\r\n-_"
	var w words
	var chunk [8]byte
	for i := range w {
		for j := range chunk {
			// The smaller of two draws: common letters come first.
			chunk[j] = letters[min(r.below(uint64(len(letters))), r.below(uint64(len(letters))))]
		}
		w[i] = binary.LittleEndian.Uint64(chunk[:])
	}
	return &w
}

// fillText fills dst with words, the first of them more often than the last.
func (w *words) fillText(dst []byte, r *rng) {
	const mask = uint64(len(w) - 1)
	var chunk [8]byte
	for len(dst) > 0 {
		bits := r.next()
		for range 2 { // 64 bits make two words of 2 x 11 bits each
			binary.LittleEndian.PutUint64(chunk[:], w[min(bits&mask, bits>>11&mask)])
			dst = dst[copy(dst, chunk[:]):]
			bits >>= 32
		}
	}
}

// fillRandom fills dst with bytes that do not compress.
func fillRandom(dst []byte, r *rng) {
	for len(dst) >= 8 {
		binary.LittleEndian.PutUint64(dst, r.next())
		dst = dst[8:]
	}
	last := r.next()
	for i := range dst {
		dst[i] = byte(last >> (8 * i))
	}
}
