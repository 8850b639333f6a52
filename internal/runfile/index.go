package runfile

import (
	"encoding/binary"
	"errors"
)

// appendIndex appends the sections of a file, which follow each other from the
// header on: of each the size as an unsigned varint and, if that is not 0, the
// number of entries as another and the CRC. A capture of a few sessions leaves
// most of its partitions empty, and those cost a byte.
func appendIndex(dst []byte, index []Section) []byte {
	for i := range index {
		s := &index[i]
		dst = binary.AppendUvarint(dst, uint64(s.Size))
		if s.Size > 0 {
			dst = binary.AppendUvarint(dst, s.Entries)
			dst = binary.LittleEndian.AppendUint32(dst, s.Chain)
		}
	}
	return dst
}

var errIndex = errors.New("index is cut short, or has too many sections")

// parseIndex is the opposite of appendIndex. The sections may lie beyond the end
// of the file.
func parseIndex(data []byte) ([]Section, error) {
	index := make([]Section, 0, min(len(data), MaxPartitions))
	at := int64(fileHeader)
	for len(data) > 0 {
		size, n := binary.Uvarint(data)
		if n <= 0 || len(index) == MaxPartitions {
			return nil, errIndex
		}
		data = data[n:]
		s := Section{Offset: at, Size: int64(size)}
		if size > 0 {
			if s.Entries, n = binary.Uvarint(data); n <= 0 || len(data) < n+4 {
				return nil, errIndex
			}
			s.Chain = binary.LittleEndian.Uint32(data[n:])
			data = data[n+4:]
		}
		index = append(index, s)
		at += s.Size
	}
	return index, nil
}
