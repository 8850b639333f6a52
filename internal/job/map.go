package job

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// Map reads the captures and puts the sessions of each into a run file in dir,
// which is made if there is none, in so many partitions. The name of a run file
// follows from the path of its capture, and it gets it only when it is complete;
// so does a pack of small ones, whose name nothing else has.
// Captures whose run files there are current are not read, unless Config.Again
// says so: the run files were made of the same content, with the same
// Config.Sessions and number of partitions, keep what Config.Columns needs, and
// are whole. Several may work in one directory at the same time.
//
// What is no capture at all gets a run file that says so. What is missing, or
// could not be read, has none: the error wraps ErrNoRunFile then, and all other
// run files are there. With Config.Strict the job ends at the first capture that
// is damaged, missing or could not be read; that one has no run file, nor have
// others that were not done by then.
//
// With Config.Range there is one capture, and the run file is that of its range.
func Map(ctx context.Context, c Config, dir string, partitions int, found *capture.Found) (*report.Run, error) {
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	if partitions < 1 || partitions > runfile.MaxPartitions {
		return r.report, failure(Usage, "--partitions %d: must be 1 to %d", partitions, runfile.MaxPartitions)
	}
	if err := r.lay(); err != nil {
		return r.report, err
	}
	if err := r.refuseWhole("map"); err != nil {
		return r.report, err
	}
	if err := cmp.Or(r.nameStdin(found), r.checkRange(found)); err != nil {
		return r.report, err
	}
	return r.report, categorised(ctx, r.makeRuns(ctx, dir, partitions, found))
}

func (r *run) makeRuns(ctx context.Context, dir string, partitions int, found *capture.Found) (err error) {
	defer agg.CatchOutOfMemory(&err)
	if err := r.makeDir(dir); err != nil {
		return err
	}
	runs, lost, err := r.runFiles(ctx, dir, partitions, found)
	if err != nil {
		return err
	}
	defer closeRuns(runs)
	if err := r.addReady(runs); err != nil {
		return err
	}
	for _, run := range runs {
		r.report.Sessions += run.Entries()
		if run.Detached() {
			lost++
		}
	}
	r.finish()
	if lost > 0 {
		return failure(Input, "%s %w in %s", report.Plural(lost, "capture"), ErrNoRunFile, dir)
	}
	return nil
}

// runFiles returns the run files of the captures that are none of the lost, in
// capture order: those that are there and current, and those that it makes.
func (r *run) runFiles(ctx context.Context, dir string, partitions int, found *capture.Found) (runs []readyRun, lost uint64, err error) {
	s := &state{run: r, dir: dir, partitions: partitions}
	if runs, err = s.currentStdin(); err != nil || runs != nil {
		return runs, 0, err
	}
	inputs, err := r.open(ctx, found)
	if err != nil {
		return nil, 0, err
	}
	ids, err := r.identify(inputs)
	if err == nil {
		lost, err = r.keepLost(ctx, dir, partitions)
	}
	if err != nil {
		ingest.Close(inputs)
		return nil, 0, err
	}
	if len(inputs) > 0 && r.Range.Whole() && r.stream == nil && !durable.IsObject(dir) {
		if err := s.openShelf(wantedIDs(ids)); err != nil {
			ingest.Close(inputs)
			return nil, 0, err
		}
	}
	if !r.Again && r.stream == nil {
		if runs, inputs, ids, err = s.sift(inputs, ids); err != nil {
			return nil, 0, err
		}
		if err := s.tellCurrent(runs); err != nil {
			ingest.Close(inputs)
			return nil, 0, err
		}
	}
	if len(inputs) == 0 && len(runs) > 0 {
		return runs, lost, nil
	}
	made, err := r.keep(ctx, inputs, ids, dir, partitions, s.shelf)
	if err != nil {
		return nil, 0, err
	}
	runs = append(runs, made...)
	sortRuns(runs)
	return runs, lost, nil
}

// wantedIDs are the IDs of captures, for openShelf.
func wantedIDs(ids []*capture.Identity) map[runfile.ID]bool {
	wanted := make(map[runfile.ID]bool, len(ids))
	for _, id := range ids {
		wanted[runfile.IDOf(id)] = true
	}
	return wanted
}

// tellCurrent says which captures need not be read.
func (s *state) tellCurrent(runs []readyRun) error {
	if len(runs) == 0 {
		return nil
	}
	s.Observer.Note(fmt.Sprintf("not reading %s whose run files in %s are current", report.Plural(uint64(len(runs)), "capture"), report.Printable(s.dir)))
	if s.Outcome == nil {
		return nil
	}
	for _, run := range runs {
		k, err := read(run.Run)
		if err != nil {
			return err
		}
		if err := s.tellOutcome(k.outcome()); err != nil {
			return err
		}
	}
	return nil
}

// identify returns the identities of inputs, which must be captures that can be
// read again. That of standard input under a name is completed by completeID.
func (r *run) identify(inputs []*ingest.Input) (ids []*capture.Identity, err error) {
	for _, in := range inputs {
		if r.stream != nil {
			ids = append(ids, &capture.Identity{Path: in.Path, First: in.First, Timed: in.Timed, Tag: r.StdinTag})
			continue
		}
		id, err := in.Identify(r.FS)
		if errors.Is(err, ingest.ErrReadOnce) {
			return nil, failure(Usage, "%s: %w", in.Path, err)
		}
		if err != nil {
			return nil, &Error{Input, err}
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// keepLost makes run files of what could not be opened because it is no capture:
// all there is to say of it is the damage, and whoever merges has to know that
// it was there. It returns the number of captures that have no run file.
func (r *run) keepLost(ctx context.Context, dir string, partitions int) (lost uint64, err error) {
	for i := range r.report.Damage {
		d := &r.report.Damage[i]
		o := &Outcome{Name: d.Path, Range: rangeText(r.Range), Status: NotACapture, Damage: d}
		id, err := r.identifyLost(ctx, d)
		if cause := context.Cause(ctx); cause != nil {
			return 0, cause
		}
		if err != nil || d.Kind == report.KindIO {
			lost++
			o.Status = r.lostStatus(d.Path)
		} else if o.RunFile, err = r.keepDamage(ctx, dir, partitions, id, d); err != nil {
			return 0, err
		}
		if err := r.tellOutcome(o); err != nil {
			return 0, err
		}
	}
	return lost, nil
}

// keepDamage makes a run file without sessions.
func (r *run) keepDamage(ctx context.Context, dir string, partitions int, id *capture.Identity, d *report.Damage) (path string, err error) {
	footer, err := r.footer()
	if err != nil {
		return "", err
	}
	m, err := withReport(footer, id, &report.Run{Damage: []report.Damage{*d}})
	if err != nil {
		return "", err
	}
	path = durable.Join(dir, runfile.IDOf(id).Name())
	w, err := runfile.Create(r.FS, path)
	if err != nil {
		return "", err
	}
	if _, err := w.WriteSessions(ctx, nil, partitions, r.tables()); err != nil {
		w.Abort()
		return "", err
	}
	return path, w.Commit(m)
}
