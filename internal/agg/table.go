package agg

import (
	"fmt"

	"pcapbatch/internal/flow"
	"pcapbatch/internal/race"
)

// A Table holds the sessions of one shard. It is used by one goroutine at a
// time. Release gives its memory back.
type Table struct {
	opt  Options
	ends endings
	arena
	// slots is the hash table: open addressing, linear probing, at most 3/4
	// full. A slot is tag<<32 | index+1 of the newest session of a key, 0
	// when empty; the tag is the whole 32-bit hash, so that the table can
	// grow without looking at a session.
	slots    []uint64
	mask     uint32
	keys     int // slots in use
	sessions slab[Session]
	records  recordSlab
	larges   slab[large]
	// freeLarge is index + 1 of a free digest block, linked through packets.
	freeLarge  uint32
	freeLarges uint32 // number of free digest blocks
	beside            // what feature groups keep; nothing in a plain table
	plain      bool
	captured

	newest    int64 // latest packet time so far
	reordered uint64

	incoming *Table // of Absorb: the session being decoded

	// Of Evict.
	live     int // sessions that had not ended when it looked last
	evicting bool

	scratch struct {
		digestScratch
		touched uint64 // sink of the loads that warm the caches
	}
}

const minTime = -1 << 63

// minSlots is the size of a new table: a page.
const minSlots = 512

// NewTable returns an empty table.
func NewTable(o Options) *Table {
	if o.Sequence < 0 || o.Sequence > MaxSequence || o.Needs > allNeeds {
		panic(fmt.Sprintf("agg: options out of range: %+v", o))
	}
	t := new(Table)
	t.init(o)
	return t
}

func (t *Table) init(o Options) {
	*t = Table{opt: o, ends: endingsOf(&o), plain: o.plain(), newest: minTime}
	t.detailed = o.Details()
	if !t.plain {
		t.more = new(moreScratch)
	}
	t.sessions.arena, t.records.arena, t.larges.arena = &t.arena, &t.arena, &t.arena
	t.setSlots(make([]uint64, minSlots))
	t.arena.bytes = minSlots * 8
}

func (t *Table) setSlots(s []uint64) {
	t.slots = s
	t.mask = uint32(len(s) - 1)
}

// Len returns the number of sessions. They are numbered from 0 in the order
// they began; the sessions of one key are in time order.
func (t *Table) Len() int { return int(t.sessions.n) }

// Bytes returns the memory allocated for sessions, in bytes.
func (t *Table) Bytes() int64 { return t.arena.bytes }

// Used returns the memory that the sessions in the table take, in bytes. It
// follows from the events since the table was new or reset and from nothing
// else, whatever memory the table holds besides for sessions to come: so a
// caller that spills a table when this exceeds a limit does so at the same
// event in every run.
func (t *Table) Used() int64 {
	session, unit, block := t.sizes()
	return int64(t.keys)*slotBytes + int64(t.sessions.n)*session +
		int64(t.records.n-t.records.spare)*unit + int64(t.larges.n-t.freeLarges)*block
}

// Touched returns the memory that the table has touched since it was new or
// renewed, in bytes, as Used counts it: also what is free for other sessions of
// the same size.
func (t *Table) Touched() int64 {
	session, unit, block := t.sizes()
	return int64(t.keys)*slotBytes + int64(t.sessions.most())*session +
		int64(t.records.most())*unit + int64(t.larges.most())*block
}

// sizes returns how many bytes a session, a unit of records and a digest block
// take, with what the table keeps beside them.
func (t *Table) sizes() (session, unitSize, block int64) {
	session, unitSize, block = int64(sizeOf[Session]()), int64(sizeOf[unit]()), int64(sizeOf[large]())
	if t.detailed {
		session += int64(sizeOf[wordUnit]())
		unitSize += int64(sizeOf[wordUnit]())
	}
	if t.opt.folds() {
		block += int64(sizeOf[facts]())
	}
	if t.opt.Needs&NeedDirection != 0 {
		block += int64(sizeOf[sideDigests]())
	}
	if t.opt.Needs&NeedQuantiles != 0 {
		block += int64(sizeOf[quantileDigests]())
	}
	block += int64(t.opt.Sequence * sizeOf[packet]())
	if t.gathered {
		session += int64(sizeOf[uint32]())
	}
	return session, unitSize, block
}

// slotBytes is what the slots of a key take on average: a table of slots has
// room for twice as many as it was made for, and is three quarters full then.
const slotBytes = 16

// Reordered returns the number of packets that came earlier than the latest
// packet of their session, and were taken as arriving with it.
func (t *Table) Reordered() uint64 { return t.reordered }

// Reset empties the table, its counts included, and keeps its memory for the
// next use.
func (t *Table) Reset() {
	t.clearSlots()
	t.keys = 0
	t.sessions.reset()
	t.records.reset()
	t.larges.reset()
	t.freeLarge, t.freeLarges = 0, 0
	t.newest, t.reordered = minTime, 0
	t.live = 0
	t.capture, t.gathered = 0, false
}

