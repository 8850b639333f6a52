package main

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"pcapbatch/internal/capture"
	"pcapbatch/internal/ingest"
	"pcapbatch/internal/job"
)

// mapCommand is batch map.
type mapCommand struct {
	captures   captureFlags
	sessions   sessionFlags
	columns    columnFlags
	outcome    outcomeFlags
	resources  resourceFlags
	strict     bool
	again      bool
	name       string
	identity   string
	part       string
	unit       string
	dir        string
	partitions int
	outcomes   string
	reportData bool
}

func newMap(e *env) *cobra.Command {
	m := &mapCommand{}
	cmd := &cobra.Command{
		Use:     "map [flags] --out DIR CAPTURE...",
		GroupID: "scale",
		Short:   "Make one run file of each capture",
		Long: `Reads captures and puts the sessions of each into a run file in DIR, for
'batch merge' or 'batch reduce'. The name of a run file follows from the path of
its capture, and the file appears under that name only when it is complete, so
making one twice, even at the same time, does no harm. Small run files that are
made in quick succession share one file, a pack.

A capture is not read if its run file is there and current: made of the same
content, with the same options and number of partitions, and whole. What it says
of damage is reported again.

With --range only a part of one capture is read, a pcap or pcapng file that is
plain, BGZF or seekable zstd. The run files of all of its parts stand for the
capture: 'batch merge' and 'batch reduce' check that they are all there and fit.
With --unit the captures, or the range, are those of a unit of a plan.

With --name one capture is read from standard input, from a download for one. It
is always read, unless --identity is given and is that of its run file. Damage
does not make such a run file current: perhaps the download broke off.

A file that is no capture gets a run file that says so. A capture that is
missing or could not be read gets none, and the exit status is 4. With
--outcomes, a line for each capture says which of these it was, so that
'batch merge --expect' can tell whether a run file was lost.

` + objectsHelp + "\n\n" + exitHelp,
		Example: `  batch map --out runs/ monday.pcap tuesday.pcap
  curl -s $URL | batch map --out runs/ --name $URL -`,
		RunE: func(cmd *cobra.Command, args []string) error {
			m.outcome.begin(cmd, e)
			return m.run(cmd.Context(), e, args)
		},
	}
	groups := flagGroups{cmd: cmd}
	in := groups.add("Input")
	m.captures.register(in)
	registerStrict(in, &m.strict)
	in.StringVar(&m.name, "name", "", "read one capture from standard input, -, and call it `NAME` wherever a capture is named: a URL, say")
	in.StringVar(&m.identity, "identity", "", "with --name, what identifies the content, an ETag say: if the run file there was made of the same `TEXT`, standard input is not read")
	in.StringVar(&m.part, "range", "", "read the records that begin at the bytes `FROM-TO` of the one capture; the run files of all its ranges stand for it")
	in.StringVar(&m.unit, "unit", "", "read the captures of unit N of a file that 'batch plan' has made, `PLAN:N`")
	in.BoolVar(&m.again, "again", false, "read captures whose run files are current too, and make new ones")
	s := groups.add("Sessions")
	m.sessions.register(s)
	m.sessions.registerThreshold(s)
	m.columns.registerKept(groups.add("Data kept for columns"))
	out := groups.add("Output")
	registerDir(out, &m.dir, "run files")
	out.IntVarP(&m.partitions, "partitions", "P", job.DefaultPartitions, "cut each run file into `N` partitions, one for each 'batch reduce'")
	out.StringVar(&m.outcomes, "outcomes", "", "write what became of each capture to `FILE`, a line of JSON for each, as soon as it is known")
	registerReportData(out, &m.reportData, "run files")
	m.outcome.registerSummary(out)
	m.outcome.registerProgress(out)
	m.outcome.registerNotices(out)
	m.resources.register(groups.add("Resources"))
	groups.done()
	return cmd
}

