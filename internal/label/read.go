package label

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

const (
	// maxRules bounds the rules of a set: at 110 bytes each, they take about
	// 1.7 GiB.
	maxRules = 1 << 24
	// maxCell bounds labels and captures in bytes. Linux has paths of up to
	// 4096 bytes.
	maxCell = 4096
	// maxText bounds all different labels and captures of a file together.
	maxText = 1 << 28
)

// Options say what a run gives its sessions.
type Options struct {
	// Captures: the key has the capture, or is not known yet, so that rules may
	// name one: see Set.NamesCaptures.
	Captures bool
	// Memory bounds the rules, in bytes: a file is not read on where they take
	// more, even without the tree to find them by; 0: there is no bound.
	Memory int64
}

// An Error says what is wrong with a file of rules.
type Error struct {
	Line int    // from 1, the header
	Text string // names the column and what is allowed
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Text) }

func errorAt(line uint32, format string, args ...any) error {
	return &Error{int(line), fmt.Sprintf(format, args...)}
}

// A column is one that a file of rules can have.
type column struct {
	name    string
	allowed string
	// parse takes a cell that is not empty into r.
	parse func(p *parser, r *rule, cell []byte) error
}

const (
	labelColumn   = "label"
	captureColumn = "capture"
)

var columns = []column{
	{"src_ip", allowedIP, func(_ *parser, r *rule, cell []byte) error {
		return parseIP(r, cell, &r.src, &r.srcBits)
	}},
	{"dst_ip", allowedIP, func(_ *parser, r *rule, cell []byte) error {
		return parseIP(r, cell, &r.dst, &r.dstBits)
	}},
	{"src_port", allowedPort, func(_ *parser, r *rule, cell []byte) error {
		r.fields |= hasSrcPort
		return parseUint(cell, &r.srcPort, math.MaxUint16)
	}},
	{"dst_port", allowedPort, func(_ *parser, r *rule, cell []byte) error {
		r.fields |= hasDstPort
		return parseUint(cell, &r.dstPort, math.MaxUint16)
	}},
	{"protocol", "an IP protocol number from 0 to 255, such as 6 for TCP", func(_ *parser, r *rule, cell []byte) error {
		r.fields |= hasProto
		return parseUint(cell, &r.protocol, math.MaxUint8)
	}},
	{"start", allowedTime, func(_ *parser, r *rule, cell []byte) (err error) {
		r.start, err = parseTime(cell)
		return err
	}},
	{"end", allowedTime, func(_ *parser, r *rule, cell []byte) (err error) {
		r.end, err = parseTime(cell)
		return err
	}},
	{captureColumn, "the path of a capture as it was named, or a glob of paths", (*parser).capture},
	{labelColumn, "a text of 1 to 4096 bytes", (*parser).label},
}

const (
	allowedIP = "an address such as 192.0.2.7 or 2001:db8::7, or a prefix such as 192.0.2.0/24, " +
		"of one version in both columns"
	allowedPort = "a port from 0 to 65535"
	allowedTime = "nanoseconds since 1970-01-01T00:00:00Z, such as 1499436122000000000, " +
		"or a time of RFC 3339 from 1678 to 2261, such as 2017-07-07T11:02:02-03:00"
)

// errNotAllowed stands for what the column's text about allowed cells says.
var errNotAllowed = errors.New("not allowed")

// parser reads the rules of one file.
type parser struct {
	csv     *csvReader
	options Options
	set     *Set
	numbers map[string]uint32 // of labels, in set.names
	current rule
}

// Read returns the set of the rules in r, a CSV with a header; docs/labels.md
// has the format. It holds at most 2^24 rules of at most 64 KiB each; a rule
// takes 100 to 180 bytes, whatever its text, and different labels and captures
// at most 256 MiB. What is wrong with the file is an *Error; what is wrong with
// r is returned as it is.
func Read(r io.Reader, o Options) (*Set, error) { return read(r, o, mostEntries) }

func read(r io.Reader, o Options, most int) (*Set, error) {
	p := parser{csv: newCSVReader(r), options: o, set: &Set{}, numbers: map[string]uint32{}}
	header, err := p.header()
	if err != nil {
		return nil, err
	}
	for {
		cells, err := p.csv.next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if err := p.rule(header, cells); err != nil {
			return nil, err
		}
	}
	build(p.set, most)
	return p.set, nil
}

func (p *parser) fail(format string, args ...any) error {
	return errorAt(p.csv.first, format, args...)
}

func (p *parser) header() (header []*column, err error) {
	cells, err := p.csv.next()
	if errors.Is(err, io.EOF) {
		return nil, errorAt(1, "the file is empty; it begins with a header, of the columns %s", columnNames())
	} else if err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for _, cell := range cells {
		var c *column
		for i := range columns {
			if columns[i].name == string(cell) {
				c = &columns[i]
			}
		}
		if c == nil {
			return nil, p.fail("unknown column %s; allowed are %s", shown(cell), columnNames())
		}
		if seen[c.name] {
			return nil, p.fail("column %s: it is there twice", c.name)
		}
		seen[c.name] = true
		header = append(header, c)
	}
	if !seen[labelColumn] {
		return nil, p.fail("column %s is missing; only the others may be left out", labelColumn)
	}
	return header, nil
}

