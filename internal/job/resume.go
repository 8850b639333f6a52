package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// Resume is Extract with a state directory, which is made if there is none: what
// was read of each capture is kept there as a run file, and only captures that
// are new or have changed are read.
func Resume(ctx context.Context, c Config, dir string, found *capture.Found, w io.Writer) (*report.Run, error) {
	r, err := c.begin()
	if err == nil && c.Interleave {
		err = failure(Usage, "--state keeps captures one by one, --interleave mixes them: use one or the other")
	}
	if err == nil {
		err = r.lay()
	}
	if err == nil {
		err = r.refuseWhole("--state")
	}
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, r.resume(ctx, dir, found, w))
}

func (r *run) resume(ctx context.Context, dir string, found *capture.Found, w io.Writer) (err error) {
	defer agg.CatchOutOfMemory(&err)
	inputs, err := r.open(ctx, found)
	if err != nil {
		return err
	}
	if len(inputs) == 0 {
		return ErrNothingRead
	}
	runs, err := r.current(ctx, dir, inputs)
	if err != nil {
		return err
	}
	defer closeRuns(runs)
	if err := r.addReady(runs); err != nil {
		return err
	}
	return r.join(ctx, filesOf(runs), w)
}

// A readyRun is a run file with the sessions of one capture. about and damage
// are what is to be reported of a capture that this run has read; its records
// are in the report already. Of other captures the run file says it.
type readyRun struct {
	*runfile.Run
	read   bool
	about  *report.Capture
	damage *report.Damage
}

// sortRuns puts run files in capture order.
func sortRuns(runs []readyRun) {
	slices.SortStableFunc(runs, func(a, b readyRun) int { return a.Capture.Compare(b.Capture) })
}

func filesOf(runs []readyRun) []*runfile.Run {
	list := make([]*runfile.Run, len(runs))
	for i := range runs {
		list[i] = runs[i].Run
	}
	return list
}

func closeRuns(runs []readyRun) {
	for _, r := range runs {
		if r.Run != nil {
			r.Close()
		}
	}
}

// addReady adds to the report what there is to say of the captures of run files,
// which are in capture order.
func (r *run) addReady(runs []readyRun) error {
	var x runfile.PackReader
	defer x.Close()
	for i := range runs {
		run := &runs[i]
		if !run.read {
			if err := r.addKept(&x, run.Run); err != nil {
				return err
			}
			continue
		}
		if run.about != nil {
			r.report.Captures = append(r.report.Captures, *run.about)
		}
		if run.damage != nil {
			r.report.Damage = append(r.report.Damage, *run.damage)
		}
		run.about, run.damage = nil, nil
	}
	if err := x.Close(); err != nil {
		return err
	}
	return r.report.Balance()
}

// addKept adds to the report what a run file says of its capture.
func (r *run) addKept(x *runfile.PackReader, run *runfile.Run) error {
	full, err := r.files.Full(run, x)
	if err != nil {
		return err
	}
	k, err := read(full)
	if err != nil {
		return err
	}
	r.takeFigures(k.report, r.Figures)
	r.report.Add(k.named(run.Capture.Path))
	return nil
}

// current returns a run file for each input, in capture order: those that were
// kept before, and those of the captures that it reads.
func (r *run) current(ctx context.Context, dir string, inputs []*ingest.Input) ([]readyRun, error) {
	ids, err := r.identify(inputs)
	if err != nil {
		ingest.Close(inputs)
		return nil, err
	}
	s, err := r.openState(dir)
	if err != nil {
		ingest.Close(inputs)
		return nil, err
	}
	defer s.lock.Close()
	runs, missing, missingIDs, err := s.sift(inputs, ids)
	if err != nil {
		return nil, err
	}
	if len(missing) > 0 {
		s.shelf.packed = nil // is not needed any more
		more, err := r.keep(ctx, missing, missingIDs, dir, DefaultPartitions, s.shelf)
		if err != nil {
			return nil, err
		}
		runs = append(runs, more...)
	}
	s.removeBroken()
	sortRuns(runs)
	return runs, nil
}

