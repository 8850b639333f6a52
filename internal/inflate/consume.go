package inflate

// Read fills b with decompressed bytes, at least one. What comes with or
// before an error is as with Reader.
func (p *ParallelReader) Read(b []byte) (int, error) {
	if p.seq != nil {
		return p.seq.Read(b)
	}
	if len(b) == 0 {
		return 0, nil
	}
	data := p.data()
	if len(data) == 0 {
		return 0, p.err
	}
	n := copy(b, data)
	p.at += n
	return n, nil
}

// Close stops the workers and waits for them. It does not close the
// underlying reader.
func (p *ParallelReader) Close() error {
	if p.seq != nil {
		return p.seq.Close()
	}
	p.err = ErrClosed
	p.stop()
	return nil
}

// stop ends the workers and gives up their memory.
func (p *ParallelReader) stop() {
	p.mu.Lock()
	p.closed.Store(true)
	p.changed.Broadcast()
	p.mu.Unlock()
	p.workers.Wait()
	p.cur, p.chunks, p.spare, p.free = nil, nil, nil, nil
}

// data gives what can be read now, waiting for it; nothing once err is set.
func (p *ParallelReader) data() []byte {
	for p.err == nil {
		if p.cur == nil {
			p.take()
			continue
		}
		part := &p.cur.parts[p.part]
		if p.at < part.end {
			return p.cur.buf[p.at:part.end]
		}
		p.endPart(part)
	}
	if !p.closed.Load() {
		p.stop()
	}
	return nil
}

// take waits for the next segment, or for the error that follows the last one.
func (p *ParallelReader) take() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if len(p.chunks) > 0 {
			c := p.chunks[0]
			switch {
			case len(c.ready) > 0:
				p.cur, p.part, p.at, p.from = c.ready[0], 0, windowSize, windowSize
				c.ready = c.ready[1:]
				return
			case c.phase == settled && c.err != nil:
				p.err = c.err
				return
			case c.phase == settled && c.held == 0:
				p.chunks = append(p.chunks[:0], p.chunks[1:]...)
				p.spare = append(p.spare, c)
				p.changed.Broadcast()
				continue
			}
		}
		p.changed.Wait()
	}
}

// endPart adds the sum of a part that was read to that of its member, and
// compares it at the end of one.
func (p *ParallelReader) endPart(part *part) {
	n := int64(part.end - p.from)
	p.digest = combineSums(p.digest, part.sum, n)
	p.length += uint32(n)
	p.from = part.end
	if part.last {
		if p.digest != part.crc || p.length != part.size {
			p.err = &Error{part.offset, ErrChecksum}
		}
		p.digest, p.length = 0, 0
	}
	if p.part++; p.part == len(p.cur.parts) {
		p.recycle(p.cur)
		p.cur = nil
	}
}
