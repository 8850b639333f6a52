package writer

import (
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func newRand(stream uint64) *rand.Rand { return rand.New(rand.NewPCG(20240229, stream)) }

// written returns what put writes behind other text, and fails if it changes
// that text or takes more than a cell.
func written(t *testing.T, put func(b []byte, n int) int) string {
	t.Helper()
	b := []byte("before" + strings.Repeat("#", maxCell+1))
	n := put(b, 6)
	if string(b[:6]) != "before" || n > 6+maxCell || b[6+maxCell] != '#' {
		t.Fatalf("wrote %q, up to %d", b, n)
	}
	return string(b[6:n])
}

// numbers calls f with edges of decimal text and random values of all lengths.
func numbers(f func(v uint64)) {
	for v := range uint64(2000) {
		f(v)
		f(math.MaxUint64 - v)
	}
	for p := uint64(1); ; p *= 10 {
		for d := range uint64(3) {
			f(p + d)
			f(p - d)
			f(9*p + d)
		}
		if p == 1e19 {
			break
		}
	}
	for s := range 64 {
		f(1<<s - 1)
		f(1 << s)
		f(1<<s + 1)
	}
	r := newRand(1)
	for range 100_000 {
		f(r.Uint64() >> r.UintN(64))
	}
}

func TestPutUint(t *testing.T) {
	numbers(func(v uint64) {
		got := written(t, func(b []byte, n int) int { return putUint(b, n, v) })
		if want := strconv.FormatUint(v, 10); got != want {
			t.Fatalf("%d: %s, want %s", v, got, want)
		}
	})
}

func TestPutInt(t *testing.T) {
	numbers(func(u uint64) {
		v := int64(u)
		got := written(t, func(b []byte, n int) int { return putInt(b, n, v) })
		if want := strconv.FormatInt(v, 10); got != want {
			t.Fatalf("%d: %s, want %s", v, got, want)
		}
	})
}

// decimal is v / 10^places in plain decimal, with at least one decimal.
func decimal(v *big.Int, places int) string {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(places)), nil)
	whole, rest := new(big.Int).QuoRem(v, unit, new(big.Int))
	s := strings.TrimRight(fmt.Sprintf("%s.%0*s", whole, places, rest), "0")
	if strings.HasSuffix(s, ".") {
		s += "0"
	}
	return s
}

func TestDecimalOfTheTest(t *testing.T) {
	for want, v := range map[string]int64{"0.0": 0, "0.000001": 1, "1.0": 1e6, "1.5": 15e5, "12.00001": 12_000_010, "100.0": 1e8} {
		if got := decimal(big.NewInt(v), 6); got != want {
			t.Errorf("%d: %s, want %s", v, got, want)
		}
	}
}

func TestPutNano(t *testing.T) {
	check := func(v uint64) {
		got := written(t, func(b []byte, n int) int { return putNano(b, n, v) })
		if want := decimal(new(big.Int).SetUint64(v), 9); got != want {
			t.Fatalf("%d ns: %s, want %s", v, got, want)
		}
	}
	numbers(check)
	r := newRand(2)
	for range 100_000 { // trailing zeros of every number
		unit := uint64(math.Pow10(r.IntN(12)))
		check(r.Uint64N(1e6) * unit)
	}
}

func TestPutMicro(t *testing.T) {
	check := func(v uint64) {
		got := written(t, func(b []byte, n int) int { return putMicro(b, n, v) })
		if want := decimal(new(big.Int).SetUint64(v), 6); got != want {
			t.Fatalf("%d millionths: %s, want %s", v, got, want)
		}
	}
	numbers(check)
	r := newRand(3)
	for range 100_000 {
		check(r.Uint64N(1e6) * uint64(math.Pow10(r.IntN(12))))
	}
}

func TestPutMicro128(t *testing.T) {
	check := func(hi, lo uint64) {
		v := new(big.Int).Lsh(new(big.Int).SetUint64(hi), 64)
		v.Or(v, new(big.Int).SetUint64(lo))
		got := written(t, func(b []byte, n int) int { return putMicro128(b, n, hi, lo) })
		if want := decimal(v, 6); got != want {
			t.Fatalf("%s millionths: %s, want %s", v, got, want)
		}
	}
	numbers(func(v uint64) { check(0, v); check(v, 0); check(v, math.MaxUint64) })
	r := newRand(4)
	for range 100_000 {
		check(r.Uint64()>>r.UintN(64), r.Uint64()>>r.UintN(64))
	}
	// The largest rate: 2^64-1 bytes in a nanosecond, and whole parts around
	// the digit that two words split at.
	ten := new(big.Int).Exp(big.NewInt(10), big.NewInt(25), nil)
	for d := int64(-2); d <= 2; d++ {
		v := new(big.Int).Add(ten, big.NewInt(d))
		check(new(big.Int).Rsh(v, 64).Uint64(), v.Uint64())
	}
	check(math.MaxUint64, math.MaxUint64)
}
