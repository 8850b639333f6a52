package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// runLabels is the command labels.
func runLabels(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("labels", stderr)
	n := flags.Int("n", 1_000_000, "number of rules")
	seed := flags.Uint64("seed", 1, "another seed gives other rules")
	path := flags.String("o", "bench/data/labels.csv", "file to write")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if *n < 1 || *n > 1<<24 {
		return fmt.Errorf("%d rules are not 1 to %d", *n, 1<<24)
	}
	if err := writeLabels(*n, *seed, *path); err != nil {
		return fmt.Errorf("write rules: %w", err)
	}
	fmt.Fprintf(stdout, "%d rules\n", *n)
	return nil
}

// writeLabels writes rules to a file that appears under its name when it is
// complete.
func writeLabels(n int, seed uint64, path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".labels-*")
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, blockSize)
	ruleFile(w, n, &rng{state: seed})
	err = errors.Join(w.Flush(), f.Chmod(0o644), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// ruleFile writes rules that are hard to look up: prefixes of 30 lengths on both
// sides, half of them around addresses that the captures have, ports, protocols,
// and times inside and outside of a capture. A tenth of the cells is empty.
// Errors are those of w.Flush.
func ruleFile(w *bufio.Writer, n int, r *rng) {
	w.WriteString("src_ip,dst_ip,src_port,dst_port,protocol,start,end,label\n")
	cell := func(format string, value ...any) {
		if !r.chance(10) {
			fmt.Fprintf(w, format, value...)
		}
		w.WriteByte(',')
	}
	prefix := func(net, hosts uint64) {
		a := net + r.below(hosts)
		if r.chance(50) {
			a = r.below(1 << 32)
		}
		cell("%d.%d.%d.%d/%d", a>>24&255, a>>16&255, a>>8&255, a&255, 3+r.below(30))
	}
	for i := range n {
		prefix(net10, 65000)
		prefix(net198_18, 1<<17)
		cell("%d", r.below(1<<16))
		cell("%d", r.below(1<<16))
		cell("%d", [...]int{protoTCP, protoUDP, protoICMP}[r.below(3)])
		start := firstNs - captureNs + int64(r.below(uint64(3*captureNs)))
		cell("%d", start)
		cell("%d", start+int64(r.below(uint64(captureNs))))
		fmt.Fprintf(w, "label %d\n", i%7)
	}
}
