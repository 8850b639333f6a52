package main

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"testing"

	"pcapbatch/internal/durable"
)

// churn are n packets, 1 ms apart, of sessions that come and go, and of a
// few that stay. Some packets are of a session that is long over; some of those
// carry a time at which it was not.
func churn(seed uint64, n int) []record {
	rng := rand.New(rand.NewPCG(seed, 6))
	records := make([]record, n)
	for i := range records {
		host, at := i/2+rng.IntN(400), begin+int64(i)*1_000_000+rng.Int64N(1000)
		switch rng.IntN(40) {
		case 0, 1, 2, 3:
			host = n + rng.IntN(n/400)
		case 4:
			host = rng.IntN(i/2 + 1)
		case 5:
			back := rng.Int64N(int64(i) + 1)
			host, at = max(0, (i-int(back))/2+rng.IntN(100)-50), at-back*1_000_000
		case 6:
			at -= rng.Int64N(5_000_000)
		}
		src := netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, 0x0a000000+uint32(host)))).String()
		records[i] = record{time: at, data: ip(src, "192.0.2.1", protoUDP, udp(uint16(host%7), 53, rng.IntN(40)))}
	}
	records[0].time = begin // of the first capture, when they are dealt out
	return records
}

// Sessions that leave memory when they seem to have ended make the rows of
// those that stay, whatever comes late, in one capture and in several, with
// and without a directory for their run files.
func TestEvictionSameBytes(t *testing.T) {
	const n = 140_000
	for seed, timeout := range []string{"700ms", "20s"} {
		records := churn(uint64(seed), n)
		ways := map[string][]string{
			"one capture":    {write(t, "plain.pcap", pcap(records...))},
			"captures":       {deal(t, records, 5, false, func(i int) int { return i * 5 / n })},
			"stretches":      {deal(t, records, 5, true, func(i int) int { return i * 5 / n })},
			"unlike stretch": {deal(t, records, 3, true, func(i int) int { return min(2, i*40/n) })},
		}
		if testing.Short() { // the others differ only in where the cuts are
			delete(ways, "captures")
			delete(ways, "unlike stretch")
		}
		for name, way := range ways {
			t.Run(fmt.Sprintf("%s/%s", timeout, name), func(t *testing.T) {
				summary := filepath.Join(t.TempDir(), "s.json")
				args := append([]string{"--summary", summary, "--idle-timeout", timeout}, way...)
				want := runSpilling(t, &spilling{FS: durable.OS}, 1, args...)
				whole := readSummary(t, summary)
				if want.code != exitOK {
					t.Fatalf("without a limit: code %d, %s", want.code, want.stderr)
				}
				for i, limited := range append(spillArgs(), []string{"--state", t.TempDir(), "-j1", "--memory=32M"}) {
					fs := &spilling{FS: durable.OS}
					got := runSpilling(t, fs, 1, append(args, limited...)...)
					r := readSummary(t, summary)
					if got.code != exitOK || fs.files.Load() == 0 && i == 0 {
						t.Fatalf("%v: code %d, %d temporary files, %s", limited, got.code, fs.files.Load(), got.stderr)
					}
					if got.stdout != want.stdout {
						t.Errorf("%v: other rows from line %d", limited, differentLine(got.stdout, want.stdout))
					}
					if r.Sessions != whole.Sessions || r.Packets != whole.Packets || r.Reordered != whole.Reordered {
						t.Errorf("%v: %d sessions, %d packets, %d reordered; without a limit %d, %d, %d", limited,
							r.Sessions, r.Packets, r.Reordered, whole.Sessions, whole.Packets, whole.Reordered)
					}
					if r.InexactGaps != whole.InexactGaps && name == "one capture" {
						t.Errorf("%v: %d with inexact gaps, without a limit %d", limited, r.InexactGaps, whole.InexactGaps)
					}
				}
			})
		}
	}
}
