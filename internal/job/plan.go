package job

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
)

// mostInUnit is how many captures a unit has at most. Opening so many takes a
// tenth of a second.
const mostInUnit = 1000

// A Unit is a unit of work for Map: some captures, or a range of one.
type Unit struct {
	Number   int      `json:"unit"`  // from 0
	Bytes    int64    `json:"bytes"` // on disk
	Captures []string `json:"captures"`
	// Range is the part of the one capture that is meant; "": all of it.
	Range string `json:"range,omitempty"`
}

// unitJSON is a Unit in JSON, in which a text must be UTF-8.
type unitJSON struct {
	plainUnit
	// CapturesBytes are the paths, if one of them is not UTF-8.
	CapturesBytes [][]byte `json:"captures_bytes,omitempty"`
}

type plainUnit Unit // without methods

// MarshalJSON implements json.Marshaler.
func (u Unit) MarshalJSON() ([]byte, error) {
	j := unitJSON{plainUnit: plainUnit(u)}
	if slices.ContainsFunc(u.Captures, func(path string) bool { return !utf8.ValidString(path) }) {
		for _, path := range u.Captures {
			j.CapturesBytes = append(j.CapturesBytes, []byte(path))
		}
	}
	return json.Marshal(&j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (u *Unit) UnmarshalJSON(data []byte) error {
	var j unitJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*u = Unit(j.plainUnit)
	for i, path := range j.CapturesBytes {
		if i < len(u.Captures) {
			u.Captures[i] = string(path)
		}
	}
	return nil
}

// Plan divides captures into units of up to unitBytes, in capture order, and
// calls take with each. Small captures are put together; a larger one is a unit
// of its own or, unless whole is set, several ranges, if it can be read in ranges.
// Files that are no captures are in the last units, as Map makes run files of
// them too. Captures that are missing are in the report only.
func Plan(ctx context.Context, c Config, found *capture.Found, unitBytes int64, whole bool, take func(*Unit) error) (*report.Run, error) {
	r, err := c.begin()
	if err != nil {
		return report.New(), err
	}
	switch {
	case unitBytes < 1:
		return r.report, failure(Usage, "--unit-bytes: must be 1 or more")
	case slices.Contains(found.Paths, capture.StdinName):
		return r.report, failure(Usage, "%s: %w", capture.StdinName, ingest.ErrReadOnce)
	}
	return r.report, categorised(ctx, r.plan(ctx, found, &planner{most: unitBytes, whole: whole, take: take}))
}

func (r *run) plan(ctx context.Context, found *capture.Found, p *planner) error {
	r.planning = true
	inputs, err := r.open(ctx, found)
	if err != nil {
		return err
	}
	ingest.Close(inputs)
	r.finish()
	for _, in := range inputs {
		if err := p.add(in.Path, in.Size, in.Ranges() && !p.whole); err != nil {
			return err
		}
	}
	for i := range r.report.Damage {
		if d := &r.report.Damage[i]; d.Kind != report.KindIO {
			if err := p.add(d.Path, 0, false); err != nil {
				return err
			}
		}
	}
	return p.flush()
}

// A planner makes units.
type planner struct {
	most  int64 // bytes of a unit
	whole bool
	take  func(*Unit) error
	next  Unit // is being filled
}

// add adds a capture of so many bytes, which may be cut.
func (p *planner) add(path string, size int64, cut bool) error {
	if cut && size > p.most {
		return p.cut(path, size)
	}
	if n := len(p.next.Captures); n == mostInUnit || n > 0 && p.next.Bytes+size > p.most {
		if err := p.flush(); err != nil {
			return err
		}
	}
	p.next.Captures = append(p.next.Captures, path)
	p.next.Bytes += size
	return nil
}

// cut makes units of the ranges of a capture, all of one size.
func (p *planner) cut(path string, size int64) error {
	if err := p.flush(); err != nil {
		return err
	}
	n := (size + p.most - 1) / p.most
	for i := range n {
		r := capture.Range{From: i * (size / n), To: (i + 1) * (size / n)}
		p.next.Bytes = r.Bytes(size)
		if i == n-1 {
			p.next.Bytes = size - r.From
			r.To = 0 // whatever was added until it is read
		}
		p.next.Captures, p.next.Range = []string{path}, r.String()
		if err := p.flush(); err != nil {
			return err
		}
	}
	return nil
}

// flush passes on the unit that is being filled.
func (p *planner) flush() error {
	if len(p.next.Captures) == 0 {
		return nil
	}
	u := p.next
	p.next = Unit{Number: u.Number + 1}
	return p.take(&u)
}

// ReadUnit reads unit number of a plan, the lines that the units of Plan are in
// JSON.
func ReadUnit(fsys durable.FS, path string, number int) (*Unit, error) {
	f, err := fsys.OpenSource(path)
	if err != nil {
		return nil, failure(Input, "--unit: %s: %w", path, durable.Cause(err))
	}
	defer f.Close()
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, failure(Input, "--unit: %s: %w", path, durable.Cause(err))
		}
		line = bytes.TrimPrefix(line, []byte(capture.ByteOrderMark))
		if u, ok := parseUnit(string(line)); ok && u.Number == number {
			return &u, nil
		} else if text := strings.TrimSpace(string(line)); text != "" && !ok {
			return nil, failure(Usage, "--unit: %s is not a plan: %.40q is no unit", path, text)
		}
		if err != nil {
			return nil, failure(Usage, "--unit: there is no unit %d in %s", number, path)
		}
	}
}

// parseUnit reads a line of a plan.
func parseUnit(line string) (u Unit, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return u, false
	}
	err := json.Unmarshal([]byte(line), &u)
	return u, err == nil && len(u.Captures) > 0
}

// Apply makes c read the unit, and returns its captures.
func (u *Unit) Apply(c *Config) ([]string, error) {
	if u.Range != "" {
		var err error
		if c.Range, err = capture.ParseRange(u.Range); err != nil {
			return nil, &Error{Usage, fmt.Errorf("--unit: unit %d: %w", u.Number, err)}
		}
	}
	return u.Captures, nil
}
