package job

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/parquet-go/parquet-go"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/durable"
	"pcapbatch/internal/durabletest"
	"pcapbatch/internal/runfile"
)

// A faultCase is a job of which every write is made to fail. It may write only
// below dir.
type faultCase struct {
	name string
	run  func(c Config, dir string) result
	// rows returns the rows that the job leads to, once it has ended well; nil:
	// its own.
	rows func(dir string) string
	want string
}

// faultCases are all jobs, in each way in which they write.
func faultCases(t *testing.T) []faultCase {
	c := testConfig(1)
	dir, paths := series(t, 1200, 2)
	many, _ := series(t, 1300, runfile.MaxInputs+2)
	const cut = runfile.MaxInputs + 2
	runs, manyRuns, finely := mapped(t, c, 3, dir), mapped(t, c, 1, many), mapped(t, c, cut, dir)
	parts, manyParts := reduced(t, c, 3, runs), reduced(t, c, cut, finely)
	records, _ := capturetest.Traffic(1200)
	overlapping, together := deal(t, records, 12, true, func(i int) int { return i % 12 }), c
	together.Interleave = true
	want, wantMany := extract(t, c, dir).clean(t), extract(t, c, many).clean(t)
	// little is so little memory that a few tables are spilled.
	little := func(c Config) Config {
		c.BlockBytes, c.Share, c.LeastSpill = 24<<10, 12<<10, 8<<10
		return c
	}
	// whole is so little that sessions are set aside.
	whole := func(c Config, capture bool, share int64) Config {
		c.Sessions.TCPEnd, c.Sessions.Capture = true, capture
		c.BlockBytes, c.Share, c.LeastSpill = 24<<10, share, 12<<10
		return c
	}
	unlimited := func(capture bool) string {
		c := whole(c, capture, 0)
		return extract(t, c, dir).clean(t)
	}
	fragments := pcap(t, fragmentStorm(100))
	wantFragments := extract(t, c, fragments).clean(t)
	inFile := func(c Config) Config { c.FragmentBytes, c.BlockBytes = 5000, 1<<10; return c }
	packed, superseded := supersededPacks(t)
	wantPacked := extract(t, c, packed).clean(t)
	at := filepath.Join
	return []faultCase{
		{name: "state", want: want, run: func(c Config, out string) result { return resume(t, c, at(out, "state"), dir) }},
		{name: "packs", want: wantPacked, run: func(c Config, out string) result { return resume(t, smallPacks(c), at(out, "state"), packed) }},
		{name: "superseded packs", want: wantPacked, run: func(c Config, out string) result {
			if err := os.CopyFS(at(out, "state"), os.DirFS(superseded)); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
			return resume(t, smallPacks(c), at(out, "state"), packed)
		}},
		{name: "map", want: want, run: func(c Config, out string) result {
			r := mapTo(t, c, at(out, "runs"), 3, paths...)
			r.notes = nil // another try leaves alone what was made
			return r
		},
			rows: func(out string) string { return merge(t, testConfig(1), at(out, "runs")).clean(t) }},
		{name: "reduce", want: want, run: func(c Config, out string) result { return reduce(t, c, 1, at(out, "parts"), runs) },
			rows: func(out string) string {
				return joinParts(t, testConfig(1), at(parts, "0000-of-0003.part"), at(parts, "0002-of-0003.part"), at(out, "parts")).clean(t)
			}},
		{name: "merge of many runs", want: wantMany, run: func(c Config, out string) result { return merge(t, c, manyRuns) }},
		{name: "merge with little memory", want: want, run: func(c Config, out string) result { return merge(t, little(c), runs) }},
		{name: "reduce with little memory", want: want, run: func(c Config, out string) result { return reduce(t, little(c), 1, at(out, "parts"), runs) },
			rows: func(out string) string {
				return joinParts(t, testConfig(1), at(parts, "0000-of-0003.part"), at(parts, "0002-of-0003.part"), at(out, "parts")).clean(t)
			}},
		{name: "many parts", want: want, run: func(c Config, out string) result { return joinParts(t, c, manyParts) }},
		{name: "Parquet on disk", want: extract(t, asParquet(c), dir).clean(t), run: func(c Config, out string) result {
			c.Memory = LeastMemory(c.Workers)
			return extract(t, asParquet(c), dir)
		}},
		{name: "table", want: reducedTable(t, asParquet(c), runs, t.TempDir()).clean(t), run: func(c Config, out string) result {
			r := reducedTable(t, asParquet(c), runs, at(out, "tables"))
			r.rows = ""
			return r
		}, rows: func(out string) string { return string(load(t, at(out, "tables", "part-00001-of-00003.parquet"))) }},
		{name: "spill", want: want, run: func(c Config, out string) result { return extract(t, little(c), dir) }},
		{name: "merged captures", want: extract(t, together, overlapping).clean(t), run: func(c Config, out string) result {
			return extract(t, sparing(c, 64<<10), overlapping)
		}},
		{name: "spill whole sessions", want: unlimited(false), run: func(c Config, out string) result { return extract(t, whole(c, false, 64<<10), dir) }},
		{name: "spill whole sessions with state", want: unlimited(true), run: func(c Config, out string) result {
			return resume(t, whole(c, true, 128<<10), at(out, "state"), dir)
		}},
		{name: "first fragments", want: wantFragments, run: func(c Config, out string) result { return extract(t, inFile(c), fragments) }},
		{name: "first fragments with state", want: wantFragments, run: func(c Config, out string) result { return resume(t, inFile(c), at(out, "state"), fragments) }},
		{name: "spill with state", want: want, run: func(c Config, out string) result { return resume(t, little(c), at(out, "state"), dir) }},
	}
}

