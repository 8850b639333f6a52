package decode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"pcapbatch/internal/flow"
)

// timed is a raw IP packet at a time in seconds.
type timed struct {
	seconds float64
	hex     string
}

// fragment4 is a fragment of a UDP datagram 192.0.2.1 > 192.0.2.2; offset is
// in units of 8 bytes. The first one has ports 1234 > 53.
func fragment4(id uint16, offset uint16, more bool) string {
	field := offset
	if more {
		field |= 0x2000
	}
	body := "6162636465666768"
	if offset == 0 {
		body = "04d2 0035 0018 0000 " + body
	}
	n := 20 + len(fromHex(body))
	return fmt.Sprintf("45 00 %04x %04x %04x 40 11 0000 c0000201 c0000202 %s", n, id, field, body)
}

// fragment6 is the same over IPv6, 2001:db8::2 > 2001:db8::1.
func fragment6(id uint32, offset uint16, more bool) string {
	field := offset << 3
	if more {
		field |= 1
	}
	body := "6162636465666768"
	if offset == 0 {
		body = "04d2 0035 0018 0000 " + body
	}
	return ipv6(44, fmt.Sprintf("11 00 %04x %08x %s", field, id, body))
}

// overflow has so much memory for first fragments, in bytes, and puts others into
// files in a directory of the test.
func overflow(t testing.TB, memory int64) *Overflow {
	dir := t.TempDir()
	return &Overflow{Memory: memory, Temp: func() (File, error) { return os.CreateTemp(dir, "") }}
}

// resolve decodes the packets in blocks of the size given and returns each
// event as text.
func resolve(t *testing.T, o Options, packets []timed, block int, over *Overflow) []string {
	t.Helper()
	d := New(o)
	f := Fragments{Overflow: over}
	defer f.Forget()
	var got []string
	for len(packets) > 0 {
		n := min(block, len(packets))
		d.Begin()
		events := make([]flow.Event, n)
		for i, p := range packets[:n] {
			data := fromHex(p.hex)
			if !d.Decode(&events[i], 101, data, uint32(len(data)), int64(p.seconds*1e9)) {
				t.Fatalf("no event: %s", p.hex)
			}
		}
		if d.HasFragments() {
			if err := f.Resolve(d, events); err != nil {
				t.Fatal(err)
			}
		}
		for i := range events {
			ev := &events[i]
			if hash := ev.Key.Hash(o.Seed); ev.Hash != uint32(hash) || ev.Shard != ev.Key.Shard(o.Shards) {
				t.Errorf("hash and shard do not belong to the key: %s", eventText(ev))
			}
			got = append(got, eventText(ev))
		}
		packets = packets[n:]
	}
	return got
}

