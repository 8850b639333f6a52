package job

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
)

// DefaultPartitions is the number of partitions of a run file: enough for as
// many machines or cores to merge side by side, and few enough that those of a
// small capture cost nothing.
const DefaultPartitions = 16

// A keeper writes the sessions of each capture to a run file of its own as soon
// as the capture has ended: a shard.Keeper.
type keeper struct {
	*spillStore
	run    *run
	dir    string
	inputs []*ingest.Input
	ids    []*capture.Identity
	runs   []readyRun // without a Run until it is kept
	count  func(i int, r *report.Run)
	footer runfile.Meta // of each, but for Capture and Report

	counting sync.Mutex // held by read

	shelf   *shelf          // nil: all run files are files of their own
	packer  *packer         // with shelf
	commits *errgroup.Group // of run files and packs that are written
	failed  context.Context // done once one could not be committed
}

// mostCommits is how many run files are committed side by side: file systems
// write several to disk in little more time than one. Each is an open file.
const mostCommits = 16

// keep reads inputs, whose identities are ids, and returns their run files, in
// order. What is to be reported of them is in the run files. A run file that has
// no name goes when it is closed. With what the directory holds, shelf, small
// ones are put into packs; without, each is a file of its own.
func (r *run) keep(ctx context.Context, inputs []*ingest.Input, ids []*capture.Identity, dir string, partitions int, shelf *shelf) ([]readyRun, error) {
	footer, err := r.footer()
	if err != nil {
		ingest.Close(inputs)
		return nil, err
	}
	p, c := r.pipeline()
	p.Figures = r.ReportData
	spilled := newSpillStore(r, partitions)
	defer spilled.close()
	k := &keeper{spillStore: spilled, run: r, dir: dir, shelf: shelf, inputs: inputs, ids: ids, runs: make([]readyRun, len(inputs)), footer: footer}
	c.Stretches, k.count = p.Separate(inputs)
	c.Keeper, c.Separate = k, true
	r.Observer.Start(len(inputs), ingest.TotalBytes(inputs))
	k.commits, k.failed = errgroup.WithContext(ctx)
	k.commits.SetLimit(mostCommits)
	if shelf != nil {
		k.packer = &packer{run: r, fs: durable.Later(r.FS), dir: dir, shelf: shelf, commits: k.commits, place: k.place, ready: k.ready}
	}
	stop := ingest.Prefetch(r.FS, inputs)
	_, err = shard.Run(ctx, c)
	stop()
	p.Close()
	r.limitHeap(r.Memory)
	if k.packer != nil {
		k.packer.finish()
	}
	if err = cmp.Or(err, k.commits.Wait(), k.syncDir()); err != nil { // what was kept stays, whatever ended the run
		closeRuns(k.runs)
		return nil, err
	}
	return k.runs, nil
}

// Keep implements shard.Keeper.
func (k *keeper) Keep(ctx context.Context, i int, tables []*agg.Table) (err error) {
	inputs, reordered := k.taken(i, tables)
	sessions := k.run.tables()
	temp := k.run.newTemp()
	defer temp.Close()
	inputs, more, err := temp.Narrow(ctx, inputs, k.partitions, sessions)
	if err != nil {
		return err
	}
	reordered += more
	id, most := runfile.IDOf(k.ids[i]), 0
	if k.packer != nil && !k.shelf.hasOwn(id) {
		most = runfile.MaxPacked
	}
	path := durable.Join(k.dir, id.Name())
	w, err := runfile.CreateHeld(durable.Later(k.run.FS), path, most)
	if err != nil {
		return err
	}
	more, err = w.WriteSessions(ctx, inputs, k.partitions, sessions)
	if err != nil {
		w.Abort()
		return err
	}
	reordered += more
	if err := k.completeID(ctx, i); err != nil {
		w.Abort()
		return err
	}
	if err := k.commit(w, path, id, i, reordered); err != nil {
		return err
	}
	if k.failed.Err() != nil {
		return context.Cause(k.failed)
	}
	return k.dropped(i)
}

// syncDir makes the directory entries of the run files durable.
func (k *keeper) syncDir() error {
	for _, r := range k.runs {
		if r.Run == nil || r.Detached() {
			continue
		}
		if err := k.run.FS.SyncDir(r.File()); err != nil {
			return durable.WriteFailed(r.File(), err)
		}
		break // they are all in one directory
	}
	return nil
}

