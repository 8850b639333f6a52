package job

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"strings"
	"unicode/utf8"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/report"
)

// A Status says what became of a capture in Map.
type Status string

const (
	Made        Status = "made"          // there is a run file now
	Unchanged   Status = "kept"          // there was one, which is current, maybe of what came before damage
	Broken      Status = "damaged"       // there is one, of what came before the damage
	NotACapture Status = "not-a-capture" // there is one, which says so
	Missing     Status = "missing"       // there is no such capture, and no run file
	Failed      Status = "failed"        // the system failed to read it, and there is no run file
)

// An Outcome says what became of one capture in Map.
type Outcome struct {
	// Name is the path of the capture as it was named.
	Name string `json:"name"`
	// Range is the part of it that was meant, as capture.ParseRange reads it; "":
	// all of it.
	Range    string         `json:"range,omitempty"`
	RunFile  string         `json:"run_file,omitempty"`
	Status   Status         `json:"status"`
	Damage   *report.Damage `json:"damage,omitempty"`
	Records  uint64         `json:"records"`
	Packets  uint64         `json:"packets"` // in sessions
	Sessions uint64         `json:"sessions"`
	Bytes    int64          `json:"bytes"` // of the capture as it lies on disk
	// Seconds is the time from opening the capture until its run file was
	// there; 0 where none was made.
	Seconds float64 `json:"seconds"`
}

// outcomeJSON is an Outcome in JSON, in which a text must be UTF-8.
type outcomeJSON struct {
	plainOutcome
	// NameBytes is the name where it is not UTF-8.
	NameBytes []byte `json:"name_bytes,omitempty"`
}

type plainOutcome Outcome // without methods

// MarshalJSON implements json.Marshaler.
func (o Outcome) MarshalJSON() ([]byte, error) {
	j := outcomeJSON{plainOutcome: plainOutcome(o)}
	if !utf8.ValidString(o.Name) {
		j.NameBytes = []byte(o.Name)
	}
	return json.Marshal(&j)
}

// UnmarshalJSON implements json.Unmarshaler.
func (o *Outcome) UnmarshalJSON(data []byte) error {
	var j outcomeJSON
	if err := json.Unmarshal(data, &j); err != nil {
		return err
	}
	*o = Outcome(j.plainOutcome)
	if len(j.NameBytes) > 0 {
		o.Name = string(j.NameBytes)
	}
	return nil
}

// outcome says what became of a capture that was not read because its run file
// is current.
func (k *keptRun) outcome() *Outcome {
	found := k.named(k.Capture.Path)
	o := &Outcome{Name: k.Capture.Path, Range: rangeText(k.Capture.Range), RunFile: k.Path, Status: Unchanged, Sessions: k.Entries()}
	o.Records, o.Packets, o.Bytes = found.Records, found.Packets, found.Bytes
	if len(found.Damage) > 0 {
		o.Damage = &found.Damage[0]
	}
	return o
}

// rangeText is Outcome.Range.
func rangeText(r capture.Range) string {
	if r.Whole() {
		return ""
	}
	return r.String()
}

// tellOutcome passes an outcome on, one at a time.
func (r *run) tellOutcome(o *Outcome) error {
	if r.Outcome == nil {
		return nil
	}
	r.outcomes.Lock()
	defer r.outcomes.Unlock()
	return r.Outcome(o)
}

// lostStatus is the status of a capture that could not be opened.
func (r *run) lostStatus(path string) Status {
	if r.stream != nil {
		return Failed
	}
	info, err := r.FS.Stat(path)
	if errors.Is(err, fs.ErrNotExist) || err == nil && info.IsDir() {
		return Missing
	}
	return Failed
}

// ReadExpected reads the paths of captures for Config.Expect from the file at
// path, or from stdin for capture.StdinName: a list as capture.ReadList takes
// it, the units of a plan, or outcomes, one in JSON on each line, as of all calls
// of Map for the same directory one after the other. It is an error if there are
// none.
func ReadExpected(fsys durable.FS, path string, stdin io.Reader) ([]string, error) {
	lines, err := capture.ReadList(fsys, path, stdin)
	if err != nil {
		return nil, failure(Input, "--expect: %w", err)
	}
	if len(lines) == 0 {
		return nil, failure(Usage, "--expect: there are no captures in %s", report.Printable(path))
	}
	var names []string
	for _, line := range lines {
		if o, ok := parseOutcome(line); ok {
			names = append(names, o.Name)
		} else if u, ok := parseUnit(line); ok {
			names = append(names, u.Captures...)
		} else {
			names = append(names, line)
		}
	}
	return names, nil
}

// parseOutcome reads a line, which may be a path instead.
func parseOutcome(line string) (o Outcome, ok bool) {
	if !strings.HasPrefix(line, "{") {
		return o, false
	}
	err := json.Unmarshal([]byte(line), &o)
	return o, err == nil && o.Name != "" && o.Status != ""
}
