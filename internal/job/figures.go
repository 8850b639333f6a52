package job

import (
	"sync"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/figures"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
)

// mostTop is how many ports, talkers and pairs the report of a run has; parts
// keep more of them, because they are to be merged.
const (
	mostTop       = 20
	mostTopInPart = 1000
)

// observers count sessions while their rows are made, in each goroutine that
// makes rows. They exist once it is known how many sessions there will be.
type observers struct {
	figures bool // count all of figures.Sessions, else sessions by capture alone
	plan    figures.Plan
	// captures says for each capture by which sessions are counted, which entry
	// of report.Run.Captures it is; -1: none. With Sessions.Capture they are
	// those of run.captures, else those of plan.Starts.
	captures []int
	key      bool // Sessions.Capture

	mu   sync.Mutex
	list []*observer
}

// An observer counts in one goroutine: a writer.Observer.
type observer struct {
	*figures.Sessions
	*observers
	begun []uint64 // by capture, with Sessions.Capture
}

// Session implements writer.Observer.
func (o *observer) Session(s *agg.Summary) {
	if o.key {
		o.begun[s.Capture]++
	}
	if !o.figures {
		o.Begins(s.First)
		return
	}
	o.Add(&figures.Session{
		Key: &s.Key, First: s.First, Packets: s.Packets, Bytes: s.Lengths.Sum, Duration: s.Duration(), Truncated: s.Truncated,
	})
}

// GapsOf implements agg.GapTaker.
func (o *observer) GapsOf(values []uint64) {
	if o.figures {
		o.Sessions.GapsOf(values)
	}
}

// observe makes the observer of a goroutine, nil if nothing is to be counted.
func (r *run) observe() writer.Observer {
	o := r.observers
	if o == nil {
		return nil
	}
	one := &observer{Sessions: figures.Begin(&o.plan), observers: o}
	if o.key {
		one.begun = make([]uint64, len(o.captures))
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.list = append(o.list, one)
	return one
}

// planFigures makes ready what counts sessions. It is called before rows are
// made, when captures and the number of sessions are known.
func (r *run) planFigures(sessions uint64, figured, byCapture bool) {
	if !figured && !byCapture {
		return
	}
	o := &observers{figures: figured, key: r.Sessions.Capture, plan: figures.Plan{Sessions: sessions}}
	known := true
	next := 0
	for i := range r.report.Captures {
		c := &r.report.Captures[i]
		o.plan.Bytes += c.Believed()
		o.plan.Doubt = o.plan.Doubt || c.Claims()
		known = known && (c.WireBytes > 0 || c.Records == 0)
		switch {
		case o.key:
			for ; next < len(r.captures) && r.captures[next] != c.Path; next++ {
				o.captures = append(o.captures, -1)
			}
			if next < len(r.captures) {
				next++
				o.captures = append(o.captures, i)
			}
		case c.First != nil:
			o.plan.Starts = append(o.plan.Starts, *c.First)
			o.captures = append(o.captures, i)
		}
	}
	for ; o.key && next < len(r.captures); next++ {
		o.captures = append(o.captures, -1)
	}
	if !known {
		o.plan.Bytes = 0
	}
	r.observers = o
}

// countFigures puts what the observers have counted into the report. It is
// called when all rows are made.
func (r *run) countFigures(most int) {
	o := r.observers
	if o == nil {
		return
	}
	var sum *figures.Sessions
	begun := make([]uint64, len(o.captures))
	for _, one := range o.list {
		if sum == nil {
			sum = one.Sessions
		} else {
			sum.Merge(one.Sessions)
		}
		for i, n := range one.begun {
			begun[i] += n
		}
	}
	if sum == nil {
		sum = figures.Begin(&o.plan)
	}
	if !o.key {
		begun = sum.Begun()
	}
	for i := range r.report.Captures {
		r.report.Captures[i].Sessions = new(uint64)
	}
	for i, n := range begun {
		if k := o.captures[i]; k >= 0 {
			*r.report.Captures[k].Sessions += n
		}
	}
	if o.figures {
		sum.Trim(most)
		r.haveFigures().Sessions = sum
	}
}

func (r *run) haveFigures() *figures.Figures {
	if r.report.Figures == nil {
		r.report.Figures = &figures.Figures{}
	}
	return r.report.Figures
}

// takeFigures moves the figures of packets that a run file has into the report.
// Nothing else keeps them: there may be thousands of run files.
func (r *run) takeFigures(found *report.Run, want bool) {
	f := found.Figures
	found.Figures = nil
	switch {
	case !want:
	case f != nil && f.Packets != nil:
		r.report.AddPackets(f.Packets)
	case found.Records > 0:
		r.haveFigures().WithoutPackets++
	}
}

// takePartFigures does so for a part: all of them have the packets of all
// captures, and sessions of their own.
func (r *run) takePartFigures(found *report.Run, first bool) {
	f := found.Figures
	found.Figures = nil
	if !r.Figures {
		return
	}
	if f == nil {
		f = &figures.Figures{}
	}
	if first && f.Packets != nil {
		r.report.AddPackets(f.Packets)
	}
	if first {
		r.haveFigures().WithoutPackets = f.WithoutPackets
	}
	sum := r.haveFigures()
	switch {
	case first:
		sum.Sessions = f.Sessions
	case f.Sessions == nil:
		sum.Sessions = nil
	case sum.Sessions != nil:
		sum.Sessions.Merge(f.Sessions)
	}
}

// addBegun adds the sessions by capture of another part. What one of them has
// not counted nobody knows.
func addBegun(sum, part []report.Capture) {
	for i := range sum {
		if i < len(part) && sum[i].Sessions != nil && part[i].Sessions != nil {
			*sum[i].Sessions += *part[i].Sessions
		} else {
			sum[i].Sessions = nil
		}
	}
}

// finishFigures leaves out what is not of all captures.
func (r *run) finishFigures(most int) {
	f := r.report.Figures
	if f == nil {
		return
	}
	if f.WithoutPackets > 0 {
		f.Packets = nil
	}
	if f.Sessions != nil {
		f.Sessions.Trim(most)
	}
}
