package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"text/tabwriter"
)

// peerReport is what the command peers measured.
type peerReport struct {
	Machine  machine      `json:"machine"`
	Capture  string       `json:"capture"`
	Bytes    int64        `json:"bytes"`
	Packets  int64        `json:"packets"`
	Sessions int64        `json:"sessions"` // by the program under test
	Rounds   int          `json:"rounds"`
	Peers    []peerResult `json:"peers"`
}

// peerResult is a peer measured in turn with the program.
type peerResult struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Computes string `json:"computes"`
	Error    string `json:"error,omitempty"` // why it was not measured to the end
	// Times has the peer as the program and ours as the reference, so that
	// its ratios say how many times as long the peer takes.
	Times result `json:"times"`
}

// runPeers is the command peers.
func runPeers(args []string, stdout, stderr io.Writer) error {
	var capture, names string
	f, err := parseHarness("peers", 3, args, stderr, func(set *flag.FlagSet) {
		set.StringVar(&capture, "capture", "quarter/micros/mix.pcap", "capture below the data directory")
		set.StringVar(&names, "peers", "", "comma-separated names of peers; empty: all that are installed")
	})
	if err != nil {
		return err
	}
	chosen, err := selectPeers(names)
	if err != nil {
		return err
	}
	p := peerRun{h: &f.h, capture: filepath.Join(f.h.data, capture)}
	p.report = peerReport{Machine: thisMachine(append([]string{"peers"}, args...)), Capture: capture, Rounds: f.h.rounds}
	if err := p.rehearse(capture); err != nil {
		return err
	}
	for _, other := range chosen {
		path, ok := other.find()
		if !ok {
			fmt.Fprintf(stderr, "%s: not installed (looked for %s, and in %s)\n", other.name, other.program, other.variable)
			continue
		}
		p.add(other, path, stderr)
	}
	if len(p.report.Peers) == 0 {
		return errors.New("no peer is installed")
	}
	printPeers(stdout, p.report)
	if f.json == "" {
		return nil
	}
	return writeJSON(f.json, p.report)
}

// peerRun measures peers on one capture.
type peerRun struct {
	h       *harness
	capture string
	report  peerReport
}

// rehearse runs the program under test once and checks its output.
func (p *peerRun) rehearse(name string) error {
	dir, err := p.h.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	var (
		r   = row{name: "peers", captures: []string{name}}
		res result
	)
	j, err := p.h.prepare(r, &res)
	if err != nil {
		return err
	}
	if err := p.h.rehearse(r, j, dir, &res); err != nil {
		return err
	}
	p.report.Packets, p.report.Sessions, p.report.Bytes = res.Packets, res.Sessions, res.Bytes
	return nil
}

// add measures a peer. One that fails is reported as such and the others go on.
func (p *peerRun) add(other peer, path string, stderr io.Writer) {
	res := peerResult{Name: other.name, Version: other.describe(path), Computes: other.computes}
	res.Times = result{Name: other.name, Against: "batch", Packets: p.report.Packets, Sessions: p.report.Sessions, Bytes: p.report.Bytes, Captures: 1}
	for range p.h.rounds {
		if err := p.round(other, path, &res.Times); err != nil {
			res.Error = err.Error()
			break
		}
	}
	if len(res.Times.Program) > 0 {
		res.Times.derive()
	}
	fmt.Fprintf(stderr, "%s: %.1f times as long %s\n", res.Name, res.Times.Ratio, res.Error)
	p.report.Peers = append(p.report.Peers, res)
}

func (p *peerRun) round(other peer, path string, times *result) error {
	dir, err := p.h.scratch()
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	csv := filepath.Join(dir, "batch.csv")
	// A peer can take so long that the capture leaves the page cache.
	if err := walkFile(p.capture, new(walkTotals)); err != nil {
		return err
	}
	ours, err := process{argv: p.h.batchArgv(csv, []string{p.capture})}.run(p.h.limit)
	if err != nil {
		return err
	}
	if err := os.Remove(csv); err != nil {
		return err
	}
	theirs, err := p.runOther(other, path, dir)
	if err != nil {
		return err
	}
	times.Program = append(times.Program, theirs)
	times.Reference = append(times.Reference, ours)
	return nil
}

// runOther runs a peer with dir as its directory. What it prints is kept
// there too, for some print their result.
func (p *peerRun) runOther(other peer, path, dir string) (sample, error) {
	// Some change their directory before they open their files.
	capture, err := filepath.Abs(p.capture)
	if err != nil {
		return sample{}, err
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return sample{}, err
	}
	argv, err := other.prepare(path, capture, dir)
	if err != nil {
		return sample{}, err
	}
	printed, err := os.Create(filepath.Join(dir, "printed"))
	if err != nil {
		return sample{}, err
	}
	defer printed.Close()
	cost, err := process{argv: argv, printed: printed}.run(p.h.limit)
	if err != nil {
		return cost, err
	}
	results, err := filepath.Glob(filepath.Join(dir, other.result))
	if err != nil {
		return cost, err
	}
	size, err := sizeOf(results)
	if err == nil && size == 0 {
		err = fmt.Errorf("%s ended well but wrote nothing to %s", other.name, other.result)
	}
	return cost, err
}

func printPeers(w io.Writer, rep peerReport) {
	printMachine(w, rep.Machine)
	fmt.Fprintf(w, "%s: %d packets, %d sessions; median of %d, run in turn with batch\n\n", rep.Capture, rep.Packets, rep.Sessions, rep.Rounds)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "peer\twall s\tMpackets/s\tCPU ns/packet\tpeak RSS MB\twall / batch\tCPU / batch\t")
	for _, p := range rep.Peers {
		if len(p.Times.Program) == 0 {
			fmt.Fprintf(t, "%s\t\t\t\t\tfailed\t\t\n", p.Name)
			continue
		}
		fmt.Fprintf(t, "%s\t%.2f\t%.3f\t%.0f\t%.0f\t%.1f\t%.1f\t\n", p.Name, p.Times.WallS, p.Times.PacketsPerS/1e6,
			p.Times.CPUNsPerPacket, float64(p.Times.PeakRSS)/1e6, p.Times.Ratio, p.Times.CPURatio)
	}
	t.Flush()
	fmt.Fprintln(w)
	for _, p := range rep.Peers {
		fmt.Fprintf(w, "%s (%s): %s\n", p.Name, p.Version, p.Computes)
		if p.Error != "" {
			fmt.Fprintf(w, "  failed: %s\n", p.Error)
		}
	}
}
