package job

import (
	"context"
	"io"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/report"
	"pcapbatch/internal/rows"
	"pcapbatch/internal/runfile"
)

// Merge writes to w the rows that one run over all captures of the run files
// would have written. The paths are those of RunFiles.
func Merge(ctx context.Context, c Config, paths []string, w io.Writer) (*report.Run, error) {
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, r.merge(ctx, paths, w))
}

func (r *run) merge(ctx context.Context, paths []string, w io.Writer) (err error) {
	defer agg.CatchOutOfMemory(&err)
	runs, err := r.openKept(paths, runfile.Sessions, func(k, _ *keptRun) { k.Slim() })
	if err == nil {
		runs, err = r.prepare(runs, false)
	}
	if err != nil {
		return err
	}
	return r.join(ctx, runsOf(runs), w)
}

// JoinParts writes the rows of parts that Reduce made, of all partitions of the
// same run files, to w. The paths are those of Parts. With Config.NoRows it
// makes the report alone.
func JoinParts(ctx context.Context, c Config, paths []string, w io.Writer) (*report.Run, error) {
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	return r.report, categorised(ctx, r.joinParts(ctx, paths, w))
}

func (r *run) joinParts(ctx context.Context, paths []string, w io.Writer) (err error) {
	defer agg.CatchOutOfMemory(&err)
	parts, err := r.openKept(paths, runfile.Rows, slimPart)
	if err == nil {
		err = checkParts(parts, !r.NoRows)
	}
	if err != nil {
		return err
	}
	if err := r.checkExpected(capturesIn(parts[0].report)); err != nil {
		return err
	}
	r.takeSessions(parts[0].sessions)
	r.addParts(parts[0].report)
	r.finishFigures(mostTop)
	r.finish()
	if r.NoRows {
		return nil
	}
	temp := r.newTemp()
	defer temp.Close()
	return rows.WithHeader(outputWriter{w}, parts[0].Part.Header, func(w io.Writer) error {
		return runfile.CopyParts(ctx, runsOf(parts), temp, w)
	})
}

// slimPart adds to the report of the first part what another one says of its own
// sessions, and frees the rest: every part repeats what is to be said of all
// captures. Reordered packets are of the captures as far as they are in the first
// part, and of joining in every one.
func slimPart(part, first *keptRun) {
	part.Slim()
	if part == first {
		return
	}
	sum, p := first.report, part.report
	part.report = nil
	sum.Sessions += p.Sessions
	sum.InexactGaps += p.InexactGaps
	sum.Reordered += p.Joined
	if sum.Labels != nil && p.Labels != nil {
		sum.Labels.Add(p.Labels)
	}
	addBegun(sum.Captures, p.Captures)
}

// addParts takes over what all parts say.
func (r *run) addParts(sum *report.Run) {
	r.report.Sessions += sum.Sessions
	r.report.InexactGaps += sum.InexactGaps
	if sum.Labels != nil {
		sum.Labels.Unused = nil
		r.report.Labels = sum.Labels
	}
	r.report.Add(sum)
	r.tell(sum)
}

// checkParts refuses parts that are not all of one whole, or have no rows where
// those are needed.
func checkParts(parts []*keptRun, rows bool) error {
	byNumber := map[int]*keptRun{}
	first := parts[0].Part
	for _, p := range parts {
		switch d := parts[0].sessions.Differences(p.sessions); {
		case len(d) > 0:
			return failure(Kept, "%s and %s were made with other options: %s", parts[0].Path, p.Path, strings.Join(d, ", "))
		case p.Part.Partitions != first.Partitions:
			return failure(Kept, "%s is a part of %d, %s of %d", parts[0].Path, first.Partitions, p.Path, p.Part.Partitions)
		case p.Part.Captures != first.Captures:
			return failure(Kept, "%s and %s were not made of the same run files: captures were added, or have changed", parts[0].Path, p.Path)
		case p.Part.Header != first.Header || p.Part.Columns != first.Columns:
			return failure(Kept, "%s and %s have different columns", parts[0].Path, p.Path)
		case rows && p.Part.Table:
			return failure(Kept, "%s has no rows, which are in a table: use --no-rows for its summary and report", p.Path)
		}
		if other := byNumber[p.Part.Partition]; other != nil {
			return failure(Kept, "%s and %s are both part %d", other.Path, p.Path, p.Part.Partition)
		}
		byNumber[p.Part.Partition] = p
	}
	for i := range first.Partitions {
		if byNumber[i] == nil {
			return failure(Kept, "part %d of %d is missing", i, first.Partitions)
		}
	}
	if len(byNumber) != first.Partitions {
		return failure(Kept, "%s: %w: partition beyond the last", parts[0].Path, runfile.ErrDamaged)
	}
	return nil
}
