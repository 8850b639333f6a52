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

	mu      sync.Mutex
	next    int    // number of the next pack
	waiting []held // the first few, for which no pack is begun yet
	pack    *runfile.PackWriter
	begun   int // how many packs or lists of waiting ones were begun
	timer   *time.Timer
}

// A held run file is in memory. done is told where it is kept.
type held struct {
	id   runfile.ID
	data []byte
	meta *runfile.Meta
	done func(*runfile.Run)
}

// packName is the name of a pack. Of equal entries that of the higher number is
// the later one.
func packName(number int) string { return fmt.Sprintf("%08d", number) + runfile.PackSuffix }

// packNumber returns the number in the name of a pack.
func packNumber(name string) (n int, ok bool) {
	digits, ok := strings.CutSuffix(name, runfile.PackSuffix)
	n, err := strconv.Atoi(digits)
	return n, ok && err == nil && n >= 0 && packName(n) == name
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
		run := p.pack.Last(h.meta)
		run.Slim()
		h.done(run)
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
	p.pack, err = p.run.files.CreatePack(p.fs, filepath.Join(p.dir, packName(p.next)))
	p.next++
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
	if w := p.pack; w != nil {
		p.pack = nil
		p.commits.Go(w.Commit)
	}
	for _, h := range p.waiting {
		p.commits.Go(func() error {
			run, err := p.run.files.WriteHeld(p.fs, filepath.Join(p.dir, h.id.Name()), h.data, h.meta)
			h.done(run)
			return err
		})
	}
	p.waiting = nil
}
