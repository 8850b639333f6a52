package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/klauspost/compress/gzip"

	"pcapbatch/internal/inflate"
)

// gunzipper is a program that decompresses a gzip file to standard output, or
// to nothing.
type gunzipper struct {
	name string
	argv []string
	cpus int
}

var gunzippers = []gunzipper{
	{"inflate", []string{benchProgram, "gunzip", "-workers", "1"}, 1},
	{"inflate, 2 workers", []string{benchProgram, "gunzip", "-workers", "2"}, 2},
	{"klauspost", []string{benchProgram, "gunzip", "-klauspost"}, 1},
	{"libdeflate-gunzip", []string{"libdeflate-gunzip", "-c"}, 1},
	{"rapidgzip -P 1", []string{"rapidgzip", "-dc", "-P", "1"}, 1},
	{"rapidgzip -P 2", []string{"rapidgzip", "-dc", "-P", "2"}, 2},
	{"gzip", []string{"gzip", "-dc"}, 1},
}

// inflateFiles are the files to decompress, below the data directory.
var inflateFiles = []string{"quarter/mix.pcap.gz", "text.gz", "random.gz"}

// runInflate is the command inflate: gzip decoders alone, each in turn with
// igzip.
func runInflate(args []string, stdout, stderr io.Writer) error {
	f, err := parseHarness("inflate", 5, args, stderr, func(*flag.FlagSet) {})
	if err != nil {
		return err
	}
	rep := report{Machine: thisMachine(append([]string{"inflate"}, args...)), Rounds: f.h.rounds}
	var failed error
	for _, name := range inflateFiles {
		for _, g := range gunzippers {
			res, err := f.h.gunzip(name, g)
			if err != nil {
				fmt.Fprintf(stderr, "%s of %s: %v\n", g.name, name, err)
				if skip := errSkip(""); !errors.As(err, &skip) {
					failed = errors.Join(failed, err)
				}
				continue
			}
			rep.Rows = append(rep.Rows, res)
		}
	}
	if len(rep.Rows) == 0 {
		return errors.Join(failed, errors.New("nothing could be measured"))
	}
	printInflate(stdout, rep)
	if f.json != "" {
		failed = errors.Join(failed, writeJSON(f.json, rep))
	}
	return failed
}

// gunzip measures g on one file.
func (h *harness) gunzip(name string, g gunzipper) (result, error) {
	res := result{Name: g.name, About: name, Captures: 1}
	paths, err := expand(h.data, []string{name})
	if err != nil {
		return res, err
	}
	_, argv, err := firstInstalled([][]string{g.argv})
	if err != nil {
		return res, err
	}
	against, reference, err := firstInstalled([][]string{{"igzip", "-dc"}, {"gzip", "-dc"}})
	if err != nil {
		return res, err
	}
	res.Against = against
	if res.Bytes, err = gunzipFile(paths[0], 1, false); err != nil { // brings it into the page cache too
		return res, err
	}
	turns := []turn{
		{process{argv: append(argv, paths...), cpus: g.cpus}, &res.Program},
		{process{argv: append(reference, paths...), cpus: g.cpus}, &res.Reference},
	}
	for range h.rounds {
		if err := h.round(turns, ""); err != nil {
			return res, err
		}
	}
	res.derive()
	return res, nil
}

func printInflate(w io.Writer, rep report) {
	printMachine(w, rep.Machine)
	fmt.Fprintf(w, "median of %d, run in turn with the reference; bytes are those that come out\n\n", rep.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "file\tdecoder\twall s\tMB/s\tCPU MB/s\tratio\tmin-max\tCPU ratio\tagainst\t")
	for _, r := range rep.Rows {
		fmt.Fprintf(t, "%s\t%s\t%.3f\t%.0f\t%.0f\t%.2f\t%.2f-%.2f\t%.2f\t%s\t\n", r.About, r.Name,
			r.WallS, r.GBPerS*1e3, quotient(float64(r.Bytes)/1e6, r.CPUS), r.Ratio, r.RatioMin, r.RatioMax, r.CPURatio, r.Against)
	}
	t.Flush()
}

// runGunzip is the command gunzip: it decompresses files to nothing.
func runGunzip(args []string, _, stderr io.Writer) error {
	set := newFlags("gunzip", stderr)
	workers := set.Int("workers", 1, "goroutines that decode")
	other := set.Bool("klauspost", false, "with klauspost/compress instead of internal/inflate")
	if err := set.Parse(args); err != nil {
		return err
	}
	if set.NArg() == 0 {
		return errors.New("gunzip: no file given")
	}
	for _, path := range set.Args() {
		if _, err := gunzipFile(path, *workers, *other); err != nil {
			return fmt.Errorf("gunzip: %s: %w", path, err)
		}
	}
	return nil
}

// gunzipFile decompresses a file into a block of 1 MiB, over and over, as
// internal/reader does, and returns how many bytes came out.
func gunzipFile(path string, workers int, klauspost bool) (n int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	var z io.ReadCloser
	if klauspost {
		if z, err = gzip.NewReader(f); err != nil {
			return 0, err
		}
	} else {
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		z = inflate.NewParallelReader(f, info.Size(), inflate.Options{Workers: workers})
	}
	defer z.Close()
	return drain(z)
}

// drain reads r to its end.
func drain(r io.Reader) (n int64, err error) {
	block := make([]byte, 1<<20)
	for {
		k, err := r.Read(block)
		n += int64(k)
		if err == io.EOF {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}
