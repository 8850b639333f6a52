package reader

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"pcapbatch/internal/capturetest"
	"strconv"
	"strings"
	"testing"
)

// byDesign lists the captures that capinfos sees otherwise, and why.
var byDesign = map[string]string{
	"tcpdump__atm-heapoverflow.pcap":                                           "capinfos takes the 4 bytes of the SunATM header off the lengths",
	"tcpdump__atm-oam-loopback-print-overrun.pcap":                             "the same",
	"pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5766899836387328": "version 2.3 with its lengths swapped, which capinfos takes for another variant",
	"libpcap__linktype-reserved-field-not-zero.pcap":                           "capinfos refuses reserved bits of the link type, which are masked here",
	"pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5631583764873216": "the same",
	"pcapplusplus__clusterfuzz-testcase-minimized-FuzzTarget-5752969003008000": "the same",
	"pf_ring__vtp_asan-3.pcap":                                                 "capinfos refuses link types that it cannot decode",
	"tcpdump__juniper_es_oobr.pcap":                                            "the same",
	"tcpdump__juniper_monitor_invalid_cookie_length.pcap":                      "the same",
	"tcpdump__vtp_asan-2.pcap":                                                 "the same",
}

// TestAgainstCapinfos reads every real capture and holds the number of records,
// the sum of their wire lengths and whether it is damaged against Wireshark's
// view.
func TestAgainstCapinfos(t *testing.T) {
	tool, err := exec.LookPath("capinfos")
	if err != nil {
		t.Skip("no capinfos")
	}
	files := capturetest.RealCaptures(t, "../..")
	for _, f := range files {
		want := capinfos(t, tool, f)
		var have view
		raised := false
		if c, err := Open(f, Options{}); err != nil {
			have.damaged = true
		} else {
			recs, err := drain(c)
			raised = c.Info().WireLengthRaised > 0
			have = view{records: uint64(len(recs)), damaged: err != nil}
			for _, r := range recs {
				have.wire += uint64(r.WireLen)
			}
			c.Close()
		}
		if want.damaged || raised && have.wire > want.wire {
			want.wire = have.wire // capinfos does not tell, or has not raised what is too small
		}
		why := byDesign[filepath.Base(f)]
		if (have == want) != (why == "") {
			t.Errorf("%s: %+v, capinfos %+v; %s", f, have, want, why)
		}
	}
	t.Logf("%d captures compared", len(files))
}

// view is what a reader sees of a capture.
type view struct {
	records, wire uint64
	damaged       bool
}

// capinfos returns what the tool sees.
func capinfos(t *testing.T, tool, path string) (v view) {
	t.Helper()
	cmd := exec.Command(tool, "-T", "-r", "-Q", "-c", "-d", "-m", path)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Env = &out, &diag, append(os.Environ(), "LC_ALL=C")
	err := cmd.Run()
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.Exited() {
		v.damaged = true
		if _, after, ok := strings.Cut(diag.String(), "after reading "); ok {
			_, err = fmt.Sscan(after, &v.records)
			if err != nil {
				t.Fatalf("%s: %q: %v", path, after, err)
			}
		}
		return v
	} else if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(rows) != 1 || len(rows[0]) < 3 {
		t.Fatalf("%s: capinfos prints %q, %v", path, rows, err)
	}
	v.records, err = strconv.ParseUint(rows[0][1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if v.wire, err = strconv.ParseUint(rows[0][2], 10, 64); err != nil {
		t.Fatal(err)
	}
	return v
}
