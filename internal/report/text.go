package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"pcapbatch/internal/linktype"
)

// WriteSummary writes the summary that a terminal shows at the end of a run.
func (r *Run) WriteSummary(w io.Writer) {
	read := fmt.Sprintf("%s, %s read in %s", Plural(uint64(len(r.Captures)), "capture"), BinaryBytes(r.Bytes), duration(r.Seconds))
	if r.Seconds > 0 {
		read += fmt.Sprintf(" (%s packets/s, %s/s)", Thousands(uint64(float64(r.Records)/r.Seconds)), BinaryBytes(int64(float64(r.Bytes)/r.Seconds)))
	}
	fmt.Fprintln(w, read)
	fmt.Fprintf(w, "%s in %s\n", Plural(r.Packets, "packet"), Plural(r.Sessions, "session"))
	if left := r.LeftOut(); left != "" {
		fmt.Fprintf(w, "left out: %s\n", left)
	}
	if n := len(r.Damage); n > 0 {
		fmt.Fprintf(w, "%s damaged or not readable\n", Plural(uint64(n), "input"))
	}
}

// LeftOut lists the records that are in no session by reason, the most frequent
// first; it is empty if there are none.
func (r *Run) LeftOut() string {
	type entry struct {
		what string
		n    uint64
	}
	var list []entry
	for kind, n := range r.NonIPKinds {
		list = append(list, entry{"non-IP (" + kind + ")", n})
	}
	for reason, n := range r.Undecodable {
		list = append(list, entry{reason, n})
	}
	for link, n := range r.Unsupported {
		list = append(list, entry{"unsupported link type " + linktype.Describe(link), n})
	}
	slices.SortFunc(list, func(a, b entry) int { return cmp.Or(cmp.Compare(b.n, a.n), strings.Compare(a.what, b.what)) })
	reasons := make([]string, len(list))
	for i, e := range list {
		reasons[i] = Thousands(e.n) + " " + e.what
	}
	return strings.Join(reasons, ", ")
}

// tunnelShare is the percentage of tunnelled packets above which the notes name
// --decapsulate.
const tunnelShare = 1

// Notes lists what a user should know about the numbers and might not expect.
func (r *Run) Notes() (list []string) {
	note := func(format string, args ...any) { list = append(list, fmt.Sprintf(format, args...)) }
	if n := len(r.Overlaps); n > 0 && r.Reordered > 0 {
		first := r.Overlaps[0]
		note("%s before an earlier capture has ended, as %s does before the end of %s: for sessions that they share the interarrival, active and idle times are not those of one capture; --interleave merges captures by time",
			choose(uint64(n), "capture begins", "captures begin"), Printable(first.Path), Printable(first.Earlier))
	}
	if r.InexactGaps > 0 {
		note("%s of which only the sum of some interarrival times is exact, because sessions that overlap in time were merged", Plural(r.InexactGaps, "session"))
	}
	if !r.Decapsulated && r.Packets > 0 && r.Tunnelled*100 > r.Packets*tunnelShare {
		note("%d %% of the packets are tunnelled; --decapsulate makes sessions of what is inside the tunnels", r.Tunnelled*100/r.Packets)
	}
	if r.NoTime > 0 {
		note("%s without a timestamp: the time of the record before was used", Plural(r.NoTime, "record"))
	}
	if r.ClampedTime > 0 {
		note("%s with a time outside the years 1677 to 2262: the nearest time within was used", Plural(r.ClampedTime, "record"))
	}
	if r.WireLengthRaised > 0 {
		note("%s with a wire length below the capture length, which was raised to it", Plural(r.WireLengthRaised, "record"))
	}
	if r.SubsecondOverflow > 0 {
		note("%s whose sub-second field is a second or more, added as it stands: these may be nanoseconds in a file that says microseconds", Plural(r.SubsecondOverflow, "record"))
	}
	if r.Reordered > 0 {
		note("%s earlier than the packet before in their session: counted as arriving with it", Plural(r.Reordered, "packet"))
	}
	if r.NamedTwice > 0 {
		note("%s named more than once, read once", Plural(uint64(r.NamedTwice), "capture"))
	}
	return list
}

// Nothing explains why a run has no sessions.
func (r *Run) Nothing() string {
	if left := r.LeftOut(); left != "" {
		return "no sessions: " + left
	}
	if r.Records == 0 && len(r.Captures) > 0 {
		return "no sessions: the captures hold no packets"
	}
	return "no sessions: no capture could be read"
}

// choose returns n with the words for one thing or for several.
func choose(n uint64, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Thousands(n) + " " + many
}

// Plural returns n with a word, to which it appends an s unless n is 1.
func Plural(n uint64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return Thousands(n) + " " + what + "s"
}

// Thousands returns n with a comma between groups of three digits.
func Thousands(n uint64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// BinaryBytes returns n bytes as text in B, KiB, MiB, GiB or TiB, with one
// decimal.
func BinaryBytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1024, "KiB"
	for _, next := range []string{"MiB", "GiB", "TiB"} {
		if v < 1024 {
			break
		}
		v, unit = v/1024, next
	}
	return fmt.Sprintf("%.1f %s", v, unit)
}

func duration(seconds float64) string {
	if seconds < 60 {
		return fmt.Sprintf("%.2f s", seconds)
	}
	m := int(seconds) / 60
	if m < 60 {
		return fmt.Sprintf("%d min %02d s", m, int(seconds)%60)
	}
	return fmt.Sprintf("%d h %02d min", m/60, m%60)
}

// NotCapturesLine says how many files of directories and patterns are no
// captures.
func NotCapturesLine(n int) string {
	return choose(uint64(n), "file is no capture", "files are no captures")
}

// Printable returns s with characters that cannot be printed escaped, so that
// it stands in one line of a terminal: the names of files may come from others.
func Printable(s string) string {
	if utf8.ValidString(s) && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return s
	}
	quoted := strconv.Quote(s)
	return quoted[1 : len(quoted)-1]
}
