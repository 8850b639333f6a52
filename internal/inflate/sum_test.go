package inflate

import "testing"

func TestCombineSums(t *testing.T) {
	data := randomData(100_000)
	for _, n := range []int{0, 1, 2, 7, 8, 255, 256, 4096, 65535, 99_999, 100_000} {
		got := combineSums(crc32Bytes(data[:n]), crc32Bytes(data[n:]), int64(len(data)-n))
		if want := crc32Bytes(data); got != want {
			t.Errorf("split at %d: %08x, want %08x", n, got, want)
		}
	}
}
