package main

import (
	"encoding/binary"
	"time"
)

// few are six records of two sessions, for the captures that are damaged.
func few() []record {
	other := between("192.0.2.11", 40000, "198.51.100.9", 50000)
	return every(time.Second,
		frame(clientServer.udp(text(10))), frame(other.udp(text(11))), frame(clientServer.back().udp(text(12))),
		frame(other.back().udp(text(13))), frame(clientServer.udp(text(14))), frame(other.udp(text(15))))
}

func damages() []story {
	x := pcap(linkEthernet, few()...)
	header := x.data[:24]
	return []story{
		{file: "empty.pcap", text: "the file header alone", capture: pcap(linkEthernet)},
		{file: "zero-bytes.pcap", text: "nothing at all", tshark: unread},
		{file: "not-a-capture.txt", text: "text", capture: capture{data: []byte("This is a text file, not a capture.\nIt has two lines.\n")}, tshark: unread},
		{file: "truncated-header.pcap", text: "10 bytes of a file header", capture: x.damaged(0, header[:10]), tshark: unread},
		{file: "truncated-last-record.pcap", text: "six records, the last one 5 bytes short", capture: x.damaged(5, x.data[:len(x.data)-5]), tshark: asDamaged},
		{file: "truncated-record-header.pcap", text: "six records, the last one cut in the middle of its header", capture: x.damaged(5, x.data[:recordOffset(x, 5)+7]), tshark: asDamaged},
		{file: "damaged-record.pcap", text: "six records, the fourth claims 2 147 483 647 bytes", capture: absurd(x), tshark: asDamaged},
		{file: "unknown-version.pcap", text: "classic pcap of version 9.4", capture: unknownVersion(x), tshark: unread},
		{file: "pcapng-truncated-block.pcapng", text: "six packets, the last block 9 bytes short", capture: shortPcapng(), tshark: asDamaged},
		{file: "pcapng-wrong-trailing-length.pcapng", text: "six packets, the lengths before and behind the fourth block differ", capture: wrongTrailer(), tshark: unread},
		{file: "pcapng-missing-interface.pcapng", text: "two packets, and a third of an interface that nobody described", capture: missingInterface(), tshark: asDamaged},
		{file: "pcapng-unknown-major.pcapng", text: "two packets, then a section of major version 2", capture: unknownMajor(), tshark: asDamaged},
		{file: "pcapng-cut-option-list.pcapng", text: "two packets, then an interface whose option is longer than its block", capture: cutOptions(), tshark: asDamaged},
		{file: "pcapng-zero-length-block.pcapng", text: "two packets, then a block of length 0", capture: zeroLengthBlock(), tshark: asDamaged},
		{file: "pcapng-broken-packet-options.pcapng", text: "six packets, the second with an option longer than its block: all six count, and the capture is reported as damaged", capture: brokenOptions(), tshark: unread},
		{file: "pcapng-unpadded-length.pcapng", text: "six packets, the third in a block whose length does not count its padding: read with a warning", capture: unpaddedLength(), tshark: unread},
		{file: "zeros-at-the-end.pcap", text: "six records, then 4 096 zeros", capture: x.damaged(6, cat(x.data, make([]byte, 4096))), tshark: unread},
		{file: "garbage-at-the-end.pcap", text: "six records, then text", capture: x.damaged(6, cat(x.data, []byte("this is not a record, nor is it a capture\n"))), tshark: unread},
		{file: "wire-length-below-capture-length.pcap", text: "six records, the second with a wire length of 0: the capture length is taken", capture: noWireLength(x), tshark: unread},
		{file: "gzip-cut.pcap.gz", text: "six records, gzip whose last 6 bytes are missing", capture: x, pack: shortened(gzipped, 6), tshark: unread},
		{file: "gzip-bad-checksum.pcap.gz", text: "six records, gzip whose checksum is wrong", capture: x, pack: badChecksum, tshark: unread},
		{file: "nested-compression.pcap.gz.zst", text: "gzip inside zstd: refused", capture: capture{data: x.data}, pack: gzipInZstd, tshark: unread},
	}
}

