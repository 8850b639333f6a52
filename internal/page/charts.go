package page

import (
	"fmt"
	"math"
	"strings"

	"pcapbatch/internal/figures"
	"pcapbatch/internal/report"
)

// A chart is drawn without text, and stretched to what room there is; what is
// written beside it is HTML, and stays readable on a phone.
type chart struct {
	Title, Caption string
	Label          string // says in words what is seen
	Top            string // what the full height stands for
	Bottom         string
	Columns        int    // width in units of the drawing, which is 100 high
	Path           string // bars, as a path; or
	Bars           []bar
	Ticks          []axisTick
}

// A bar is one of a histogram.
type bar struct {
	X      int
	Y, H   float64
	Legend string
}

// An axisTick is a text below the chart.
type axisTick struct {
	Left float64 // percent
	Text string
}

// tenth rounds to one decimal: more would only make the page longer.
func tenth(x float64) float64 { return math.Round(x*10) / 10 }

// timeCharts are packets and bytes over time, and how wide a bar is.
func timeCharts(t *figures.Timeline) (list []chart, wide string) {
	begin, width, bins := t.Bins()
	if len(bins) == 0 {
		return nil, ""
	}
	of := func(title, unit string, value func(figures.TimeBin) uint64, text func(uint64) string) chart {
		c := chart{Title: title, Columns: len(bins), Bottom: "0"}
		most, at := uint64(0), 0
		for i, b := range bins {
			if v := value(b); v > most {
				most, at = v, i
			}
		}
		var p strings.Builder
		for i, b := range bins {
			if v := value(b); v > 0 {
				h := math.Max(0.5, float64(v)/float64(most)*100)
				fmt.Fprintf(&p, "M%d 100V%gh1V100z", i, tenth(100-h))
			}
		}
		c.Path, c.Top = p.String(), text(most)
		c.Caption = "most: " + text(most) + unit + " in " + nanos(uint64(width)) + " from " + clock(begin+int64(at)*width)
		c.Label = title + " over time; " + c.Caption
		end := begin + int64(len(bins)-1)*width + (width - 1)
		c.Ticks = []axisTick{{0, clock(begin)}, {100, clock(end)}}
		return c
	}
	return []chart{
		of("Packets", " packets", func(b figures.TimeBin) uint64 { return b.Packets }, func(n uint64) string { return strings.TrimSpace(short(float64(n))) }),
		of("Bytes on the wire", "", func(b figures.TimeBin) uint64 { return b.Bytes }, bytesText),
	}, nanos(uint64(width))
}

// leastColumns is how wide a histogram is at least, so that one bar is no wall.
const leastColumns = 24

// A scale says how the values of a histogram are written, and where it may have
// ticks.
type scale struct {
	text  func(v uint64) string
	ticks []uint64
}

func numberScale() scale {
	s := scale{text: report.Thousands}
	for v := uint64(1); v <= 1e18; v *= 10 {
		s.ticks = append(s.ticks, v)
	}
	return s
}

func byteScale() scale {
	s := numberScale()
	s.text = func(v uint64) string { return report.Thousands(v) + " B" }
	return s
}

func timeScale() scale {
	const second = 1_000_000_000
	return scale{text: nanos, ticks: []uint64{
		1, 1000, 1e6, second, 60 * second, 3600 * second, 24 * 3600 * second, 30 * 24 * 3600 * second, 365 * 24 * 3600 * second,
	}}
}

// tickText is the text of a tick: a number or a time.
func (s *scale) tickText(v uint64, times bool) string {
	if !times {
		return tick(float64(v))
	}
	for _, u := range []struct {
		ns   uint64
		name string
	}{{365 * 24 * 3600e9, "1 year"}, {30 * 24 * 3600e9, "30 d"}, {24 * 3600e9, "1 d"}, {3600e9, "1 h"}, {60e9, "1 min"}} {
		if v == u.ns {
			return u.name
		}
	}
	return nanos(v)
}

// histogram draws one. Zero, which has no place on a logarithmic axis, is a bar
// of its own on the left.
func histogram(title, what string, h *figures.Histogram, s scale, times bool) chart {
	c := chart{Title: title, Bottom: "1"}
	bins, total := h.Bins(), h.Total()
	if total == 0 {
		c.Caption = "none"
		return c
	}
	most := uint64(0)
	for _, b := range bins {
		most = max(most, b.Count)
	}
	c.Caption = report.Thousands(total) + " " + what + "; half are at most " + s.text(median(bins, total))
	c.Label = title + ": " + c.Caption + "; from " + s.text(bins[0].From) + " to " + s.text(bins[len(bins)-1].To)
	c.Top = strings.TrimSpace(short(float64(most)))
	left := 0
	if zero := bins[0]; zero.From == 0 {
		c.Bars = append(c.Bars, barOf(0, zero, most, s.text))
		c.Ticks = append(c.Ticks, axisTick{0.5, "0"})
		for bins = bins[1:]; len(bins) > 0 && bins[0].Count == 0; {
			bins = bins[1:]
		}
		left = 3
	}
	c.Columns = max(left+len(bins), leastColumns)
	left += (c.Columns - left - len(bins)) / 2
	for i, b := range bins {
		if b.Count > 0 {
			c.Bars = append(c.Bars, barOf(left+i, b, most, s.text))
		}
	}
	c.ticks(bins, left, &s, times)
	for i := range c.Ticks {
		c.Ticks[i].Left = tenth(c.Ticks[i].Left / float64(c.Columns) * 100)
	}
	return c
}

// mostTicks is how many texts have room below a histogram.
const mostTicks = 5

// ticks adds texts below bars, in columns.
func (c *chart) ticks(bins []figures.Bin, left int, s *scale, times bool) {
	var list []axisTick
	for _, v := range s.ticks {
		for i, b := range bins {
			if b.From <= v && v <= b.To {
				part := float64(v-b.From) / (float64(b.To-b.From) + 1)
				list = append(list, axisTick{float64(left+i) + part, s.tickText(v, times)})
			}
		}
	}
	if len(list) == 0 && len(bins) > 0 {
		list = append(list, axisTick{float64(left) + 0.5, s.text(bins[0].From)})
	}
	step := (len(list) + mostTicks - 1) / mostTicks
	least := float64(c.Columns) / 8 // room for a text
	for i := 0; i < len(list); i += max(1, step) {
		if n := len(c.Ticks); n == 0 || list[i].Left-c.Ticks[n-1].Left >= least {
			c.Ticks = append(c.Ticks, list[i])
		}
	}
}

// barOf is a bar whose height is the logarithm of its count.
func barOf(x int, b figures.Bin, most uint64, text func(uint64) string) bar {
	h := 8 + 92*math.Log1p(float64(b.Count-1))/math.Max(math.Log1p(float64(most-1)), 1e-9)
	if most == 1 {
		h = 100
	}
	legend := text(b.From)
	if b.To != b.From {
		legend += " to " + text(b.To)
	}
	h = tenth(math.Min(h, 100))
	return bar{x, tenth(100 - h), h, legend + ": " + report.Thousands(b.Count)}
}

// median returns the largest value of the bin that the middle is in.
func median(bins []figures.Bin, total uint64) uint64 {
	sum := uint64(0)
	for _, b := range bins {
		if sum += b.Count; sum >= total-total/2 {
			return b.To
		}
	}
	return 0
}
