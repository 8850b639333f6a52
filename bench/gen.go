package main

import (
	"fmt"
	"io"
	"os"
)

// runGen is the command gen.
func runGen(args []string, stdout, stderr io.Writer) error {
	flags := newFlags("gen", stderr)
	name := flags.String("kind", "mix", "mix, scan, elephant or victim")
	scale := flags.Float64("scale", 1, "number of packets, as a fraction of the full capture's")
	seed := flags.Uint64("seed", 1, "another seed gives another capture of the same kind")
	split := flags.Int64("split", 1, "write this many files, one after the other in time")
	micros := flags.Bool("micros", false, "times in microseconds, for programs that cannot read nanoseconds")
	dir := flags.String("o", "bench/data", "directory to write to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	k, ok := kindByName(*name)
	if !ok {
		return fmt.Errorf("unknown kind %q", *name)
	}
	if !(*scale > 0 && *scale <= 100) {
		return fmt.Errorf("scale %v is not above 0 and up to 100", *scale)
	}
	if *split < 1 || *split > 100 {
		return fmt.Errorf("split %d is not 1 to 100", *split)
	}
	if err := os.MkdirAll(*dir, 0o755); err != nil {
		return err
	}
	files := newPcapFiles(*dir, k.name, *split, scaled(k.packets, *scale))
	files.micros = *micros
	total, err := generateTo(files, k, *scale, *seed)
	if err != nil {
		return fmt.Errorf("generate %s: %w", k.name, err)
	}
	fmt.Fprintf(stdout, "%s: %d packets, %d sessions, mean wire length %d bytes\n",
		k.name, total.Packets, total.Sessions, total.WireBytes/total.Packets)
	return nil
}

// writeCapture writes the capture KIND.pcap, or KIND-00.pcap and so on, into
// dir.
func writeCapture(k kind, scale float64, seed uint64, split int64, dir string) (genTotals, error) {
	return generateTo(newPcapFiles(dir, k.name, split, scaled(k.packets, scale)), k, scale, seed)
}

// generateTo writes a capture to new files.
func generateTo(files *pcapFiles, k kind, scale float64, seed uint64) (genTotals, error) {
	total, err := generate(k, scale, seed, files)
	if err == nil {
		err = files.close()
	}
	if err != nil {
		files.abandon()
	}
	return total, err
}