// clearSlots empties the hash table. Where few of many slots are in use, as in
// a table that once held a large capture and then a small one, it only writes
// to those: it clears each key's run of slots from the first that the key may
// be in. Where that run is cut short, an earlier key has cleared the rest.
func (t *Table) clearSlots() {
	n := uint32(t.Len())
	if int(n) > len(t.slots)/64 {
		clear(t.slots)
		return
	}
	for n := range n {
		k := &t.session(n).key
		for i := uint32(k.Hash(t.opt.Seed)) & t.mask; t.slots[i] != 0; i = (i + 1) & t.mask {
			t.slots[i] = 0
		}
	}
}

// Release gives the memory back. The table is not usable afterwards.
func (t *Table) Release() {
	if t.incoming != nil {
		t.incoming.Release()
	}
	t.arena.release()
	*t = Table{}
}

// Renew empties the table and gives its memory back, but keeps its options, its
// capture, the count of Reordered, and the newest time, by which Evict tells
// which sessions have ended.
func (t *Table) Renew() {
	capture, newest, reordered := t.capture, t.newest, t.reordered
	o := t.opt
	t.Release()
	t.init(o)
	t.capture, t.newest, t.reordered = capture, newest, reordered
}

// groupSize is how many events are looked up side by side. A lookup misses
// the caches three times in a row (slot, session, record); done one by one
// that is 3 memory latencies an event, done for a group the CPU overlaps them.
// 16 to 64 measure the same, below 8 it is slower by half.
const groupSize = 32

// Update takes the events numbered by order, in that order.
// Requires: Options.Details() is false; else see UpdateDetailed.
func (t *Table) Update(events []flow.Event, order []uint16) {
	if !t.plain {
		t.updateDetailed(events, nil, order)
		return
	}
	for len(order) > 0 {
		n := min(len(order), groupSize)
		t.ensure(n)
		var hashes [groupSize]uint32
		for i, o := range order[:n] {
			hashes[i] = events[o].Hash
		}
		found := t.touch(hashes[:n])
		var s *Session
		for i, o := range order[:n] {
			ev := &events[o]
			if i == 0 || hashes[i] != hashes[i-1] {
				s = found[i]
				if t.ends.any { // since touch, another of the key may have begun
					s = nil
				}
			}
			if s == nil || !s.key.Equal(&ev.Key) {
				s, _ = t.find(&ev.Key, hashes[i])
			}
			s = t.update(s, ev)
		}
		order = order[n:]
	}
}

// touch loads the slots of the given hashes, then the sessions they lead to,
// then the record that each of those writes next, so that all of it is in the
// cache when update comes to it. The loads of one pass do not depend on each
// other, and no branch depends on what the same pass loads.
//
// It returns the session that it has found for each hash, by the tag in the
// slot alone. So the caller has to compare the key, of which it is the newest
// session until another begins. It is nil where no slot has the tag, and where
// the hash is that of the packet before.
func (t *Table) touch(hashes []uint32) (found [groupSize]*Session) {
	var sum uint64
	for _, h := range hashes {
		sum += t.slots[h&t.mask]
	}
	last := ^hashes[0]
	for i, h := range hashes {
		if h == last {
			continue // packets of one session often follow each other
		}
		last = h
		// Tags alone decide here. A third of the keys are not in the first slot,
		// and touching what is there instead of them left their misses to update.
		for k := h & t.mask; t.slots[k] != 0; k = (k + 1) & t.mask {
			if slot := t.slots[k]; uint32(slot>>32) == h {
				found[i] = t.session(uint32(slot) - 1)
				break
			}
		}
	}
	for _, s := range found[:len(hashes)] {
		if s != nil {
			sum += uint64(s.fill)
		}
	}
	for _, s := range found[:len(hashes)] {
		if s == nil {
			continue
		}
		if f := s.fill; f < headRecords {
			sum += s.head[f].gap
		} else if c := classRecords[s.state&classMask]; f < c {
			sum += t.records.at(s.block+uint32(f-headRecords)/unitRecords, unitShift)[f%unitRecords].gap
		}
	}
	t.scratch.touched += sum
	return found
}

// update gives ev to s, the newest session of its key or nil, and returns the
// newest session behind it.
func (t *Table) update(s *Session, ev *flow.Event) *Session {
	if s == nil {
		s, _ = t.insert(&ev.Key, ev.Hash)
		s.init(&ev.Key, ev.Flags&flow.Reversed != 0, ev.Time, ev.WireBytes, ev.PayloadBytes)
	} else if gap, ok := t.advance(s, ev); ok {
		t.append(s, record{gap, ev.WireBytes, ev.PayloadBytes})
	} else {
		s, _ = t.renew(&ev.Key, ev.Hash)
		s.init(&ev.Key, ev.Flags&flow.Reversed != 0, ev.Time, ev.WireBytes, ev.PayloadBytes)
	}
	s.truncated += uint16(ev.Flags / flow.Truncated)
	t.newest = max(t.newest, ev.Time)
	return s
}