// sift returns the run files that can be used, closes their captures, and reports
// the damage that those have. The other captures, missing, are to be read; after
// an error all are closed.
func (s *state) sift(inputs []*ingest.Input, ids []*capture.Identity) (runs []readyRun, missing []*ingest.Input, missingIDs []*capture.Identity, err error) {
	kept, err := s.reusable(ids)
	if err != nil {
		ingest.Close(inputs)
		return nil, nil, nil, err
	}
	for i, in := range inputs {
		k := kept[i]
		if k == nil {
			missing, missingIDs = append(missing, in), append(missingIDs, ids[i])
			continue
		}
		ingest.Close([]*ingest.Input{in})
		k.run.Capture = ids[i]
		runs = append(runs, readyRun{Run: k.run})
		if err := s.tellKept(k.damaged, ids[i].Path); err != nil {
			ingest.Close(inputs)
			return nil, nil, nil, err
		}
	}
	return runs, missing, missingIDs, nil
}

// tellKept reports the damage of a capture that a run file keeps, nil for none.
// With Config.Strict that ends the run, as it does where the capture is read.
func (s *state) tellKept(damaged *keptRun, path string) error {
	if damaged == nil {
		return nil
	}
	found := damaged.named(path)
	if s.Strict && found.Damaged() {
		return &ingest.DamageError{Damage: found.Damage[0]}
	}
	s.tell(found)
	return nil
}

// optionsName is the file in a state directory that says what its run files were
// made with.
const optionsName = "options.json"

// maxOptions is the largest size of that file, in bytes: it has some hundred.
const maxOptions = 1 << 16

// Keeps reports whether a file of that name in a state directory, or in one for
// run files or parts, is one that jobs make there.
func Keeps(name string) bool {
	return name == optionsName || name == durable.LockName ||
		strings.HasSuffix(name, runfile.RunSuffix) || strings.HasSuffix(name, runfile.PackSuffix) || strings.HasSuffix(name, runfile.PartSuffix)
}

// A state is a directory with the run files of captures that were read before: a
// state directory, or one that several may use.
type state struct {
	*run
	dir        string
	partitions int           // that run files must have; 0: any number
	lock       *durable.Lock // nil: others may use the directory too
	shelf      *shelf        // nil: all run files are files of their own
}

// openState takes a state directory, made if there is none, for this process.
func (r *run) openState(dir string) (*state, error) {
	if err := durable.MakeDir(r.FS, dir); err != nil {
		return nil, failure(Output, "state directory: %w", err)
	}
	lock, err := durable.LockDir(dir)
	switch {
	case errors.Is(err, durable.ErrLocked):
		return nil, failure(Input, "--state %s: another run uses this directory", dir)
	case errors.Is(err, durable.ErrNotRegular):
		return nil, failure(Kept, "--state %s: %w", dir, err)
	case err != nil:
		return nil, &Error{Output, err}
	}
	s := &state{run: r, dir: dir, lock: lock}
	durable.Sweep(dir, runfile.RunSuffix, runfile.PackSuffix)
	err = s.checkOptions()
	if err == nil {
		err = s.openShelf(nil)
	}
	if err == nil {
		err = s.tidy()
	}
	if err != nil {
		lock.Close()
		return nil, err
	}
	return s, nil
}

// checkOptions refuses options that differ from those of the run files in the
// directory.
func (s *state) checkOptions() error {
	path := filepath.Join(s.dir, optionsName)
	kept, err := readOptions(s.FS, path)
	if errors.Is(err, fs.ErrNotExist) {
		var text []byte
		if text, err = json.MarshalIndent(s.Sessions, "", "  "); err == nil {
			err = durable.Replace(s.FS, path, append(text, '\n'))
		}
		if err != nil {
			return failure(Output, "state directory: write %s: %w", path, err)
		}
		return nil
	}
	if err != nil {
		return failure(Kept, "--state: %s: %w", path, durable.Cause(err))
	}
	if d := kept.Differences(s.Sessions); len(d) > 0 {
		return failure(Kept, "--state %s was made with other options: %s (there and here)", s.dir, strings.Join(d, ", "))
	}
	return nil
}

