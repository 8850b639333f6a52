package main

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"net/netip"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pcapbatch/internal/capturetest"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
)

// corpus lists real captures, and skips tests where there are none.
func corpus(t *testing.T) []string {
	t.Helper()
	return capturetest.RealCaptures(t, "../..")
}

// everyFile is the corpus, or testdata where there is none.
func everyFile(t *testing.T) []string {
	t.Helper()
	list, _ := capturetest.Corpus(t, "../..")
	return list
}

// TestNothingVanishes is the conservation law: every record of every capture
// is in a session or counted by the reason why not.
func TestNothingVanishes(t *testing.T) {
	for _, path := range corpus(t) {
		t.Run(filepath.Base(path), func(t *testing.T) { conserve(t, path) })
	}
	t.Run("together", func(t *testing.T) { conserve(t, corpus(t)...) })
	t.Run("decapsulated", func(t *testing.T) { conserve(t, append(corpus(t), "--decapsulate")...) })
	t.Run("unidirectional", func(t *testing.T) { conserve(t, append(corpus(t), "--direction=unidirectional", "--key=vlan")...) })
	t.Run("timeout", func(t *testing.T) { conserve(t, append(corpus(t), "--idle-timeout=1s")...) })
}

func conserve(t *testing.T, args ...string) {
	t.Helper()
	summary := filepath.Join(t.TempDir(), "summary.json")
	r := runWith(nil, append([]string{"extract", "--summary", summary}, args...)...)
	if r.code != exitOK && r.code != exitDamaged {
		t.Fatalf("exit code %d: %s", r.code, r.stderr)
	}
	s := readSummary(t, summary)
	sum := s.Packets + s.NonIP
	for _, n := range s.Undecodable {
		sum += n
	}
	for _, n := range s.Unsupported {
		sum += n
	}
	if packets := s.Records + s.Further; sum != packets {
		t.Errorf("%d packets read, %d accounted for", packets, sum)
	}
	var kinds, perCapture, inRows uint64
	for _, n := range s.NonIPKinds {
		kinds += n
	}
	for _, c := range s.Captures {
		perCapture += c.Records
	}
	var rows []row
	if len(s.Captures) > 0 { // else nothing is written
		rows = parseRows(t, r.stdout)
	}
	for _, row := range rows {
		n, err := strconv.ParseUint(row["total_packets"], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		inRows += n
	}
	if kinds != s.NonIP || perCapture != s.Records || inRows != s.Packets || uint64(len(rows)) != s.Sessions {
		t.Errorf("non-IP %d of %d, records %d of %d, packets %d of %d, sessions %d of %d",
			kinds, s.NonIP, perCapture, s.Records, inRows, s.Packets, len(rows), s.Sessions)
	}
	if (r.code == exitDamaged) != s.Damaged() {
		t.Errorf("exit code %d with %d damaged captures and %d sessions", r.code, len(s.Damage), len(rows))
	}
	if inspected := inspectRecords(t, args); inspected != s.Records {
		t.Errorf("%d records by batch inspect, %d by batch extract", inspected, s.Records)
	}
}

func inspectRecords(t *testing.T, args []string) (n uint64) {
	t.Helper()
	paths := slices.DeleteFunc(slices.Clone(args), func(a string) bool { return strings.HasPrefix(a, "--") })
	r := runWith(nil, append([]string{"inspect", "--json"}, paths...)...)
	for line := range strings.Lines(r.stdout) {
		var i report.Inspection
		if err := json.Unmarshal([]byte(line), &i); err != nil {
			t.Fatal(err)
		}
		n += i.Records
	}
	return n
}

// TestEveryCellIsOfItsType reads the CSV of every capture again and holds it
// against the data dictionary, and the numbers against each other. Each capture
// is read on its own: together, those of testdata share most of their sessions.
func TestEveryCellIsOfItsType(t *testing.T) {
	for _, flags := range [][]string{{"--key=vlan"}, {"--undefined=empty", "--sample-std"}} {
		var columns []writer.Column
		for _, c := range writer.Columns() {
			if c.Group != writer.VLAN || slices.Contains(flags, "--key=vlan") {
				columns = append(columns, c)
			}
		}
		rows := 0
		for _, path := range everyFile(t) {
			args := append([]string{"extract", "--features=all"}, flags...)
			rows += checkCells(t, columns, runWith(nil, append(args, path)...).stdout, slices.Contains(flags, "--undefined=empty"))
		}
		if rows < 200 {
			t.Errorf("only %d rows", rows)
		}
	}
}

// checkCells checks a CSV, if there is one, and returns the number of its rows.
func checkCells(t *testing.T, columns []writer.Column, text string, mayBeEmpty bool) int {
	t.Helper()
	if text == "" {
		return 0 // no capture
	}
	header, _, _ := strings.Cut(text, "\n")
	if n := strings.Count(header, ",") + 1; n != len(columns) {
		t.Fatalf("%d columns, want %d", n, len(columns))
	}
	if strings.ContainsAny(text, "\"\r ") {
		t.Error("something needs quoting")
	}
	rows := parseRows(t, text)
	for _, row := range rows {
		for _, c := range columns {
			checkCell(t, c, row[c.Name], mayBeEmpty)
		}
		checkRow(t, row)
	}
	return len(rows)
}

var (
	integerCell = regexp.MustCompile(`^(0|-?[1-9][0-9]*)$`)
	secondsCell = regexp.MustCompile(`^(0|[1-9][0-9]*)\.([0-9]|[0-9]{1,8}[1-9])$`)
	textCells   = map[string]*regexp.Regexp{
		"tcp_state":    regexp.MustCompile(`^(-|RSTO|RSTOS0|REJ|RSTR|RSTRH|SF|S[0-3]|SH|SHR|OTH)$`),
		"community_id": regexp.MustCompile(`^1:[0-9A-Za-z+/]{27}=$`),
		"end_reason":   regexp.MustCompile(`^input$`), // no rule is asked
		"first_seen":   regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$`),
		"last_seen":    regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$`),
	}
	decimalCell = regexp.MustCompile(`^(0|[1-9][0-9]*)\.([0-9]|[0-9]{1,5}[1-9])$`)
)

