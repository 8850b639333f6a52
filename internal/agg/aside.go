package agg

// SetAside passes the sessions that leaves names by the hash of their key,
// which is that of flow.Event, to put, one after the other in the order they
// began, and takes them out of t. The others stay as they are, renumbered.
// Restore makes of what put gets the sessions that left, in a table that then
// takes their further packets as t would have done. The bytes are valid until
// put returns; after an error of put t is as it was.
//
// Requires: nothing was gathered into t.
func (t *Table) SetAside(leaves func(hash uint32) bool, put func(hash uint32, session []byte) error) error {
	var b []byte
	for i := range uint32(t.Len()) {
		s := t.session(i)
		hash := uint32(s.key.Hash(t.opt.Seed))
		if !leaves(hash) {
			continue
		}
		b = t.AppendSession(append(b[:0], byte(s.state>>stateShift)), i)
		if err := put(hash, b); err != nil {
			return err
		}
	}
	t.remove(func(s *Session) bool { return leaves(uint32(s.key.Hash(t.opt.Seed))) })
	t.live = min(t.live, t.Len())
	return nil
}

// What an encoded session lacks of its state, for SetAside: whether it is
// closed, and why it ended.
const (
	stateShift = 5
	stateMask  = sawRST | sawFINs | endMask<<endShift
)

// Restore adds a session that SetAside took out of a table with the same
// options. Requires: sessions of one key are restored in the order in which
// SetAside passed them to put. An error wraps ErrCodec and leaves t unchanged.
func (t *Table) Restore(session []byte) error {
	d := decoder{data: session}
	state := sessionState(d.byte()) << stateShift & stateMask
	if t.incoming == nil {
		t.incoming = NewTable(t.opt)
	}
	if _, err := t.incoming.Load(d.data); err != nil {
		return err
	}
	s := t.incoming.session(0)
	s.state = s.state&^stateMask | state
	t.ensure(1)
	t.coverSessions(1)
	to, i := t.another(&s.key, uint32(s.key.Hash(t.opt.Seed)))
	t.adopt(sessionRef{t, to, i}, sessionRef{t.incoming, s, 0})
	t.newest = max(t.newest, s.last)
	return nil
}
