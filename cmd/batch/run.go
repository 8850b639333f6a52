package main

import (
	"cmp"
	"context"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"pcapbatch/internal/durable"
	"pcapbatch/internal/objectstore"
)

// env is what a command has besides its arguments: the three standard streams,
// the file system that it reads and writes, and the heap of the process.
type env struct {
	name string // that the program was called by
	in   io.Reader
	out  io.Writer
	err  io.Writer
	fs   durable.FS
	args []string // the program's name, the command and its arguments

	// limitHeap limits what the heap of the process takes, in bytes; nil where
	// the process has other things in it than the command, as that of tests.
	limitHeap func(bytes int64)

	objects *objectstore.FS // fs, which has objects too
}

// run is the whole command in a process of its own: it returns the exit status.
func run(name string) int {
	limit := func(bytes int64) { debug.SetMemoryLimit(bytes) }
	return runIn(&env{name: name, in: os.Stdin, out: os.Stdout, err: os.Stderr, fs: durable.OS, limitHeap: limit}, os.Args[1:])
}

// runIn is the whole command in an env. Tests call it.
func runIn(e *env, args []string) int {
	ctx, stop := signalContext(context.Background())
	defer stop()
	e.objects = objectstore.New(ctx, e.fs)
	defer e.objects.Close()
	e.fs = e.objects
	e.args = append([]string{e.name}, args...)
	root := newRoot(e)
	e.speakOf(root)
	root.SetArgs(args)
	root.SetIn(e.in)
	printed := &firstError{Writer: e.out}
	root.SetOut(printed)
	root.SetErr(e.err)
	if len(args) > 0 && strings.HasPrefix(args[0], "__complete") {
		completions(root)
		unquote(root)
	}
	e.mendCompletion(root)
	cmd, err := oneDash(root, args)
	if err == nil {
		cmd, err = root.ExecuteContextC(ctx)
	}
	if printed.err != nil { // of help and the like, which cobra prints
		err = outputError(printed.err)
	}
	return e.exitCode(suggest(cmd, args, err), cmd)
}

// firstError keeps the first error of a writer.
type firstError struct {
	io.Writer
	err error
}

func (f *firstError) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.err = cmp.Or(f.err, err)
	return n, err
}

// signalContext returns a context that the first SIGINT, SIGTERM or SIGHUP
// ends, with a signalError as cause. A second one kills the process, as it
// always does. Where SIGHUP is ignored, as nohup makes it, it stays so. A closed
// pipe is an error of the write, not a signal.
func signalContext(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM)
	if !signal.Ignored(syscall.SIGHUP) {
		signal.Notify(c, syscall.SIGHUP)
	}
	signal.Ignore(syscall.SIGPIPE)
	go func() {
		if s, ok := <-c; ok {
			signal.Stop(c)
			cancel(signalError{sig: s.(syscall.Signal)})
		}
	}()
	return ctx, func() {
		signal.Stop(c)
		close(c)
		cancel(nil)
	}
}

func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "batch",
		Short: "Statistics per network session from packet captures",
		Long: `batch reads packet captures (pcap, pcapng, plain or compressed) and writes one
table, CSV or Parquet, with a row of statistics for each network session.

` + exitHelp,
		Example: `  batch extract capture.pcap                  rows to standard output
  batch extract -o sessions.csv captures/     all captures of a directory
  zstdcat big.pcap.zst | batch extract -      from a pipe
  batch inspect -r captures/                  what is in the captures
  batch fields                                what the columns mean`,
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error { return emptyName(cmd) }
	root.AddGroup(
		&cobra.Group{ID: "work", Title: "Commands:"},
		&cobra.Group{ID: "scale", Title: "For job schedulers:"},
		&cobra.Group{ID: "about", Title: "About the program:"})
	root.Flags().BoolP("version", "V", false, "print the version")
	root.SetVersionTemplate(versionLine(e.name))
	root.SetHelpCommandGroupID("about")
	root.SetCompletionCommandGroupID("about")
	root.AddCommand(newExtract(e), newMerge(e), newPlan(e), newMap(e), newReduce(e), newInspect(e), newVerify(e), newCompare(e), newFields(e), newVersion(e), newMan())
	root.SetHelpCommand(newHelp(root))
	return root
}
