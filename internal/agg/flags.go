package agg

// flagCounts are the packets of one direction with each TCP flag, FIN first
// and CWR last (RFC 9293, section 3.1). Two stretches join by adding up.
type flagCounts [8]uint64

// addFlags takes packets, at most exactRecords of them, into the counts of both
// directions. Until the last of them each count is a byte of a word.
func addFlags(c *[2]flagCounts, packets []packet) {
	var counts [2]uint64
	for i := range packets {
		d := packets[i].detail
		if flags, ok := d.TCPFlags(); ok {
			counts[d.Side()] += byteOfEach(flags)
		}
	}
	for d, n := range counts {
		for i := range c[d] {
			c[d][i] += n >> (8 * i) & 0xff
		}
	}
}

// byteOfEach returns a word whose byte i is bit i of b.
func byteOfEach(b uint8) uint64 {
	const ones = 0x0101010101010101
	one := uint64(b) * ones & 0x8040201008040201 // bit i of byte i
	return (one + 0x7f*ones) >> 7 & ones
}

func (c *flagCounts) join(o *flagCounts) {
	for i := range c {
		c[i] += o[i]
	}
}
