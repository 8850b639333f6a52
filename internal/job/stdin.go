package job

import (
	"cmp"
	"context"
	"slices"
	"unicode/utf8"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// maxTag is the largest length of Config.StdinTag, in bytes.
const maxTag = 4 << 10

// nameStdin checks what Config says of the capture on standard input, and lets
// what is read of it be identified: its content cannot be read a second time.
func (r *run) nameStdin(found *capture.Found) error {
	switch {
	case r.StdinPath == "" && r.StdinTag != "":
		return failure(Usage, "--identity says what is on standard input: it needs --name")
	case r.StdinPath == "" && slices.Contains(found.Paths, capture.StdinName):
		return failure(Usage, "%s: %w; --name gives standard input a name to keep it by", capture.StdinName, ingest.ErrReadOnce)
	case r.StdinPath == "":
		return nil
	case !slices.Equal(found.Paths, []string{capture.StdinName}) || len(found.Failures) > 0:
		return failure(Usage, "--name is for one capture, which is read from standard input: name - and no other")
	case r.StdinPath == capture.StdinName || len(r.StdinPath) > maxPath:
		return failure(Usage, "--name: must have at most %d bytes, and not be -", maxPath)
	case !utf8.ValidString(r.StdinTag) || len(r.StdinTag) > maxTag:
		return failure(Usage, "--identity: must be UTF-8, and have at most %d bytes", maxTag)
	}
	r.stream = capture.NewStream(r.Stdin)
	r.Stdin = r.stream
	return nil
}

// currentStdin returns the run file of the capture on standard input, if there is
// one with the same tag. One that reports damage is not current: perhaps it was
// the pipe that broke off.
func (s *state) currentStdin() ([]readyRun, error) {
	if s.stream == nil || s.StdinTag == "" || s.Again {
		return nil, nil
	}
	kept, err := s.reusable([]*capture.Identity{{Path: s.StdinPath, Tag: s.StdinTag}})
	if err != nil || kept[0] == nil {
		return nil, err
	}
	k := kept[0]
	if k.damaged != nil && len(k.damaged.report.Damage) > 0 {
		s.Observer.Note(report.Printable(s.StdinPath) + ": was damaged when it was read, perhaps on its way here, reading it again")
		return nil, nil
	}
	k.run.Capture.Path = s.StdinPath
	runs := []readyRun{{Run: k.run}}
	if err := s.tellKept(k.damaged, s.StdinPath); err != nil {
		return nil, err
	}
	return runs, s.tellCurrent(runs)
}

// completeID completes the identity of the capture on standard input, where that
// has a name. What follows damage is read for that, so that the identity does not
// depend on how the pipe was read.
func (r *run) completeID(ctx context.Context, id *capture.Identity) error {
	if _, err := ingest.Await(ctx, func() (struct{}, error) { return struct{}{}, r.stream.Rest() }); err != nil {
		return err
	}
	r.stream.Identify(id)
	return nil
}

// completeID completes the identity of capture i, if that is still to be done.
func (k *keeper) completeID(ctx context.Context, i int) error {
	_, damage := k.inputs[i].Report()
	if k.run.stream == nil || damage != nil && damage.Kind == report.KindIO {
		return nil
	}
	err := k.run.completeID(ctx, k.ids[i])
	if err == nil || ctx.Err() != nil {
		return err
	}
	d := &report.Damage{Path: k.ids[i].Path, Kind: report.KindIO, Reason: err.Error()}
	return cmp.Or(k.run.tellOutcome(&Outcome{Name: d.Path, Status: Failed, Damage: d}), failure(Input, "%s", d))
}

// identifyLost returns the identity of what could not be opened.
func (r *run) identifyLost(ctx context.Context, d *report.Damage) (*capture.Identity, error) {
	if r.stream == nil || d.Kind == report.KindIO {
		id, err := capture.Identify(r.FS, d.Path)
		if err == nil {
			id.Range = r.Range
		}
		return id, err
	}
	id := &capture.Identity{Path: d.Path, Tag: r.StdinTag}
	return id, r.completeID(ctx, id)
}