func checkCell(t *testing.T, c writer.Column, cell string, mayBeEmpty bool) {
	t.Helper()
	ok := cell == "" && mayBeEmpty && c.Type == writer.Decimal
	switch {
	case c.Type == writer.Integer:
		ok = cell == "" && mayBeEmpty || integerCell.MatchString(cell)
	case c.Kind == writer.Address:
		a, err := netip.ParseAddr(cell)
		ok = err == nil && a.String() == cell
	case c.Type == writer.Text:
		ok = textCells[c.Name].MatchString(cell)
	case c.Unit == "s":
		ok = ok || secondsCell.MatchString(cell)
	default:
		ok = ok || decimalCell.MatchString(cell)
	}
	if !ok {
		t.Errorf("%s of type %s is %q", c.Name, c.Type, cell)
	}
}

// checkRow holds what must be true of every session, exactly.
func checkRow(t *testing.T, r row) {
	t.Helper()
	number := func(name string) *big.Rat {
		n, ok := new(big.Rat).SetString(r[name])
		if !ok {
			n = new(big.Rat) // undefined
		}
		return n
	}
	ordered := func(names ...string) {
		for i := 1; i < len(names); i++ {
			if number(names[i-1]).Cmp(number(names[i])) > 0 {
				t.Errorf("%s > %s in %v", names[i-1], names[i], r)
			}
		}
	}
	ordered("iat_min_s", "iat_median_s", "iat_max_s", "duration_s")
	ordered("iat_min_s", "iat_mean_s", "iat_max_s")
	ordered("packet_length_min", "packet_length_median", "packet_length_max", "total_bytes")
	ordered("packet_length_min", "packet_length_mean", "packet_length_max")
	ordered("payload_size_min", "payload_size_median", "payload_size_max", "payload_bytes")
	ordered("truncated_packets", "total_packets")
	ordered("first_seen_ns", "last_seen_ns")
	duration := number("duration_s")
	if sum := new(big.Rat).Add(number("active_time_s"), number("idle_time_s")); sum.Cmp(duration) != 0 {
		t.Errorf("active and idle time are not the duration in %v", r)
	}
	ns := new(big.Rat).Sub(number("last_seen_ns"), number("first_seen_ns"))
	if ns.Cmp(new(big.Rat).Mul(duration, big.NewRat(second, 1))) != 0 {
		t.Errorf("last - first is not the duration in %v", r)
	}
}

// TestSameBytes: the CSV depends neither on workers, nor on processors, nor on
// the order of the arguments.
func TestSameBytes(t *testing.T) {
	args := append([]string{"extract", "--features=all", "-j1"}, everyFile(t)...)
	want := runWith(nil, args...).stdout
	same := func(t *testing.T, got string) {
		t.Helper()
		if got != want {
			t.Errorf("another CSV: %d bytes, want %d; first difference at line %d", len(got), len(want), differentLine(got, want))
		}
	}
	for _, workers := range []string{"-j1", "-j2", "-j3", "-j8"} {
		args[2] = workers
		t.Run(workers, func(t *testing.T) { same(t, runWith(nil, args...).stdout) })
	}
	for _, n := range []int{1, 4} {
		t.Run("GOMAXPROCS="+strconv.Itoa(n), func(t *testing.T) {
			defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(n))
			same(t, runWith(nil, args...).stdout)
		})
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 3 {
		random.Shuffle(len(args)-3, func(i, j int) { args[3+i], args[3+j] = args[3+j], args[3+i] })
		t.Run("shuffled", func(t *testing.T) { same(t, runWith(nil, args...).stdout) })
	}
}

// TestOverlapIsTold: captures that overlap in time are named, those that follow
// each other are not; run files say the same.
func TestOverlapIsTold(t *testing.T) {
	for names, want := range map[string][]report.Overlap{
		"interleaved-even.pcap interleaved-odd.pcap":  {{Path: filepath.Join(testdata, "interleaved-odd.pcap"), Earlier: filepath.Join(testdata, "interleaved-even.pcap")}},
		"rotated-a-later.pcap rotated-b-earlier.pcap": {},
	} {
		summary := filepath.Join(t.TempDir(), "s.json")
		args := []string{"extract", "--summary", summary}
		for name := range strings.FieldsSeq(names) {
			args = append(args, filepath.Join(testdata, name))
		}
		mustRun(t, args...)
		if got := readSummary(t, summary).Overlaps; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", names, got, want)
		}
		state := t.TempDir()
		for range 2 { // reading, and from what was kept
			mustRun(t, append(args, "--state", state)...)
			if got := readSummary(t, summary).Overlaps; !slices.Equal(got, want) {
				t.Errorf("%s, with --state: %v, want %v", names, got, want)
			}
		}
	}
}
