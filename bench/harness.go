package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
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

// batchArgv is the program under test with the captures.
func (h *harness) batchArgv(csv string, captures []string, more ...string) []string {
	argv := append([]string{h.batch, "extract", "-q", "-o", csv}, more...)
	return append(argv, captures...)
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
	csv := filepath.Join(dir, "out.csv")
	if err := h.rehearse(r, job, dir, &res); err != nil {
		return res, err
	}
	program := process{argv: h.batchArgv(csv, job.captures, r.flags...), cpus: r.cpus}
	reference := process{argv: append(job.against, job.captures...), cpus: r.cpus}
	for range h.rounds {
		if err := h.round(program, reference, csv, &res); err != nil {
			return res, err
		}
	}
	res.derive()
	return res, nil
}

// job is a row with its names resolved.
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
func (h *harness) rehearse(r row, j job, dir string, res *result) error {
	var total walkTotals
	for _, path := range j.plain {
		if err := walkFile(path, &total); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	csv, sum := filepath.Join(dir, "out.csv"), filepath.Join(dir, "summary.json")
	argv := h.batchArgv(csv, j.captures, append([]string{"--summary", sum}, r.flags...)...)
	if _, err := (process{argv: argv, cpus: r.cpus}).run(h.limit); err != nil {
		return err
	}
	got, err := checkWork(csv, sum, total.packets)
	if err != nil {
		return fmt.Errorf("wrong result of %s: %w", strings.Join(argv, " "), err)
	}
	res.Packets, res.Sessions = total.packets, got.sessions
	return nil
}

// round takes one sample of the program and one of the reference.
func (h *harness) round(program, reference process, csv string, res *result) error {
	// Freeing the old file's pages is no part of the program's work.
	if err := os.Remove(csv); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	p, err := program.run(h.limit)
	if err != nil {
		return err
	}
	q, err := reference.run(h.limit)
	if err != nil {
		return err
	}
	res.Program = append(res.Program, p)
	res.Reference = append(res.Reference, q)
	return nil
}
