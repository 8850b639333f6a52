package runfile

import (
	"encoding/binary"
	"fmt"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// MaxPartitions is the largest number of partitions of a run file.
const MaxPartitions = 4096

// An order appends the sort key of an entry to dst: bytes that compare as the
// entries are ordered.
type order func(dst, entry []byte) ([]byte, error)

// appendKey appends a session key as bytes that compare as flow.Key.Compare
// does.
func appendKey(dst []byte, k *flow.Key) []byte {
	size := 16
	if k.Version == 4 {
		size = 4
	}
	dst = append(dst, k.Version)
	dst = append(dst, k.Src[:size]...)
	dst = append(dst, k.Dst[:size]...)
	dst = binary.BigEndian.AppendUint16(dst, k.SrcPort)
	dst = binary.BigEndian.AppendUint16(dst, k.DstPort)
	dst = append(dst, k.Protocol)
	dst = binary.BigEndian.AppendUint16(dst, k.VLANOuter)
	return binary.BigEndian.AppendUint16(dst, k.VLANInner)
}

// maxKey is the length of the longest sort key of a row, in bytes, without the
// number of a capture: a time and an IPv6 session key.
const maxKey = 8 + 42

// captureKey is the length of the number of a capture in a sort key.
const captureKey = 4

// appendCapture appends the number of the capture that an encoded session has,
// if it has one, as the last part of a sort key.
func appendCapture(dst, entry []byte) []byte {
	if n, ok := agg.CaptureOf(entry); ok {
		dst = binary.BigEndian.AppendUint32(dst, n)
	}
	return dst
}

// Partition returns the partition, from 0, of a session key, where there are 1
// to MaxPartitions partitions. It belongs to the format: it is the same on
// every machine and in every version.
//
// The hash is FNV-1a (Fowler, Noll, Vo) over the bytes of the key in the order
// that rows are sorted by, and then the finalizer of MurmurHash3. Its upper
// half selects the partition.
func Partition(k *flow.Key, partitions int) uint16 {
	if partitions <= 1 {
		return 0
	}
	var b [maxKey]byte
	h := uint64(0xcbf29ce484222325)
	for _, c := range appendKey(b[:0], k) {
		h = (h ^ uint64(c)) * 0x100000001b3
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	h ^= h >> 33
	return uint16((h >> 32) * uint64(partitions) >> 32)
}

// sessionOrder orders sessions by partition, then by canonical key, then by
// capture where they are told apart by it.
func sessionOrder(partitions int) order {
	return func(dst, entry []byte) ([]byte, error) {
		k, err := agg.KeyOf(entry)
		if err != nil {
			return nil, err
		}
		dst = binary.BigEndian.AppendUint16(dst, Partition(&k, partitions))
		return appendCapture(appendKey(dst, &k), entry), nil
	}
}

// partitionOf returns the partition in a sort key of sessionOrder.
func partitionOf(key []byte) int { return int(binary.BigEndian.Uint16(key)) }

// appendRowKey appends the sort key of a row, with which its entry begins: the
// time of the first packet, then the key as the row shows it.
func appendRowKey(dst []byte, first int64, k *flow.Key) []byte {
	dst = binary.BigEndian.AppendUint64(dst, uint64(first)^1<<63)
	return appendKey(dst, k)
}

// timeOrder orders sessions as their rows are ordered in the CSV.
func timeOrder(dst, entry []byte) ([]byte, error) {
	first, k, _, err := agg.RowOf(entry)
	if err != nil {
		return nil, err
	}
	return appendCapture(appendRowKey(dst, first, &k), entry), nil
}

// rowOrder orders rows as in the CSV.
func rowOrder(dst, entry []byte) ([]byte, error) { return appendRowOrder(dst, entry, 0) }

// capturedRowOrder orders rows whose sort keys have the number of a capture.
func capturedRowOrder(dst, entry []byte) ([]byte, error) {
	return appendRowOrder(dst, entry, captureKey)
}

func appendRowOrder(dst, entry []byte, more int) ([]byte, error) {
	n, err := rowKeySize(entry, more)
	return append(dst, entry[:n]...), err
}

// rowKeySize returns the length of the sort key with which a row begins, which
// has so many bytes more than a time and a session key.
func rowKeySize(entry []byte, more int) (int, error) {
	n := maxKey - 24 + more
	if len(entry) > 8 && entry[8] != 4 {
		n = maxKey + more
	}
	if len(entry) < n {
		return 0, fmt.Errorf("row of %d bytes", len(entry))
	}
	return n, nil
}
