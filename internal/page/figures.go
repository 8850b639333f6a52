package page

import (
	"cmp"
	"fmt"
	"slices"

	"pcapbatch/internal/figures"
	"pcapbatch/internal/report"
)

// figureView is what comes of report.Run.Figures.
type figureView struct {
	Timeline []chart
	BarWidth string
	// LeftOut says why there are no figures of packets; NoSessions why there
	// are none of sessions. "": there are.
	LeftOut, NoSessions string
	Histograms          []chart
	Tops                []top
	Claims              string
	Sampled             string
}

// A top is a table of the largest of something.
type top struct {
	Title, What string
	Rows        []topRow
	Rest        string
	Errors      bool // a column says how far off the bytes may be
}

type topRow struct {
	Name                            string
	Sessions, Packets, Bytes, Error string
	Percent                         string
	Width                           float64
}

// mostTop is how many lines such a table has.
const mostTop = 10

func figuresOf(r *report.Run) (v figureView) {
	f := r.Figures
	if f == nil {
		f = &figures.Figures{}
	}
	if p := f.Packets; p != nil {
		v.Timeline, v.BarWidth = timeCharts(&p.Timeline)
	}
	switch {
	case f.WithoutPackets > 0:
		v.LeftOut = choose(f.WithoutPackets, "capture was", "captures were") + " kept without --report-data, so the timeline, packet lengths and payload sizes are left out: rows do not have them."
	case f.Packets == nil:
		v.LeftOut = "What was read was kept without --report-data, so the timeline, packet lengths and payload sizes are left out: rows do not have them."
	}
	if r.Packets == 0 {
		v.LeftOut, v.NoSessions = "", r.Nothing()
	}
	v.Histograms = histograms(f)
	if f.Sessions == nil {
		v.NoSessions = cmp.Or(v.NoSessions, "Parts were made without --report-data, so what is said of sessions is left out.")
		return v
	}
	s := f.Sessions
	v.Tops = []top{
		protocols(s),
		topOf("Ports", "of the receiver of a session's first packet, with its protocol", &s.Ports, s, r, portName),
		topOf("Talkers", "a session counts for both its ends", &s.Talkers, s, r, func(h figures.Host) string { return h.String() }),
		topOf("Pairs", "of talkers", &s.Pairs, s, r, func(h figures.Hosts) string { return h.A.String() + " – " + h.B.String() }),
	}
	if s.Claims.Sessions > 0 {
		v.Claims = fmt.Sprintf("Not in the tables of ports, talkers and pairs: %s that would have %s. Captures that state far more bytes on the wire than they kept are not believed.",
			report.Plural(s.Claims.Sessions, "session"), bytesText(s.Claims.Bytes))
	}
	if s.Below > 0 {
		v.Sampled = fmt.Sprintf("Ports, talkers and pairs are estimates from a sample, in which sessions below %s stand for others too; ± is two standard errors. Protocols are exact.", bytesText(s.Below))
	}
	return v
}

func histograms(f *figures.Figures) (list []chart) {
	if s := f.Sessions; s != nil && s.Packets.Total() > 0 {
		list = append(list,
			histogram("Packets of a session", "sessions", &s.Packets, numberScale(), false),
			histogram("Bytes of a session", "sessions", &s.Bytes, byteScale(), false),
			histogram("Duration of a session", "sessions", &s.Durations, timeScale(), true))
	}
	if p := f.Packets; p != nil && p.Lengths.Total() > 0 {
		list = append(list, histogram("Packet length", "packets, lengths on the wire", &p.Lengths, byteScale(), false))
	}
	if s := f.Sessions; s != nil && s.Packets.Total() > 0 {
		list = append(list, histogram("Interarrival time", "gaps between packets of one session", &s.Gaps, timeScale(), true))
	}
	if p := f.Packets; p != nil && p.Payloads.Total() > 0 {
		list = append(list, histogram("Payload size", "packets, transport payload", &p.Payloads, byteScale(), false))
	}
	return list
}

// protocols are all exact.
func protocols(s *figures.Sessions) top {
	t := top{Title: "Protocols", What: "all sessions"}
	var list []int
	total := uint64(0)
	for i, c := range s.Protocols {
		if c.Sessions > 0 {
			list = append(list, i)
			total += c.Packets
		}
	}
	slices.SortFunc(list, func(a, b int) int { return cmp.Compare(s.Protocols[b].Packets, s.Protocols[a].Packets) })
	for k, i := range list {
		c := &s.Protocols[i]
		if k == mostTop {
			t.Rest = choose(len(list)-k, "other protocol", "other protocols")
			break
		}
		t.Rows = append(t.Rows, topRow{
			Name: protocolName(uint8(i)), Sessions: report.Thousands(c.Sessions), Packets: report.Thousands(c.Packets), Bytes: bytesText(c.Bytes),
			Percent: percent(c.Packets, total) + " of packets", Width: width(c.Packets, total),
		})
	}
	return t
}

func topOf[K figures.Key[K]](title, what string, t *figures.Top[K], s *figures.Sessions, r *report.Run, name func(K) string) top {
	v := top{Title: title, What: what, Errors: s.Below > 0}
	total := uint64(0)
	for _, c := range s.Protocols {
		total += c.Bytes
	}
	list := t.List()
	rest, keys := t.Rest()
	for i := range list {
		e := &list[i]
		if i >= mostTop {
			rest.Sessions += e.Sessions
			rest.Bytes += e.Bytes
			keys++
			continue
		}
		row := topRow{
			Name: name(e.Key), Sessions: report.Thousands(e.Sessions), Packets: report.Thousands(e.Packets), Bytes: bytesText(e.Bytes),
			Percent: percent(min(e.Bytes, total), total) + " of bytes", Width: width(e.Bytes, total),
		}
		row.Error = "exact"
		if off := e.Error(s.Below); off > 0 {
			row.Error = "± " + bytesText(off)
		}
		v.Rows = append(v.Rows, row)
	}
	if n := t.MayLack(); n > 0 {
		v.What += "; each may lack up to " + bytesText(n) + ", because parts keep their largest alone"
	}
	if keys > 0 {
		v.Rest = choose(keys, "other", "others") + " with " + bytesText(rest.Bytes)
		if s.Below > 0 {
			v.Rest += ", as far as the sample knows"
		}
	}
	return v
}

// names of IP protocols, of the Assigned Internet Protocol Numbers of IANA.
var names = map[uint8]string{
	0: "HOPOPT", 1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 33: "DCCP", 41: "IPv6", 46: "RSVP", 47: "GRE", 50: "ESP", 51: "AH",
	58: "ICMPv6", 59: "IPv6-NoNxt", 88: "EIGRP", 89: "OSPF", 94: "IPIP", 97: "ETHERIP", 103: "PIM", 108: "IPComp", 112: "VRRP", 115: "L2TP",
	132: "SCTP", 136: "UDPLite", 137: "MPLS-in-IP",
}

func protocolName(p uint8) string {
	if n := names[p]; n != "" {
		return n
	}
	return fmt.Sprintf("protocol %d", p)
}

func portName(p figures.Port) string {
	protocol := protocolName(uint8(p.Protocol))
	switch p.Protocol {
	case 6, 17, 33, 132, 136:
		return fmt.Sprintf("%d %s", p.Port, protocol)
	}
	return "no port, " + protocol
}
