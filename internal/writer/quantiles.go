package writer

import (
	"fmt"
	"strings"

	"pcapbatch/internal/agg"
)

// A Quantile is a quantile that a run is asked for.
type Quantile struct {
	Text  string // the percentage as it was written: it is in the column's name
	Value agg.Quantile
}

// ParseQuantiles returns the quantiles of a list of percentages with commas
// between them, such as "5,25,75,95" or "99.9". Its errors name the value that
// is wrong, and what is allowed. An empty list is an error.
func ParseQuantiles(list string) ([]Quantile, error) {
	var all []Quantile
	for text := range strings.SplitSeq(list, ",") {
		v, err := agg.ParseQuantile(text)
		if err != nil {
			return nil, err
		}
		for _, q := range all {
			if q.Value == v {
				return nil, fmt.Errorf("quantile %q: asked for twice, as %s and as %s", text, q.Text, text)
			}
		}
		all = append(all, Quantile{text, v})
	}
	return all, nil
}

// MaxSequence is the largest number of packets of a sequence.
const MaxSequence = agg.MaxSequence

// CheckSequence returns an error that names n unless it is the length of a
// sequence: 1 to MaxSequence packets.
func CheckSequence(n int) error {
	if n < 1 || n > agg.MaxSequence {
		return fmt.Errorf("sequence of %d packets: want 1 to %d", n, agg.MaxSequence)
	}
	return nil
}
