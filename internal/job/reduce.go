package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"
	"pcapbatch/internal/rows"
	"pcapbatch/internal/runfile"
)

// Reduce merges one partition of the run files, counted from 0, into a part in
// dir, which is made if there is none. The part gets its name only when it is
// complete. It uses one worker. The paths are those of RunFiles.
func Reduce(ctx context.Context, c Config, paths []string, partition int, dir string) (*report.Run, error) {
	return reduction(ctx, c, func(r *run) error { return r.reduce(ctx, paths, partition, dir, r.writePart) })
}

// ReduceTable is Reduce, but makes a table in Config.Format, by the name of
// part-00003-of-00064.parquet or .csv. The tables of all partitions are a data
// set: there is no order among them. Rows of schemas that are numbered are
// refused. Config.ReportDir gets a part for the report, after the table.
func ReduceTable(ctx context.Context, c Config, paths []string, partition int, dir string) (*report.Run, error) {
	return reduction(ctx, c, func(r *run) error { return r.reduce(ctx, paths, partition, dir, r.writeTable) })
}

func reduction(ctx context.Context, c Config, work func(r *run) error) (*report.Run, error) {
	c.Workers = 1
	c.Figures, c.CaptureSessions = c.ReportData, c.ReportData
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, work(r))
}

// reduce merges a partition and has write make a file of it.
func (r *run) reduce(ctx context.Context, paths []string, partition int, dir string, write func(context.Context, *partitionJob) error) (err error) {
	defer agg.CatchOutOfMemory(&err)
	runs, err := r.openKept(paths, runfile.Sessions, func(k, _ *keptRun) { k.SlimTo(partition) })
	if err == nil {
		runs, err = r.prepare(runs, true)
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
	n := runs[0].Partitions()
	var group []runfile.Input
	number := -1 // of the capture
	for i, k := range runs {
		if i == 0 || !k.Continues(runs[i-1].Run) {
			number++
		}
		in := k.Input(partition)
		if r.Sessions.Capture {
			in = in.OfCapture(number)
		}
		if !in.Empty() {
			group = append(group, in)
		}
	}
	r.nameCaptures(runsOf(runs))
	j := r.joiner(n, nil)
	defer j.Close()
	if err := j.Merge(ctx, 1, func(int) []runfile.Input { return group }); err != nil {
		return err
	}
	r.report.Joined = r.count(j).Reordered
	r.planFigures(r.report.Sessions, r.Figures, r.CaptureSessions)
	return write(ctx, &partitionJob{j, runs, partition, n, dir})
}

// A partitionJob is a partition whose sessions are merged.
type partitionJob struct {
	rows                  *rows.Joiner
	runs                  []*keptRun
	partition, partitions int
	dir                   string
}

// writePart writes the rows of a partition as a part.
func (r *run) writePart(ctx context.Context, p *partitionJob) error {
	w, err := r.createPart(p, p.dir)
	if err != nil {
		return err
	}
	if err := p.rows.WritePart(ctx, r.encoding(), w); err != nil {
		w.Abort()
		return err
	}
	r.countRows(mostTopInPart)
	return r.commitPart(w, p, false)
}

// createPart opens the part of a partition in dir.
func (r *run) createPart(p *partitionJob, dir string) (*runfile.Writer, error) {
	return runfile.Create(r.FS, durable.Join(dir, fmt.Sprintf("%04d-of-%04d%s", p.partition, p.partitions, runfile.PartSuffix)))
}

// commitPart completes a part. table says that its rows are in a table.
func (r *run) commitPart(w *runfile.Writer, p *partitionJob, table bool) error {
	m, err := r.partMeta(p.runs, p.partition)
	if err != nil {
		w.Abort()
		return err
	}
	m.Part.Table = table
	return w.Commit(m)
}

// tableName is the name of the table of a partition, from 0, and of how many.
const tableName = "part-%05d-of-%05d.%s"

// refuseOtherTables returns an error if the directory has a table of another number
// of partitions: a data set of both would have rows twice.
func (r *run) refuseOtherTables(dir string, partitions int) error {
	entries, err := r.FS.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) { // no object is there yet
		return nil
	}
	if err != nil {
		return &Error{Input, err}
	}
	for _, e := range entries {
		var partition, of int
		var suffix string
		if n, _ := fmt.Sscanf(e.Name(), tableName, &partition, &of, &suffix); n == 3 && of != partitions && (suffix == "csv" || suffix == "parquet") {
			return failure(Kept, "%s is a table of %d partitions, and this one is of %d: together they would have rows twice; use another directory",
				durable.Join(dir, e.Name()), of, partitions)
		}
	}
	return nil
}