// Whichever write of a job fails: it ends with an error of category Output that
// names the file, leaves nothing that could be taken for a result, nor anything
// else, and the next one ends as if nothing had happened.
func TestEveryWriteFails(t *testing.T) {
	t.Parallel()
	for _, c := range faultCases(t) {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			count := durabletest.None()
			if got := c.try(t, count, t.TempDir()); got != c.want {
				sameRows(t, "without a fault", got, c.want)
			}
			if strings.HasPrefix(c.name, "spill") && count.Temps() < 2 {
				t.Fatalf("%d temporary files: sessions were put on disk by key or by time, not both", count.Temps())
			}
			most := capturetest.Usually(24, math.MaxInt)
			if testing.Short() {
				most = 10
			}
			met := durabletest.Each(count.Calls(), most, func(disk *durabletest.Faults) bool { return c.tryFault(t, disk) })
			t.Logf("%d calls, %d faults", count.Calls(), met)
		})
	}
}

// try does the job on a file system and returns the rows that it leads to.
func (c *faultCase) try(t *testing.T, disk durable.FS, dir string) string {
	t.Helper()
	r := c.run(c.config(disk, dir), dir)
	r.clean(t)
	if c.rows != nil {
		return c.rows(dir)
	}
	return r.rows
}

func (c *faultCase) config(disk durable.FS, dir string) Config {
	o := testConfig(1)
	o.FS, o.TempDir = disk, dir
	return o
}

// tryFault does the job on a file system with a fault. It reports whether the
// job has met it.
func (c *faultCase) tryFault(t *testing.T, disk *durabletest.Faults) bool {
	t.Helper()
	dir := t.TempDir()
	defer os.RemoveAll(dir) // there are thousands
	r := c.run(c.config(disk, dir), dir)
	if len(disk.Failed()) == 0 {
		if r.err != nil || c.rows == nil && r.rows != c.want || c.rows != nil && c.rows(dir) != c.want {
			t.Errorf("%v: %v", disk, r.err)
		}
		return disk.Met()
	}
	if CategoryOf(r.err) != Output || !disk.Named(r.err.Error()) {
		t.Errorf("%v: category %d, %v", disk, CategoryOf(r.err), r.err)
	}
	if err := onlyWhole(dir); err != nil {
		t.Errorf("%v: %v", disk, err)
	}
	if got := c.try(t, durabletest.None(), dir); got != c.want {
		sameRows(t, fmt.Sprint("after ", disk), got, c.want)
	}
	return true
}

// onlyWhole returns an error if there is anything below dir but whole run files
// and parts, and what a state directory consists of.
func onlyWhole(dir string) error {
	return filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		switch name := e.Name(); {
		case strings.HasSuffix(name, runfile.RunSuffix), strings.HasSuffix(name, runfile.PartSuffix):
			run, err := (&runfile.Files{FS: durable.OS}).Open(path)
			if err == nil {
				err = run.Verify()
			}
			return err
		case strings.HasSuffix(name, runfile.PackSuffix):
			return wholePack(path)
		case strings.HasSuffix(name, ".parquet"):
			f, err := os.Open(path)
			if err == nil {
				defer f.Close()
				info, _ := f.Stat()
				_, err = parquet.OpenFile(f, info.Size())
			}
			return err
		case name == "lock" || name == optionsName:
			return nil
		}
		return fmt.Errorf("left %s", path)
	})
}

// A disk that does not give back what was written to it has failed: a run file
// that somebody gave us is not to blame.
func TestReadBackFails(t *testing.T) {
	t.Parallel()
	path := pcap(t, capturetest.ManySessions(2, 4000))
	c := scarce(testConfig(1))
	c.FS = badDisk{durabletest.None()}
	r := extract(t, c, path)
	r.refuses(t, Output, "read back: "+syscall.EIO.Error())
}

// badDisk makes temporary files that cannot be read back.
type badDisk struct{ durable.FS }

func (d badDisk) Temp(dir string) (durable.File, error) {
	f, err := d.FS.Temp(dir)
	return badFile{f}, err
}

type badFile struct{ durable.File }

func (badFile) ReadAt([]byte, int64) (int, error) { return 0, syscall.EIO }
