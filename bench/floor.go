package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// runFloor is the command floor: the least work that finds all packets of a
// capture. It reads 1 MiB at a time and steps from record header to record
// header. It can read only captures that gen writes.
func runFloor(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("floor", stderr)
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("floor: no capture given")
	}
	var total walkTotals
	for _, path := range flags.Args() {
		if err := walkFile(path, &total); err != nil {
			return fmt.Errorf("floor: %s: %w", path, err)
		}
	}
	fmt.Fprintf(stdout, "%d packets, %d bytes on the wire\n", total.packets, total.wireBytes)
	return nil
}

// walkTotals is what a walk over the record headers counts.
type walkTotals struct{ packets, wireBytes int64 }

func walkFile(path string, total *walkTotals) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	return walk(f, make([]byte, blockSize), total)
}

// walk steps over the records of a capture with buf as its only buffer.
// A record may be longer than buf.
func walk(r io.Reader, buf []byte, total *walkTotals) error {
	var header [fileHeaderSize]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return err
	}
	if m := binary.LittleEndian.Uint32(header[:]); m != pcapMagicNs && m != pcapMagicUs {
		return errors.New("not a little-endian pcap file")
	}
	var (
		kept int   // bytes of a cut record header at the start of buf
		skip int64 // bytes of a packet still to come
	)
	for {
		n, err := r.Read(buf[kept:])
		kept, skip = walkBlock(buf[:kept+n], skip, total)
		if err == io.EOF {
			if kept > 0 || skip > 0 {
				return io.ErrUnexpectedEOF
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// walkBlock steps over the records of a block that begins skip bytes before
// a record header. It moves a header cut off by the block's end to its start
// and returns its length, and the bytes of the last packet beyond the block.
func walkBlock(block []byte, skip int64, total *walkTotals) (kept int, beyond int64) {
	at := skip
	for at+recordHeaderSize <= int64(len(block)) {
		header := block[at : at+recordHeaderSize]
		total.packets++
		total.wireBytes += int64(binary.LittleEndian.Uint32(header[12:]))
		at += recordHeaderSize + int64(binary.LittleEndian.Uint32(header[8:]))
	}
	if at >= int64(len(block)) {
		return 0, at - int64(len(block))
	}
	return copy(block, block[at:]), 0
}
