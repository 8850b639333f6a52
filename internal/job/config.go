package job

import (
	"context"
	"io"
	"math/rand/v2"
	"sync"
	"time"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/capture"
	"pcapbatch/internal/decode"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/rows"
	"pcapbatch/internal/runfile"
	"pcapbatch/internal/shard"
	"pcapbatch/internal/writer"
)

// A Config says how a job is done, in groups whose fields are its own. New
// returns one with the defaults.
type Config struct {
	// Sessions shape the numbers. Jobs on run files and parts take them from
	// there instead.
	Sessions  Sessions
	Rows      // what the rows have, and their format
	Inputs    // how captures and run files are read
	Resources // workers, memory, files
	Reporting // who is told what
	Sizes     // for tests
}

// Rows say what the rows are. The numbers in them are shaped by Sessions.
type Rows struct {
	// Columns choose what a row has. JoinParts takes them from the parts.
	Columns writer.Options
	// Format is that of the rows. JoinParts knows CSV alone.
	Format Format
	// Labels give rows a column of labels; nil: none. JoinParts ignores them.
	Labels *Labels
}

// Inputs say how a job reads captures and run files.
type Inputs struct {
	// Stdin is read for capture.StdinName.
	Stdin io.Reader
	// StdinPath is what Map calls the capture on standard input, a URL say; that
	// must be the only one then. "": it is refused.
	StdinPath string
	// StdinTag says what the content of that capture is, an ETag say. Where the
	// run file has the same one, standard input is not read. "": it is always.
	StdinTag string
	// Range is the part of its capture that Map reads; the zero value is all.
	// The run files of all ranges of a capture stand for it: see joinRanges.
	Range capture.Range
	// Strict ends the job at the first capture that is damaged or missing. Jobs
	// that read none refuse it.
	Strict bool
	// Interleave merges captures by time, as if they were one.
	Interleave bool
	// Again makes Map read captures whose run files are current too.
	Again bool
	// Duplicates allows a capture that is in two run files, and counts it
	// twice.
	Duplicates bool
	// Expect are the paths of the captures that Merge, Reduce and JoinParts must
	// find in what they are given, and no others. nil: whatever there is.
	Expect []string
}

// Resources are what a job may use. The rows do not depend on them, but for
// medians of large sessions that do not fit into Memory.
type Resources struct {
	// Workers is the number of goroutines that decode, and of tables; the
	// rows do not depend on it. 1 to MaxWorkers.
	Workers int
	// Memory bounds what the process uses, in bytes: at least LeastMemory and
	// what the rules of Labels take, 0 for no limit. Sessions that do not fit go
	// to temporary files, and so do captures that are merged. It is exceeded by
	// at most 64 MiB and 4 MiB for each worker.
	Memory int64
	// OutputMemory is how many bytes of Memory are for what the rows are written
	// to, which may compress them. Where Memory is small it may take more.
	OutputMemory int64
	// HeapLimit is told how many bytes of Memory are for the heap that the
	// garbage collector manages; tables of sessions are not in it. The command
	// limits Go's runtime by it. nil: nobody is told.
	HeapLimit func(bytes int64)
	// TempDir is the directory for temporary files; "" is the system's.
	TempDir string
	// FS is what the job reads and writes, temporary files included.
	FS durable.FS
}

// Reporting says who is told what, while a job runs and in its report.
type Reporting struct {
	// Observer is told of progress and damage.
	Observer Observer
	// Outcome, if there is one, is told what became of each capture of Map, as
	// soon as that is known; by one goroutine at a time. Its error ends the job.
	Outcome func(*Outcome) error
	// Figures collects report.Run.Figures. Of captures that were not read in this
	// run there are those of packets only where their run files keep them.
	Figures bool
	// ReportData keeps such figures in the run files and parts that are made.
	// Resume reads a capture again whose run file lacks them.
	ReportData bool
	// ReportDir is where ReduceTable puts a part without rows, from which
	// JoinParts makes the report; "": it makes none.
	ReportDir string
	// NoRows makes JoinParts write no rows, so that it takes parts without them.
	NoRows bool
	// CaptureSessions counts the sessions that begin in each capture, where rows
	// are made.
	CaptureSessions bool
}

