package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// peer is another program that makes flows of a capture. In its arguments
// {capture} is the capture and {dir} an empty directory to write to.
type peer struct {
	name     string
	computes string // what it knows of a flow at the end
	program  string // looked up in PATH, unless the variable names another
	variable string // environment variable with the program's path
	args     []string
	result   string            // files with its result in {dir}, a pattern; "printed" is what it prints
	version  []string          // arguments that print the version; nil: its path has it, as NAME-VERSION
	probe    []string          // arguments that succeed if it is installed; optional
	files    map[string]string // written to {dir} first, by name
}

var peers = []peer{
	{
		name:     "nfpcapd",
		computes: "packets, bytes, first and last time, TCP flags; one direction; time-outs of 300 and 60 s",
		program:  "nfpcapd", variable: "BENCH_NFPCAPD",
		args:    []string{"-r", "{capture}", "-w", "{dir}"},
		result:  "nfcapd.*",
		version: []string{"-V"},
	},
	{
		name:     "softflowd",
		computes: "packets, bytes, first and last time, TCP flags; exports nothing here",
		program:  "softflowd", variable: "BENCH_SOFTFLOWD",
		args:    []string{"-r", "{capture}", "-d", "-6", "-m", "10000000", "-p", "{dir}/pid", "-c", "none"},
		result:  "printed",
		version: []string{"-h"},
	},
	{
		name:     "argus",
		computes: "packets, bytes, times, states; record every 60 s; mean, deviation, minimum and maximum of gaps (-J) and sizes (-Z)",
		program:  "argus", variable: "BENCH_ARGUS",
		args:    []string{"-J", "-Z", "-r", "{capture}", "-w", "{dir}/argus.out"},
		result:  "argus.out",
		version: []string{"-h"},
	},
	{
		name:     "ipfixprobe",
		computes: "packets, bytes, times; sizes, times and directions of the first 30 packets; histograms of sizes and gaps",
		program:  "ipfixprobe", variable: "BENCH_IPFIXPROBE",
		args:    []string{"-i", "pcap;file={capture}", "-p", "pstats", "-p", "phists", "-o", "text;file={dir}/flows.txt"},
		result:  "flows.txt",
		version: []string{"--version"},
	},
	{
		name:     "tshark",
		computes: "conversations of TCP and UDP: packets, bytes, start, duration",
		program:  "tshark", variable: "BENCH_TSHARK",
		args:    []string{"-n", "-q", "-r", "{capture}", "-z", "conv,tcp", "-z", "conv,udp"},
		result:  "printed",
		version: []string{"--version"},
	},
	{
		name:     "pcap-toolkit",
		computes: "packets and bytes of each 5-tuple, both directions in one; no times",
		program:  "pcap-toolkit", variable: "BENCH_PCAP_TOOLKIT",
		args:    []string{"stats", "--json", "{capture}"},
		result:  "printed",
		version: []string{"--version"},
	},
	{
		name:     "flowscope",
		computes: "packets and bytes of each direction, first and last time, why the flow ended; its default time-outs",
		program:  "flow_csv_export", variable: "BENCH_FLOWSCOPE",
		args:   []string{"{capture}"},
		result: "printed",
	},
	{
		name:     "go-flows",
		computes: "mean, deviation, minimum, maximum and median of sizes and gaps",
		program:  "go-flows", variable: "BENCH_GO_FLOWS",
		args:    []string{"run", "features", "{dir}/features.json", "export", "csv", "{dir}/flows.csv", "source", "libpcap", "{capture}"},
		result:  "flows.csv",
		version: []string{"version"},
		files:   map[string]string{"features.json": goFlowsFeatures},
	},
	{
		name:     "NFStream",
		computes: "mean, deviation, minimum and maximum of sizes and gaps, both directions and each (no medians); applications",
		program:  "python3", variable: "BENCH_NFSTREAM",
		args:    []string{"{dir}/run.py", "{capture}", "{dir}/flows.csv"},
		result:  "flows.csv",
		version: []string{"-c", "import nfstream; print(nfstream.__version__)"},
		probe:   []string{"-c", "import nfstream"},
		files:   map[string]string{"run.py": nfstreamScript},
	},
	{
		name:     "CICFlowMeter",
		computes: "80 features: mean, deviation, minimum and maximum of sizes and gaps, flags, active and idle times (no medians)",
		program:  "cicflowmeter", variable: "BENCH_CICFLOWMETER",
		args:    []string{"-f", "{capture}", "-c", "{dir}/flows.csv"},
		result:  "flows.csv",
		version: []string{"--version"},
	},
}

const goFlowsFeatures = `{
  "active_timeout": 1000000,
  "idle_timeout": 1000000,
  "bidirectional": true,
  "features": [
    "sourceIPAddress", "destinationIPAddress", "sourceTransportPort", "destinationTransportPort", "protocolIdentifier",
    "flowStartNanoseconds", "flowEndNanoseconds", "packetTotalCount", "octetTotalCount",
    {"min": ["ipTotalLength"]}, {"max": ["ipTotalLength"]}, {"median": ["ipTotalLength"]}, {"stdev": ["ipTotalLength"]},
    {"min": ["_interPacketTimeNanoseconds"]}, {"max": ["_interPacketTimeNanoseconds"]},
    {"median": ["_interPacketTimeNanoseconds"]}, {"stdev": ["_interPacketTimeNanoseconds"]}
  ],
  "key_features": ["sourceIPAddress", "destinationIPAddress", "protocolIdentifier", "sourceTransportPort", "destinationTransportPort"]
}
`

const nfstreamScript = `import sys

from nfstream import NFStreamer

if __name__ == "__main__":
    flows = NFStreamer(
        source=sys.argv[1], statistical_analysis=True, idle_timeout=1000000, active_timeout=1000000
    ).to_csv(path=sys.argv[2])
    print(flows, "flows")
`

// selectPeers returns the peers named in a comma-separated list, or all of
// them.
func selectPeers(list string) ([]peer, error) {
	return selected(list, peers, func(p peer) string { return p.name })
}

// find returns the path of the peer's program, and false if it is not
// installed.
func (p peer) find() (string, bool) {
	name := p.program
	if set := os.Getenv(p.variable); set != "" {
		name = set
	}
	path, err := exec.LookPath(name)
	if err != nil {
		return "", false
	}
	if p.probe != nil && exec.Command(path, p.probe...).Run() != nil {
		return "", false
	}
	return path, true
}

// describe returns the first line with a number and a point of what the program
// prints when it is asked for its version.
func (p peer) describe(path string) string {
	if p.version == nil {
		if _, version, ok := strings.Cut(path, p.name+"-"); ok {
			version, _, _ = strings.Cut(version, "/")
			return version
		}
		return "unknown"
	}
	text, _ := exec.Command(path, p.version...).CombinedOutput()
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if strings.ContainsAny(line, "0123456789") && strings.Contains(line, ".") {
			return strings.TrimPrefix(line, path+": ")
		}
	}
	return "unknown"
}

// prepare writes the peer's files to dir and returns its command line.
func (p peer) prepare(path, capture, dir string) ([]string, error) {
	for name, text := range p.files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return nil, err
		}
	}
	fill := strings.NewReplacer("{capture}", capture, "{dir}", dir)
	argv := []string{path}
	for _, arg := range p.args {
		argv = append(argv, fill.Replace(arg))
	}
	return argv, nil
}
