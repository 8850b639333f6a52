package job

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/writer"
)

// full is a writer that takes nothing.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, syscall.ENOSPC }

// cutShort removes the last bytes of a capture.
func cutShort(t *testing.T, path string) {
	t.Helper()
	data := load(t, path)
	write(t, path, data[:len(data)-3])
}

// Each category is that of the error of a run, by each job that can have it.
func TestCategories(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 400, 2)
	c := testConfig(1)
	runPaths, partPaths := madeOf(t, c, dir)
	_, damagedPaths := series(t, 400, 1)
	cutShort(t, damagedPaths[0])
	missing := filepath.Join(dir, "none")
	// Each job over inputs, named by what they are.
	jobs := map[string]func(ctx context.Context, c Config, state string, inputs []string, w io.Writer) error{
		"extract": func(ctx context.Context, c Config, _ string, inputs []string, w io.Writer) error {
			_, err := Extract(ctx, c, capture.Find(durable.OS, inputs, false), w)
			return err
		},
		"resume": func(ctx context.Context, c Config, state string, inputs []string, w io.Writer) error {
			_, err := Resume(ctx, c, state, capture.Find(durable.OS, inputs, false), w)
			return err
		},
		"map": func(ctx context.Context, c Config, state string, inputs []string, _ io.Writer) error {
			_, err := Map(ctx, c, state, 2, capture.Find(durable.OS, inputs, false))
			return err
		},
		"reduce": func(ctx context.Context, c Config, state string, inputs []string, _ io.Writer) error {
			_, err := Reduce(ctx, c, inputs, 0, state)
			return err
		},
		"merge": func(ctx context.Context, c Config, _ string, inputs []string, w io.Writer) error {
			_, err := Merge(ctx, c, inputs, w)
			return err
		},
		"parts": func(ctx context.Context, c Config, _ string, inputs []string, w io.Writer) error {
			_, err := JoinParts(ctx, c, inputs, w)
			return err
		},
	}
	good := map[string][]string{"extract": paths, "resume": paths, "map": paths, "reduce": runPaths, "merge": runPaths, "parts": partPaths}
	damaged := write(t, filepath.Join(t.TempDir(), "damaged.run"), load(t, runPaths[0])[:1000])
	broken := &durabletest.Faults{FS: durable.OS, Err: syscall.ENOSPC, Stays: true}
	enough := errors.New("enough")
	for name, do := range jobs {
		try := func(what string, want Category, cause error, change func(c *Config, inputs *[]string), w io.Writer) {
			t.Helper()
			c, inputs := c, slices.Clone(good[name])
			change(&c, &inputs)
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			if cause == enough {
				cancel(enough)
			}
			err := do(ctx, c, t.TempDir(), inputs, w)
			if err == nil || CategoryOf(err) != want || cause != nil && !errors.Is(err, cause) {
				t.Errorf("%s, %s: category %d, %v; want %d, %v", name, what, CategoryOf(err), err, want, cause)
			}
		}
		reads := name == "extract" || name == "resume" || name == "map"
		try("cancelled", Unknown, enough, func(*Config, *[]string) {}, io.Discard)
		try("no workers", Usage, nil, func(c *Config, _ *[]string) {
			if c.Workers = 0; name == "reduce" { // which has one always
				c.Memory = 1
			}
		}, io.Discard)
		switch name {
		case "extract", "merge", "parts":
			try("writer full", Output, syscall.ENOSPC, func(*Config, *[]string) {}, full{})
		default:
			try("disk full", Output, syscall.ENOSPC, func(c *Config, _ *[]string) { c.FS = broken }, io.Discard)
		}
		switch {
		case name == "map":
			try("missing", Input, ErrNoRunFile, func(_ *Config, inputs *[]string) { *inputs = append(*inputs, missing) }, io.Discard)
		case reads:
			try("missing, strict", Input, nil, func(c *Config, inputs *[]string) { c.Strict, *inputs = true, append(*inputs, missing) }, io.Discard)
			try("nothing read", Unknown, ErrNothingRead, func(_ *Config, inputs *[]string) { *inputs = []string{missing} }, full{})
			try("damaged, strict", Damaged, nil, func(c *Config, inputs *[]string) { c.Strict, *inputs = true, append(*inputs, damagedPaths...) }, io.Discard)
		default:
			try("missing", Input, syscall.ENOENT, func(_ *Config, inputs *[]string) { *inputs = append(*inputs, missing) }, io.Discard)
			try("damaged", Kept, runfile.ErrDamaged, func(_ *Config, inputs *[]string) { (*inputs)[0] = damaged }, io.Discard)
		}
	}
	if c := CategoryOf(errors.New("other")); c != Unknown {
		t.Errorf("an error of others has category %d", c)
	}
	if c := CategoryOf(fmt.Errorf("around: %w", failure(Kept, "it"))); c != Kept {
		t.Errorf("a wrapped error has category %d", c)
	}
}

