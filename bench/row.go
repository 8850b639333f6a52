package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// benchProgram stands for this program in a row; others are looked up in PATH.
const benchProgram = "bench"

// row is one line of the table: a program on captures, and what it is compared
// with.
type row struct {
	name, about string
	captures    []string // patterns, relative to the data directory
	// plain is what the captures hold uncompressed, to know their packets
	// and bytes. nil: the captures are plain.
	plain []string
	// against is the reference: programs with arguments, of which the first
	// that is installed is run on the captures. nil: the floor.
	against [][]string
	beside  string // another row, whose program runs in turn with this one too
	output  string // name of the file of rows; "": plainOutput
	// flags of the program, beyond those of every row. In them {data} is the
	// data directory and {dir} one that is empty before each run.
	flags []string
	needs []string // files that flags name, relative to the data directory
	cpus  int      // 0: all
	gate  bool     // part of the gate
}

// plainOutput is the name of the rows as CSV.
const plainOutput = "out.csv"

// outputName is the name of the row's file of rows.
func (r *row) outputName() string { return cmp.Or(r.output, plainOutput) }

// arguments are the row's flags for a run that writes to dir.
func (r *row) arguments(data, dir string) []string {
	fill := strings.NewReplacer("{data}", data, "{dir}", dir)
	filled := make([]string, len(r.flags))
	for i, f := range r.flags {
		filled[i] = fill.Replace(f)
	}
	return filled
}

var rows = []row{
	{name: "tiny", about: "1000 packets: start-up and end", captures: []string{"tiny/mix.pcap"}},
	{name: "mix", about: "the usual traffic", captures: []string{"mix.pcap"}, gate: true},
	{name: "mix-1cpu", about: "mix on one CPU", captures: []string{"mix.pcap"}, cpus: 1, gate: true},
	{name: "scan", about: "sessions of 1 to 3 packets: the table and the CSV", captures: []string{"scan.pcap"}, gate: true},
	{name: "scan-fifth", about: "the same with a fifth of the memory that it takes", captures: []string{"scan.pcap"}, flags: []string{"--memory", "82M"}, beside: "scan"},
	{name: "scan-1e4", about: "10^4 sessions", captures: []string{"sessions-1e4/scan.pcap"}},
	{name: "scan-1e5", about: "10^5 sessions", captures: []string{"sessions-1e5/scan.pcap"}},
	{name: "scan-1e6", about: "10^6 sessions", captures: []string{"sessions-1e6/scan.pcap"}},
	{name: "scan-1e7", about: "10^7 sessions", captures: []string{"sessions-1e7/scan.pcap"}},
	{name: "scan-1e7-500M", about: "10^7 sessions in 500 MB", captures: []string{"sessions-1e7/scan.pcap"}, flags: []string{"--memory", "500M"}, beside: "scan-1e7"},
	{name: "elephant", about: "one session with 80 % of the packets: one busy shard", captures: []string{"elephant.pcap"}, gate: true},
	{name: "victim", about: "mix between two addresses: sharding by the full key", captures: []string{"victim.pcap"}, gate: true, beside: "mix"},
	{name: "mix-all", about: "mix with all feature groups", captures: []string{"mix.pcap"}, flags: []string{"--features", "all"}, beside: "mix"},
	{name: "scan-all", about: "scan with all feature groups", captures: []string{"scan.pcap"}, flags: []string{"--features", "all"}, beside: "scan"},
	{name: "mix-quantiles", about: "mix with six quantiles", captures: []string{"mix.pcap"}, flags: []string{"--quantiles", "1,5,25,75,95,99"}, beside: "mix"},
	{name: "mix-rules", about: "mix with the rules that need whole sessions", captures: []string{"mix.pcap"}, flags: []string{"--active-timeout", "120s", "--tcp-end"}, beside: "mix"},
	{name: "mix-parquet", about: "mix, rows as Parquet", captures: []string{"mix.pcap"}, output: "out.parquet", beside: "mix"},
	{name: "scan-parquet", about: "scan, rows as Parquet", captures: []string{"scan.pcap"}, output: "out.parquet", beside: "scan"},
	{name: "mix-csvgz", about: "mix, rows as gzip", captures: []string{"mix.pcap"}, output: "out.csv.gz", beside: "mix"},
	{name: "scan-csvgz", about: "scan, rows as gzip", captures: []string{"scan.pcap"}, output: "out.csv.gz", beside: "scan"},
	{name: "mix-csvzst", about: "mix, rows as zstd", captures: []string{"mix.pcap"}, output: "out.csv.zst", beside: "mix"},
	{name: "scan-csvzst", about: "scan, rows as zstd", captures: []string{"scan.pcap"}, output: "out.csv.zst", beside: "scan"},
	{name: "mix-report", about: "mix with a report", captures: []string{"mix.pcap"}, flags: reportFlags, beside: "mix"},
	{name: "scan-report", about: "scan with a report", captures: []string{"scan.pcap"}, flags: reportFlags, beside: "scan"},
	{name: "tiny-labels", about: "1000 packets and 10^6 rules: reading the rules", captures: []string{"tiny/mix.pcap"}, flags: labelFlags, needs: labelFiles, beside: "tiny"},
	{name: "mix-labels", about: "mix with labels by 10^6 rules", captures: []string{"mix.pcap"}, flags: labelFlags, needs: labelFiles, beside: "mix"},
	{name: "scan-labels", about: "scan with labels by 10^6 rules", captures: []string{"scan.pcap"}, flags: labelFlags, needs: labelFiles, beside: "scan"},
	{name: "mix-16files", about: "mix as 16 captures", captures: []string{"mix16/mix-*.pcap"}, beside: "mix"},
	{name: "mix-zst", about: "mix as zstd -3", captures: []string{"mix.pcap.zst"}, plain: []string{"mix.pcap"}, against: zstdPrograms},
	{name: "gz-1cpu", about: "a quarter of mix as gzip -6, on one CPU", captures: []string{"quarter/mix.pcap.gz"}, plain: []string{"quarter/mix.pcap"}, against: gzipPrograms, cpus: 1},
	{name: "gz-2cpu", about: "the same on two CPUs", captures: []string{"quarter/mix.pcap.gz"}, plain: []string{"quarter/mix.pcap"}, against: gzipPrograms, cpus: 2},
	{name: "gz-8files-1cpu", about: "a quarter of mix as 8 captures, gzip -6, on one CPU", captures: []string{"quarter/mix8/mix-*.pcap.gz"}, plain: []string{"quarter/mix.pcap"}, against: gzipPrograms, cpus: 1},
	{name: "gz-8files-2cpu", about: "the same on two CPUs", captures: []string{"quarter/mix8/mix-*.pcap.gz"}, plain: []string{"quarter/mix.pcap"}, against: gzipPrograms, cpus: 2, beside: "gz-8files-1cpu"},
	{name: "gz-8files-rules", about: "the same with the rules that need whole sessions", captures: []string{"quarter/mix8/mix-*.pcap.gz"}, plain: []string{"quarter/mix.pcap"}, against: gzipPrograms, cpus: 2, flags: []string{"--active-timeout", "120s", "--tcp-end"}, beside: "gz-8files-2cpu"},
}

