package inflate

// decodeCodes decodes symbols until the end of the block (true), of the input
// at hand or of the room for output. Every error inside a block comes from
// here: the fast loop only stops before the symbol it does not like.
func (d *decoder) decodeCodes() (bool, error) {
	if d.copyLen > 0 {
		d.copyMatch()
	}
	if d.decodeFast() {
		return true, nil
	}
	for d.pos < d.end {
		d.topUp()
		e, used := uint64(d.codes.lit[d.bits&(1<<litBits-1)]), uint(0)
		if e&kindMask == isLink {
			used = litBits
			e = uint64(d.codes.lit[second(e, d.bits>>litBits)])
		}
		// Bits above nbits are 0, so an entry of more bits than there are
		// is a guess and any other is right.
		code := used + uint(e>>8&15)
		if code > d.nbits {
			return false, nil
		}
		switch {
		case e&notLiteral == 0:
			d.out[d.pos] = byte(e >> 16)
			d.pos++
			d.drop(code)
		case e&kindMask == isEnd:
			d.drop(code)
			return true, nil
		case e&isSpecial != 0:
			return false, d.fail(ErrCorrupt)
		default:
			if more, err := d.decodeMatch(e, used, code); more || err != nil {
				return false, err
			}
		}
	}
	return false, nil
}

// second is the index in the second table that the link e names.
func second(e, bits uint64) uint64 { return e>>16 + bits&(1<<(e>>8&15)-1) }

// decodeMatch decodes a match whose length has entry e after used bits, its
// extra bits after code bits. It reports whether it needs more input; it has
// consumed nothing then.
func (d *decoder) decodeMatch(e uint64, used, code uint) (bool, error) {
	end := used + uint(e&63)
	if end > d.nbits {
		return true, nil
	}
	length := 3 + int(e>>16&0xff) + int(d.bits>>code&(e>>24))

	rest, left := d.bits>>end, d.nbits-end
	f, used := d.codes.dist[rest&(1<<distBits-1)], uint(0)
	if f&kindMask == isLink {
		used = distBits
		f = d.codes.dist[second(f, rest>>distBits)]
	}
	code = used + uint(f>>8&15)
	if code > left {
		return true, nil
	}
	if f&isSpecial != 0 {
		return false, d.fail(ErrCorrupt)
	}
	used += uint(f & 63)
	if used > left {
		return true, nil
	}
	dist := int(f>>16&0xffff) + int(rest>>code&(f>>32))
	if dist > d.pos-d.low+len(d.hist) {
		return false, d.fail(ErrCorrupt)
	}
	d.drop(end + used)
	d.copyLen, d.copyDist = length, dist
	d.copyMatch()
	return false, nil
}

// copyMatch copies what fits of the match in copyLen and copyDist.
func (d *decoder) copyMatch() {
	n := min(d.copyLen, d.end-d.pos)
	d.copyLen -= n
	d.pos = copyHistory(d.out, d.pos, n, d.copyDist, d.low, d.hist, d.plane)
}

// copyHistory copies n bytes from dist back to out[pos:], where what lies
// before out[low] is at the end of hist, and returns the end.
func copyHistory(out []byte, pos, n, dist, low int, hist []byte, plane int) int {
	if before := low - (pos - dist); before > 0 {
		m := copy(out[pos:pos+min(n, before)], hist[len(hist)-before:])
		pos, n = pos+m, n-m
	}
	for end := pos + n; pos < end; {
		// What is copied doubles the distance to the next free byte.
		m := copy(out[pos:end], out[pos-dist:pos])
		if plane != 0 {
			copy(out[plane+pos:plane+end], out[plane+pos-dist:plane+pos])
		}
		pos += m
	}
	return pos
}