// commit completes the run file, or gives it to the packer. What the system failed
// to read is not kept, as it may be there next time.
func (k *keeper) commit(w *runfile.Writer, path string, id runfile.ID, i int, reordered uint64) error {
	found := &report.Run{Reordered: reordered}
	k.count(i, found)
	about, damage := k.inputs[i].Report()
	if about != nil {
		found.AddCapture(about)
	}
	if damage != nil {
		found.Damage = []report.Damage{*damage}
	}
	m, err := withReport(k.footer, k.ids[i], found)
	if err != nil {
		w.Abort()
		return err
	}
	failed := found.Failed()
	k.read(i, found, about, damage)
	if failed {
		run, err := w.Detach(m)
		if err != nil {
			return err
		}
		k.place(i, run)
		return k.ready(i)
	}
	data, small, err := w.Held(m)
	switch {
	case err != nil:
		w.Abort()
		return err
	case small:
		return k.packer.add(held{i, id, data, m})
	}
	k.commits.Go(func() error {
		if err := w.Commit(m); err != nil {
			return err
		}
		k.place(i, k.run.files.Run(path, m))
		return k.ready(i)
	})
	return nil
}

// read takes over what was found in capture i.
func (k *keeper) read(i int, found *report.Run, about *report.Capture, damage *report.Damage) {
	run := &k.runs[i]
	run.read, run.about, run.damage = true, about, damage
	k.counting.Lock()
	defer k.counting.Unlock()
	k.run.takeFigures(found, k.run.Figures)
	found.Captures, found.Damage = nil, nil // in capture order: see addReady
	k.run.report.Add(found)
}

// place takes the run file of capture i.
func (k *keeper) place(i int, run *runfile.Run) {
	run.Slim() // as many as there are captures wait for the end of the run
	k.runs[i].Run = run
}

// ready tells the outcome of capture i, whose run file has its name now, if it is
// to have one.
func (k *keeper) ready(i int) error {
	if k.run.Outcome == nil {
		return nil
	}
	return k.run.tellOutcome(k.outcome(i))
}

// outcome says what became of capture i.
func (k *keeper) outcome(i int) *Outcome {
	in, run := k.inputs[i], k.runs[i]
	found, damage := in.Report()
	o := &Outcome{Name: in.Path, Range: rangeText(in.Range), Status: Made, Damage: damage, Seconds: in.Elapsed().Seconds()}
	if found != nil {
		o.Records, o.Packets, o.Bytes = found.Records, found.Packets, found.Bytes
	}
	switch {
	case run.Detached():
		o.Status = k.run.lostStatus(in.Path)
		return o
	case damage != nil:
		o.Status = Broken
	}
	o.RunFile, o.Sessions = run.Name(), run.Entries()
	return o
}

// footer makes what the footers of all run files of a run have.
func (r *run) footer() (m runfile.Meta, err error) {
	m.Kind = runfile.Sessions
	if m.Options, err = json.Marshal(r.Sessions); err == nil {
		m.Kept, err = json.Marshal(r.kept)
	}
	return m, err
}

// withReport makes the footer of one run file.
func withReport(m runfile.Meta, id *capture.Identity, found *report.Run) (_ *runfile.Meta, err error) {
	m.Capture = id
	m.Report, err = json.Marshal(found)
	return &m, err
}

// taken returns the sessions of a stretch: what was spilled of it, and what is
// in the tables.
func (k *keeper) taken(stretch int, tables []*agg.Table) (inputs []runfile.Input, reordered uint64) {
	for i := range k.workers {
		w := &k.workers[i]
		w.mu.Lock()
		for _, t := range w.tables {
			if t.stretch == stretch {
				inputs = append(inputs, t.input)
				reordered += t.reordered
			}
		}
		w.mu.Unlock()
		if t := tables[i]; t != nil {
			inputs = append(inputs, runfile.TableInput(t, k.partitions))
			reordered += t.Reordered()
		}
	}
	return inputs, reordered
}

// dropped says that what was spilled of a stretch is not needed any more. Its
// disk space comes back once that holds for all of the file: see Temp.Drop.
func (k *keeper) dropped(stretch int) (err error) {
	for i := range k.workers {
		w := &k.workers[i]
		w.mu.Lock()
		before := len(w.tables)
		w.tables = slices.DeleteFunc(w.tables, func(t spilledTable) bool { return t.stretch == stretch })
		if n := before - len(w.tables); n > 0 {
			err = cmp.Or(err, w.temp.Drop(n))
		}
		w.mu.Unlock()
	}
	return err
}
