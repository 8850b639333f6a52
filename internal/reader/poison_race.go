//go:build race

package reader

// poison: builds with the race detector overwrite a block before it is filled
// again, so that a slice kept too long breaks a test and not a result.
const poison = true

func spoil(p []byte) {
	if len(p) == 0 {
		return
	}
	p[0] = 0xdb
	for n := 1; n < len(p); n *= 2 {
		copy(p[n:], p[:n]) // one instrumented step a doubling
	}
}
