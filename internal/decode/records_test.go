package decode

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// record is one packet entry of a capture, for the tests over real captures.
type record struct {
	link    uint16
	wireLen uint32
	time    int64 // in units of the file: the tests compare no times
	data    []byte
	number  int // from 1, as the oracle counts
}

// sharedDir is where the captures lie that are not part of the project.
var sharedDir = filepath.Join("..", "..", "..", "shared")

// capturesOf returns the paths of the shared captures and skips the test if
// there are none.
func capturesOf(t *testing.T) []string {
	t.Helper()
	paths, _ := filepath.Glob(filepath.Join(sharedDir, "captures", "*"))
	if len(paths) == 0 {
		t.Skip("no captures in ../shared")
	}
	return paths
}

// readRecords returns the records of a classic pcap or pcapng file, plain or
// gzip, up to the first damage. It is a small twin of package reader, so that
// these tests fail for reasons of their own only. Other formats give nothing.
func readRecords(t *testing.T, path string) []record {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		b, _ = io.ReadAll(z)
	}
	if len(b) < 24 {
		return nil
	}
	switch magic := binary.LittleEndian.Uint32(b); magic {
	case 0xa1b2c3d4, 0xa1b23c4d:
		return pcapRecords(b, binary.LittleEndian)
	case 0xd4c3b2a1, 0x4d3cb2a1:
		return pcapRecords(b, binary.BigEndian)
	case 0x0a0d0d0a:
		return pcapngRecords(b)
	}
	return nil
}

func pcapRecords(b []byte, bo binary.ByteOrder) (rs []record) {
	link := uint16(bo.Uint32(b[20:]))
	for b = b[24:]; len(b) >= 16; {
		n := bo.Uint32(b[8:])
		if uint64(n) > uint64(len(b)-16) || n > 262144 {
			break
		}
		rs = append(rs, record{link, bo.Uint32(b[12:]), int64(bo.Uint32(b)), b[16 : 16+n], len(rs) + 1})
		b = b[16+n:]
	}
	return rs
}

func pcapngRecords(b []byte) (rs []record) {
	var bo binary.ByteOrder = binary.LittleEndian
	type iface struct {
		link uint16
		snap uint32
	}
	var ifaces []iface
	number := 0
	for len(b) >= 16 {
		if binary.LittleEndian.Uint32(b) == 0x0a0d0d0a {
			bo, ifaces = binary.LittleEndian, nil
			if binary.BigEndian.Uint32(b[8:]) == 0x1a2b3c4d {
				bo = binary.BigEndian
			}
			if bo.Uint16(b[12:]) != 1 { // major version
				break
			}
		}
		n := bo.Uint32(b[4:])
		if n < 12 || n%4 != 0 || uint64(n) > uint64(len(b)) {
			break
		}
		body := b[8 : n-4]
		var r record
		id, head := uint32(0), 0
		switch typ := bo.Uint32(b); typ {
		case 1:
			ifaces = append(ifaces, iface{bo.Uint16(body), bo.Uint32(body[4:])})
		case 2:
			id, head = uint32(bo.Uint16(body)), 20
		case 3:
			head = 4
		case 6:
			id, head = bo.Uint32(body), 20
		case 9, 0xbad, 0x40000bad, 0x204, 0x208, 0x216, 0x221:
			number++
		}
		if head > 0 {
			if len(body) < head || uint64(id) >= uint64(len(ifaces)) {
				break
			}
			number++
			r.link, r.number = ifaces[id].link, number
			capLen := bo.Uint32(body[max(0, head-8):])
			r.wireLen = bo.Uint32(body[head-4:])
			if head == 4 {
				capLen = r.wireLen
				if s := ifaces[0].snap; s > 0 {
					capLen = min(capLen, s)
				}
				capLen = min(capLen, uint32(len(body)-4))
			} else {
				r.time = int64(bo.Uint32(body[4:]))<<32 | int64(bo.Uint32(body[8:]))
			}
			if uint64(capLen) > uint64(len(body)-head) {
				break
			}
			r.data = body[head : uint32(head)+capLen]
			rs = append(rs, r)
		}
		b = b[n:]
	}
	return rs
}
