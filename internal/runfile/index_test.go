package runfile

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

func TestIndex(t *testing.T) {
	index := []Section{{Offset: fileHeader}, {fileHeader, 700, 31, 0xdeadbeef}, {fileHeader + 700, 0, 0, 0}, {fileHeader + 700, math.MaxInt64 - 800, math.MaxUint64, 1}}
	data := appendIndex(nil, index)
	got, err := parseIndex(data)
	if err != nil || !slices.Equal(got, index) {
		t.Errorf("%v, %v", got, err)
	}
	whole := map[int]bool{0: true, 1: true, 8: true, 9: true}
	for n := range data {
		if _, err := parseIndex(data[:n]); (err == nil) != whole[n] {
			t.Errorf("%d of %d bytes: %v", n, len(data), err)
		}
	}
	if _, err := parseIndex(make([]byte, MaxPartitions)); err != nil {
		t.Error(err)
	}
	if _, err := parseIndex(make([]byte, MaxPartitions+1)); err == nil {
		t.Error("more sections than there can be")
	}
	if _, err := parseIndex(bytes.Repeat([]byte{0xff}, 11)); err == nil {
		t.Error("a number of more than 64 bits")
	}
}

// What a capture of a few sessions has in many partitions takes little.
func TestIndexOfEmptySections(t *testing.T) {
	index := make([]Section, 1024)
	for i := range index {
		index[i].Offset = fileHeader
	}
	if n := len(appendIndex(nil, index)); n != 1024 {
		t.Errorf("%d bytes", n)
	}
}
