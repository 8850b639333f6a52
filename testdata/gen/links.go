package main

import (
	"encoding/binary"
	"time"
)

// both puts two packets of the IPv4 session and two of the IPv6 session
// behind the link layer header that head returns for an ethertype.
func both(head func(ethertype uint16) []byte) (records []record) {
	var packets [][]byte
	for _, d := range datagrams() {
		packets = append(packets, append(head(etherType(d)), d...))
	}
	return every(time.Second, packets...)
}

// datagrams are four datagrams of two sessions, without link layer.
func datagrams() [][]byte {
	four, six := clientServer, clientServer6
	return [][]byte{four.udp(text(10)), four.back().udp(text(20)), six.udp(text(30)), six.back().udp(text(40))}
}

// family is the address family of a BSD loopback header; IPv6 is 30 on macOS.
func family(ethertype uint16) uint32 {
	if ethertype == 0x86dd {
		return 30
	}
	return 2
}

func null(bigEndian bool) capture {
	f := pcapFormat{link: linkNull, bigEndian: bigEndian}
	return f.file(both(func(t uint16) []byte { return words(f.order(), nil, family(t)) })...)
}

func loop() capture {
	return pcap(linkLoop, both(func(t uint16) []byte { return be32(family(t)) })...)
}

func raw(link uint32) capture {
	return pcap(link, both(func(uint16) []byte { return nil })...)
}

// rawOneVersion is raw for a link type that holds only one version of IP.
func rawOneVersion(link uint32, packets [][]byte) capture {
	return pcap(link, every(time.Second, packets...)...)
}

func sll() capture {
	return pcap(linkSLL, both(func(t uint16) []byte {
		return cat(be16(0, 1, 6), mac(10), make([]byte, 2), be16(t))
	})...)
}

func sll2() capture {
	return pcap(linkSLL2, both(func(t uint16) []byte {
		return cat(be16(t, 0), be32(2), be16(1), []byte{0, 6}, mac(10), make([]byte, 2))
	})...)
}

// pppProtocol is the PPP protocol number of an ethertype (RFC 1661).
func pppProtocol(t uint16) []byte {
	if t == 0x86dd {
		return be16(0x0057)
	}
	return be16(0x0021)
}

// ppp has the address and control fields, leaves them out, and shortens the
// protocol field to one byte, as PPP may when both ends agree.
func ppp() capture {
	records := both(func(t uint16) []byte { return append([]byte{0xff, 0x03}, pppProtocol(t)...) })
	bare := both(pppProtocol)
	short := both(func(t uint16) []byte { return pppProtocol(t)[1:] })
	lcp := unhex("ff03 c021 09 01 0008 00000000") // echo request: not IP
	return pcap(linkPPP, every(time.Second, records[0].data, bare[1].data, records[2].data, short[3].data, lcp)...)
}

func pppHDLC() capture {
	return pcap(linkPPPHDLC, both(func(t uint16) []byte { return append([]byte{0xff, 0x03}, pppProtocol(t)...) })...)
}

func chdlc() capture {
	return pcap(linkCHDLC, both(func(t uint16) []byte { return be16(0x0f00, t) })...)
}

// frameRelay has Q.922 addresses of two bytes; IPv4 by its NLPID, IPv6 in SNAP.
func frameRelay() capture {
	return pcap(linkFRelay, both(func(t uint16) []byte {
		if t == 0x0800 {
			return unhex("1841 03 cc")
		}
		return cat(unhex("1841 03 00 80 000000"), be16(t))
	})...)
}

func enc() capture {
	return pcap(linkENC, both(func(t uint16) []byte {
		return words(binary.LittleEndian, nil, family(t), 256, 0)
	})...)
}

// pflog has the 61-byte header of OpenBSD, padded to 64.
func pflog() capture {
	return pcap(linkPFLog, both(func(t uint16) []byte {
		h := make([]byte, 64)
		h[0], h[1] = 61, byte(family(t))
		if t == 0x86dd {
			h[1] = 24 // as OpenBSD counts it
		}
		copy(h[4:], "em0")
		return h
	})...)
}

// nflog has a prefix TLV before the payload TLV. Its lengths are in the byte
// order of the machine that captured, here little-endian.
func nflog() capture {
	const prefix, payload = 10, 9
	var packets [][]byte
	for _, d := range datagrams() {
		o := binary.LittleEndian
		tlv := func(typ uint16, v []byte) []byte {
			return pad4(append(o.AppendUint16(o.AppendUint16(nil, uint16(4+len(v))), typ), v...))
		}
		packets = append(packets, cat([]byte{byte(family(etherType(d))), 0, 0, 0}, tlv(prefix, []byte("in:\x00")), tlv(payload, d)))
		if etherType(d) == 0x86dd {
			packets[len(packets)-1][0] = 10 // AF_INET6 of Linux
		}
	}
	return pcap(linkNFLog, every(time.Second, packets...)...)
}

// usb has two completed bulk transfers without data, as Linux describes them.
func usb() capture {
	header := make([]byte, 64)
	header[8], header[9], header[14] = 'C', 3, '-'
	return pcap(linkUSB, every(time.Second, header, header)...)
}

// Frame control fields of 802.11, first byte type and subtype, second flags.
var (
	dot11Data      = []byte{0x08, 0x01} // to the access point
	dot11QoS       = []byte{0x88, 0x02} // from the access point
	dot11FourAddr  = []byte{0x08, 0x03} // between access points
	dot11Protected = []byte{0x08, 0x41}
	dot11Beacon    = []byte{0x80, 0x00}
)

// dot11 is an 802.11 frame: header by its frame control field, then body.
func dot11(control, body []byte) []byte {
	h := cat(control, be16(0), mac(1), mac(10), mac(9), be16(0x1000))
	if control[1]&3 == 3 {
		h = append(h, mac(2)...)
	}
	if control[0] == dot11QoS[0] {
		h = append(h, 0, 0)
	}
	return append(h, body...)
}

// wireless are frames of the two sessions in all data frame headers, then a
// beacon and an encrypted frame, each behind the header prefix.
func wireless(prefix []byte) []record {
	d := datagrams()
	snap := func(d []byte) []byte { return cat(unhex("aaaa03 000000"), be16(etherType(d)), d) }
	frames := [][]byte{
		dot11(dot11Data, snap(d[0])),
		dot11(dot11QoS, snap(d[1])),
		dot11(dot11FourAddr, snap(d[2])),
		dot11(dot11Data, snap(d[3])),
		dot11(dot11Beacon, cat(make([]byte, 8), unhex("6400 0100"), []byte("\x00\x04demo"))),
		dot11(dot11Protected, cat(unhex("00000020 00000000"), text(60))), // CCMP
	}
	for i, f := range frames {
		frames[i] = cat(prefix, f)
	}
	return every(time.Second, frames...)
}

// radiotap has a header of 9 bytes whose only field is the flags, none set;
// an odd length, so that nothing behind it is aligned.
func radiotap() capture {
	return pcap(linkRadiotap, wireless(unhex("00 00 0900 02000000 00"))...)
}

func ppi() capture {
	return pcap(linkPPI, wireless(unhex("00 00 0800 69000000"))...) // link type 105 behind it
}
