package job

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// A keptRun is a run file with what its footer says.
type keptRun struct {
	*runfile.Run
	sessions Sessions
	kept     kept
	report   *report.Run // nil once prepare has taken it over
	records  uint64      // of the report
	entries  uint64      // that Slim may forget
	figured  bool        // had figures of packets, which openCurrent takes away
}

// maxPath is the largest length of the path of a capture that a run file may
// name, in bytes: twice what Linux takes. It bounds the text of a row.
const maxPath = 8 << 10

// A keptReader decodes footers. Those of one job have the same options, which it
// decodes once. Its zero value is ready for use.
type keptReader struct {
	last     string // options and kept, as they are in the file
	sessions Sessions
	kept     kept
}

// read decodes what the footer says.
func read(run *runfile.Run) (*keptRun, error) { return new(keptReader).read(run) }

func (x *keptReader) read(run *runfile.Run) (*keptRun, error) {
	if run.Capture != nil && len(run.Capture.Path) > maxPath {
		return nil, failure(Kept, "%s: %w: the path of its capture has %d bytes", run.Path, runfile.ErrDamaged, len(run.Capture.Path))
	}
	if err := x.readOptions(run); err != nil {
		return nil, failure(Kept, "%s: %w", run.Path, err)
	}
	k := &keptRun{Run: run, sessions: x.sessions, kept: x.kept, report: &report.Run{}}
	if err := json.Unmarshal(run.Report, k.report); err != nil {
		return nil, failure(Kept, "%s: %w: report: %w", run.Path, runfile.ErrDamaged, err)
	}
	k.records, k.entries = k.report.Records, run.Entries()
	return k, nil
}

// readOptions decodes what a file was made with.
func (x *keptReader) readOptions(run *runfile.Run) (err error) {
	text := string(run.Options) + "\x00" + string(run.Kept)
	if text == x.last {
		return nil
	}
	x.last, x.sessions = "", DefaultSessions()
	if len(run.Options) > 0 {
		if err := json.Unmarshal(run.Options, &x.sessions); err != nil {
			return err
		}
	}
	if x.kept, err = readKept(run.Kept); err == nil {
		x.last = text
	}
	return err
}

// named gives what is reported of the capture the path that it has now.
func (k *keptRun) named(path string) *report.Run {
	for i := range k.report.Captures {
		c := &k.report.Captures[i]
		c.Path = path
		if c.First == nil && k.Capture.Timed { // made by an earlier version
			first := k.Capture.First
			c.First = &first
		}
	}
	for i := range k.report.Damage {
		k.report.Damage[i].Path = path
	}
	return k.report
}

// tellLeftOut reports a capture of which no record counts.
func (r *run) tellLeftOut(c *report.Capture) {
	if c.LeftOut {
		r.Observer.Notice(c.LeftOutLine())
	}
}

// tell reports damage that was found when the captures were read.
func (r *run) tell(found *report.Run) {
	for i := range found.Captures {
		r.tellLeftOut(&found.Captures[i])
	}
	for i := range found.Damage {
		r.Observer.Notice(found.Damage[i].String())
	}
}

// RunFiles lists the files that names name: run files and packs of them, and the
// files *.run and *.pack of directories, each once.
func RunFiles(fsys durable.FS, names []string) ([]string, error) {
	return keptFiles(fsys, names, runfile.RunSuffix, runfile.PackSuffix)
}

// Parts lists the parts that names name: files, and the files *.part of
// directories, each once.
func Parts(fsys durable.FS, names []string) ([]string, error) {
	return keptFiles(fsys, names, runfile.PartSuffix)
}

func keptFiles(fsys durable.FS, names []string, suffixes ...string) (list []string, err error) {
	if len(names) == 0 {
		return nil, failure(Usage, "no run files named")
	}
	seen := map[string]bool{}
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		paths := []string{name}
		info, err := fsys.Stat(name)
		switch {
		case err == nil && info.IsDir():
			if paths, err = filesIn(fsys, name, suffixes); err != nil {
				return nil, err
			}
		case err == nil && !info.Mode().IsRegular():
			return nil, failure(Usage, "%s: a run file is read at many places at once, and this is no regular file", name)
		case err != nil && durable.IsObject(name) && strings.ContainsAny(name, "*?["): // which no shell knows
			matches, err := fsys.Glob(name)
			if err == nil && len(matches) == 0 {
				err = &fs.PathError{Op: "open", Path: name, Err: errors.New("no file matches the pattern")}
			}
			if err != nil {
				return nil, &Error{Input, err}
			}
			names = slices.Concat(matches, names)
			continue
		case err != nil && !errors.Is(err, fs.ErrNotExist): // it may be a directory
			return nil, &Error{Input, err}
		}
		for _, path := range paths {
			abs, err := absolute(path)
			if err != nil || seen[abs] {
				continue
			}
			seen[abs] = true
			list = append(list, path)
		}
	}
	return list, nil
}