func (m *mapCommand) run(ctx context.Context, e *env, args []string) (err error) {
	t := m.outcome.terminal(e)
	c := e.config(t)
	c.Strict, c.Again, c.ReportData = m.strict, m.again, m.reportData
	c.StdinPath, c.StdinTag = m.name, m.identity
	m.sessions.set(&c, m.columns.rules())
	if err := m.resources.set(&c); err != nil {
		return err
	}
	if err := m.columns.set(ctx, &c, true); err != nil {
		return err
	}
	if m.dir == "" {
		return errNoDir
	}
	files := written{"summary": m.outcome.summary, "outcomes": m.outcomes}
	if args, err = m.chosen(args, &c, e); err != nil {
		return err
	}
	found, err := m.captures.find(ctx, args, e, files.targets()...)
	if err != nil {
		return err
	}
	if err := cmp.Or(files.protectFound(found, m.captures.filesFrom, e), files.protectDir(m.dir)); err != nil {
		return err
	}
	e.lendMemory(&c, append([]string{m.dir, m.outcome.summary, m.outcomes}, found.Paths...)...)
	lines, err := createLines(ctx, m.outcomes, e)
	if err != nil {
		return err
	}
	if lines != nil {
		c.Outcome = lines.write
	}
	r, err := job.Map(ctx, c, m.dir, m.partitions, found)
	t.close()
	if failed := lines.close(); failed != nil {
		return failed
	}
	lost := errors.Is(err, job.ErrNoRunFile) // but all others were made
	if err != nil && !lost {
		return err
	}
	m.outcome.output = m.dir
	if failed := m.outcome.summarise(ctx, e, &c, r); failed != nil {
		return failed
	}
	if lost {
		return err
	}
	return reportStatus(r)
}

// chosen returns the names of the captures, and puts the range into c.
func (m *mapCommand) chosen(args []string, c *job.Config, e *env) ([]string, error) {
	if m.unit == "" {
		if m.part == "" {
			return args, nil
		}
		var err error
		if c.Range, err = capture.ParseRange(m.part); err != nil {
			return nil, usageError("--range: %w", err)
		}
		return args, nil
	}
	at := strings.LastIndexByte(m.unit, ':')
	number, err := strconv.Atoi(m.unit[at+1:])
	switch {
	case at < 0 || err != nil || number < 0:
		return nil, usageError("--unit %q: must be the file of a plan, a colon and the number of a unit", m.unit)
	case len(args) > 0 || m.captures.filesFrom != "" || m.part != "" || m.name != "":
		return nil, usageError("--unit names the captures: no others can be named")
	}
	u, err := job.ReadUnit(c.FS, m.unit[:at], number)
	if err != nil {
		return nil, err
	}
	return u.Apply(c)
}

var errNoDir = usageError("--out is needed: the directory to write to")

func registerStrict(set *pflag.FlagSet, strict *bool) {
	set.BoolVar(strict, "strict", false, "stop at the first capture that is damaged or cannot be read")
}

func registerDuplicates(set *pflag.FlagSet, duplicates *bool) {
	set.BoolVar(duplicates, "allow-duplicates", false, "accept a capture that is in two run files, and count it twice")
}

// expectFlag names the captures that run files must hold.
type expectFlag struct{ list string }

func (f *expectFlag) register(set *pflag.FlagSet) {
	set.StringVar(&f.list, "expect", "", "fail unless there are run files of all captures that `FILE` names, and of no others: their names, one a line, or the outcomes of 'batch map'; - is standard input")
}

// set puts the captures into a Config.
func (f *expectFlag) set(ctx context.Context, c *job.Config, e *env) (err error) {
	if f.list != "" {
		c.Expect, err = ingest.Await(ctx, func() ([]string, error) { return job.ReadExpected(e.fs, f.list, e.in) })
	}
	return err
}

func registerDir(set *pflag.FlagSet, dir *string, what string) {
	set.StringVar(dir, "out", "", "write "+what+" to `DIR`, which is created if necessary")
}
