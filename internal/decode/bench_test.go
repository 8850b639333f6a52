package decode

import (
	"testing"

	"pcapbatch/internal/flow"
)

// BenchmarkDecode measures one record of the commonest stacks.
//
//	go test -run - -bench Decode -count 10 ./internal/decode/
func BenchmarkDecode(b *testing.B) {
	for _, c := range []struct{ name, hex string }{
		{"stack=ethernet-ipv4-tcp", ethIPv4TCP},
		{"stack=vlan-ipv4-tcp", vlanIPv4TCP},
		{"stack=ethernet-ipv6-udp", ethIPv6UDP},
		{"stack=ethernet-ipv6-tcp", macs + "86dd" + ipv6(6, `1234 0035 00000001 00000002 5018 1000 0000 0000 0102`)},
	} {
		b.Run(c.name, func(b *testing.B) {
			data := fromHex(c.hex)
			d := New(Options{Seed: 1, Shards: 8})
			var ev flow.Event
			b.ReportAllocs()
			n := uint64(0)
			for b.Loop() {
				d.Decode(&ev, 1, data, uint32(len(data)), 0)
				n++
			}
			if d.Counts().Events != n {
				b.Fatalf("%d events of %d records", d.Counts().Events, n)
			}
		})
	}
}