// absolute is filepath.Abs, which would clean the name of an object.
func absolute(path string) (string, error) {
	if durable.IsObject(path) {
		return path, nil
	}
	return filepath.Abs(path)
}

func filesIn(fsys durable.FS, dir string, suffixes []string) (paths []string, err error) {
	entries, err := fsys.ReadDir(dir)
	if err != nil {
		return nil, &Error{Input, err}
	}
	for _, e := range entries {
		ours := slices.ContainsFunc(suffixes, func(s string) bool { return strings.HasSuffix(e.Name(), s) })
		_, pack := packNumber(e.Name()) // one that is no file hides what may be missing
		file := e.Type()&(fs.ModeDir|fs.ModeNamedPipe|fs.ModeSocket|fs.ModeDevice) == 0
		if ours && !strings.HasPrefix(e.Name(), ".") && (file || pack) {
			paths = append(paths, durable.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, failure(Input, "%s: no files *%s in this directory", dir, strings.Join(suffixes, " or *"))
	}
	return paths, nil
}

// openKept opens files of one kind, with all that is in packs. It calls slim for
// each, which frees what is not needed any more; first is the first of them.
func (r *run) openKept(paths []string, kind runfile.Kind, slim func(k, first *keptRun)) (list []*keptRun, err error) {
	if r.Strict {
		return nil, failure(Usage, "only what reads captures can stop at a damaged one")
	}
	places, _, err := r.places(paths, nil, func(_ string, err error) error { return err })
	if err != nil {
		return nil, err
	}
	var x runfile.PackReader
	defer x.Close()
	var footers keptReader
	defer durable.Prefetch(r.FS, durable.Ends, paths)()
	for _, p := range places {
		run, err := r.openPlace(p, &x)
		if err != nil {
			return nil, err
		}
		if run.Kind != kind {
			return nil, wrongKind(run)
		}
		k, err := footers.read(run)
		if err != nil {
			return nil, err
		}
		if kind == runfile.Rows {
			r.takePartFigures(k.report, len(list) == 0)
		} else {
			r.takeFigures(k.report, r.Figures)
		}
		list = append(list, k)
		slim(k, list[0])
	}
	if len(list) == 0 {
		return nil, failure(Kept, "%s: no run files in this pack", paths[0])
	}
	return list, nil
}

func wrongKind(run *runfile.Run) error {
	if run.Kind == runfile.Rows {
		return failure(Kept, "%s is a part, not a run file", run.Path)
	}
	return failure(Kept, "%s is a run file, not a part", run.Path)
}

// prepare puts run files in capture order, refuses those that do not go
// together, takes over their options, and reports what they say of their
// captures. With quiet damage is not told: each of many parts would repeat it. It
// returns those that count: see joinRanges.
func (r *run) prepare(runs []*keptRun, quiet bool) ([]*keptRun, error) {
	for _, k := range runs {
		if d := runs[0].sessions.Differences(k.sessions); len(d) > 0 {
			return nil, failure(Kept, "%s and %s were made with other options: %s", runs[0].Name(), k.Name(), strings.Join(d, ", "))
		}
	}
	r.takeSessions(runs[0].sessions)
	if err := r.lay(); err != nil {
		return nil, err
	}
	for _, k := range runs {
		if lacks := k.kept.lacks(r.kept); lacks != "" {
			return nil, failure(Kept, "%s does not have what %s needs: it was made with %v", k.Name(), lacks, k.kept)
		}
	}
	r.narrow(runs)
	slices.SortStableFunc(runs, func(a, b *keptRun) int { return a.Capture.Compare(b.Capture) })
	if err := cmp.Or(twoPlans(runs), sameCapture(runs)); err != nil && !r.Duplicates {
		return nil, err
	}
	if err := r.checkExpected(capturesOf(runs)); err != nil {
		return nil, err
	}
	runs, err := r.joinRanges(runs)
	if err != nil {
		return nil, err
	}
	for i, k := range runs {
		found := k.named(k.Capture.Path)
		if i > 0 && k.Continues(runs[i-1].Run) {
			r.addRange(found)
		} else {
			r.report.Add(found)
		}
		if !quiet {
			r.tell(found)
		}
		k.report = nil
	}
	r.takeRuns(runs)
	return runs, r.report.Balance()
}

// narrow makes the sessions of run files keep the same: what all of them keep, if
// that is the same, else what the columns need.
func (r *run) narrow(runs []*keptRun) {
	all := runs[0].kept
	for _, k := range runs {
		if !k.kept.equal(all) {
			all = r.kept
		}
	}
	r.kept = all
	made := map[string]*agg.Options{}
	for _, k := range runs {
		if k.kept.equal(all) {
			continue
		}
		name := k.kept.String()
		if made[name] == nil {
			o := r.Sessions.tables(k.kept, r.seed)
			o.Captures = r.Sessions.Capture
			made[name] = &o
		}
		k.Made = made[name]
	}
}

// twoPlans returns an error if a capture is there as a whole and in ranges, or in
// the ranges of two plans. Its content may have changed between them, so that
// nothing else would tell. Requires: runs are in capture order.
func twoPlans(runs []*keptRun) error {
	seen := map[string]*keptRun{} // the last of each path
	for _, k := range runs {
		before := seen[k.Capture.Path]
		if before != nil && !k.Continues(before.Run) && !(before.Capture.Range.Whole() && k.Capture.Range.Whole()) {
			return failure(Kept, "%s: %s has %s, and %s has %s: remove the run files of one plan, or map into another directory",
				report.Printable(k.Capture.Path), before.Path, shareText(before.Capture.Range), k.Path, shareText(k.Capture.Range))
		}
		seen[k.Capture.Path] = k
	}
	return nil
}

func shareText(r capture.Range) string {
	if r.Whole() {
		return "all of it"
	}
	return "its range " + r.String()
}

// sameCapture returns an error if two run files hold one capture, under whatever
// name. Captures without records are alike and do no harm.
func sameCapture(runs []*keptRun) error {
	type content struct {
		digest string
		size   int64
	}
	seen := map[content]*keptRun{}
	for _, k := range runs {
		c := content{k.Capture.Digest, k.Capture.Size}
		if first := seen[c]; first != nil && k.Capture.Timed && !k.Continues(first.Run) {
			return failure(Kept, "%s and %s hold the same capture (%s and %s); --allow-duplicates counts it twice",
				first.Name(), k.Name(), first.Capture.Path, k.Capture.Path)
		}
		seen[c] = k
	}
	return nil
}

// join merges run files, which are in capture order, and writes the rows.
func (r *run) join(ctx context.Context, runs []*runfile.Run, w io.Writer) error {
	groups, group, partitions := runfile.Groups(runs, r.Sessions.Capture)
	r.nameCaptures(runs)
	j := r.joiner(partitions, nil)
	defer j.Close()
	if err := j.Merge(ctx, groups, group); err != nil {
		return err
	}
	r.count(j)
	r.planFigures(r.report.Sessions, r.Figures, r.CaptureSessions)
	r.finish()
	return r.write(ctx, j, outputWriter{w}, mostTop, nil)
}

// nameCaptures sets captures to those of run files, which are in capture order.
func (r *run) nameCaptures(runs []*runfile.Run) {
	r.captures = nil
	for i, k := range runs {
		if i == 0 || !k.Continues(runs[i-1]) {
			r.captures = append(r.captures, k.Capture.Path)
		}
	}
}

func runsOf(list []*keptRun) (runs []*runfile.Run) {
	for _, k := range list {
		runs = append(runs, k.Run)
	}
	return runs
}

// makeDir makes a directory for run files or parts, and removes what writers
// that were killed left there.
func (r *run) makeDir(dir string) error {
	if err := durable.MakeDir(r.FS, dir); err != nil {
		return &Error{Output, err}
	}
	durable.Sweep(dir, runfile.RunSuffix, runfile.PackSuffix, runfile.PartSuffix)
	return nil
}
