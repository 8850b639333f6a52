package job

import (
	"errors"
	"slices"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// checkRange refuses what a range of a capture cannot be read with.
func (r *run) checkRange(found *capture.Found) error {
	switch {
	case r.Range.Whole():
		return nil
	case r.StdinPath != "" || len(found.Paths)+len(found.Failures) != 1:
		return failure(Usage, "--range is for one capture, in a file")
	case r.Sessions.whole():
		return failure(Usage, "--range joins what the ranges of a capture have of a session, but --active-timeout and --tcp-end need all of its packets in order: map the capture as a whole")
	}
	return nil
}

// rangeFailure gives the error for a capture without ranges its category.
func rangeFailure(path string, err error) error {
	if errors.Is(err, ingest.ErrNoRanges) {
		return failure(Usage, "--range: %s: %w", path, ingest.ErrNoRanges)
	}
	return err
}

// joinRanges checks that the ranges of each capture are all there and fit, so that
// they have each of its records once. It leaves out what comes after damage, as
// the capture, read as a whole, would have ended there. Requires: runs are in
// capture order.
func (r *run) joinRanges(runs []*keptRun) ([]*keptRun, error) {
	var list []*keptRun
	for len(runs) > 0 {
		n := 1
		for n < len(runs) && runs[n].Continues(runs[n-1].Run) {
			n++
		}
		whole := runs[:n]
		runs = runs[n:]
		if whole[0].Capture.Range.Whole() {
			list = append(list, whole...)
			continue
		}
		used, err := fitting(whole)
		if err != nil {
			return nil, err
		}
		for _, k := range whole[used:] {
			if r.report.Figures != nil && k.report.Records > 0 {
				r.report.Figures.WithoutPackets++ // those of all run files were added up
			}
		}
		list = append(list, whole[:used]...)
	}
	return list, nil
}

// fitting returns how many of the ranges of a capture make up what there is of it:
// all of them, or those up to damage.
func fitting(ranges []*keptRun) (used int, err error) {
	path := report.Printable(ranges[0].Capture.Path)
	end := int64(0) // of those before
	for i, k := range ranges {
		c := k.Capture
		switch {
		case !c.SameFile(ranges[0].Capture):
			return 0, failure(Kept, "%s: the run files of its ranges were made of different content: %s and %s", path, ranges[0].Name(), k.Name())
		case i > 0 && c.Range.From == ranges[i-1].Capture.Range.From:
			return 0, failure(Kept, "%s: there are two run files for records from offset %d on: %s and %s", path, c.Range.From, ranges[i-1].Name(), k.Name())
		case c.Range.From > end:
			return 0, failure(Kept, "%s: there is no run file of its range %d-%d", path, end, c.Range.From)
		case c.Range.From < end:
			return 0, failure(Kept, "%s: its ranges %s and %s overlap", path, ranges[i-1].Capture.Range, c.Range)
		}
		if end = c.Range.To; end == 0 {
			end = c.Size
		}
		at := k.read()
		if at == nil || at.Unknown {
			return 0, failure(Kept, "%s: its range %s could not be read: map the capture as a whole, or cut it at other places: %s", path, c.Range, k.why())
		}
		if before := before(ranges, i); before != nil && before.End != at.Begin {
			return 0, failure(Kept, "%s: its ranges %s and %s do not fit: the first ends at offset %d, and the second begins at %d, or the records there mean something else to it: map the capture as a whole, or cut it at another place",
				path, ranges[i-1].Capture.Range, c.Range, before.End.Offset, at.Begin.Offset)
		}
		if len(k.report.Damage) > 0 && at.End.Offset < 0 { // not damage that loses nothing
			return i + 1, nil
		}
	}
	if last := ranges[len(ranges)-1]; end < last.Capture.Size {
		return 0, failure(Kept, "%s: there is no run file of its range %d-%d", path, end, last.Capture.Size)
	}
	return len(ranges), nil
}

// before returns the range before range i, nil for none.
func before(ranges []*keptRun, i int) *report.Range {
	if i == 0 {
		return nil
	}
	return ranges[i-1].read()
}

// read returns what was read of a range; nil if it could not be opened.
func (k *keptRun) read() *report.Range {
	i := slices.IndexFunc(k.report.Captures, func(c report.Capture) bool { return c.Range != nil })
	if i < 0 {
		return nil
	}
	return k.report.Captures[i].Range
}

// why says why a range could not be read.
func (k *keptRun) why() string {
	if len(k.report.Damage) > 0 {
		return k.report.Damage[0].Reason
	}
	return "nothing is known of it"
}

// addRange adds to the report what a run file says of a range, as a part of the
// capture of the ranges before.
func (r *run) addRange(found *report.Run) {
	captures := r.report.Captures
	sum := &captures[len(captures)-1]
	for i := range found.Damage {
		if d := &found.Damage[i]; d.Record > 0 { // they are counted from the beginning of the range
			d.Record += sum.Records
			d.Offset += sum.Range.Content
		}
	}
	r.report.Add(found)
	for i := len(captures); i < len(r.report.Captures); i++ {
		sum = &r.report.Captures[len(captures)-1]
		sum.Join(&r.report.Captures[i])
	}
	r.report.Captures = r.report.Captures[:len(captures)]
}
