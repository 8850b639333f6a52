package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// harness measures rows. It runs one process at a time.
type harness struct {
	batch  string // path of the binary under test
	data   string // directory of the captures; results are written there too
	rounds int
	limit  time.Duration // for one process
}

// scratch makes a directory for the program's output beside the captures, so
// that the CSV goes to the same disk and not to a file system in memory.
func (h *harness) scratch() (string, error) { return os.MkdirTemp(h.data, ".out-") }

// batchArgv is the command line of the program under test.
func (h *harness) batchArgv(out string, captures []string, more ...string) []string {
	argv := append([]string{h.batch, "extract", "-q", "-o", out}, more...)
	return append(argv, captures...)
}

// program is the program under test on a row, writing to dir.
func (h *harness) program(r row, captures []string, dir string) process {
	return process{argv: h.batchArgv(filepath.Join(dir, r.outputName()), captures, r.arguments(h.data, dir)...), cpus: r.cpus}
}

// measure runs a row: once unmeasured, to bring the captures into the page
// cache and to check the program's work, then in turn with the reference.
func (h *harness) measure(r row) (result, error) {
	res := result{Name: r.name, About: r.about}
	job, err := h.prepare(r, &res)
	if err != nil {
		return res, err
	}
	dir, err := h.scratch()
	if err != nil {
		return res, err
	}
	defer os.RemoveAll(dir)
	if err := h.rehearse(r, job, dir, &res); err != nil {
		return res, err
	}
	turns := []turn{
		{h.program(r, job.captures, dir), &res.Program},
		{process{argv: append(job.against, job.captures...), cpus: r.cpus}, &res.Reference},
	}
	if r.beside != "" {
		p, err := h.beside(r, dir)
		if err != nil {
			return res, err
		}
		res.Beside = r.beside
		turns = append(turns, turn{p, &res.Neighbour})
	}
	for range h.rounds {
		if err := h.round(turns, dir); err != nil {
			return res, err
		}
	}
	res.derive()
	return res, nil
}

// job has the paths and the reference program of a row.
type job struct {
	captures, plain []string
	against         []string
}

func (h *harness) prepare(r row, res *result) (job, error) {
	var (
		j   job
		err error
	)
	if j.captures, err = expand(h.data, r.captures); err != nil {
		return j, err
	}
	if _, err := expand(h.data, r.needs); err != nil {
		return j, err
	}
	j.plain = j.captures
	if r.plain != nil {
		if j.plain, err = expand(h.data, r.plain); err != nil {
			return j, err
		}
	}
	programs := r.against
	if programs == nil {
		programs = floorProgram
	}
	if res.Against, j.against, err = firstInstalled(programs); err != nil {
		return j, err
	}
	if r.cpus > 0 {
		if _, _, err := firstInstalled([][]string{{"taskset"}}); err != nil {
			return j, err
		}
	}
	res.Captures = len(j.captures)
	res.Bytes, err = sizeOf(j.plain)
	return j, err
}

// rehearse counts the packets, runs the program once and checks its output.
// Where the row's output is not plain CSV, its rows must be those of a run whose
// output is.
func (h *harness) rehearse(r row, j job, dir string, res *result) error {
	var total walkTotals
	for _, path := range j.plain {
		if err := walkFile(path, &total); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	csv, sum := filepath.Join(dir, plainOutput), filepath.Join(dir, "summary.json")
	argv := h.batchArgv(csv, j.captures, append(r.arguments(h.data, dir), "--summary", sum)...)
	if _, err := (process{argv: argv, cpus: r.cpus}).run(h.limit); err != nil {
		return err
	}
	got, err := checkWork(csv, sum, total.packets)
	if err != nil {
		return fmt.Errorf("wrong result of %s: %w", strings.Join(argv, " "), err)
	}
	res.Packets, res.Sessions = total.packets, got.sessions
	if r.outputName() == plainOutput {
		return nil
	}
	if _, err := h.program(r, j.captures, dir).run(h.limit); err != nil {
		return err
	}
	_, err = process{argv: []string{h.batch, "compare", csv, filepath.Join(dir, r.output)}}.run(h.limit)
	return err
}

// beside is the program of the row beside r.
func (h *harness) beside(r row, dir string) (process, error) {
	rows, err := selectRows(r.beside)
	if err != nil {
		return process{}, err
	}
	captures, err := expand(h.data, rows[0].captures)
	return h.program(rows[0], captures, dir), err
}

// turn is a process that is run once a round, and where its samples go.
type turn struct {
	process
	samples *[]sample
}

// round runs each process once and takes a sample of it, and turns their order
// around for the next round: in a virtual machine memory that another process
// has just given back costs less than memory that the host has taken back
// meanwhile, and that shall not always be the luck of the same one. dir is what
// they write to; "": nothing is written.
func (h *harness) round(turns []turn, dir string) error {
	for _, t := range turns {
		// The old output is removed first: freeing its pages is not the
		// program's work.
		if err := empty(dir); err != nil {
			return err
		}
		s, err := t.run(h.limit)
		if err != nil {
			return err
		}
		*t.samples = append(*t.samples, s)
	}
	slices.Reverse(turns)
	return nil
}

// empty removes what is in a directory, if there is one.
func empty(dir string) error {
	if dir == "" {
		return nil
	}
	list, err := os.ReadDir(dir)
	for _, e := range list {
		if err == nil {
			err = os.RemoveAll(filepath.Join(dir, e.Name()))
		}
	}
	return err
}