// TestFragments holds the rules for fragments, cut into blocks in every way, and
// with memory for all first fragments or for the newest alone.
func TestFragments(t *testing.T) {
	const (
		first   = "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload 8"
		later   = first
		alone   = "192.0.2.1 0 > 192.0.2.2 0 / 17 payload 8"
		first6  = "2001:db8::2 1234 > 2001:db8::1 53 / 17 payload 8"
		later6  = first6
		alone6  = "2001:db8::2 0 > 2001:db8::1 0 / 17 payload 8"
		inner   = "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4"
		outerUp = "192.0.2.1 0 > 192.0.2.2 0 / 47"
	)
	gre := fromHex(ipv4(47, `0000 0800`+ipv4TCP))
	greFirst := fmt.Sprintf("45 00 0040 0009 2000 40 2f 0000 %x", gre[12:64]) // all but 4 bytes
	greLater := `45 00 0018 0009 0006 40 2f 0000 c0000201 c0000202 61626364`
	for _, c := range []struct {
		name    string
		opts    Options
		packets []timed
		want    []string
	}{
		{name: "in order", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 2, true)}, {0, fragment4(7, 3, false)}},
			want: []string{first, later, later}},
		{name: "first fragment comes last", packets: []timed{{0, fragment4(7, 2, true)}, {0, fragment4(7, 0, true)}, {0, fragment4(7, 3, false)}},
			want: []string{alone, first, later}},
		{name: "another identification", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(8, 2, true)}},
			want: []string{first, alone}},
		{name: "overlapping and repeated", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 1, true)}, {0, fragment4(7, 1, true)}},
			want: []string{first, later, later}},
		{name: "two datagrams mixed", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(8, 0, true)}, {0, fragment4(8, 2, false)}, {0, fragment4(7, 2, false)}},
			want: []string{first, first, later, later}},
		{name: "ipv6", packets: []timed{{0, fragment6(7, 0, true)}, {0, fragment6(7, 2, true)}, {0, fragment6(8, 2, false)}},
			want: []string{first6, later6, alone6}},
		{name: "ipv4 and ipv6 have identifications apart", packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment6(7, 2, true)}},
			want: []string{first, alone6}},
		{name: "30 seconds", packets: []timed{{0, fragment4(7, 0, true)}, {30, fragment4(7, 2, true)}, {30.1, fragment4(7, 3, false)}},
			want: []string{first, later, alone}},
		{name: "clock runs back", packets: []timed{{100, fragment4(7, 0, true)}, {1, fragment4(7, 2, true)}},
			want: []string{first, later}},
		{name: "unidirectional", opts: Options{Unidirectional: true}, packets: []timed{{0, fragment4(7, 0, true)}, {0, fragment4(7, 2, true)}},
			want: []string{first, later}},
		{name: "fragmented tunnel, open", opts: Options{Decapsulate: true}, packets: []timed{{0, greFirst}, {0, greLater}},
			want: []string{inner, "10.0.0.1 50000 > 10.0.0.2 80 / 6 payload 4"}},
		{name: "fragmented tunnel, closed", packets: []timed{{0, greFirst}, {0, greLater}},
			want: []string{outerUp + " payload 44", outerUp + " payload 4"}},
		{name: "fragments inside a tunnel, open", opts: Options{Decapsulate: true}, packets: []timed{{0, ipv4(4, fragment4(7, 0, true))}, {0, ipv4(4, fragment4(7, 2, false))}},
			want: []string{first, later}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opts.Seed, c.opts.Shards = 5, 8
			for block := 1; block <= len(c.packets); block++ {
				for _, over := range []*Overflow{nil, overflow(t, 1)} {
					got := resolve(t, c.opts, c.packets, block, over)
					if g, w := strings.Join(got, "\n"), strings.Join(c.want, "\n"); g != w {
						t.Errorf("blocks of %d, %+v:\ngot\n%s\nwant\n%s", block, over, g, w)
					}
				}
			}
		})
	}
}

// TestFragmentInFragment: an inner fragment that is itself carried by outer
// fragments. The later outer fragment belongs to the session that the inner
// one was found to belong to.
func TestFragmentInFragment(t *testing.T) {
	inner := fromHex(fragment4(7, 2, false)) // 28 bytes
	carrier := func(id uint16, first bool) string {
		if first {
			return fmt.Sprintf("45 00 002c %04x 2000 40 04 0000 0a000001 0a000002 %x", id, inner[:24])
		}
		return fmt.Sprintf("45 00 0018 %04x 0003 40 04 0000 0a000001 0a000002 %x", id, inner[24:])
	}
	const session = "192.0.2.1 1234 > 192.0.2.2 53 / 17 payload "
	packets := []timed{{0, ipv4(4, fragment4(7, 0, true))}, {0, carrier(1, true)}, {0, carrier(1, false)}}
	for block := 1; block <= len(packets); block++ {
		got := resolve(t, Options{Decapsulate: true, Seed: 5, Shards: 8}, packets, block, overflow(t, 1))
		want := []string{session + "8", session + "8", session + "4"}
		if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
			t.Errorf("blocks of %d:\ngot\n%s\nwant\n%s", block, g, w)
		}
	}
}

// TestFragmentsDirection: a later fragment that goes from the larger to the
// smaller endpoint is reversed as its first fragment is.
func TestFragmentsDirection(t *testing.T) {
	swap := func(text string) []byte {
		b := fromHex(text)
		copy(b[12:], fromHex("c0000202 c0000201"))
		return b
	}
	d := New(Options{})
	var f Fragments
	events := make([]flow.Event, 2)
	d.Begin()
	d.Decode(&events[0], 101, swap(fragment4(7, 0, true)), 36, 0)
	d.Decode(&events[1], 101, swap(fragment4(7, 2, false)), 28, 0)
	err := f.Resolve(d, events)
	if err != nil || events[0].Key != events[1].Key || events[1].Flags&flow.Reversed == 0 || f.Unmatched != 0 {
		t.Errorf("%v, unmatched %d\n%+v\n%+v", err, f.Unmatched, events[0], events[1])
	}
}

