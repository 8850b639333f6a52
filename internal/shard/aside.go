package shard

import (
	"context"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/flow"
)

// This file is for rules that need whole sessions (agg.Options.Whole), where
// what goes on cannot be spilled. If it does not fit into a table, classes of
// sessions are set aside, by bits of the hash of their keys: their sessions are
// written to a scratch file as they are, and every later packet of these
// classes is written there instead of going to the table. At the end of the
// stretch each class is replayed: its sessions are restored, and take their
// packets in order. A class that does not fit is divided by the next bits of
// the hash.
//
// Nothing is cut by that, so the rows are those of a run without a limit,
// whatever was set aside. Therefore the hash may be the seeded one that events
// have, for which nobody can make keys that are all of one class.

// A Scratch stores pieces that are written once and read once. One goroutine
// uses it.
type Scratch interface {
	// Reserve returns a place for a piece.
	Reserve() (place int64)
	// Put stores a copy of a piece, of as many bytes as Keeper.Scratch was
	// asked for at most, at a place that was reserved for it.
	Put(place int64, piece []byte) error
	// Take appends the piece at a place to dst and frees the place.
	Take(place int64, dst []byte) ([]byte, error)
}

const (
	// classBits is how many bits of the hash divide the sessions of a table: as
	// many classes can be written side by side, with a buffer for each. A run
	// with up to 64 times the sessions that fit writes a packet once.
	classBits = 6
	classes   = 1 << classBits
	hashBits  = 32
	// pieceBytes is the size of those buffers, and of a piece of a scratch
	// file.
	pieceBytes = 16 << 10
)

// An aside says which sessions of a table are set aside.
type aside struct {
	scratch  Scratch
	shift    uint   // bits of the hash that all sessions of the table have in common
	stay     uint32 // the classes below are in the table
	chains   [classes]chain
	detailed bool
	kept     []uint16 // reused by divert
	entry    []byte   // reused for what is written
}

func (a *aside) class(hash uint32) uint32 { return hash << a.shift >> (hashBits - classBits) }

// bytes is the size of the buffers.
func (a *aside) bytes() int64 { return int64(classes-a.stay) * pieceBytes }

// divides reports whether a table with these classes can be made smaller.
// Sessions whose keys have the same hash stay together: there are few.
func (a *aside) divides(t *agg.Table) bool {
	return a.stay > 0 && a.shift < hashBits && t.Len() > 1
}

// divide sets a quarter of the classes that t has aside.
func (a *aside) divide(t *agg.Table) error {
	stay := a.stay - (a.stay+3)/4
	leaves := func(hash uint32) bool { return a.class(hash) >= stay }
	err := t.SetAside(leaves, func(hash uint32, session []byte) error {
		c := &a.chains[a.class(hash)]
		c.sessions++
		a.entry = appendSession(a.entry[:0], session)
		return c.write(a.scratch, a.entry)
	})
	a.stay = stay
	return err
}

// divert writes the events of classes that are set aside to their chains, and
// returns the numbers of the others, valid until the next call.
func (a *aside) divert(events []flow.Event, details []flow.Detail, order []uint16) ([]uint16, error) {
	if a.stay == classes {
		return order, nil
	}
	a.kept = a.kept[:0]
	for _, o := range order {
		ev := &events[o]
		class := a.class(ev.Hash)
		if class < a.stay {
			a.kept = append(a.kept, o)
			continue
		}
		a.entry = appendEvent(a.entry[:0], ev)
		if a.detailed {
			a.entry = appendDetail(a.entry, details[o])
		}
		if err := a.chains[class].write(a.scratch, a.entry); err != nil {
			return nil, err
		}
	}
	return a.kept, nil
}

// A part is a class that was set aside, as it lies in the scratch file.
type part struct {
	first    int64 // place of its first piece
	sessions int   // that the chain begins with; events follow
	shift    uint  // bits of the hash that all its sessions have in common
}

// parts completes the chains and returns those that have anything.
func (a *aside) parts() (list []part, err error) {
	for i := range a.chains {
		c := &a.chains[i]
		if c.buffer == nil {
			continue
		}
		if err := c.close(a.scratch); err != nil {
			return nil, err
		}
		list = append(list, part{c.first, c.sessions, a.shift + classBits})
	}
	return list, nil
}

