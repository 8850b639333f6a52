package page

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"pcapbatch/internal/report"
)

// bytesText is n bytes in decimal units, as rates and wire lengths are given.
func bytesText(n uint64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	return short(float64(n)) + "B"
}

// short is x with three digits and a decimal prefix, and the space before it.
func short(x float64) string {
	units := []string{"", "k", "M", "G", "T", "P", "E"}
	k := 0
	for x >= 999.5 && k+1 < len(units) {
		x /= 1000
		k++
	}
	digits := 0
	switch {
	case k == 0 && x == math.Trunc(x):
	case x < 9.995:
		digits = 2
	case x < 99.95:
		digits = 1
	}
	return strconv.FormatFloat(x, 'f', digits, 64) + " " + units[k]
}

// tick is a round number on an axis, as short as can be.
func tick(n float64) string {
	s := strings.TrimSpace(short(n))
	number, unit, _ := strings.Cut(s, " ")
	if strings.Contains(number, ".") {
		number = strings.TrimRight(strings.TrimRight(number, "0"), ".")
	}
	return number + unit
}

// nanos is a time of n ns in the unit that suits it.
func nanos(n uint64) string {
	switch {
	case n < 1000:
		return fmt.Sprintf("%d ns", n)
	case n < 1e6:
		return trimmed(float64(n)/1e3) + " µs"
	case n < 1e9:
		return trimmed(float64(n)/1e6) + " ms"
	case n < 120e9:
		return trimmed(float64(n)/1e9) + " s"
	case n < 120*60e9:
		return fmt.Sprintf("%d min %02d s", n/60e9, n/1e9%60)
	case n < 48*3600e9:
		return fmt.Sprintf("%d h %02d min", n/3600e9, n/60e9%60)
	}
	days := n / (24 * 3600e9)
	if days > 800 {
		return report.Thousands(days) + " days"
	}
	return fmt.Sprintf("%d d %02d h", days, n/3600e9%24)
}

// trimmed is x with three digits and no zeros at the end of its decimals.
func trimmed(x float64) string {
	s := strconv.FormatFloat(x, 'f', max(0, 2-int(math.Log10(max(x, 1)))), 64)
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// seconds is a run time.
func seconds(s float64) string { return nanos(uint64(max(0, s) * 1e9)) }

// clock is a time in ns since the epoch, UTC, to the second.
func clock(ns int64) string { return time.Unix(0, ns).UTC().Format("2006-01-02 15:04:05") }

// timeText is an RFC 3339 time as clock has it.
func timeText(s string) string {
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return report.Printable(s)
	}
	return t.UTC().Format("2006-01-02 15:04:05") + " UTC"
}

// choose returns n with the words for one thing or for several.
func choose(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return report.Thousands(uint64(n)) + " " + many
}

// percent is the share of n in all.
func percent(n, all uint64) string {
	switch {
	case all == 0 || n == 0:
		return "0 %"
	case n == all:
		return "100 %"
	}
	p := float64(n) / float64(all) * 100
	switch {
	case p < 0.1:
		return "< 0.1 %"
	case p > 99.9:
		return "> 99.9 %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// thousands is report.Thousands of an int or uint64.
func thousands(n any) string {
	if i, ok := n.(int); ok {
		return report.Thousands(uint64(max(0, i)))
	}
	u, _ := n.(uint64)
	return report.Thousands(u)
}