// A reach decodes fragments at positions and times of the test's choice.
type reach struct {
	*testing.T
	d  *Decoder
	f  Fragments
	ev [1]flow.Event
}

// port decodes a fragment and returns the port 1234 if it belongs to a session
// with ports.
func (r *reach) port(id uint32, offset uint16, position, time int64) uint16 {
	r.Helper()
	data := fromHex(fragment6(0, offset, true))
	binary.BigEndian.PutUint32(data[44:], id) // behind the IPv6 header and half of the fragment header
	r.d.Begin()
	r.d.Position = position
	if !r.d.Decode(&r.ev[0], 101, data, uint32(len(data)), time) {
		r.Fatal("no event")
	}
	if err := r.f.Resolve(r.d, r.ev[:]); err != nil {
		r.Fatal(err)
	}
	return max(r.ev[0].Key.SrcPort, r.ev[0].Key.DstPort)
}

// TestFragmentsReach: a first fragment is remembered for exactly 32 MiB and 30 s.
func TestFragmentsReach(t *testing.T) {
	r := &reach{T: t, d: New(Options{})}
	r.port(1, 0, 1000, 0)
	for _, c := range []struct {
		position, time int64
		port           uint16
	}{
		{1000, 0, 1234},
		{1000 + FragmentBytes, reassemblyNs, 1234},
		{1000 + FragmentBytes + 1, 0, 0},
		{1000 + FragmentBytes, reassemblyNs + 1, 0},
		{1000 + FragmentBytes, -1, 1234},
	} {
		if got := r.port(1, 2, c.position, c.time); got != c.port {
			t.Errorf("at %d, %d ns: port %d, want %d", c.position, c.time, got, c.port)
		}
	}
}

// TestFragmentsBounded: what is out of reach is given up, its memory and its
// place in the file too; and no more is in memory than there may be.
func TestFragmentsBounded(t *testing.T) {
	for _, memory := range []int64{0, 1, 1 << 10, 1 << 20, 1 << 30} {
		t.Run(fmt.Sprint(memory, " bytes"), func(t *testing.T) {
			r := &reach{T: t, d: New(Options{})}
			if memory > 0 {
				r.f.Overflow = overflow(t, memory)
			}
			bounded(r, memory)
		})
	}
}

func bounded(t *reach, memory int64) {
	const n, apart, held = 70_000, 1000, FragmentBytes/1000 + 1
	for id := range uint32(n) {
		t.port(id, 0, int64(id)*apart, 0)
	}
	at := int64(n-1) * apart
	f := t.f.firsts
	if got := len(f.chunks) * int(f.size); got < held || got > held+2*int(f.size) || len(f.latest) > 2*held {
		t.Errorf("%d datagrams, %d buckets; want %d", got, len(f.latest), held)
	}
	loaded, most := int64(f.loaded)*int64(f.size)*datagramBytes, max(memory/2, datagramBytes)
	if memory > 0 && (loaded > most || int64(len(f.latest))*8 > max(memory/2, 8)) {
		t.Errorf("%d bytes of datagrams, %d buckets", loaded, len(f.latest))
	}
	if beyond := f.end / int64(storedBytes); memory > 0 && memory < 1<<30 && (beyond < held-most/datagramBytes || beyond > held+2*int64(f.size)) {
		t.Errorf("%d datagrams in the file", beyond)
	} else if f.file != nil && (memory == 0 || memory == 1<<30) {
		t.Errorf("a file, though there is memory")
	}
	for _, c := range []struct {
		id   uint32
		port uint16
	}{{0, 0}, {n - held - 1, 0}, {n - held, 1234}, {n - 1, 1234}} {
		if got := t.port(c.id, 2, at, 0); got != c.port {
			t.Errorf("datagram %d: port %d, want %d", c.id, got, c.port)
		}
	}
	const reused = n - held
	t.port(reused, 0, at, 0)    // again, at the new end: its old place must not take it along
	t.port(n, 0, at+2*apart, 0) // which goes now
	if got := t.port(reused, 2, at+2*apart, 0); got != 1234 {
		t.Errorf("a reused identification was lost with its old place")
	}
	t.port(n+1, 0, at+1<<30, 0) // alone in reach
	if len(f.chunks) != 1 || f.loaded != 1 || f.next-f.begin != 1 || len(f.free)*int(f.size)*storedBytes != int(f.end) {
		t.Errorf("%d chunks, %d datagrams, %d places; want one of one", len(f.chunks), f.next-f.begin, len(f.free))
	}
	t.f.Unmatched = 5
	t.f.Forget()
	if got := t.port(n+1, 2, at+1<<30, 0); got != 0 || t.f.Unmatched != 6 || t.f.firsts != nil {
		t.Errorf("after Forget: port %d, %d unmatched, %v", got, t.f.Unmatched, t.f.firsts)
	}
	if f.file == nil {
		return
	}
	if err := f.file.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after Forget the file is open: %v", err)
	}
}

