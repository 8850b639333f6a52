package agg

// ipFacts is what is kept of IP headers. Two stretches join by taking the
// smaller minimum, the larger maximum and the sum of the counts.
type ipFacts struct {
	ttl       [2]TTLRange // by direction
	fragments uint64
}

// TTLRange are the smallest and the largest IPv4 time to live, or IPv6 hop
// limit, of the packets of one direction. Both are valid if Defined.
type TTLRange struct {
	Defined  bool
	Min, Max uint8
}

func (f *ipFacts) add(p *packet) {
	ttl := p.detail.TTL()
	f.ttl[p.detail.Side()].join(&TTLRange{true, ttl, ttl})
	if p.detail.Fragment() {
		f.fragments++
	}
}

func (f *ipFacts) join(o *ipFacts) {
	for d := range f.ttl {
		f.ttl[d].join(&o.ttl[d])
	}
	f.fragments += o.fragments
}

func (r *TTLRange) join(o *TTLRange) {
	switch {
	case !o.Defined:
	case !r.Defined:
		*r = *o
	default:
		r.Min, r.Max = min(r.Min, o.Min), max(r.Max, o.Max)
	}
}

// IPSummary is what a row says of IP and ICMP headers.
type IPSummary struct {
	TTL       [2]TTLRange // forward, backward
	Fragments uint64
	ICMP      ICMP
}

// ICMP is the type and code of a session's first packet, valid if Defined.
type ICMP struct {
	Defined    bool
	Type, Code uint8
}
