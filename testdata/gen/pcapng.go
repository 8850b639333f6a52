package main

import (
	"encoding/binary"
	"slices"
	"time"
)

// Block types (draft-ietf-opsawg-pcapng, section 11.1).
const (
	blockSection   = 0x0a0d0d0a
	blockInterface = 1
	blockObsolete  = 2
	blockSimple    = 3
	blockNames     = 4
	blockStats     = 5
	blockEnhanced  = 6
	blockJournal   = 9
	blockSecrets   = 10
	blockCustom    = 0x0bad
	blockLocal     = 0x80001234 // local use: unknown to everybody else
)

// Option codes of an interface.
const (
	optEnd      = 0
	optName     = 2
	optTSResol  = 9
	optTSOffset = 14
)

// start is the epoch of all captures in seconds.
const start = 1_700_000_000

// pcapng builds a capture block by block.
type pcapng struct {
	o       byteOrder
	buf     []byte
	records []record
}

// newPcapng begins with a section header.
func newPcapng(o byteOrder) *pcapng {
	w := &pcapng{o: o}
	w.section(o, 1)
	return w
}

func (w *pcapng) section(o byteOrder, major uint16) {
	w.o = o
	body := o.AppendUint16(o.AppendUint16(words(o, nil, 0x1a2b3c4d), major), 0)
	w.block(blockSection, o.AppendUint64(body, ^uint64(0))) // length not given
}

// block pads body and puts the two lengths around it.
func (w *pcapng) block(typ uint32, body []byte) {
	body = pad4(body)
	n := uint32(12 + len(body))
	w.buf = words(w.o, append(words(w.o, w.buf, typ, n), body...), n)
}

// options is a list of options with its end mark.
func (w *pcapng) options(list ...[]byte) []byte {
	return cat(append(list, make([]byte, 4))...)
}

func (w *pcapng) option(code uint16, value []byte) []byte {
	head := w.o.AppendUint16(w.o.AppendUint16(nil, code), uint16(len(value)))
	return pad4(append(head, value...))
}

// iface describes an interface; options may be nil.
func (w *pcapng) iface(link uint16, snaplen uint32, options []byte) {
	head := w.o.AppendUint16(w.o.AppendUint16(nil, link), 0)
	w.block(blockInterface, append(words(w.o, head, snaplen), options...))
}

// packet is an Enhanced Packet Block; ticks is the time in the interface's
// own unit.
func (w *pcapng) packet(iface uint32, ticks uint64, r record) {
	head := words(w.o, nil, iface, uint32(ticks>>32), uint32(ticks), uint32(len(r.data)), uint32(r.wire))
	w.block(blockEnhanced, cat(head, pad4(r.data), w.options(w.option(1, []byte("a comment")))))
	w.records = append(w.records, r)
}

// micro is packet for an interface that counts microseconds.
func (w *pcapng) micro(iface uint32, records ...record) {
	for _, r := range records {
		w.packet(iface, uint64(r.ns/int64(time.Microsecond)), r)
	}
}

// simple is a Simple Packet Block: no time, no interface (it is interface 0).
func (w *pcapng) simple(r record) {
	w.block(blockSimple, append(words(w.o, nil, uint32(r.wire)), r.data...))
	w.records = append(w.records, r)
}

// obsolete is the Packet Block that the Enhanced Packet Block replaced.
func (w *pcapng) obsolete(iface, drops uint16, r record) {
	ticks := uint64(r.ns / int64(time.Microsecond))
	head := w.o.AppendUint16(w.o.AppendUint16(nil, iface), drops)
	head = words(w.o, head, uint32(ticks>>32), uint32(ticks), uint32(len(r.data)), uint32(r.wire))
	w.block(blockObsolete, append(head, r.data...))
	w.records = append(w.records, r)
}

func (w *pcapng) capture() capture { return capture{w.buf, w.records} }

func pad4(b []byte) []byte { return append(slices.Clip(b), make([]byte, -len(b)&3)...) }

// pcapngPlain is one section with one Ethernet interface.
func pcapngPlain(o byteOrder, records []record) capture {
	w := newPcapng(o)
	w.iface(linkEthernet, snaplenWhole, w.options(w.option(optName, []byte("eth0"))))
	w.micro(0, records...)
	return w.capture()
}

// twoSections has sections of both byte orders; interface 0 is Ethernet in
// the first and raw IP in the second.
func twoSections() capture {
	e := clientServer
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.micro(0, at(0, frame(e.udp(text(10)))), at(time.Second, frame(e.back().udp(text(20)))))
	w.section(binary.BigEndian, 1)
	w.iface(linkRaw, snaplenWhole, nil)
	w.micro(0, at(2*time.Second, e.udp(text(30))), at(3*time.Second, e.back().udp(text(40))))
	return w.capture()
}

