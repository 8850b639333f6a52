package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/reader"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
)

// defaultPartitions is the number of partitions of a run file: enough for as
// many machines or cores to merge side by side, and few enough that those of a
// small capture cost nothing.
const defaultPartitions = 16

// A keeper writes each capture's sessions to a run file of its own as soon as
// the capture has ended: a shard.Keeper.
type keeper struct {
	*spillStore
	memory   *memory
	dir      string
	options  runfile.Options
	sessions agg.Options
	report   *report
	stretch  []*keptStretch
}

// A keptStretch is one capture.
type keptStretch struct {
	stretch
	id  *capture.Identity
	run *runfile.Run // once it is kept
}

// runOptions are the options that shape the numbers.
func (f *extractFlags) runOptions() runfile.Options {
	return runfile.Options{
		"direction": f.direction, "key": f.key, "decapsulate": strconv.FormatBool(f.decapsulate),
		"idle-threshold": f.threshold.String(), "idle-timeout": f.timeout.String(),
	}
}

// setRunOptions is the reverse of runOptions.
func (f *extractFlags) setRunOptions(o runfile.Options) (err error) {
	f.direction, f.key, f.decapsulate = o["direction"], o["key"], o["decapsulate"] == "true"
	f.threshold, err = time.ParseDuration(o["idle-threshold"])
	if err == nil {
		f.timeout, err = time.ParseDuration(o["idle-timeout"])
	}
	return errors.Join(err, f.check())
}

// readKept reads inputs, one stretch each, and returns their runs, in order.
func (f *extractFlags) readKept(ctx context.Context, inputs []*input, ids []*capture.Identity, dir string, partitions int, share int64, std *streams, r *report) ([]*runfile.Run, error) {
	p, c := f.pipeline(std, r)
	store := newSpillStore(&f.memory, f.workers, partitions)
	defer store.close()
	k := &keeper{spillStore: store, memory: &f.memory, dir: dir, options: f.runOptions(), sessions: c.Sessions, report: r}
	for i, in := range inputs {
		s := &keptStretch{id: ids[i], stretch: stretch{pipeline: p, inputs: []*input{in}, workers: max(1, f.workers/len(inputs)), counts: &stretchCounts{}}}
		k.stretch = append(k.stretch, s)
		c.Stretches = append(c.Stretches, &s.stretch)
	}
	c.Share, c.Keeper, c.Separate = share, k, true
	defer f.showProgress(inputs, p, std)()
	_, err := shard.Run(ctx, c)
	var runs []*runfile.Run
	for _, s := range k.stretch {
		if s.run != nil {
			runs = append(runs, s.run)
		}
	}
	if err != nil {
		closeRuns(runs)
		return nil, runError(err)
	}
	return runs, nil
}

func closeRuns(runs []*runfile.Run) {
	for _, r := range runs {
		r.Close()
	}
}

// Keep is shard.Keeper's.
func (k *keeper) Keep(ctx context.Context, i int, tables []*agg.Table) (err error) {
	s := k.stretch[i]
	inputs, reordered := k.taken(i, tables)
	temp := runfile.NewTemp(k.memory.fs, k.memory.tempDir)
	defer temp.Close()
	inputs, more, err := temp.Narrow(ctx, inputs, k.partitions, k.sessions)
	if err != nil {
		return err
	}
	reordered += more
	w, err := runfile.Create(k.memory.fs, filepath.Join(k.dir, runfile.RunName(s.id.Path)))
	if err != nil {
		return err
	}
	more, err = w.WriteSessions(ctx, inputs, k.partitions, k.sessions)
	if err != nil {
		w.Abort()
		return err
	}
	said := k.said(s, reordered+more)
	if s.run, err = k.commit(w, s, said); err != nil {
		return err
	}
	k.report.mu.Lock()
	k.report.addDecoded(said)
	k.report.mu.Unlock()
	return k.dropped(i)
}

// commit completes the run. What the system failed to read is not kept, as it
// may be there next time.
func (k *keeper) commit(w *runfile.Writer, s *keptStretch, said *report) (*runfile.Run, error) {
	m := &runfile.Meta{Kind: runfile.Sessions, Options: k.options, Capture: s.id}
	var err error
	if m.Report, err = json.Marshal(said); err != nil {
		w.Abort()
		return nil, err
	}
	for _, d := range said.Damage {
		if d.Kind == reader.IO.String() {
			return w.Detach(m)
		}
	}
	if err := w.Commit(m); err != nil {
		return nil, err
	}
	return runfile.Open(k.memory.fs, filepath.Join(k.dir, runfile.RunName(s.id.Path)))
}

// said is what there is to report of one capture.
func (k *keeper) said(s *keptStretch, reordered uint64) *report {
	said := &report{}
	said.decoded(&s.counts.sum)
	said.Reordered, said.Unmatched = reordered, s.fragments.Unmatched
	in := s.inputs[0]
	k.report.mu.Lock()
	defer k.report.mu.Unlock()
	// What was taken down last is at the end.
	for _, c := range slices.Backward(k.report.Captures) {
		if c.number == in.number {
			c.times()
			said.Captures = []captureReport{c}
			said.Records, said.Bytes, said.NoTime, said.ClampedTime = c.Records, c.Bytes, c.NoTime, c.ClampedTime
			break
		}
	}
	if len(said.Captures) == 1 && said.Captures[0].Complete {
		return said
	}
	for _, d := range slices.Backward(k.report.Damage) {
		if d.Path == in.path {
			said.Damage = []damageReport{d}
			break
		}
	}
	return said
}

// taken returns the sessions of a stretch: what was spilled of it, and what is
// in the tables.
func (k *keeper) taken(stretch int, tables []*agg.Table) (inputs []runfile.Input, reordered uint64) {
	for i := range k.workers {
		w := &k.workers[i]
		w.mu.Lock()
		for _, p := range w.parts {
			if p.stretch == stretch {
				inputs = append(inputs, p.input)
				reordered += p.reordered
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
		before := len(w.parts)
		w.parts = slices.DeleteFunc(w.parts, func(p spilledPart) bool { return p.stretch == stretch })
		if n := before - len(w.parts); n > 0 {
			err = cmp.Or(err, w.temp.Drop(n))
		}
		w.mu.Unlock()
	}
	return err
}
