package job

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/runfile"
)

const (
	// packBytes is the size from which a pack is complete, so that few files
	// hold many captures, and what is in memory or could be lost is little.
	packBytes = 8 << 20
	// packTime is how long a run file waits for others to make a pack with: what
	// a run that is killed loses.
	packTime = time.Second
	// leastPack is the number of run files below which a pack gains nothing.
	leastPack = 16
)

// A packer takes small run files and puts many of them into one file, a pack. A
// pack gets its name when it is large enough or packTime old; where fewer than
// leastPack have come until then, each becomes a file of its own. Any number of
// goroutines may use it.
type packer struct {
	run     *run
	fs      durable.FS // of which the caller calls SyncDir in the end
	dir     string
	commits *errgroup.Group
	place   func(i int, run *runfile.Run) // says where the run file of capture i is going to be
	ready   func(i int) error             // says that it is there

	mu      sync.Mutex
	shelf   *shelf
	waiting []held // the first few, for which no pack is begun yet
	pack    *runfile.PackWriter
	packed  []int // the captures in pack
	begun   int   // how many packs or lists of waiting ones were begun
	timer   *time.Timer
}

// A held run file, of capture i, is in memory.
type held struct {
	i    int
	id   runfile.ID
	data []byte
	meta *runfile.Meta
}

// packName is the name of a pack. Of equal entries that of the higher number is
// the later one. unique, if it is not empty, are letters and digits that make the
// name one that nobody else uses.
func packName(number int, unique string) string {
	name := fmt.Sprintf("%08d", number)
	if unique != "" {
		name += "-" + unique
	}
	return name + runfile.PackSuffix
}

// packNumber returns the number in the name of a pack.
func packNumber(name string) (n int, ok bool) {
	stem, ok := strings.CutSuffix(name, runfile.PackSuffix)
	digits, unique, _ := strings.Cut(stem, "-")
	n, err := strconv.Atoi(digits)
	plain := strings.Trim(unique, "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567") == "" // as rand.Text makes
	return n, ok && err == nil && n >= 0 && plain && packName(n, unique) == name
}

// add takes a run file.
func (p *packer) add(h held) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pack == nil && len(p.waiting) == 0 {
		p.begun++
		n := p.begun
		p.timer = time.AfterFunc(p.run.PackTime, func() { p.late(n) })
	}
	p.waiting = append(p.waiting, h)
	if p.pack == nil {
		if len(p.waiting) < leastPack {
			return nil
		}
		if err := p.create(); err != nil {
			return err
		}
	}
	for i := range p.waiting {
		h := &p.waiting[i]
		if err := p.pack.Add(h.id, h.data); err != nil {
			p.pack, p.waiting = nil, nil
			return err
		}
		p.place(h.i, p.pack.Last(h.meta))
		p.packed = append(p.packed, h.i)
		*h = held{}
	}
	p.waiting = p.waiting[:0]
	if p.pack.Size() >= p.run.PackBytes {
		p.complete()
	}
	return nil
}

// create begins the next pack.
func (p *packer) create() (err error) {
	p.pack, err = p.run.files.CreatePack(p.fs, filepath.Join(p.dir, p.shelf.newName()))
	if err != nil {
		p.pack, p.waiting = nil, nil
	}
	return err
}

// late completes what was begun as number n, if it is not complete yet.
func (p *packer) late(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.begun == n {
		p.complete()
	}
}

// finish completes what was begun. The caller waits for commits afterwards.
func (p *packer) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.complete()
}

// complete gives the pack its name, or each of the few that are waiting.
func (p *packer) complete() {
	p.begun++
	if p.timer != nil {
		p.timer.Stop()
	}
	if w, captures := p.pack, p.packed; w != nil {
		p.pack, p.packed = nil, nil
		p.commits.Go(func() error { return p.commit(w, captures) })
	}
	for _, h := range p.waiting {
		p.commits.Go(func() error {
			run, err := p.run.files.WriteHeld(p.fs, filepath.Join(p.dir, h.id.Name()), h.data, h.meta)
			if err != nil {
				return err
			}
			p.place(h.i, run)
			return p.ready(h.i)
		})
	}
	p.waiting = nil
}

// commit completes a pack with the run files of the captures.
func (p *packer) commit(w *runfile.PackWriter, captures []int) error {
	if err := w.Commit(); err != nil {
		return err
	}
	for _, i := range captures {
		if err := p.ready(i); err != nil {
			return err
		}
	}
	return nil
}
