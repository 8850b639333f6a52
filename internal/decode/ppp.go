package decode

// PPP protocols (www.iana.org/assignments/ppp-numbers).
const (
	pppIPv4      = 0x0021
	pppIPv6      = 0x0057
	pppMPLS      = 0x0281
	pppMPLSMulti = 0x0283
	pppControl   = 0x8000 // from this value on: network and link control
)

// ppp decodes a PPP header (RFC 1661). The address and control fields may be
// left out, and the protocol may have one byte only.
func (p *packet) ppp(data []byte) {
	n := 0
	if len(data) > 0 && data[0] == 0xff { // the address: no protocol begins with it
		n = 2
	}
	if len(data) <= n {
		p.fail(LinkHeaderCut)
		return
	}
	t := uint16(data[n])
	n++
	if t&1 == 0 { // only the last byte of a protocol is odd
		if len(data) <= n {
			p.fail(LinkHeaderCut)
			return
		}
		t = t<<8 | uint16(data[n])
		n++
	}
	switch {
	case t == pppIPv4:
		p.to(layerIPv4, data, n)
	case t == pppIPv6:
		p.to(layerIPv6, data, n)
	case t == pppMPLS || t == pppMPLSMulti:
		p.to(layerMPLS, data, n)
	case t >= pppControl:
		p.notIP(Control)
	default:
		p.notIP(Other)
	}
}