// Sizes are for tests: of what large captures need, the sizes at which captures
// are cut into stretches and sessions are put on disk, in bytes. New sets them.
type Sizes struct {
	// StretchBytes is the size of a stretch: see ingest.StretchBytes.
	StretchBytes int64
	// RangeLead is how many bytes before a range are read: see reader.Range.
	RangeLead int64
	// BlockBytes is the size of a block of records: see reader.Options. 0:
	// reader.BlockBytes.
	BlockBytes int
	// Share is the memory of a worker for sessions, in place of what follows
	// from Memory.
	Share int64
	// CaptureBytes is how many bytes the captures that are open may hold
	// together, in place of what follows from Memory.
	CaptureBytes int64
	// FragmentBytes is the memory of a stretch for first fragments, in place of
	// what follows from Memory.
	FragmentBytes int64
	// HashSeed is that of the hash of sessions; 0: a random one, so that nobody
	// can make captures whose sessions collide.
	HashSeed uint64
	// PackBytes is the size from which a pack of run files is complete.
	PackBytes int64
	// PackTime is how long such a pack waits for more.
	PackTime time.Duration
	// LeastSpill is the size of a table below which it stays in memory; see
	// shard.Config.
	LeastSpill int64
}

// An Observer is told what happens in a job, as an ingest.Observer is, and how
// much there is to read.
type Observer interface {
	ingest.Observer
	// Start says how many captures are to be read, and their size on disk in
	// bytes, -1 where one has none.
	Start(captures int, bytes int64)
	// Note has a line that explains, but reports no damage.
	Note(line string)
}

// Silent is an Observer that ignores what it is told.
type Silent struct{ ingest.Silent }

// Start implements Observer.
func (Silent) Start(int, int64) {}

// Note implements Observer.
func (Silent) Note(string) {}

// MaxWorkers is the largest number of workers.
const MaxWorkers = shard.MaxWorkers

// New returns a Config with the defaults: one worker, no limit of memory, the
// system's files, and nobody who watches.
func New() Config {
	return Config{
		Sessions:  DefaultSessions(),
		Resources: Resources{Workers: 1, FS: durable.OS},
		Reporting: Reporting{Observer: Silent{}},
		Sizes: Sizes{
			StretchBytes: ingest.StretchBytes, RangeLead: ingest.RangeLead, LeastSpill: shard.LeastSpill,
			PackBytes: packBytes, PackTime: packTime,
		},
	}
}

// A run is a job that has begun.
type run struct {
	Config
	layout      *writer.Layout
	kept        kept  // what sessions keep
	share       int64 // bytes of sessions for each worker
	seed        uint64
	forCaptures int64        // bytes that open captures may hold; 0: no limit
	room        *ingest.Room // for large records; nil: no limit
	files       *runfile.Files
	report      *report.Run
	// captures are the paths of the captures, as they were named, in capture
	// order: known before rows are made.
	captures  []string
	stream    *capture.Stream // with StdinPath: what Stdin is read through
	labeller  *labeller       // nil: no labels
	observers *observers      // nil: sessions are not counted
	planning  bool            // the job is Plan
	outcomes  sync.Mutex      // held while Outcome is called
}

