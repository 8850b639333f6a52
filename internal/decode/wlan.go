package decode

// IEEE 802.11-2020, section 9: frame control, first and second byte.
const (
	wlanTypeMask  = 0x0c
	wlanKindMask  = 0x0f // type and version
	wlanData      = 0x08
	wlanQoS       = 0x80 // subtypes of data with a QoS control field
	wlanNull      = 0x40 // subtypes of data without data
	wlanToDS      = 0x01
	wlanFromDS    = 0x02
	wlanProtected = 0x40
	wlanOrder     = 0x80 // in QoS data: there is an HT control field
	qosAggregate  = 0x80 // A-MSDU
	qosMesh       = 0x01 // second byte, in a mesh network: there is a mesh control field
)

// wlan decodes an 802.11 frame.
func (p *packet) wlan(data []byte) {
	if len(data) < 2 {
		p.fail(LinkHeaderCut)
		return
	}
	p.wlanFrame(data[0], data[1], data)
}

// wlanFrame is wlan for a frame control field of the two bytes given.
func (p *packet) wlanFrame(control, flags uint8, data []byte) {
	if control&wlanTypeMask != wlanData || control&wlanNull != 0 {
		p.notIP(Control)
		return
	}
	n := 24
	if flags&(wlanToDS|wlanFromDS) == wlanToDS|wlanFromDS {
		n += 6 // fourth address
	}
	aggregate := false
	if control&wlanQoS != 0 {
		if len(data) < n+2 {
			p.fail(LinkHeaderCut)
			return
		}
		aggregate = data[n]&qosAggregate != 0
		p.mesh = data[n+1]&qosMesh != 0 && flags&wlanFromDS != 0
		n += 2
		if flags&wlanOrder != 0 {
			n += 4
		}
	}
	if flags&wlanProtected != 0 {
		p.fail(Encrypted)
		return
	}
	if p.wlanPadded {
		n = (n + 3) &^ 3
	}
	if aggregate {
		p.amsdu(data, n)
		return
	}
	p.skip(layerMSDU, data, n)
}

// radiotap skips a radiotap header (radiotap.org). Of its fields only the flags
// matter: one of them is set if the 802.11 header is padded.
func (p *packet) radiotap(data []byte) {
	const (
		hasTime, hasFlags, more = 1, 2, 1 << 31
		flagPadded              = 0x20
	)
	if len(data) < 8 {
		p.fail(LinkHeaderCut)
		return
	}
	size := int(le.Uint16(data[2:]))
	if size < 8 {
		p.fail(LinkHeaderBad)
		return
	}
	if len(data) < size {
		p.fail(LinkHeaderCut)
		return
	}
	present := le.Uint32(data[4:])
	n := 8
	for word := present; word&more != 0 && n+4 <= size; n += 4 {
		word = le.Uint32(data[n:])
	}
	if present&hasTime != 0 {
		n = (n+7)&^7 + 8
	}
	p.wlanPadded = present&hasFlags != 0 && n < size && data[n]&flagPadded != 0
	p.to(layerWLAN, data, size)
}

// prism skips a Prism header, whose length is in either byte order, or an AVS
// header, which is recognised by its magic number.
func (p *packet) prism(data []byte) {
	if len(data) < 8 {
		p.fail(LinkHeaderCut)
		return
	}
	size := be.Uint32(data[4:])
	if be.Uint32(data)&0xfffff000 != 0x80211000 && size > 0xffff {
		size = le.Uint32(data[4:])
	}
	if size < 8 || size > 0xffff {
		p.fail(LinkHeaderBad)
		return
	}
	p.skip(layerWLAN, data, int(size))
}
