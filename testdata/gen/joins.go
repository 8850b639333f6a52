package main

import "encoding/binary"

// joins are files made with cat: several captures, or compressed streams, one
// after the other. The example's packets are dealt out to them in order.
func joins() []story {
	x := example()
	q := len(x) / 4
	parts := [4][]record{x[:q], x[q : 2*q], x[2*q : 3*q], x[3*q:]}
	first := pcap(linkEthernet, parts[0]...)
	second := pcapFormat{link: linkEthernet, bigEndian: true, nano: true}.file(parts[1]...)
	third := pcapngPlain(binary.BigEndian, parts[2])
	fourth := snoop(parts[3])
	all := func(data ...[]byte) capture { return capture{cat(data...), x} }
	return []story{
		{file: "joined-pcaps.pcap", text: "the example's packets; three pcaps joined with cat: little-endian, big-endian with nanoseconds, and Kuznetzov's", tshark: unread,
			capture: all(first.data, second.data, pcapFormat{link: linkEthernet, kuznetzov: true}.file(x[2*q:]...).data)},
		{file: "joined-formats.pcap", text: "the example's packets; pcap, pcapng, snoop and ERF joined with cat", tshark: unread,
			capture: all(first.data, pcapngPlain(binary.LittleEndian, parts[1]).data, snoop(parts[2]).data, erf(parts[3]).data)},
		{file: "joined-compressed.pcap.gz", text: "the example's packets; gzip, then zstd, then a plain pcapng, then xz, joined with cat", tshark: unread,
			capture: all(first.data, second.data, third.data, fourth.data), pack: eachPacked(first.data, second.data, third.data, fourth.data)},
		{file: "joined-plain-first.pcap", text: "the example's packets; a plain pcap, lz4, and gzip, joined with cat", tshark: unread,
			capture: all(first.data, second.data, pcap(linkEthernet, x[2*q:]...).data), pack: plainFirst(first.data, second.data, pcap(linkEthernet, x[2*q:]...).data)},
		{file: "joined-padded.pcap", text: "the example's packets; two pcaps, each filled up with zeros to a multiple of 512 bytes, joined with cat", tshark: unread,
			capture: all(tape(first.data), tape(pcap(linkEthernet, x[q:]...).data))},
	}
}

// eachPacked packs each capture on its own, the third not at all.
func eachPacked(captures ...[]byte) packer {
	return func([]byte) ([]byte, error) {
		return joinPacked(captures, gzipped, zstandard, nil, xzStream)
	}
}

func plainFirst(captures ...[]byte) packer {
	return func([]byte) ([]byte, error) {
		return joinPacked(captures, nil, lz4Frame, gzipped)
	}
}

// joinPacked joins captures, each packed by the packer of its place; nil packs
// nothing.
func joinPacked(captures [][]byte, packers ...packer) (out []byte, err error) {
	for i, pack := range packers {
		b := captures[i]
		if pack != nil {
			if b, err = pack(b); err != nil {
				return nil, err
			}
		}
		out = append(out, b...)
	}
	return out, nil
}

// tape fills data up with zeros to a multiple of 512 bytes, as tapes and tar do.
func tape(data []byte) []byte { return cat(data, make([]byte, -len(data)&511)) }

// filled packs the data and fills the file up.
func filled(pack packer) packer {
	return func(data []byte) ([]byte, error) {
		b, err := pack(data)
		return tape(b), err
	}
}