// What no job can do is refused before it reads or writes anything.
func TestWrongConfig(t *testing.T) {
	t.Parallel()
	_, paths := series(t, 100, 1)
	for text, change := range map[string]func(c *Config){
		"--workers 0":      func(c *Config) { c.Workers = 0 },
		"--workers -1":     func(c *Config) { c.Workers = -1 },
		"--workers 257":    func(c *Config) { c.Workers = MaxWorkers + 1 },
		"--memory":         func(c *Config) { c.Memory = LeastMemory(1) - 1 },
		"--memory -5":      func(c *Config) { c.Memory = -5 },
		"2 workers":        func(c *Config) { c.Workers, c.Memory = 2, LeastMemory(1) },
		"--idle-threshold": func(c *Config) { c.Sessions.IdleThreshold = -1 },
		"--idle-timeout":   func(c *Config) { c.Sessions.IdleTimeout = -1 },
		`"skew"`:           func(c *Config) { c.Columns.Features = []writer.Group{"skew"} },
	} {
		c := testConfig(1)
		change(&c)
		state := filepath.Join(t.TempDir(), "state")
		extract(t, c, paths...).refuses(t, Usage, text)
		resume(t, c, state, paths...).refuses(t, Usage, text)
		if text != `"skew"` { // Map writes no rows
			mapTo(t, c, state, 2, paths...).refuses(t, Usage, text)
		}
		if left := entriesOf(t, filepath.Dir(state)); len(left) > 0 {
			t.Errorf("%s: left %q", text, left)
		}
	}
	for _, partitions := range []int{-1, 0, runfile.MaxPartitions + 1} {
		mapTo(t, testConfig(1), t.TempDir(), partitions, paths...).refuses(t, Usage, fmt.Sprint("--partitions ", partitions))
	}
	runs := mapped(t, testConfig(1), 2, paths...)
	for _, partition := range []int{-1, 2} {
		reduce(t, testConfig(1), partition, t.TempDir(), runs).refuses(t, Usage, fmt.Sprint("--partition ", partition))
	}
}

// Where not one capture could be opened, nothing is written, the report has the
// reasons, and there is no state directory.
func TestNothingRead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	text := write(t, filepath.Join(dir, "text"), []byte("no capture at all"))
	none, state := filepath.Join(dir, "none"), filepath.Join(dir, "state")
	for name, r := range map[string]result{"extract": extract(t, testConfig(2), text, none), "resume": resume(t, testConfig(2), state, text, none)} {
		if r.err != ErrNothingRead || r.rows != "" || len(r.notices) != 2 {
			t.Errorf("%s: %v, rows %q, notices %q", name, r.err, r.rows, r.notices)
		}
		if d := r.report.Damage; len(d) != 2 || !r.report.Failed() || len(r.report.Captures) != 0 {
			t.Errorf("%s: damage %+v, captures %+v", name, d, r.report.Captures)
		}
	}
	if got := entriesOf(t, dir); !slices.Equal(got, []string{"text"}) {
		t.Errorf("left %q", got)
	}
}

// A later version has more options. What it kept is refused by their names: in
// run files, in parts and in a state directory.
func TestUnknownOption(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 100, 1)
	c, state := testConfig(1), t.TempDir()
	const options, refused = `{"idle-timeout":"1m0s","quic-end":"true"}`, `option "quic-end" is not known`
	run := laterRun(t, filepath.Join(t.TempDir(), "a.run"), options)
	merge(t, c, run).refuses(t, Kept, run+": "+refused)
	reduce(t, c, 0, t.TempDir(), run).refuses(t, Kept, run+": "+refused)
	part := laterPart(t, filepath.Join(t.TempDir(), "a.part"), options)
	joinParts(t, c, part).refuses(t, Kept, part+": "+refused)

	want := resume(t, c, state, dir).clean(t)
	laterRun(t, filepath.Join(state, runfile.RunName(paths[0])), options)
	r := resume(t, c, state, dir)
	if r.err != nil || r.rows != want || len(r.notes) != 1 || !strings.Contains(r.notes[0], refused) {
		t.Errorf("a run file of a state directory: %v, %q", r.err, r.notes)
	}
	write(t, filepath.Join(state, optionsName), []byte(options))
	resume(t, c, state, dir).refuses(t, Kept, refused)
}