// A countedFile counts how often it is read.
type countedFile struct {
	File
	reads *int
}

func (c countedFile) ReadAt(p []byte, at int64) (int, error) {
	*c.reads++
	return c.File.ReadAt(p, at)
}

// TestFragmentsRepeated: a capture that repeats one identification does not make
// a long search for the others in its bucket.
func TestFragmentsRepeated(t *testing.T) {
	r, reads := &reach{T: t, d: New(Options{})}, 0
	o := overflow(t, 2*1024*datagramBytes) // 1024 datagrams in memory, 16384 buckets
	temp := o.Temp
	o.Temp = func() (File, error) {
		f, err := temp()
		return countedFile{f, &reads}, err
	}
	r.f.Overflow = o
	r.port(7, 0, 0, 0)
	for range 5000 {
		r.port(8, 0, 0, 0)
	}
	for id := range uint32(50_000) {
		if got, want := r.port(id, 2, 0, 0), uint16(1234); got != want && (id == 7 || id == 8) || got == want && id != 7 && id != 8 {
			t.Fatalf("identification %d: port %d", id, got)
		}
	}
	if reads == 0 || reads > 100 {
		t.Errorf("%d reads of the file for 50,000 fragments", reads)
	}
}

// A brokenFile fails, or gives back something else than was written.
type brokenFile struct {
	File
	how string
}

func (b *brokenFile) Seek(offset int64, whence int) (int64, error) {
	if b.how == "seek" {
		return 0, io.ErrNoProgress
	}
	return b.File.Seek(offset, whence)
}

func (b *brokenFile) Write(p []byte) (int, error) {
	switch b.how {
	case "write":
		return 0, io.ErrNoProgress
	case "short write":
		return b.File.Write(p[1:])
	}
	return b.File.Write(p)
}

func (b *brokenFile) ReadAt(p []byte, at int64) (int, error) {
	switch b.how {
	case "read":
		return 0, io.ErrNoProgress
	case "other place":
		at = (at + int64(storedBytes)) % int64(8*storedBytes)
	}
	n, err := b.File.ReadAt(p, at)
	if b.how == "other bytes" {
		p[20] ^= 1
	}
	return n, err
}

// Whatever goes wrong with the file, Resolve says so.
func TestFragmentsFileFails(t *testing.T) {
	for _, c := range []struct {
		how  string
		want error
	}{
		{"", nil}, {"create", io.ErrNoProgress}, {"seek", io.ErrNoProgress}, {"write", io.ErrNoProgress}, {"short write", io.ErrShortWrite},
		{"read", io.ErrNoProgress}, {"other place", errDatagram}, {"other bytes", errDatagram},
	} {
		t.Run(c.how, func(t *testing.T) {
			over := overflow(t, 1)
			whole := over.Temp
			over.Temp = func() (File, error) {
				if c.how == "create" {
					return nil, io.ErrNoProgress
				}
				f, err := whole()
				return &brokenFile{f, c.how}, err
			}
			f := Fragments{Overflow: over}
			defer f.Forget()
			d := New(Options{})
			d.Begin()
			events := make([]flow.Event, 11)
			for i := range events {
				data := fromHex(fragment4(uint16(i%10), uint16(i/10), true))
				d.Decode(&events[i], 101, data, uint32(len(data)), 0)
			}
			if err := f.Resolve(d, events); !errors.Is(err, c.want) {
				t.Errorf("error is %v, want %v", err, c.want)
			}
		})
	}
}
