package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// The classic pcap format (draft-ietf-opsawg-pcap), little-endian.
const (
	pcapMagicNs      = 0xa1b23c4d
	pcapMagicUs      = 0xa1b2c3d4
	fileHeaderSize   = 24
	recordHeaderSize = 16
	linkEthernet     = 1
	generatedSnaplen = 262144
	blockSize        = 1 << 20
)

// pcapFiles writes records to one capture, or to several of about the same
// number of packets, one after the other in time. A file appears under its
// name when it is complete.
type pcapFiles struct {
	dir, name string
	files     int64 // how many
	packets   int64 // in all of them
	micros    bool  // times in microseconds, cut off, instead of nanoseconds
	written   int64
	index     int64 // of the open file
	file      *os.File
	buf       []byte
}

func newPcapFiles(dir, name string, files, packets int64) *pcapFiles {
	return &pcapFiles{dir: dir, name: name, files: files, packets: packets, buf: make([]byte, 0, blockSize)}
}

func (p *pcapFiles) path() string {
	if p.files == 1 {
		return filepath.Join(p.dir, p.name+".pcap")
	}
	return filepath.Join(p.dir, fmt.Sprintf("%s-%02d.pcap", p.name, p.index))
}

// record appends a record's header and returns the space for its packet.
func (p *pcapFiles) record(ns int64, wireBytes int) ([]byte, error) {
	if p.file != nil && p.index+1 < p.files && p.written >= p.packets*(p.index+1)/p.files {
		if err := p.close(); err != nil {
			return nil, err
		}
		p.index++
	}
	if p.file == nil {
		if err := p.open(); err != nil {
			return nil, err
		}
	}
	if len(p.buf)+recordHeaderSize+wireBytes > cap(p.buf) {
		if err := p.flush(); err != nil {
			return nil, err
		}
	}
	p.written++
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(ns/1e9))
	fraction := ns % 1e9
	if p.micros {
		fraction /= 1000
	}
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(fraction))
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(wireBytes))
	p.buf = binary.LittleEndian.AppendUint32(p.buf, uint32(wireBytes))
	start := len(p.buf)
	p.buf = p.buf[:start+wireBytes]
	return p.buf[start:], nil
}

func (p *pcapFiles) open() error {
	f, err := os.CreateTemp(p.dir, "."+p.name+"-*")
	if err != nil {
		return err
	}
	p.file = f
	magic := uint32(pcapMagicNs)
	if p.micros {
		magic = pcapMagicUs
	}
	p.buf = binary.LittleEndian.AppendUint32(p.buf[:0], magic)
	p.buf = binary.LittleEndian.AppendUint16(p.buf, 2)
	p.buf = binary.LittleEndian.AppendUint16(p.buf, 4)
	p.buf = append(p.buf, 0, 0, 0, 0, 0, 0, 0, 0)
	p.buf = binary.LittleEndian.AppendUint32(p.buf, generatedSnaplen)
	p.buf = binary.LittleEndian.AppendUint32(p.buf, linkEthernet)
	return nil
}

func (p *pcapFiles) flush() error {
	_, err := p.file.Write(p.buf)
	p.buf = p.buf[:0]
	return err
}

// close completes the open file and gives it its name.
func (p *pcapFiles) close() error {
	if p.file == nil {
		return nil
	}
	err := errors.Join(p.flush(), p.file.Chmod(0o644), p.file.Close())
	if err == nil {
		err = os.Rename(p.file.Name(), p.path())
	}
	if err != nil {
		os.Remove(p.file.Name())
	}
	p.file = nil
	return err
}

// abandon removes the open file.
func (p *pcapFiles) abandon() {
	if p.file != nil {
		p.file.Close()
		os.Remove(p.file.Name())
		p.file = nil
	}
}