// aside returns what is set aside of the table of a stretch.
func (w *worker[B]) aside(r *run[B], stretch int) *aside {
	a := w.asides[stretch]
	if a == nil {
		a = w.newAside(r, 0)
		w.asides[stretch] = a
	}
	return a
}

// pieces returns the scratch file of the worker.
func (w *worker[B]) pieces(r *run[B]) Scratch {
	if w.scratch == nil {
		w.scratch = r.Keeper.Scratch(w.index, pieceBytes)
	}
	return w.scratch
}

func (w *worker[B]) newAside(r *run[B], shift uint) *aside {
	return &aside{scratch: w.pieces(r), shift: shift, stay: classes, detailed: w.options.Details()}
}

// setAside makes room in a table of sessions that must not be cut. Requires: it
// has outgrown limit.
func (w *worker[B]) setAside(ctx context.Context, r *run[B], stretch int, t *agg.Table, limit int64) error {
	if err := t.Evict(func() error { return w.store(ctx, r, stretch, t) }, true); err != nil {
		return err
	}
	a := w.aside(r, stretch)
	for t.Used() > limit/8*7 && a.divides(t) {
		w.spilled = true
		w.spills[stretch]++
		if err := a.divide(t); err != nil {
			return err
		}
		if err := context.Cause(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wasteful reports whether more of the memory of a table is lost than it is
// worth: places for sessions and records are of some sizes, and what is free of
// one size does not serve for another.
func wasteful(t *agg.Table, limit int64) bool {
	touched := t.Touched()
	return touched > limit/2*3 && touched > t.Used()/2*3
}

// rebuild gives the memory of a table back and makes it again.
func (w *worker[B]) rebuild(r *run[B], t *agg.Table) error {
	s := w.pieces(r)
	var c chain
	var entry []byte
	err := t.SetAside(func(uint32) bool { return true }, func(_ uint32, session []byte) error {
		c.sessions++
		entry = appendSession(entry[:0], session)
		return c.write(s, entry)
	})
	if err != nil {
		return err
	}
	t.Renew()
	if c.sessions == 0 {
		return nil
	}
	if err := c.close(s); err != nil {
		return err
	}
	return restore(t, &chainReader{scratch: s, next: c.first}, c.sessions)
}

// restore gives t the sessions with which a chain begins.
func restore(t *agg.Table, in *chainReader, sessions int) error {
	for range sessions {
		session, err := in.session()
		if err != nil {
			return err
		}
		if err := t.Restore(session); err != nil {
			return err
		}
	}
	return nil
}

// replayBatch is how many events a replay gives to the table at once.
const replayBatch = 512

// replay spills what was set aside of a stretch, after the rest of its
// sessions.
func (w *worker[B]) replay(ctx context.Context, r *run[B], stretch int) error {
	a := w.asides[stretch]
	if a == nil {
		return nil
	}
	defer delete(w.asides, stretch)
	list, err := a.parts()
	if err != nil {
		return err
	}
	b := newBatch(w.options.Details(), w.index, w.options.Seed)
	t := w.newTable(stretch)
	defer func() { t.Release() }()
	for len(list) > 0 {
		p := list[len(list)-1]
		list = list[:len(list)-1]
		a := w.newAside(r, p.shift)
		w.asides[stretch] = a
		if err := w.replayPart(ctx, r, stretch, t, p, b); err != nil {
			return err
		}
		more, err := a.parts()
		if err != nil {
			return err
		}
		list = append(list, more...)
		// Classes are put on disk together as far as there is room for the next
		// one beside them.
		if limit := max(r.quota.stretch, r.LeastSpill); len(list) == 0 || t.Used() > limit/4 {
			if err := w.spill(ctx, r, stretch, t); err != nil {
				return err
			}
			t = w.newTable(stretch)
		}
	}
	return nil
}

// replayPart gives the sessions and the events of a part to t.
func (w *worker[B]) replayPart(ctx context.Context, r *run[B], stretch int, t *agg.Table, p part, b *batch) error {
	in := chainReader{scratch: w.scratch, next: p.first}
	if err := restore(t, &in, p.sessions); err != nil {
		return err
	}
	for {
		if err := context.Cause(ctx); err != nil {
			return err
		}
		if err := b.fill(&in); err != nil {
			return err
		}
		if len(b.order) == 0 {
			return nil
		}
		if err := w.add(ctx, r, stretch, t, b.events, b.details, b.order); err != nil {
			return err
		}
	}
}
