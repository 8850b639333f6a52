package job

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
)

// Reduce merges one partition of the run files, counted from 0, into a part in
// dir, which is made if there is none. The part gets its name only when it is
// complete. It uses one worker. The paths are those of RunFiles.
func Reduce(ctx context.Context, c Config, paths []string, partition int, dir string) (*report.Run, error) {
	c.Workers = 1
	c.Figures, c.CaptureSessions = c.ReportData, c.ReportData
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, r.reduce(ctx, paths, partition, dir))
}

func (r *run) reduce(ctx context.Context, paths []string, partition int, dir string) (err error) {
	defer agg.CatchOutOfMemory(&err)
	runs, err := r.openKept(paths, runfile.Sessions)
	if err == nil {
		err = r.prepare(runs, true)
	}
	if err == nil {
		err = samePartitions(runs, partition)
	}
	if err == nil {
		err = r.makeDir(dir)
	}
	if err != nil {
		return err
	}
	n := len(runs[0].Index)
	var group []runfile.Input
	for i, k := range runs {
		in := k.Input(partition)
		if r.Sessions.Capture {
			in = in.OfCapture(i)
		}
		group = append(group, in)
	}
	r.nameCaptures(runsOf(runs))
	j := r.joiner(n, nil)
	defer j.Close()
	if err := j.Merge(ctx, 1, func(int) []runfile.Input { return group }); err != nil {
		return err
	}
	r.report.Joined = r.count(j).Reordered
	r.planFigures(r.report.Sessions, r.Figures, r.CaptureSessions)
	w, err := runfile.Create(r.FS, filepath.Join(dir, fmt.Sprintf("%04d-of-%04d%s", partition, n, runfile.PartSuffix)))
	if err != nil {
		return err
	}
	if err := j.WritePart(ctx, r.encoding(), w); err != nil {
		w.Abort()
		return err
	}
	r.countRows(mostTopInPart)
	m, err := r.partMeta(runs, partition)
	if err != nil {
		w.Abort()
		return err
	}
	return w.Commit(m)
}

func samePartitions(runs []*keptRun, partition int) error {
	n := len(runs[0].Index)
	for _, k := range runs {
		if len(k.Index) != n {
			return failure(Kept, "%s has %d partitions, %s has %d", runs[0].Path, n, k.Path, len(k.Index))
		}
	}
	if partition < 0 || partition >= n {
		return failure(Usage, "--partition %d: the run files have partitions 0 to %d", partition, n-1)
	}
	return nil
}

// partMeta makes the footer of a part.
func (r *run) partMeta(runs []*keptRun, partition int) (*runfile.Meta, error) {
	var captures []*capture.Identity
	for _, k := range runs {
		captures = append(captures, k.Capture)
	}
	m := &runfile.Meta{Kind: runfile.Rows, Part: &runfile.Part{
		Header: r.layout.Header(), Columns: r.columns(), Captures: capture.SetDigest(captures), Partition: partition, Partitions: len(runs[0].Index),
		Numbered: r.layout.Numbered(), CaptureKey: r.Sessions.Capture,
	}}
	var err error
	if m.Options, err = json.Marshal(r.Sessions); err != nil {
		return nil, err
	}
	m.Report, err = json.Marshal(r.report)
	return m, err
}

// columns are the options that shape the text of rows.
func (r *run) columns() string {
	features := "basic"
	if len(r.Columns.Features) > 0 {
		var names []string
		for _, g := range r.Columns.Features {
			names = append(names, string(g))
		}
		features = strings.Join(names, ",")
	}
	var more string
	if r.Columns.Schema != "" {
		more = " --schema " + r.Columns.Schema
	}
	for _, q := range r.Columns.Quantiles {
		more += " --quantiles " + q.Text
	}
	if r.Columns.Sequence > 0 {
		more += fmt.Sprintf(" --sequence %d", r.Columns.Sequence)
	}
	if len(r.Columns.Columns) > 0 {
		more += " --columns " + strings.Join(r.Columns.Columns, ",")
	}
	if r.Labels != nil {
		more += fmt.Sprintf(" --labels %s --default-label %q", r.Labels.Digest, r.Labels.Default)
	}
	undefined := "zero"
	if r.Columns.UndefinedEmpty {
		undefined = "empty"
	}
	return fmt.Sprintf("--features %s --sample-std=%t --undefined %s%s", features, r.Columns.SampleStd, undefined, more)
}
