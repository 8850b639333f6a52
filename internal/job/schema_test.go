package job

import (
	"encoding/csv"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/writer"
)

// schemaConfig is a Config for a schema, with the rules of the other program.
func schemaConfig(t testing.TB, workers int, name string) Config {
	t.Helper()
	c := testConfig(workers)
	c.Columns = writer.Options{Schema: name}
	rules, err := writer.SchemaRules(name)
	if err != nil {
		t.Fatal(err)
	}
	c.Sessions.IdleTimeout, c.Sessions.ActiveTimeout, c.Sessions.TCPEnd = rules.IdleTimeout, rules.ActiveTimeout, rules.TCPEnd
	return c
}

// Rows of NFStream's schema count from 0, whatever the way they were made.
func TestRowNumbers(t *testing.T) {
	t.Parallel()
	dir, _ := series(t, 3000, 4)
	c := testConfig(2)
	c.Columns = writer.Options{Schema: "nfstream", Sequence: 3}
	want := extract(t, c, dir).clean(t)
	header, rows, _ := strings.Cut(want, "\n")
	if !strings.HasPrefix(header, "id,expiration_id,") {
		t.Fatal(header)
	}
	n := 0
	for line := range strings.Lines(rows) {
		if id, _, _ := strings.Cut(line, ","); id != strconv.Itoa(n) {
			t.Fatalf("row %d has the id %s", n, id)
		}
		n++
	}
	if n < 100 {
		t.Fatalf("%d rows", n)
	}
	sameRows(t, "little memory", extract(t, scarce(c), dir).clean(t), want)
	runs := mapped(t, c, 5, dir)
	sameRows(t, "merge", merge(t, c, runs).clean(t), want)
	sameRows(t, "parts", joinParts(t, c, reduced(t, c, 5, runs)).clean(t), want)
	sameRows(t, "state", resume(t, c, t.TempDir(), dir).clean(t), want)
}

func TestSchemaWithFeatures(t *testing.T) {
	c := testConfig(1)
	c.Columns = writer.Options{Schema: "cicflowmeter", Features: all}
	extract(t, c, "../../testdata/example.pcap").refuses(t, Usage, "--schema cicflowmeter: its columns are fixed")
}

// The session of one capture as NFStream prints it, but for what is exact here.
func TestNFStreamExample(t *testing.T) {
	t.Parallel()
	capture := "../../../shared/captures/zeek__smb2.pcap"
	if _, err := os.Stat(capture); err != nil {
		t.Skip(err)
	}
	c := schemaConfig(t, 1, "nfstream")
	c.Columns.Sequence = 8
	records, err := csv.NewReader(strings.NewReader(extract(t, c, capture).clean(t))).ReadAll()
	if err != nil || len(records) != 2 {
		t.Fatal(records, err)
	}
	got := map[string]string{}
	for i, name := range records[0] {
		got[name] = records[1][i]
	}
	for name, want := range map[string]string{
		"id": "0", "expiration_id": "0", "src_ip": "10.0.0.11", "src_port": "49208", "dst_ip": "10.0.0.12", "dst_port": "445", "protocol": "6", "ip_version": "4",
		"bidirectional_first_seen_ms": "1323202695370", "bidirectional_last_seen_ms": "1323202695803", "bidirectional_duration_ms": "433", "bidirectional_packets": "1178", "bidirectional_bytes": "1585815",
		"src2dst_packets": "1071", "src2dst_bytes": "1573900", "dst2src_packets": "107", "dst2src_bytes": "11915", "dst2src_last_seen_ms": "1323202695604",
		"bidirectional_mean_ps": "1346.192699", "bidirectional_stddev_ps": "451.907472", "dst2src_stddev_ps": "77.811001",
		"bidirectional_mean_piat_ms": "0.368159", "src2dst_max_piat_ms": "199",
		"bidirectional_ack_packets": "1177", "dst2src_psh_packets": "49", "src2dst_syn_packets": "1",
		"splt_direction": "[0, 1, 0, 0, 1, 0, 1, 0]", "splt_ps": "[66, 66, 60, 202, 294, 220, 385, 637]",
	} {
		if got[name] != want {
			t.Errorf("%s is %s, want %s", name, got[name], want)
		}
	}
}

// What NFStream itself makes of real captures, where it is installed: see
// scripts/compare-nfstream.py, which PYTHON can choose an interpreter for.
func TestAgainstNFStream(t *testing.T) {
	captures := capturetest.RealCaptures(t, "../..")
	python := os.Getenv("PYTHON")
	if python == "" {
		python = "python3"
	}
	if err := exec.Command(python, "-c", "import nfstream").Run(); err != nil {
		t.Skipf("%s with the package nfstream: %v", python, err)
	}
	dir := t.TempDir()
	c := schemaConfig(t, 1, "nfstream")
	c.Columns.Sequence, c.Sessions.VLAN = 20, true
	args := []string{"../../scripts/compare-nfstream.py"}
	for _, capture := range captures {
		r := extract(t, c, capture)
		if r.err != nil {
			continue // no capture, or none that can be read
		}
		args = append(args, capture, write(t, filepath.Join(dir, filepath.Base(capture)+".csv"), []byte(r.rows)))
	}
	out, err := exec.Command(python, args...).CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

// Where the key has the capture, a schema's rows name it, behind the columns of
// the other program, and the label, if it is not one of those, behind that.
func TestSchemaWithCaptures(t *testing.T) {
	t.Parallel()
	for name, labelled := range map[string]bool{"cicflowmeter": true, "nfstream": false} {
		dir, paths := series(t, 600, 3)
		c := schemaConfig(t, 2, name)
		plain, _, _ := strings.Cut(extract(t, c, dir).clean(t), "\n")
		c.Sessions.Capture = true
		c.Labels = labelsOf(t, "capture,label\n"+paths[1]+",second\n", "")
		want := extract(t, c, dir).clean(t)
		header, _, _ := strings.Cut(want, "\n")
		more, at := ",capture", -1
		if !labelled {
			more, at = ",capture,label", -2
		}
		if header != plain+more {
			t.Fatalf("%s: %s", name, header)
		}
		records, err := csv.NewReader(strings.NewReader(want)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, row := range records[1:] {
			path := row[len(row)+at]
			label := row[len(row)-3-at] // the neighbour of the capture
			seen[path] = true
			if (path == paths[1]) != (label == "second") {
				t.Fatalf("%s: a session of %s has the label %q", name, path, label)
			}
		}
		for _, path := range paths {
			if !seen[path] {
				t.Errorf("%s: no row names %s", name, path)
			}
		}
		sameRows(t, name+": merge", merge(t, c, mapped(t, c, 2, dir)).clean(t), want)
	}
}
