package inflate

const (
	// The margins of one round of the fast loop. Input: two refills load 8
	// bytes each, the second one up to 7 bytes on. Output: two
	// literals and a match whose copy runs on for less than 32 bytes.
	fastInput  = 16
	fastOutput = 2 + maxMatch + 32

	// matchBits is the most that a distance takes: 15 bits of code, 13 extra.
	matchBits = 28
)

// decodeFast decodes symbols while the margins last and reports whether it
// reached the end of the block. It stops before any symbol that is not valid
// and leaves it to the careful loop.
func (d *decoder) decodeFast() bool {
	outEnd := d.end - fastOutput
	if d.ip > len(d.in)-fastInput || d.pos > outEnd {
		return false
	}
	return d.fastLoop(outEnd)
}

// fastLoop is the loop of decodeFast up to output position outEnd. Requires:
// the margins.
//
// The bit buffer is refilled by one load without a branch: nb counts its bits
// modulo 64 (what stands above the 6 bits is junk, so that entries can be
// subtracted whole), and the bits above nb are already those of the stream,
// which the next load ORs in once more. Every round begins with at least 56
// bits and the entry of the next symbol: that entry is loaded before the copy
// of a match, so that the two overlap.
func (d *decoder) fastLoop(outEnd int) (done bool) {
	in, inEnd := cursorAt(d.in, d.ip), cursorAt(d.in, len(d.in)-fastInput+1)
	op, opEnd := cursorAt(d.out, d.pos), cursorAt(d.out, outEnd+1)
	low := cursorAt(d.out, d.low)
	bits, nb := d.bits, uint64(d.nbits)
	t := d.codes

	bits |= in.load64() << (nb & 63)
	in = in.add(int(7 - nb>>3&7))
	nb |= 56
	e := uint64(t.lit[bits&(1<<litBits-1)])
	for in.less(inEnd) && op.less(opEnd) {
		if e&notLiteral == 0 {
			op.store8(byte(e >> 16))
			op = op.add(1)
			bits >>= e & 63
			nb -= e
			e = uint64(t.lit[bits&(1<<litBits-1)])
			if e&notLiteral == 0 {
				op.store8(byte(e >> 16))
				op = op.add(1)
				bits >>= e & 63
				nb -= e
				e = uint64(t.lit[bits&(1<<litBits-1)])
				if e&notLiteral == 0 {
					op.store8(byte(e >> 16))
					op = op.add(1)
					bits >>= e & 63
					nb -= e
					bits |= in.load64() << (nb & 63)
					in = in.add(int(7 - nb>>3&7))
					nb |= 56
					e = uint64(t.lit[bits&(1<<litBits-1)])
					continue
				}
			}
		}
		// 34 bits or more are left.
		before, nbBefore := in, nb
		if e&isSpecial != 0 {
			if e&kindMask == isEnd {
				done = true
				nb -= e
				break
			}
			if e&kindMask == isInvalid {
				break
			}
			bits >>= litBits
			e = uint64(t.lit[second(e, bits)])
			if e&kindMask == isInvalid {
				break
			}
			nb -= litBits
			if e&kindMask == isEnd {
				done = true
				nb -= e
				break
			}
			if e&notLiteral == 0 {
				op.store8(byte(e >> 16))
				op = op.add(1)
				bits >>= e & 63
				nb -= e
				bits |= in.load64() << (nb & 63)
				in = in.add(int(7 - nb>>3&7))
				nb |= 56
				e = uint64(t.lit[bits&(1<<litBits-1)])
				continue
			}
		}
		length := int(e>>16&0xff) + int(bits>>(e>>8&63)&(e>>24)) + 3
		bits >>= e & 63
		nb -= e
		if nb&63 < matchBits {
			bits |= in.load64() << (nb & 63)
			in = in.add(int(7 - nb>>3&7))
			nb |= 56
		}
		e = t.dist[bits&(1<<distBits-1)]
		if e&isSpecial != 0 {
			if e&kindMask == isLink {
				bits >>= distBits
				nb -= distBits
				e = t.dist[second(e, bits)]
			}
			if e&isSpecial != 0 {
				in, nb = before, nbBefore
				break
			}
		}
		back := int(e>>16&0xffff) + int(bits>>(e>>8&63)&(e>>32))
		bits >>= e & 63
		nb -= e
		bits |= in.load64() << (nb & 63)
		in = in.add(int(7 - nb>>3&7))
		nb |= 56
		e = uint64(t.lit[bits&(1<<litBits-1)])

		if back > op.sub(low) {
			if back > op.sub(low)+len(d.hist) {
				in, nb = before, nbBefore
				break
			}
			pos := op.sub(low) + d.low
			op = op.add(copyHistory(d.out, pos, length, back, d.low, d.hist, d.plane) - pos)
			continue
		}
		end := op.add(length)
		if d.plane != 0 {
			copyPlane(op.add(d.plane), end.add(d.plane), back)
		}
		if back >= 16 {
			src := op.add(-back)
			op.copy16(src)
			op.add(16).copy16(src.add(16))
			for op, src = op.add(32), src.add(16); op.less(end); op = op.add(16) {
				src = src.add(16)
				op.copy16(src)
			}
		} else {
			copyNear(op, end, back)
		}
		op = end
	}
	d.seek(d.ip+in.sub(cursorAt(d.in, d.ip)), nb&63, d.low+op.sub(low))
	return done
}

// seek leaves the fast loop: the next bit is nb bits before byte ip of in, the
// next byte of output goes to pos.
func (d *decoder) seek(ip int, nb uint64, pos int) {
	at := ip<<3 - int(nb)
	d.ip, d.pos = at>>3, pos
	d.bits, d.nbits = 0, 0
	if used := uint(at & 7); used != 0 {
		d.bits, d.nbits = uint64(d.in[d.ip]>>used), 8-used
		d.ip++
	}
}

// copyPlane is the copy of a match in the second plane: it writes up to end,
// and zeros over what it may have written after.
func copyPlane(op, end cursor, back int) {
	if back < 16 {
		copyNear(op, end, back)
	} else {
		for src := op.add(-back); op.less(end); op = op.add(16) {
			op.copy16(src)
			src = src.add(16)
		}
	}
	end.store64(0)
	end.add(8).store64(0)
}

// copyNear copies to op up to end what stands back bytes before, back < 16; it
// may write up to 7 bytes after end.
func copyNear(op, end cursor, back int) {
	src := op.add(-back)
	switch {
	case back == 1:
		v := src.load64() & 0xff * 0x0101010101010101
		for ; op.less(end); op = op.add(8) {
			op.store64(v)
		}
	case back >= 8:
		for ; op.less(end); op = op.add(8) {
			op.store64(src.load64())
			src = src.add(8)
		}
	default:
		// Each 8 bytes are right as far as back bytes.
		for ; op.less(end); op = op.add(back) {
			op.store64(src.load64())
			src = src.add(back)
		}
	}
}
