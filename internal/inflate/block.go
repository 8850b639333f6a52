package inflate

// preOrder is the order in which the lengths of the code length code are sent
// (RFC 1951, section 3.2.7).
var preOrder = [numPreSyms]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// readBlockHeader reads the header of a block, codes included, and leaves d
// in state inStored or inCodes. It waits for all the header.
func (d *decoder) readBlockHeader() error {
	at := d.bitPos()
	v, err := d.take(3)
	if err != nil {
		return err
	}
	d.final = v&1 != 0
	switch v >> 1 {
	case 0:
		return d.readStoredHeader()
	case 1:
		d.codes = fixedTables()
		d.state = inCodes
		return nil
	case 2:
		ok, err := d.readCodes()
		if err != nil {
			return err
		}
		if ok {
			d.codes = d.own
			d.state = inCodes
			return nil
		}
	}
	return &Error{at >> 3, ErrCorrupt}
}

// readStoredHeader reads the length of a stored block.
func (d *decoder) readStoredHeader() error {
	d.toByte()
	at := d.bitPos()
	v, err := d.take(32)
	if err != nil {
		return err
	}
	d.toByte()
	if v&0xffff != v>>16^0xffff {
		return &Error{at >> 3, ErrCorrupt}
	}
	d.stored = int(v & 0xffff)
	d.state = inStored
	return nil
}

// readCodes reads the codes of a dynamic block and builds their tables. It
// reports whether they are valid.
func (d *decoder) readCodes() (bool, error) {
	v, err := d.take(14)
	if err != nil {
		return false, err
	}
	nlit, ndist, npre := int(v&31)+257, int(v>>5&31)+1, int(v>>10)+4
	if nlit > maxLitSyms || ndist > maxDistSyms {
		return false, nil
	}
	var pre [numPreSyms]uint8
	for _, s := range preOrder[:npre] {
		l, err := d.take(3)
		if err != nil {
			return false, err
		}
		pre[s] = uint8(l)
	}
	t := d.own
	if !buildTable(t.pre[:], preBits, pre[:], preBase[:]) {
		return false, nil
	}
	if ok, err := d.readLengths(nlit + ndist); !ok {
		return false, err
	}
	return buildTable(t.lit[:], litBits, t.lengths[:nlit], litBase[:]) &&
		buildTable(t.dist[:], distBits, t.lengths[nlit:nlit+ndist], distBase[:]), nil
}

// readLengths reads n code lengths into the tables' lengths.
func (d *decoder) readLengths(n int) (bool, error) {
	t := d.own
	for i := 0; i < n; {
		if d.nbits < preBits+7 {
			d.topUp()
		}
		e := t.pre[d.bits&(1<<preBits-1)]
		l := uint(e & 63)
		for d.nbits < l || d.nbits == 0 {
			if err := d.need(d.nbits + 1); err != nil {
				return false, err
			}
			e = t.pre[d.bits&(1<<preBits-1)]
			l = uint(e & 63)
		}
		if e&kindMask == isInvalid {
			return false, nil
		}
		d.drop(l)
		sym := uint8(e >> 16)
		if sym < 16 {
			t.lengths[i] = sym
			i++
			continue
		}
		repeat, value := uint32(0), uint8(0)
		var err error
		switch sym {
		case 16:
			if i == 0 {
				return false, nil
			}
			value = t.lengths[i-1]
			repeat, err = d.take(2)
			repeat += 3
		case 17:
			repeat, err = d.take(3)
			repeat += 3
		default:
			repeat, err = d.take(7)
			repeat += 11
		}
		if err != nil {
			return false, err
		}
		if i+int(repeat) > n {
			return false, nil
		}
		for range repeat {
			t.lengths[i] = value
			i++
		}
	}
	return true, nil
}