// begin checks the Config.
func (c Config) begin() (*run, error) {
	if c.Workers < 1 || c.Workers > MaxWorkers {
		return nil, failure(Usage, "--workers %d: must be 1 to %d", c.Workers, MaxWorkers)
	}
	if c.Memory != 0 && c.Memory < LeastMemory(c.Workers) {
		return nil, failure(Usage, "--memory %d: with %s at least %d bytes are needed", c.Memory, report.Plural(uint64(c.Workers), "worker"), LeastMemory(c.Workers))
	}
	if err := c.takeLabels(); err != nil {
		return nil, err
	}
	r := &run{Config: c, seed: c.HashSeed, files: &runfile.Files{FS: c.FS}, report: report.New()}
	if r.seed == 0 {
		r.seed = rand.Uint64()
	}
	if c.Interleave && c.Sessions.Capture {
		return nil, failure(Usage, "--interleave makes one capture of all, --key capture tells them apart: use one or the other")
	}
	r.share, r.forCaptures = c.share(), c.openBytes()
	if c.Memory > 0 {
		r.room = ingest.NewRoom(c.Memory / 16)
	}
	if err := c.Sessions.check(); err != nil {
		return nil, err
	}
	return r, r.checkTempDir()
}

// takeSessions makes the options those of what is merged.
func (r *run) takeSessions(s Sessions) {
	r.Sessions = s
	r.report.Decapsulated = s.Decapsulate
}

// lay chooses the columns. Requires: Sessions are known.
func (r *run) lay() (err error) {
	o := r.Columns
	o.VLAN = r.Sessions.VLAN
	if r.Sessions.Capture {
		o.Capture = func(dst []byte, s *agg.Summary) []byte { return append(dst, r.captureOf(s)...) }
	}
	if r.Labels != nil {
		if r.Labels.Rules.NamesCaptures() && !r.Sessions.Capture {
			return failure(Usage, "--labels: a rule names a capture, which sessions have only with --key capture")
		}
		r.labeller = &labeller{Labels: r.Labels, captures: r.captureOf}
		o.Label = r.labeller.text
	}
	o.Observe = r.observe
	if r.layout, err = writer.NewLayout(o); err != nil {
		return failure(Usage, "%w", err)
	}
	r.report.Decapsulated = r.Sessions.Decapsulate
	r.kept = keptFor(o)
	return nil
}

// captureOf is the path of the capture of a session where the key has it.
func (r *run) captureOf(s *agg.Summary) string {
	if !r.Sessions.Capture {
		return ""
	}
	return r.captures[s.Capture]
}

// finish completes the report. Captures that are told apart, or were interleaved,
// may overlap in time.
func (r *run) finish() { r.report.Finish(r.Interleave || r.Sessions.Capture) }

// joined are the options for package agg where sessions of several captures come
// together.
func (r *run) joined() agg.Options {
	o := r.tables()
	o.Captures = r.Sessions.Capture
	return o
}

// tables are the options for package agg of the sessions of one capture.
func (r *run) tables() agg.Options { return r.Sessions.tables(r.kept, r.seed) }

// tables are the options for package agg of sessions that keep k.
func (s *Sessions) tables(k kept, seed uint64) agg.Options {
	return agg.Options{
		IdleThreshold: uint64(s.IdleThreshold), IdleTimeout: uint64(s.IdleTimeout),
		ActiveTimeout: uint64(s.ActiveTimeout), TCPEnd: s.TCPEnd,
		Seed: seed, Needs: k.needs(), Sequence: k.Sequence,
	}
}

// decoding are the options for package decode.
func (r *run) decoding() decode.Options {
	s, tables := &r.Sessions, r.tables()
	ports, _ := decode.ParseTunnelPorts(s.TunnelPorts) // was checked
	return decode.Options{
		TunnelPorts:    append(decode.DefaultTunnelPorts(), ports...),
		Unidirectional: s.Unidirectional, VLANKey: s.VLAN, Decapsulate: s.Decapsulate,
		Details: tables.Details(), Seed: r.seed, Shards: r.Workers,
	}
}

// encoding says how rows become bytes.
func (r *run) encoding() rows.Encoding {
	return rows.Encoding{Header: r.layout.Header(), NewFormatter: func() rows.Formatter { return r.layout.NewFormatter() }, Numbered: r.layout.Numbered()}
}

