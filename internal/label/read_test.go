package label

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"

	"pcapbatch/internal/flow"
)

func TestReadErrors(t *testing.T) {
	for _, c := range []struct {
		file, want string
		captures   bool
	}{
		{file: "", want: "line 1: the file is empty"},
		{file: "src_ip\n", want: "line 1: column label is missing"},
		{file: "label,port\n", want: `line 1: unknown column "port"; allowed are src_ip, dst_ip,`},
		{file: "\n\nlabel,label\n", want: "line 3: column label: it is there twice"},
		{file: "label,Src_ip\n", want: `line 1: unknown column "Src_ip"`},
		{file: "label\na\n\n\"\"\n", want: `line 4: column label: "" is not allowed; allowed is a text of 1`},
		{file: "label\n" + strings.Repeat("a", maxCell+1) + "\n", want: `aaa"... is not allowed`},
		{file: "label,src_ip\na\n", want: "line 2: 1 cells, where the header has 2"},
		{file: "label,src_ip\na,\na,10.0.0.256\n", want: `line 3: column src_ip: "10.0.0.256" is not allowed; allowed is an address`},
		{file: "label,src_ip\na,10.0.0.0/33\n", want: "line 2: column src_ip"},
		{file: "label,src_ip\na, 10.0.0.0\n", want: "line 2: column src_ip"},
		{file: "label,src_ip\na,fe80::1%eth0\n", want: "line 2: column src_ip"},
		{file: "label,src_ip,dst_ip\na,10.0.0.0/8,::1\n", want: "line 2: column dst_ip: \"::1\" is not allowed"},
		{file: "label,src_port\na,65536\n", want: "line 2: column src_port: \"65536\" is not allowed; allowed is a port from 0 to 65535"},
		{file: "label,dst_port\na,-1\n", want: "line 2: column dst_port"},
		{file: "label,dst_port\na,http\n", want: "line 2: column dst_port"},
		{file: "label,protocol\na,256\n", want: "line 2: column protocol: \"256\" is not allowed; allowed is an IP protocol number from 0 to 255"},
		{file: "label,start\na,2017-07-04 09:20:00\n", want: "line 2: column start"},
		{file: "label,start\na,2017-07-04T09:20:00\n", want: "line 2: column start"},
		{file: "label,end\na,2300-01-01T00:00:00Z\n", want: "line 2: column end"},
		{file: "label,end\na,1677-12-31T00:00:00Z\n", want: "line 2: column end"},
		{file: "label,end\na,9223372036854775808\n", want: "line 2: column end"},
		{file: "label,end\na,1.5\n", want: "line 2: column end"},
		{file: "label,start,end\na,2,1\n", want: "line 2: column end: it is before start"},
		{file: "label,capture\na,x.pcap\n", want: `line 2: column capture: "x.pcap" names a capture, which sessions have only with --key capture`},
		{file: "label,capture\na,[\n", captures: true, want: "line 2: column capture: \"[\" is not allowed"},
		{file: "label\n\"a\n\nb\"\n\"a\"b\n", want: `line 5: a quoted cell is followed by "b"`},
		{file: "label\na\"b\n", want: "line 2: a quotation mark inside a cell"},
		{file: "label\n\n\"a\nb\n", want: "line 3: the quotation mark that begins a cell is never closed"},
		{file: "label\n\"" + strings.Repeat("a\n", maxRecord) + "\"\n", want: "line 2: the rule has more than 65536 bytes"},
		{file: "label\n" + strings.Repeat("a", 2*maxRecord), want: "line 2: the rule has more than 65536 bytes"},
		{file: "\xff\xfel\x00\n", want: "line 1: unknown column"},
	} {
		_, err := Read(strings.NewReader(c.file), Options{Captures: c.captures})
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v; want %q", c.file, err, c.want)
		}
	}
}

// An error of the reader is passed on, after any number of good lines.
func TestReadFailure(t *testing.T) {
	for _, file := range []string{"", "label\n", "label\na\nb", "label\n\"a"} {
		r := io.MultiReader(strings.NewReader(file), iotest.ErrReader(os.ErrPermission))
		if _, err := Read(r, Options{}); !errors.Is(err, os.ErrPermission) {
			t.Errorf("%q: %v", file, err)
		}
	}
}