// laterRun makes a run file without sessions, with these options.
func laterRun(t *testing.T, path, options string) string {
	t.Helper()
	w, err := runfile.Create(durabletest.None(), path)
	if err == nil {
		_, err = w.WriteSessions(t.Context(), nil, 1, agg.Options{})
	}
	if err == nil {
		err = w.Commit(&runfile.Meta{Kind: runfile.Sessions, Capture: &capture.Identity{}, Options: []byte(options), Report: emptyReport(t)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// laterPart makes a part without rows, with these options.
func laterPart(t *testing.T, path, options string) string {
	t.Helper()
	fs := durabletest.None()
	w, err := runfile.Create(fs, path)
	if err == nil {
		empty := runfile.NewCollector(agg.Options{}, 0, runfile.NewTemp(fs, ""))
		err = w.WriteRows(t.Context(), []*runfile.Collector{empty}, nil)
	}
	if err == nil {
		err = w.Commit(&runfile.Meta{Kind: runfile.Rows, Part: &runfile.Part{Partitions: 1}, Options: []byte(options), Report: emptyReport(t)})
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func emptyReport(t *testing.T) []byte {
	t.Helper()
	text, err := json.Marshal(report.New())
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// With Strict each job that reads captures ends at the first that is damaged or
// missing, and keeps and writes nothing of it. The others read none, and refuse
// it.
func TestStrict(t *testing.T) {
	t.Parallel()
	dir, paths := series(t, 400, 2)
	cutShort(t, paths[1])
	none := filepath.Join(dir, "none")
	lax := testConfig(1)
	runs := t.TempDir()
	if r := mapTo(t, lax, runs, 2, dir); r.err != nil || len(r.report.Damage) != 1 {
		t.Fatal(r.err)
	}
	parts := t.TempDir()
	want := extract(t, lax, dir)

	c := lax
	c.Strict = true
	for _, c.Interleave = range []bool{false, true} {
		extract(t, c, dir).refuses(t, Damaged, paths[1]+": record ")
		extract(t, c, paths[0], none).refuses(t, Input, none)
	}
	c.Interleave = false
	state := t.TempDir()
	resume(t, c, state, paths[1]).refuses(t, Damaged, paths[1]+": record ")
	resume(t, c, state, paths[0], none).refuses(t, Input, none)
	if n := len(runTimes(t, state)); n != 0 {
		t.Errorf("%d run files were kept", n)
	}
	out := t.TempDir()
	mapTo(t, c, out, 2, paths[1]).refuses(t, Damaged, paths[1]+": record ")
	mapTo(t, c, out, 2, paths[0], none).refuses(t, Input, none)
	if n := len(runTimes(t, out)); n != 0 {
		t.Errorf("map made %d run files", n)
	}

	for p := range 2 {
		reduce(t, c, p, parts, runs).refuses(t, Usage, "only what reads captures")
		if r := reduce(t, lax, p, parts, runs); r.err != nil || len(r.report.Damage) != 1 {
			t.Errorf("reduce: %v, %+v", r.err, r.report.Damage)
		}
	}
	merge(t, c, runs).refuses(t, Usage, "only what reads captures")
	joinParts(t, c, parts).refuses(t, Usage, "only what reads captures")
	for what, r := range map[string]result{"merge": merge(t, lax, runs), "parts": joinParts(t, lax, parts)} {
		if r.err != nil || r.rows != want.rows || len(r.report.Damage) != 1 || !slices.Equal(r.notices, want.notices) {
			t.Errorf("%s: %v, %+v, %q", what, r.err, r.report.Damage, r.notices)
		}
	}
}

// Two captures with the same records are one capture only if they have any.
func TestEmptyCapturesAreNoDuplicates(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"a", "b"} {
		write(t, filepath.Join(dir, name), capturetest.Pcap())
	}
	c := testConfig(1)
	if rows := merge(t, c, mapped(t, c, 2, dir)).clean(t); strings.Count(rows, "\n") != 1 {
		t.Errorf("rows %q", rows)
	}
}
