package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the golden files of testdata/golden; read the difference before you commit it")

// variants are runs with flags, beyond the plain run of every capture.
var variants = []struct{ capture, suffix, args string }{
	{"example.pcap", "all-unidirectional", "--features all --direction unidirectional"},
	{"example.pcap", "sample-empty", "--sample-std --undefined empty"},
	{"idle-gaps.pcap", "timeout", "--idle-timeout 5s"},
	{"idle-gaps.pcap", "threshold", "--idle-threshold 4.999999999s"},
	{"tcp-states.pcap", "tcp", "--features tcp,flags"},
	{"session-ends.pcap", "rules", "--features end,time,totals --idle-timeout 60s --active-timeout 100s --tcp-end"},
	{"session-ends.pcap", "tcp-end-unidirectional", "--features end --tcp-end --direction unidirectional"},
	{"reordered-times.pcap", "unidirectional", "--direction unidirectional"},
	{"vlan-ipv4.pcap", "key-vlan", "--key vlan"},
	{"qinq.pcap", "key-vlan", "--key vlan"},
	{"vlan-ipv6-frag.pcap", "key-vlan", "--key vlan"},
}

// tunnels are also run with --decapsulate.
var tunnels = []string{"4in6.pcap", "6in4.pcap", "erspan.pcap", "geneve.pcap", "gre.pcap", "gtpu.pcap", "ip-in-ip.pcap",
	"ip-tunnels.pcap", "l2tp.pcap", "nested-tunnels.pcap", "no-tunnels.pcap", "teredo.pcap", "udp-tunnels.pcap", "vxlan.pcap"}

// TestGolden holds the rows, the messages and the exit code of every capture
// of testdata against testdata/golden.
func TestGolden(t *testing.T) {
	golden, err := filepath.Abs("testdata/golden")
	if err != nil {
		t.Fatal(err)
	}
	captures := files(t)
	t.Chdir("../..") // so that messages name the captures as a user at the root of the repository does
	var made []string
	check := func(capture, suffix, args string) {
		name := strings.Trim(capture+"."+suffix, ".") + ".txt"
		made = append(made, name)
		t.Run(name, func(t *testing.T) { compareGolden(t, filepath.Join(golden, name), capture, args) })
	}
	for _, c := range captures {
		check(c, "", "")
	}
	for _, c := range tunnels {
		check(c, "decapsulate", "--decapsulate")
	}
	for _, v := range variants {
		check(v.capture, v.suffix, v.args)
	}
	expectNoOthers(t, golden, made)
}

func compareGolden(t *testing.T, path, capture, args string) {
	command := append(append([]string{"extract"}, strings.Fields(args)...), "testdata/"+capture)
	r := runWith(nil, command...)
	got := fmt.Sprintf("$ batch %s\n%s-- standard error --\n%s-- exit code %d --\n", strings.Join(command, " "), r.stdout, r.stderr, r.code)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o666); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := string(read(t, path)); got != want {
		t.Errorf("got:\n%s\nwant:\n%s\nIf this is meant, run go test ./cmd/batch -run TestGolden -update", got, want)
	}
}

// expectNoOthers finds golden files whose capture is gone.
func expectNoOthers(t *testing.T, golden string, made []string) {
	entries, err := os.ReadDir(golden)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if slices.Contains(made, e.Name()) {
			continue
		}
		if !*update {
			t.Errorf("no capture makes the golden file %s", e.Name())
		} else if err := os.Remove(filepath.Join(golden, e.Name())); err != nil {
			t.Error(err)
		}
	}
}

// TestSameCaptureInEveryFormat: formats, byte orders and compressions of the
// example all make its rows.
func TestSameCaptureInEveryFormat(t *testing.T) {
	want := mustRun(t, "extract", testdata+"/example.pcap")
	n := 0
	for line := range strings.Lines(string(read(t, testdata+"/README.md"))) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || strings.Contains(line, "cut to 96 bytes") || strings.Contains(line, "pcap-v2.3") {
			continue
		}
		name, story := strings.TrimSpace(cells[1]), strings.TrimSpace(cells[3])
		if !strings.HasPrefix(story, "the example's packets") && !strings.HasPrefix(story, "example.pcap,") {
			continue
		}
		n++
		if r := runWith(nil, "extract", testdata+"/"+name); r.code != exitOK || r.stdout != want {
			t.Errorf("%s: exit code %d, %s\n%s", name, r.code, r.stderr, r.stdout)
		}
	}
	if n < 20 {
		t.Errorf("only %d captures tell the example's story", n)
	}
}