func columnNames() string {
	var names []string
	for i := range columns {
		names = append(names, columns[i].name)
	}
	return strings.Join(names, ", ")
}

// shown quotes the beginning of a cell for an error message.
func shown(cell []byte) string {
	const most = 64
	if len(cell) > most {
		return strconv.Quote(string(cell[:most])) + "..."
	}
	return strconv.Quote(string(cell))
}

func (p *parser) rule(header []*column, cells [][]byte) error {
	if len(cells) != len(header) {
		return p.fail("%d cells, where the header has %d", len(cells), len(header))
	}
	if p.set.rules.n == maxRules {
		return p.fail("the file has more than %d rules", maxRules)
	}
	if m := p.options.Memory; m > 0 && p.set.rules.n%blockRules == 0 && p.set.Bytes(0) > m {
		return p.fail("the %d rules before this one take more memory than there may be, %d bytes", p.set.rules.n, m)
	}
	r := &p.current
	*r = rule{start: math.MinInt64, end: math.MaxInt64}
	for i, c := range header {
		if len(cells[i]) == 0 && c.name != labelColumn {
			continue
		}
		err := c.parse(p, r, cells[i])
		if errors.Is(err, errNotAllowed) {
			return p.fail("column %s: %s is not allowed; allowed is %s", c.name, shown(cells[i]), c.allowed)
		} else if err != nil {
			return p.fail("column %s: %v", c.name, err)
		}
	}
	if r.start > r.end {
		return p.fail("column end: it is before start; allowed is a time not before it")
	}
	p.set.rules.add(r, p.csv.first)
	return nil
}

func parseIP(r *rule, cell []byte, to *address, bits *uint8) error {
	text := string(cell)
	var prefix netip.Prefix
	if strings.Contains(text, "/") {
		var err error
		if prefix, err = netip.ParsePrefix(text); err != nil {
			return errNotAllowed
		}
	} else {
		addr, err := netip.ParseAddr(text)
		if err != nil || addr.Zone() != "" {
			return errNotAllowed
		}
		prefix = netip.PrefixFrom(addr, addr.BitLen())
	}
	version := version6
	var key [16]byte
	if prefix.Addr().Is4() {
		version = version4
		v4 := prefix.Addr().As4()
		copy(key[:], v4[:])
	} else {
		key = prefix.Addr().As16()
	}
	if was := r.fields & versionMask; was != versionAny && was != version {
		return errNotAllowed
	}
	r.fields |= version
	*bits = uint8(prefix.Bits())
	*to = keyAddress(&key).prefix(*bits)
	return nil
}

func parseUint[T uint8 | uint16](cell []byte, to *T, most uint64) error {
	n, err := strconv.ParseUint(string(cell), 10, 16)
	if err != nil || n > most {
		return errNotAllowed
	}
	*to = T(n)
	return nil
}

func parseTime(cell []byte) (int64, error) {
	if !bytes.ContainsRune(cell, 'T') {
		n, err := strconv.ParseInt(string(cell), 10, 64)
		if err != nil {
			return 0, errNotAllowed
		}
		return n, nil
	}
	var t time.Time
	// UnmarshalText keeps to RFC 3339; Parse takes more.
	if err := t.UnmarshalText(cell); err != nil || t.UTC().Year() < 1678 || t.UTC().Year() > 2261 {
		return 0, errNotAllowed
	}
	return t.UnixNano(), nil
}

func (p *parser) capture(r *rule, cell []byte) (err error) {
	switch {
	case !p.options.Captures:
		return fmt.Errorf("%s names a capture, which sessions have only with --key capture; "+
			"allowed without it is an empty cell", shown(cell))
	case len(cell) > maxCell:
		return errNotAllowed
	}
	known := p.set.captures.len()
	if r.capture, err = p.set.captures.add(cell); err != nil {
		return errNotAllowed
	}
	if p.set.captures.len() > known {
		return p.count(cell)
	}
	return nil
}

func (p *parser) label(r *rule, cell []byte) error {
	if len(cell) == 0 || len(cell) > maxCell {
		return errNotAllowed
	}
	number, ok := p.numbers[string(cell)]
	if !ok {
		if err := p.count(cell); err != nil {
			return err
		}
		number = uint32(len(p.set.names))
		p.set.names = append(p.set.names, string(cell))
		p.numbers[p.set.names[number]] = number
	}
	r.label = number
	return nil
}

// count counts the bytes of a text that the set has not had yet.
func (p *parser) count(cell []byte) error {
	if p.set.text += len(cell); p.set.text > maxText {
		return fmt.Errorf("the different labels and captures of the file have more than %d bytes", maxText)
	}
	return nil
}