// A reusable run file is one that was kept before, with as little of it as can
// be: there may be a hundred thousand.
type reusable struct {
	run     *runfile.Run
	kept    kept
	damaged *keptRun // what is to be told of its capture; nil: nothing
	figured bool     // has figures of packets
}

// reusable returns the run files of the captures, nil where there is none that
// can be used. In a state directory all that it returns keep the same as the run
// will: what is asked for, and what those that can be used keep besides.
func (s *state) reusable(ids []*capture.Identity) ([]*reusable, error) {
	list := make([]*reusable, len(ids))
	var x runfile.PackReader
	defer x.Close()
	if s.shelf == nil { // then they may be in object storage
		defer s.prefetch(ids)()
	}
	for i, id := range ids {
		k, err := s.reuse(id, &x)
		if err != nil {
			return nil, err
		}
		if k == nil {
			continue
		}
		if s.lock != nil {
			if k.kept.lacks(s.kept) == "" {
				s.kept = s.kept.and(k.kept)
			}
			k.Slim()
		}
		list[i] = &reusable{run: k.Run, kept: k.kept, figured: k.figured}
		if k.report.Damaged() {
			list[i].damaged = k
		}
	}
	for i, k := range list {
		if k == nil {
			continue
		}
		lacks := k.kept.lacks(s.kept)
		if lacks == "" && s.ReportData && !k.figured {
			lacks = "--report-data"
		}
		if lacks != "" {
			s.Observer.Note(fmt.Sprintf("%s: what was kept of it is without what %s needs, reading it again", ids[i].Path, lacks))
			list[i] = nil
		}
	}
	return list, nil
}

// prefetch says that the run files of these captures will be opened, as far as
// there are any.
func (s *state) prefetch(ids []*capture.Identity) (stop func()) {
	var paths []string
	for _, id := range ids {
		paths = append(paths, durable.Join(s.dir, runfile.IDOf(id).Name()))
	}
	return durable.Prefetch(s.FS, durable.Ends, paths)
}

// reuse returns the run file of a capture, nil where there is none that can be
// used. If there is one, it notes why. What is no file at all was put there by
// somebody, and is an error.
func (s *state) reuse(id *capture.Identity, x *runfile.PackReader) (*keptRun, error) {
	k, err := s.openCurrent(id, x)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case errors.Is(err, durable.ErrNotRegular):
		return nil, &Error{Kept, err}
	case errors.Is(err, errChanged):
		s.Observer.Note(fmt.Sprintf("%s: %v, reading it again", id.Path, err))
		return nil, nil
	case err != nil:
		s.Observer.Note(fmt.Sprintf("%s: what was kept of it cannot be used, reading it again: %v", id.Path, err))
		return nil, nil
	}
	return k, nil
}

var errChanged = errors.New("changed since it was read")

// openCurrent opens the run file of a capture and checks that it is whole and
// the capture unchanged.
func (s *state) openCurrent(id *capture.Identity, x *runfile.PackReader) (*keptRun, error) {
	at, ok := s.shelf.at(runfile.IDOf(id), s.dir)
	if !ok {
		return nil, fs.ErrNotExist
	}
	run, err := s.openPlace(at, x)
	if err != nil {
		return nil, err
	}
	if run.Kind != runfile.Sessions {
		return nil, wrongKind(run)
	}
	k, err := read(run)
	if err != nil {
		return nil, err
	}
	if d := k.sessions.Differences(s.Sessions); len(d) > 0 {
		return nil, fmt.Errorf("%s was made with other options: %s (there and here)", run.Path, strings.Join(d, ", "))
	}
	if n := len(run.Index); s.partitions > 0 && n != s.partitions {
		return nil, fmt.Errorf("%s has %s, not %d", run.Path, report.Plural(uint64(n), "partition"), s.partitions)
	}
	if !run.Capture.Unchanged(id) {
		return nil, errChanged
	}
	if slices.ContainsFunc(k.report.Damage, func(d report.Damage) bool { return d.Memory }) {
		return nil, errors.New("--memory left too little for the capture then")
	}
	k.figured = k.report.Records == 0 || k.report.Figures != nil && k.report.Figures.Packets != nil
	k.report.Figures = nil
	if at.pack != nil {
		return k, nil
	}
	return k, run.Verify()
}
