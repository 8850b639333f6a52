package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"os/exec"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/ulikunitz/xz"
)

// packer compresses a whole file into one member or frame.
type packer func(data []byte) ([]byte, error)

// through runs data through a compressing writer.
func through(w io.WriteCloser, buf *bytes.Buffer, data []byte) ([]byte, error) {
	if _, err := w.Write(data); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return buf.Bytes(), nil
}

func gzipped(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := gzip.NewWriterLevel(&buf, 6)
	if err != nil {
		return nil, err
	}
	w.Name = "example.pcap"
	return through(w, &buf, data)
}

func zstandard(data []byte) ([]byte, error) {
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return w.EncodeAll(data, nil), nil
}

func lz4Frame(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w := lz4.NewWriter(&buf)
	if err := w.Apply(lz4.ConcurrencyOption(1), lz4.BlockSizeOption(lz4.Block64Kb)); err != nil {
		return nil, err
	}
	return through(w, &buf, data)
}

func xzStream(data []byte) ([]byte, error) {
	var buf bytes.Buffer
	w, err := xz.WriterConfig{DictCap: 1 << 20}.NewWriter(&buf)
	if err != nil {
		return nil, err
	}
	return through(w, &buf, data)
}

// bzip2Stream calls the system's bzip2; without it the error is exec.ErrNotFound.
func bzip2Stream(data []byte) ([]byte, error) {
	cmd := exec.Command("bzip2", "-9", "-c")
	cmd.Stdin = bytes.NewReader(data)
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run bzip2: %w", err)
	}
	return out, nil
}

// halves packs the two halves of the data one by one. The cut lies in the
// middle of a record.
func halves(pack packer) packer {
	return func(data []byte) ([]byte, error) {
		n := len(data)/2 + 1
		a, err := pack(data[:n])
		if err != nil {
			return nil, err
		}
		b, err := pack(data[n:])
		return cat(a, b), err
	}
}

// followed packs the data and puts tail behind.
func followed(pack packer, tail []byte) packer {
	return func(data []byte) ([]byte, error) {
		b, err := pack(data)
		return cat(b, tail), err
	}
}

// bgzf is gzip in members of at most 64 KiB that say how long they are (the
// BC field of the SAM specification, section 4.1), and an empty one at the end.
// Blocks are kept small here, so that there are several.
func bgzf(data []byte) ([]byte, error) {
	const block = 3000
	var out []byte
	for i := 0; i < len(data)+block; i += block { // the last round makes the empty block
		part := data[min(i, len(data)):min(i+block, len(data))]
		var buf bytes.Buffer
		w, err := flate.NewWriter(&buf, 6)
		if err != nil {
			return nil, err
		}
		body, err := through(w, &buf, part)
		if err != nil {
			return nil, err
		}
		size := uint16(18 + len(body) + 8 - 1)
		out = cat(out, unhex("1f8b 08 04 00000000 00 ff 0600 4243 0200"), binary.LittleEndian.AppendUint16(nil, size), body)
		out = words(binary.LittleEndian, out, crc32.ChecksumIEEE(part), uint32(len(part)))
	}
	return out, nil
}

// skippable is a zstd frame that decoders step over (RFC 8878, section 3.1.2).
func skippable(content []byte) []byte {
	return append(words(binary.LittleEndian, nil, 0x184d2a50, uint32(len(content))), content...)
}

// seekable is zstd in frames with a table of their sizes at the end (the
// seekable format of zstd's contrib directory, version 0.1.0).
func seekable(data []byte) ([]byte, error) {
	const frameBytes = 3000
	o := binary.LittleEndian
	var out, table []byte
	frames := uint32(0)
	for i := 0; i < len(data); i += frameBytes {
		part := data[i:min(i+frameBytes, len(data))]
		frame, err := zstandard(part)
		if err != nil {
			return nil, err
		}
		out, frames = append(out, frame...), frames+1
		table = words(o, table, uint32(len(frame)), uint32(len(part)))
	}
	table = words(o, append(words(o, table, frames), 0), 0x8f92eab1)
	return append(append(out, words(o, nil, 0x184d2a5e, uint32(len(table)))...), table...), nil
}