// A file of rules for which there is no memory is not read to its end.
func TestReadMemory(t *testing.T) {
	const rules = 5 * blockRules
	text := "src_port,label\n" + strings.Repeat("7,x\n", rules)
	s, err := Read(strings.NewReader(text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(strings.NewReader(text), Options{Memory: s.Bytes(0)}); err != nil {
		t.Errorf("with memory for all rules: %v", err)
	}
	in := strings.NewReader(text + strings.Repeat("9,y\n", 100*blockRules))
	before := in.Len()
	if _, err = Read(in, Options{Memory: s.Bytes(0)}); err == nil || !strings.Contains(err.Error(), "more memory than there may be") {
		t.Errorf("for a part of the rules: %v", err)
	}
	if read := before - in.Len(); read > 2*len(text)+1<<17 {
		t.Errorf("%d bytes were read, where there is memory for %d", read, len(text))
	}
}

func TestReadForms(t *testing.T) {
	key := flow.Key{Version: 4, Protocol: 6, Src: [16]byte{10, 1, 2, 3}, Dst: [16]byte{192, 0, 2, 9}, SrcPort: 1234, DstPort: 80}
	const at = 1499170800123456789 // 2017-07-04T12:20:00.123456789Z
	for file, want := range map[string]string{
		"\xef\xbb\xbflabel\r\nx\r\n":                                  "x",
		"label":                                                       "",
		"label\n\"a,\"\"b\"\"\r\nc\"":                                 "a,\"b\"\nc",
		"label\n\n\n x ":                                              " x ",
		"label,src_ip\nx,10.9.9.9/8":                                  "x",
		"label,src_ip\nx,192.0.2.9\n":                                 "x",
		"label,src_ip\nx,::/0\n":                                      "",
		"label,src_ip\nx,::ffff:10.1.2.3\n":                           "",
		"src_ip,src_port,label\n10.0.0.0/8,80,x\n":                    "",
		"src_ip,src_port,label\n192.0.2.0/24,80,x\n":                  "x",
		"label,protocol\nx,17\ny,06\n":                                "y",
		"label,start\nx,1499170800123456790\ny,1499170800123456789\n": "y",
		"label,end\nx,1499170800123456788\ny,2017-07-04T09:20:00.123456789-03:00\n": "y",
		"label,start,end\nx,-5,-5\ny,,\n":                                           "y",
		"label,capture\nx,*.pcap\ny,d?/[a-b].pcap\n":                                "y",
		"label,capture\nx,\"d1/A.pcap\"\ny,\"d1/a.pcap\"\n":                         "y",
		"label,capture\nx,\n":                                                       "x",
	} {
		s, err := Read(strings.NewReader(file), Options{Captures: true})
		if err != nil {
			t.Errorf("%q: %v", file, err)
			continue
		}
		if got, _, ok := s.Match(&key, at, at, "d1/a.pcap"); got != want || ok != (want != "") {
			t.Errorf("%q: %q, want %q", file, got, want)
		}
	}
}

// The rules that docs/labels.md has for CIC-IDS2017 label what its timetable
// says, in its zone.
func TestDocumentedRules(t *testing.T) {
	text, err := os.ReadFile("../../docs/labels.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rules, _ := strings.Cut(string(text), "```csv\n")
	rules, _, _ = strings.Cut(rules, "```")
	s, err := Read(strings.NewReader(rules), Options{})
	if err != nil {
		t.Fatal(err)
	}
	key := flow.Key{Version: 4, Protocol: 6, Src: [16]byte{172, 16, 0, 1}, Dst: [16]byte{192, 168, 10, 50}, SrcPort: 50000, DstPort: 21}
	const from, second = 1499170800, int64(1e9) // 2017-07-04T12:20:00Z
	for at, want := range map[int64]string{from - 1: "", from: "FTP-Patator", from + 3659: "FTP-Patator", from + 3660: ""} {
		if got, _, _ := s.Match(&key, at*second, at*second+5, ""); got != want {
			t.Errorf("at %d: %q, want %q", at, got, want)
		}
	}
}

// FuzzRead reads any bytes. What encoding/csv takes apart in the same way is
// taken apart alike.
func FuzzRead(f *testing.F) {
	f.Add([]byte("label,src_ip,dst_port,start,end,capture\n\"a\"\"b\",10.0.0.0/8,80,5,2017-07-04T09:20:00-03:00,*.pcap\n"))
	f.Add([]byte("\xef\xbb\xbflabel\r\n\"a\r\nb\"\r\n\r\nc"))
	f.Add([]byte("dst_ip,label,src_ip,protocol,src_port\n::1,a,fe80::/10,58,0\n"))
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 1<<16 {
			return
		}
		s, err := Read(bytes.NewReader(file), Options{Captures: true})
		if err == nil {
			for _, version := range []uint8{4, 6} {
				key := flow.Key{Version: version}
				if _, line, ok := s.Match(&key, 0, 5, "a.pcap"); ok && (line < 2 || line > 1+bytes.Count(file, []byte("\n"))) {
					t.Fatalf("line %d", line)
				}
			}
		}
		if bytes.ContainsRune(file, '\r') || bytes.HasPrefix(file, []byte("\xef\xbb\xbf")) {
			return
		}
		want, wantErr := csv.NewReader(bytes.NewReader(file)).ReadAll()
		if wantErr != nil {
			return
		}
		r := newCSVReader(bytes.NewReader(file))
		for _, record := range want {
			got, err := r.next()
			if err != nil {
				t.Fatalf("%v, want %q", err, record)
			}
			if g := string(bytes.Join(got, []byte{0})); g != strings.Join(record, "\x00") {
				t.Fatalf("%q, want %q", g, record)
			}
		}
		if _, err := r.next(); !errors.Is(err, io.EOF) {
			t.Fatalf("%v behind the last record", err)
		}
	})
}