// manyInterfaces has one session, a packet every half second, each packet by
// an interface that counts time in its own way.
func manyInterfaces() capture {
	e := clientServer
	w := newPcapng(binary.LittleEndian)
	resol := func(v byte) []byte { return w.option(optTSResol, []byte{v}) }
	offset := func(s int64) []byte {
		return w.option(optTSOffset, w.o.AppendUint64(nil, uint64(s)))
	}
	w.iface(linkEthernet, snaplenWhole, nil)                                   // 0: microseconds, by default
	w.iface(linkEthernet, snaplenWhole, w.options(resol(9)))                   // 1: nanoseconds
	w.iface(linkEthernet, snaplenWhole, w.options(resol(0x80|20)))             // 2: 2^-20 s
	w.iface(linkRaw, snaplenWhole, w.options(resol(3)))                        // 3: milliseconds, raw IP
	w.iface(linkEthernet, snaplenWhole, w.options(resol(6), offset(start)))    // 4: microseconds since the epoch
	w.iface(linkEthernet, snaplenWhole, w.options(resol(0x80|1), offset(100))) // 5: half seconds, 100 s late

	packet := func(i int, iface uint32, ticks uint64) {
		p := e.udp(text(10 * (i + 1)))
		if iface != 3 {
			p = frame(p)
		}
		w.packet(iface, ticks, at(time.Duration(i)*time.Second/2, p))
	}
	packet(0, 0, start*1e6)
	packet(1, 1, start*1e9+5e8)
	packet(2, 2, (start+1)<<20)
	packet(3, 3, start*1e3+1500)
	packet(4, 4, 2e6)
	packet(5, 5, 2*start+5-200)
	// Two ticks of 2^-20 s are 1907.3 ns: cut to 1907.
	w.packet(2, (start+3)<<20+2, at(3*time.Second+1907, frame(e.udp(text(70)))))
	return w.capture()
}

// picoseconds counts so finely that scaling the ticks to nanoseconds by a plain
// multiplication overflows 64 bits. Digits finer than 1 ns are cut off.
func picoseconds() capture {
	e := clientServer
	w := newPcapng(binary.BigEndian)
	w.iface(linkEthernet, snaplenWhole, w.options(w.option(optTSResol, []byte{12}),
		w.option(optTSOffset, w.o.AppendUint64(nil, start))))
	for _, ps := range []uint64{0, 500_000_000_999, 500_000_001_000, 999_999_999_999} {
		w.packet(0, ps, at(time.Duration(ps/1000), frame(e.udp(text(10)))))
	}
	return w.capture()
}

// simplePackets mixes Simple Packet Blocks, which take the time of the record
// before them, with an Enhanced one. The interface keeps 60 bytes a packet.
func simplePackets() capture {
	e := clientServer
	const snaplen = 60
	w := newPcapng(binary.LittleEndian)
	w.iface(linkEthernet, snaplen, nil)
	w.micro(0, at(0, frame(e.udp(text(10)))))
	w.simple(at(0, frame(e.back().udp(text(200)))).cut(snaplen))
	w.simple(at(0, frame(e.udp(text(5)))))
	w.micro(0, at(time.Second, frame(e.udp(text(20)))).cut(snaplen))
	return w.capture()
}

func obsoletePacketBlock() capture {
	e := clientServer
	w := newPcapng(binary.BigEndian)
	w.iface(linkEthernet, snaplenWhole, nil)
	w.obsolete(0, 0xffff, at(0, frame(e.udp(text(10)))))
	w.obsolete(0, 3, at(time.Second, frame(e.back().udp(text(101)))))
	w.micro(0, at(2*time.Second, frame(e.udp(text(20)))))
	return w.capture()
}

// unknownBlocks puts blocks without packets between the packets.
func unknownBlocks(records []record) capture {
	w := newPcapng(binary.LittleEndian)
	w.block(blockCustom, words(w.o, nil, 32473, 1, 2)) // 32473: the example enterprise number (RFC 5612)
	w.iface(linkEthernet, snaplenWhole, nil)
	name := cat([]byte{192, 0, 2, 10}, []byte("client.example\x00"))
	entry := pad4(append(w.o.AppendUint16(w.o.AppendUint16(nil, 1), uint16(len(name))), name...))
	fillers := []func(){
		func() { w.block(blockNames, cat(entry, make([]byte, 4))) },
		func() { w.block(blockJournal, []byte("__REALTIME_TIMESTAMP=1700000000000000\n")) },
		func() { w.block(blockSecrets, append(words(w.o, nil, 0x544c534b, 0), w.options()...)) },
		func() { w.block(blockLocal, text(33)) },
		func() { w.block(blockLocal+1, nil) },
	}
	for i, r := range records {
		fillers[i%len(fillers)]()
		w.micro(0, r)
	}
	w.block(blockStats, append(words(w.o, nil, 0, 0, 0), w.options()...))
	return w.capture()
}
