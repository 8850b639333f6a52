package job

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// Verify reads files to their last bit and hands what there is to say of each to
// put: run files, parts, options of state directories, and captures, by their
// content and where that does not tell by their names. Of a directory it takes
// all files, with recursive those below it too.
//
// Damage is no error: it is in what put gets. The error is that of put, or the
// cause of ctx.
func Verify(ctx context.Context, c Config, paths []string, recursive bool, put func(*report.Verification) error) error {
	r, err := c.begin()
	if err != nil {
		return err
	}
	v := &verifier{run: r, put: put, options: map[string]*Sessions{}}
	for _, path := range paths {
		if err := v.named(ctx, path, recursive); err != nil {
			return err
		}
	}
	return nil
}

// A verifier verifies one file after the other.
type verifier struct {
	*run
	put     func(*report.Verification) error
	options map[string]*Sessions // by directory; nil: none, or damaged
	dir     string               // of the last pack
	live    map[string][]int     // entries that count, by the names of files in dir
}

// named verifies what a user gave.
func (v *verifier) named(ctx context.Context, path string, recursive bool) error {
	if path == capture.StdinName {
		return v.capture(ctx, path)
	}
	info, err := v.FS.Stat(path)
	switch {
	case err != nil:
		return v.unread(path, err)
	case !info.IsDir():
		return v.file(ctx, path)
	}
	return v.directory(ctx, path, recursive)
}

// unread puts what is missing, or could not be looked at.
func (v *verifier) unread(path string, err error) error {
	d := &report.Damage{Path: path, Kind: report.KindIO, Reason: durable.Cause(err).Error()}
	return v.put(&report.Verification{Path: path, Damage: d})
}

func (v *verifier) directory(ctx context.Context, dir string, recursive bool) error {
	root := durable.Join(dir, "")
	if !durable.IsObject(dir) {
		root = dir + string(filepath.Separator) // so that a link to a directory is one
	}
	empty := true
	err := durable.WalkDir(v.FS, root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			empty = false
			return v.unread(path, err)
		case d.IsDir() && path != root && !recursive:
			return fs.SkipDir
		case d.IsDir(), d.Name() == durable.LockName, durable.Unfinished(d.Name()):
			return nil
		case !Keeps(d.Name()) && !v.isRegular(path):
			return nil // opening a socket or a FIFO could wait for ever
		}
		empty = false
		return v.file(ctx, path)
	})
	if err == nil && empty {
		err = v.unread(dir, errors.New("no files in this directory"))
	}
	return err
}

func (v *verifier) isRegular(path string) bool {
	info, err := v.FS.Stat(path)
	return err != nil || info.Mode().IsRegular() // what is gone is to be reported
}

func (v *verifier) file(ctx context.Context, path string) (err error) {
	defer agg.CatchOutOfMemory(&err)
	name := durable.Base(path)
	switch {
	case name == optionsName:
		return v.put(v.optionsFile(path))
	case strings.HasSuffix(name, runfile.PackSuffix), v.files.RecognisedPack(path):
		return v.pack(ctx, path)
	case strings.HasSuffix(name, runfile.RunSuffix), strings.HasSuffix(name, runfile.PartSuffix), v.files.Recognised(path):
		found, err := v.kept(ctx, path)
		if err != nil {
			return err
		}
		return v.put(found)
	}
	return v.capture(ctx, path)
}

// optionsFile verifies the options of a state directory.
func (v *verifier) optionsFile(path string) *report.Verification {
	found := &report.Verification{Path: path, What: "options of a state directory"}
	if _, err := readOptions(v.FS, path); err != nil {
		found.Damage = keptDamage(path, err)
	}
	return found
}

// keptDamage describes why a file that jobs keep cannot be used.
func keptDamage(path string, err error) *report.Damage {
	d := &report.Damage{Path: path, Kind: report.KindKept}
	if _, ok := errors.AsType[*fs.PathError](err); ok && !errors.Is(err, durable.ErrNotRegular) && !errors.Is(err, durable.ErrTooLarge) {
		d.Kind = report.KindIO
	}
	d.Reason = strings.TrimPrefix(durable.Cause(err).Error(), path+": ")
	return d
}