// advance sets the clock of s to that of ev and returns the gap. A time before
// the session's latest is taken as the latest: the gap is 0. It reports false,
// and marks s as ended, if ev begins a session of its own.
func (t *Table) advance(s *Session, ev *flow.Event) (gap uint64, ok bool) {
	if t.ends.any {
		if why := t.ends.before(s, ev.Time, ev.Flags); why != EndInput {
			s.end(why)
			return 0, false
		}
	}
	if ev.Time < s.last {
		t.reordered++
		return 0, true
	}
	gap = uint64(ev.Time) - uint64(s.last)
	s.last = ev.Time
	return gap, true
}

// append adds a record behind the last one.
func (t *Table) append(s *Session, r record) {
	if f := s.fill; f < headRecords {
		s.head[f] = r
		s.fill++
		return
	}
	if s.fill == classRecords[s.state&classMask] {
		t.makeRoom(s)
	}
	f := uint32(s.fill) - headRecords
	t.records.at(s.block+f/unitRecords, unitShift)[f%unitRecords] = r
	s.fill++
}

// makeRoom moves a full session to the next class, or folds its block.
func (t *Table) makeRoom(s *Session) {
	if s.state&classMask < lastClass {
		t.grow(s)
		return
	}
	t.fold(s, t.digestBlock(s))
}

// grow moves a full session to the next class.
func (t *Table) grow(s *Session) {
	class := s.state & classMask
	i := t.block(class + 1)
	if class > 0 {
		copy(t.records.block(i, class+1), t.records.block(s.block, class))
		if t.detailed {
			copy(t.words.block(i, class+1), t.words.block(s.block, class))
		}
		t.records.put(s.block, class)
	}
	s.block = i
	s.state++
}

// digestBlock returns the digest block of s, made if there was none.
func (t *Table) digestBlock(s *Session) *large {
	if s.large != 0 {
		return t.larges.at(s.large-1, largeShift)
	}
	s.large = t.freeLarge
	if s.large == 0 {
		s.large = t.larges.add(1, largeShift) + 1
	}
	l := t.larges.at(s.large-1, largeShift)
	if s.large == t.freeLarge {
		t.freeLarge = uint32(l.packets)
		t.freeLarges--
	}
	l.reset()
	t.coverLarges(len(t.larges.chunks))
	return l
}

// find returns the newest session of a key and its number, or nil.
func (t *Table) find(k *flow.Key, hash uint32) (*Session, uint32) {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		slot := t.slots[i]
		if slot == 0 {
			return nil, 0
		}
		if uint32(slot>>32) == hash {
			n := uint32(slot) - 1
			if s := t.session(n); s.key.Equal(k) {
				return s, n
			}
		}
	}
}

// insert adds a session of a key that has none. Requires: ensure made room.
func (t *Table) insert(k *flow.Key, hash uint32) (*Session, uint32) {
	i := hash & t.mask
	for t.slots[i] != 0 {
		i = (i + 1) & t.mask
	}
	t.keys++
	if race.Enabled {
		race.Assert(t.keys <= len(t.slots)/4*3, "%d keys in %d slots", t.keys, len(t.slots))
	}
	return t.place(i, hash)
}

// renew adds another session of a key that has one.
func (t *Table) renew(k *flow.Key, hash uint32) (*Session, uint32) {
	for i := hash & t.mask; ; i = (i + 1) & t.mask {
		slot := t.slots[i]
		if uint32(slot>>32) == hash && t.session(uint32(slot)-1).key.Equal(k) {
			return t.place(i, hash)
		}
	}
}

// another adds a session of a key, whether it has one or not, as its newest.
// Requires: ensure made room.
func (t *Table) another(k *flow.Key, hash uint32) (*Session, uint32) {
	if s, _ := t.find(k, hash); s != nil {
		return t.renew(k, hash)
	}
	return t.insert(k, hash)
}

func (t *Table) place(i, hash uint32) (*Session, uint32) {
	n := t.sessions.add(1, sessionShift)
	t.slots[i] = uint64(hash)<<32 | uint64(n+1)
	return t.sessions.at(n, sessionShift), n
}

// ensure makes room for n more keys.
func (t *Table) ensure(n int) {
	if t.keys+n <= len(t.slots)/4*3 {
		return
	}
	old := t.slots
	t.setSlots(alloc[uint64](&t.arena, 2*len(old)))
	for _, slot := range old {
		if slot == 0 {
			continue
		}
		i := uint32(slot>>32) & t.mask
		for t.slots[i] != 0 {
			i = (i + 1) & t.mask
		}
		t.slots[i] = slot
	}
	free(&t.arena, old)
}

// session returns session i.
func (t *Table) session(i uint32) *Session { return t.sessions.at(i, sessionShift) }