// newTemp makes a temporary file, which takes no space until it is written.
func (r *run) newTemp() *runfile.Temp { return runfile.NewTemp(r.FS, r.TempDir) }

// open looks at the captures that were found and puts them in order. It reports
// those that cannot be opened, and returns an error if there is none that can.
func (r *run) open(ctx context.Context, found *capture.Found) ([]*ingest.Input, error) {
	r.report.NamedTwice = found.Twice
	var lost []report.Damage
	met := found.Met()
	missing := func(d report.Damage) {
		if d.Kind == report.KindNotCapture && met[d.Path] {
			r.report.NotCaptures++ // nobody said that it was one
			return
		}
		lost = append(lost, d)
		if !r.Strict {
			r.Observer.Notice(d.String())
		}
	}
	for _, f := range found.Failures {
		missing(ingest.Missing(f))
	}
	var inputs []*ingest.Input
	var err error
	if !r.Strict || len(lost) == 0 {
		o := r.reading()
		if r.Interleave {
			o.Room = nil // what waits to be merged must not keep it from the merged
		}
		if inputs, err = ingest.Open(ctx, found.Paths, o, missing); err != nil && !r.Range.Whole() {
			err = rangeFailure(found.Paths[0], err)
		}
	}
	r.report.Damage = append(r.report.Damage, lost...)
	if n := r.report.NotCaptures; n > 0 && err == nil {
		r.Observer.Note(report.NotCapturesLine(n))
	}
	switch {
	case err != nil:
		return nil, err
	case r.Strict && len(lost) > 0:
		ingest.Close(inputs)
		return nil, &ingest.DamageError{Damage: lost[0]}
	}
	r.divide(inputs)
	return inputs, nil
}

// reading says how captures are read.
func (r *run) reading() ingest.Options {
	alone := r.forCaptures
	if alone > 0 {
		alone += aloneBytes
	}
	return ingest.Options{
		Stdin: r.Stdin, StdinPath: r.StdinPath, Decoding: r.decoding(), Workers: r.Workers,
		BlockBytes: r.BlockBytes, Memory: r.forCaptures, Alone: alone, MemoryFor: r.memoryFor, Room: r.room, FragmentBytes: r.fragmentBytes(),
		FS: r.FS, TempDir: r.TempDir, Strict: r.Strict, Observer: r.Observer, Range: r.Range, RangeLead: r.RangeLead, FindRanges: r.planning,
	}
}

// pipeline returns what all stretches of the run have in common, and what
// shard.Run needs besides them.
func (r *run) pipeline() (*ingest.Pipeline, shard.Config[*ingest.Block]) {
	p := ingest.NewPipeline(r.reading())
	return p, shard.Config[*ingest.Block]{
		Workers: r.Workers, NewBlock: p.NewBlock, Sessions: r.tables(),
		Share: r.share, LeastSpill: r.LeastSpill,
	}
}

// take adds to the report what there is to say of the captures that were read.
func (r *run) take(inputs []*ingest.Input) {
	for _, in := range inputs {
		found, damage := in.Report()
		if found != nil {
			r.report.AddCapture(found)
			r.tellLeftOut(found)
		}
		if damage != nil {
			r.report.Damage = append(r.report.Damage, *damage)
		}
	}
}

// joiner makes rows of tables and of what Merge is given.
func (r *run) joiner(partitions int, tables []*agg.Table) *rows.Joiner {
	return rows.NewJoiner(rows.Options{
		Workers: r.Workers, Sessions: r.joined(), Share: r.share, Partitions: partitions, NewTemp: r.newTemp,
	}, tables)
}

// count adds to the report what the sessions say.
func (r *run) count(j *rows.Joiner) rows.Counts {
	n := j.Counts()
	r.report.Sessions += n.Sessions
	r.report.Reordered += n.Reordered
	r.report.InexactGaps += n.InexactGaps
	return n
}