// recordOffset is where record i of a classic capture begins.
func recordOffset(c capture, i int) int {
	n := 24
	for _, r := range c.records[:i] {
		n += 16 + len(r.data)
	}
	return n
}

func absurd(x capture) capture {
	c := x.damaged(3, x.data)
	binary.LittleEndian.PutUint32(c.data[recordOffset(x, 3)+8:], absurdLength)
	binary.LittleEndian.PutUint32(c.data[recordOffset(x, 3)+12:], absurdLength)
	return c
}

func unknownVersion(x capture) capture {
	c := x.damaged(0, x.data)
	binary.LittleEndian.PutUint16(c.data[4:], 9)
	return c
}

func shortPcapng() capture {
	c := pcapngPlain(binary.LittleEndian, few())
	return c.damaged(5, c.data[:len(c.data)-9])
}

func wrongTrailer() capture {
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.micro(0, few()[:4]...)
	w.buf[len(w.buf)-4]++
	w.micro(0, few()[4:]...)
	return w.capture().damaged(3, w.buf)
}

// twoPackets is a capture of two packets that goes on.
func twoPackets() *pcapng {
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.micro(0, few()[:2]...)
	return w
}

func missingInterface() capture {
	w := twoPackets()
	w.micro(1, few()[2])
	return w.capture().damaged(2, w.buf)
}

func unknownMajor() capture {
	w := twoPackets()
	w.section(binary.LittleEndian, 2)
	return w.capture()
}

func cutOptions() capture {
	w := twoPackets()
	option := w.option(optTSResol, []byte{9})
	binary.LittleEndian.PutUint16(option[2:], 400)
	w.iface(linkEthernet, snaplenWhole, option)
	w.micro(1, few()[2])
	return w.capture().damaged(2, w.buf)
}

func zeroLengthBlock() capture {
	w := twoPackets()
	w.buf = words(w.o, w.buf, blockEnhanced, 0, 0)
	return w.capture()
}

// shortened packs and leaves out the last n bytes.
func shortened(pack packer, n int) packer {
	return func(data []byte) ([]byte, error) {
		b, err := pack(data)
		return b[:max(0, len(b)-n)], err
	}
}

// badChecksum is gzip with a flipped bit in the CRC-32 of its trailer.
func badChecksum(data []byte) ([]byte, error) {
	b, err := gzipped(data)
	if err == nil {
		b[len(b)-8] ^= 1
	}
	return b, err
}

func gzipInZstd(data []byte) ([]byte, error) {
	b, err := gzipped(data)
	if err != nil {
		return nil, err
	}
	return zstandard(b)
}

// brokenOptions has a packet whose comment claims to be longer than its block.
func brokenOptions() capture {
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.micro(0, few()[:2]...)
	// The comment of the last packet: code, length, 9 bytes and padding, then
	// the end mark and the length of the block.
	binary.LittleEndian.PutUint16(w.buf[len(w.buf)-4-4-12-2:], 400)
	w.micro(0, few()[2:]...)
	return w.capture()
}

// unpaddedLength has a block whose two lengths leave out its padding.
func unpaddedLength() capture {
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.micro(0, few()[:2]...)
	begin := len(w.buf)
	r := few()[2]
	ticks := uint64(r.ns / int64(time.Microsecond))
	head := words(w.o, nil, 0, uint32(ticks>>32), uint32(ticks), uint32(len(r.data)), uint32(r.wire))
	w.block(blockEnhanced, cat(head, pad4(r.data)))
	unpadded := uint32(12 + len(head) + len(r.data))
	binary.LittleEndian.PutUint32(w.buf[begin+4:], unpadded)
	binary.LittleEndian.PutUint32(w.buf[len(w.buf)-4:], unpadded)
	w.records = append(w.records, r)
	w.micro(0, few()[3:]...)
	return w.capture()
}

func noWireLength(x capture) capture {
	c := x.damaged(6, x.data)
	binary.LittleEndian.PutUint32(c.data[recordOffset(x, 1)+12:], 0)
	return c
}
