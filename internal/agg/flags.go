package agg

// flagCounts are the packets of one direction with each TCP flag, FIN first
// and CWR last (RFC 9293, section 3.1). Two stretches join by adding up.
type flagCounts [8]uint64

func (c *flagCounts) add(p *packet) {
	flags, ok := p.detail.TCPFlags()
	if !ok {
		return
	}
	for i := range c {
		c[i] += uint64(flags >> i & 1)
	}
}

func (c *flagCounts) join(o *flagCounts) {
	for i := range c {
		c[i] += o[i]
	}
}