// kept verifies a run file or a part. The error is the cause of ctx.
func (v *verifier) kept(ctx context.Context, path string) (*report.Verification, error) {
	found := &report.Verification{Path: path, What: "run file"}
	if strings.HasSuffix(path, runfile.PartSuffix) {
		found.What = "part"
	}
	return found, v.whole(ctx, found, func() (*runfile.Run, error) { return v.files.Open(path) })
}

// whole verifies what open returns, and completes what is found of it. The error
// is the cause of ctx.
func (v *verifier) whole(ctx context.Context, found *report.Verification, open func() (*runfile.Run, error)) error {
	run, err := open()
	var k *keptRun
	if err == nil {
		k, err = read(run)
	}
	if err == nil {
		found.What, found.About = describeKept(k)
		err = k.VerifyAll(ctx, k.sessions.tables(k.kept, v.seed))
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if err == nil {
		err = v.sameOptions(k)
	}
	if err != nil {
		found.Damage = keptDamage(found.Path, err)
	}
	return nil
}

// pack verifies a pack, and each run file in it that no later one has taken the
// place of.
func (v *verifier) pack(ctx context.Context, path string) error {
	found := &report.Verification{Path: path, What: "pack of run files"}
	p, err := v.files.OpenPack(path)
	if err != nil {
		found.Damage = keptDamage(path, err)
		return v.put(found)
	}
	found.About = []string{report.Plural(uint64(p.Len()), "run file")}
	if err := v.put(found); err != nil {
		return err
	}
	var x runfile.PackReader
	defer x.Close()
	for _, i := range v.current(p) {
		found := &report.Verification{Path: p.Name(i), What: "run file"}
		if err := v.whole(ctx, found, func() (*runfile.Run, error) { return x.Open(p, i) }); err != nil {
			return err
		}
		if err := v.put(found); err != nil {
			return err
		}
	}
	return nil
}

// current returns the numbers of the entries of a pack that no later run file in
// its directory has taken the place of.
func (v *verifier) current(p *runfile.Pack) (list []int) {
	dir := durable.Dir(p.Path)
	if dir != v.dir {
		v.dir, v.live = dir, map[string][]int{}
		paths, _ := filesIn(v.FS, dir, []string{runfile.RunSuffix, runfile.PackSuffix})
		places, _, _ := v.places(paths, nil, func(string, error) error { return nil }) // is told of that pack
		for _, at := range places {
			name := durable.Base(at.path)
			v.live[name] = append(v.live[name], at.number)
		}
	}
	list, ok := v.live[durable.Base(p.Path)]
	if _, numbered := packNumber(durable.Base(p.Path)); !ok && !numbered {
		for i := range p.Len() {
			list = append(list, i)
		}
	}
	return list
}

// describeKept says what a run file or a part is, and what is in it.
func describeKept(k *keptRun) (what string, about []string) {
	entries := uint64(0)
	for _, s := range k.Index {
		entries += s.Entries
	}
	if k.Kind == runfile.Rows {
		return "part", []string{report.Plural(entries, "row")}
	}
	about = []string{report.Plural(entries, "session") + " of " + k.Capture.Path}
	if k.report.Damaged() {
		about = append(about, "which was damaged")
	}
	return "run file", about
}

// sameOptions returns an error if the run file is in a state directory and does
// not fit to it.
func (v *verifier) sameOptions(k *keptRun) error {
	dir := durable.Dir(k.File())
	options, ok := v.options[dir]
	if !ok {
		options, _ = readOptions(v.FS, durable.Join(dir, optionsName))
		v.options[dir] = options
	}
	if options == nil || k.Kind == runfile.Rows {
		return nil
	}
	if d := options.Differences(k.sessions); len(d) > 0 {
		return failure(Kept, "made with other options than the state directory: %s", strings.Join(d, ", "))
	}
	return nil
}

// capture verifies a capture.
func (v *verifier) capture(ctx context.Context, path string) error {
	i, err := ingest.Inspect(ctx, v.FS, path, v.Stdin)
	if err != nil {
		return err
	}
	found := &report.Verification{Path: path, Damage: i.Damage}
	if i.Format != "" {
		found.What, found.About = "capture", []string{report.Plural(i.Records, "record")}
	}
	return v.put(found)
}

// readOptions reads the options of a state directory.
func readOptions(fsys durable.FS, path string) (*Sessions, error) {
	text, err := durable.ReadFile(fsys, path, maxOptions)
	if err != nil {
		return nil, err
	}
	var s Sessions
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, err
	}
	return &s, nil
}