var (
	floorProgram = [][]string{{benchProgram, "floor"}}
	zstdPrograms = [][]string{{"zstd", "-dc"}}
	// The last one is always there; a row names the one that was taken.
	gzipPrograms = [][]string{{"igzip", "-dc"}, {"gzip", "-dc"}, {benchProgram, "gunzip", "-klauspost"}}

	reportFlags = []string{"--report", "{dir}/report.html"}
	labelFlags  = []string{"--labels", "{data}/" + labelFiles[0]}
	labelFiles  = []string{"labels.csv"}
)

// errSkip is why a row cannot be measured on this machine.
type errSkip string

func (e errSkip) Error() string { return "skipped: " + string(e) }

// selectRows returns the rows named in a comma-separated list, or all of them.
func selectRows(list string) ([]row, error) {
	return selected(list, rows, func(r row) string { return r.name })
}

// selected returns what a comma-separated list names, in its order; all for an
// empty list.
func selected[T any](list string, all []T, name func(T) string) ([]T, error) {
	if list == "" {
		return all, nil
	}
	var chosen []T
	for want := range strings.SplitSeq(list, ",") {
		i := slices.IndexFunc(all, func(t T) bool { return name(t) == want })
		if i < 0 {
			return nil, fmt.Errorf("unknown name %q", want)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

func gateRows() []row {
	var chosen []row
	for _, r := range rows {
		if r.gate {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// expand resolves patterns below dir. A pattern without a file is an errSkip.
func expand(dir string, patterns []string) ([]string, error) {
	var paths []string
	for _, pattern := range patterns {
		found, err := filepath.Glob(filepath.Join(dir, pattern))
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, errSkip("no " + pattern + " in the data directory")
		}
		paths = append(paths, found...)
	}
	return paths, nil
}

func sizeOf(paths []string) (int64, error) {
	var total int64
	for _, path := range paths {
		info, err := os.Stat(path)
		if err != nil {
			return 0, err
		}
		total += info.Size()
	}
	return total, nil
}

// firstInstalled returns the first program of the list that can be run: its
// command line as it stands in the list, and with the program's path.
func firstInstalled(programs [][]string) (name string, argv []string, err error) {
	for _, p := range programs {
		path, err := exec.LookPath(p[0])
		if p[0] == benchProgram {
			path, err = os.Executable()
		}
		if err == nil {
			return strings.Join(p, " "), append([]string{path}, p[1:]...), nil
		}
	}
	return "", nil, errSkip(programs[0][0] + " is not installed")
}
