package job

import (
	"sync"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/label"
	"pcapbatch/internal/report"
	"pcapbatch/internal/writer"
)

// Labels give every row the label of the first rule that matches its session:
// see docs/labels.md.
type Labels struct {
	Rules   *label.Set
	Default string // the label of sessions that no rule matches
	// Digest names the content of the file of rules, so that parts which were
	// made with different rules are not put together.
	Digest string
}

// bytes is the memory that the rules take with a matcher for each of so many
// workers, and one for their sum.
func (l *Labels) bytes(workers int) int64 { return l.Rules.Bytes(workers + 1) }

// mostUnused is how many lines of unused rules the report names.
const mostUnused = 10

// A labeller labels the sessions of one run. It has a matcher for each goroutine
// that makes rows.
type labeller struct {
	*Labels
	captures func(s *agg.Summary) string // the path of the session's capture

	mu       sync.Mutex
	matchers []*label.Matcher
}

// text returns what appends the labels of sessions, for one goroutine.
func (l *labeller) text() writer.SessionText {
	m := l.Rules.Matcher()
	l.mu.Lock()
	l.matchers = append(l.matchers, m)
	l.mu.Unlock()
	return func(dst []byte, s *agg.Summary) []byte {
		text, ok := m.Match(&s.Key, s.First, s.Last, l.captures(s))
		if !ok {
			text = l.Default
		}
		return append(dst, text...)
	}
}

// report says how many sessions got which label. Requires: all rows are made.
func (l *labeller) report() *report.Labels {
	sum := l.Rules.Matcher()
	for _, m := range l.matchers {
		sum.Add(m)
	}
	r := &report.Labels{Sessions: map[string]uint64{}}
	counts, unmatched := sum.Counts()
	for _, c := range counts {
		r.Sessions[c.Label] += c.Sessions
	}
	r.Unmatched = unmatched
	rules, lines := sum.Unused(mostUnused)
	r.Unused = &report.UnusedRules{Rules: rules, Lines: append([]int{}, lines...)}
	return r
}

// countRows puts what was counted while rows were made into the report.
func (r *run) countRows(mostTop int) {
	r.countFigures(mostTop)
	r.finishFigures(mostTop)
	if r.labeller != nil {
		r.report.Labels = r.labeller.report()
	}
}
