package job

import (
	"context"
	"io"
	"math"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
)

// Extract reads the captures and writes a row for each session to w. Captures
// that are damaged or missing are in the report; where not one of them could be
// opened nothing is written and the error is ErrNothingRead.
//
// The report is valid even with an error, as far as the job came.
func Extract(ctx context.Context, c Config, found *capture.Found, w io.Writer) (*report.Run, error) {
	r, err := c.begin()
	if err == nil {
		err = r.lay()
	}
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, r.extract(ctx, found, w))
}

// stretchBytes is the size of a stretch. A rule that needs whole sessions makes
// one stretch of all captures: what is read side by side would have to be joined.
func (r *run) stretchBytes() int64 {
	if r.Sessions.whole() {
		return math.MaxInt64
	}
	return r.StretchBytes
}

func (r *run) extract(ctx context.Context, found *capture.Found, w io.Writer) (err error) {
	defer agg.CatchOutOfMemory(&err)
	inputs, err := r.open(ctx, found)
	if err != nil {
		return err
	}
	if len(inputs) == 0 {
		return ErrNothingRead
	}
	p, c := r.pipeline()
	p.Figures = r.Figures
	c.Sessions = r.joined()
	r.captures = nil
	for _, in := range inputs {
		r.captures = append(r.captures, in.Path)
	}
	switch {
	case r.Sessions.Capture:
		c.Stretches = p.PerCapture(inputs)
	case r.Interleave:
		c.Stretches = []ingest.Stretch{p.Interleave(inputs)}
	default:
		c.Stretches = p.Stretches(inputs, r.stretchBytes())
	}
	r.Observer.Start(len(inputs), ingest.TotalBytes(inputs))
	spilled := newSpillStore(r, 1)
	defer spilled.close()
	c.Keeper = spilled
	stop := ingest.Prefetch(r.FS, inputs)
	tables, err := shard.Run(ctx, c)
	stop()
	p.Close() // not deferred: its blocks would be kept while rows are made
	r.limitHeap(r.Memory)
	if err != nil {
		return err
	}
	p.AddCounts(r.report)
	r.take(inputs)
	j := r.joiner(1, tables)
	defer j.Close()
	if err := r.report.Balance(); err != nil {
		return err
	}
	groups := spilled.groups()
	if err := j.Merge(ctx, len(groups), func(i int) []runfile.Input { return groups[i] }); err != nil {
		return err
	}
	r.report.Reordered += spilled.reordered()
	r.count(j)
	r.planFigures(r.report.Sessions, r.Figures, r.CaptureSessions)
	r.finish()
	return r.write(ctx, j, outputWriter{w}, mostTop, nil)
}