// writeTable writes the rows of a partition as a table.
func (r *run) writeTable(ctx context.Context, p *partitionJob) error {
	if r.layout.Numbered() {
		return failure(Usage, "--format: the rows of this schema are numbered over all partitions: use parts and 'batch merge --parts', or --columns without the number")
	}
	suffix := "csv"
	if r.Format == Parquet {
		suffix = "parquet"
	}
	if err := r.refuseOtherTables(p.dir, p.partitions); err != nil {
		return err
	}
	path := durable.Join(p.dir, fmt.Sprintf(tableName, p.partition, p.partitions, suffix))
	part, err := json.Marshal(r.partOf(p.runs, p.partition))
	if err != nil {
		return err
	}
	durable.Sweep(p.dir, ".csv", ".parquet") // also those of other partitions, whose tasks may not come again
	file, err := durable.CreatePending(r.FS, path)
	if err != nil {
		return durable.WriteFailed(path, err)
	}
	if err := r.write(ctx, p.rows, pathWriter{path, file}, mostTopInPart, map[string]string{"pcapbatch.part": string(part)}); err != nil {
		file.Abort()
		return err
	}
	if err := file.Commit(); err != nil {
		return durable.WriteFailed(path, err)
	}
	if r.ReportDir == "" {
		return nil
	}
	return r.writeReportPart(p)
}

// writeReportPart writes what the report needs of a partition whose rows are in
// a table.
func (r *run) writeReportPart(p *partitionJob) error {
	if err := r.makeDir(r.ReportDir); err != nil {
		return err
	}
	w, err := r.createPart(p, r.ReportDir)
	if err != nil {
		return err
	}
	if err := w.WriteNoRows(); err != nil {
		w.Abort()
		return err
	}
	return r.commitPart(w, p, true)
}

// A pathWriter names the file in its errors.
type pathWriter struct {
	path string
	w    io.Writer
}

func (p pathWriter) Write(b []byte) (int, error) {
	n, err := p.w.Write(b)
	if err != nil {
		err = durable.WriteFailed(p.path, err)
	}
	return n, err
}

func samePartitions(runs []*keptRun, partition int) error {
	n := runs[0].Partitions()
	for _, k := range runs {
		if k.Partitions() != n {
			return failure(Kept, "%s has %s, %s has %d", runs[0].Name(), report.Plural(uint64(n), "partition"), k.Name(), k.Partitions())
		}
	}
	if partition < 0 || partition >= n {
		return failure(Usage, "--partition %d: the run files have partitions 0 to %d", partition, n-1)
	}
	return nil
}

// partOf says what a partition of the run files is.
func (r *run) partOf(runs []*keptRun, partition int) *runfile.Part {
	var captures []*capture.Identity
	var found []string
	for _, k := range runs {
		captures = append(captures, k.Capture)
		found = append(found, fmt.Sprint(k.records, " ", k.entries)) // more, if it was mapped again where memory sufficed
	}
	return &runfile.Part{
		Header: r.layout.Header(), Columns: r.columns(), Captures: capture.SetDigest(captures, found), Partition: partition, Partitions: runs[0].Partitions(),
		Numbered: r.layout.Numbered(), CaptureKey: r.Sessions.Capture,
	}
}

// partMeta makes the footer of a part.
func (r *run) partMeta(runs []*keptRun, partition int) (*runfile.Meta, error) {
	m := &runfile.Meta{Kind: runfile.Rows, Part: r.partOf(runs, partition)}
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
