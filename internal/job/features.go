package job

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/agg"
	"pcapbatch/internal/writer"
)

// A kept says what sessions keep besides what the basic columns need, so that
// feature groups, quantiles and sequences can be made of them. Run files have it
// as JSON; the zero value is that of files made before there were groups.
type kept struct {
	Groups    []writer.Group `json:"groups,omitempty"` // in the order of writer.FeatureGroups
	Quantiles bool           `json:"quantiles,omitempty"`
	Sequence  int            `json:"sequence,omitempty"` // packets
}

// keptFor returns what sessions must keep for the columns of o.
func keptFor(o writer.Options) (k kept) {
	all, _ := writer.Needs(o)
	for _, g := range writer.FeatureGroups() {
		if needs, _ := writer.Needs(writer.Options{Features: []writer.Group{g}}); needs != 0 && all&needs == needs {
			k.Groups = append(k.Groups, g)
		}
	}
	k.Quantiles, k.Sequence = all&agg.NeedQuantiles != 0, o.Sequence
	return k
}

// needs returns what tables keep. Sequences are another of their options.
func (k kept) needs() agg.Needs {
	if len(k.Groups) == 0 && !k.Quantiles {
		return 0
	}
	o := writer.Options{Features: append([]writer.Group{writer.Basic}, k.Groups...)}
	if k.Quantiles {
		o.Quantiles = make([]writer.Quantile, 1)
	}
	n, _ := writer.Needs(o)
	return n
}

// lacks names the first thing that o has and k has not; "" if k has it all.
func (k kept) lacks(o kept) string {
	for _, g := range o.Groups {
		if !slices.Contains(k.Groups, g) {
			return fmt.Sprintf("feature group %s", g)
		}
	}
	switch {
	case o.Quantiles && !k.Quantiles:
		return "quantiles"
	case o.Sequence > k.Sequence:
		return fmt.Sprintf("sequences of %d packets", o.Sequence)
	}
	return ""
}

// and returns what has all that k and o have.
func (k kept) and(o kept) (all kept) {
	for _, g := range writer.FeatureGroups() {
		if slices.Contains(k.Groups, g) || slices.Contains(o.Groups, g) {
			all.Groups = append(all.Groups, g)
		}
	}
	all.Quantiles, all.Sequence = k.Quantiles || o.Quantiles, max(k.Sequence, o.Sequence)
	return all
}

// equal reports whether k and o are the same.
func (k kept) equal(o kept) bool { return k.lacks(o) == "" && o.lacks(k) == "" }

// String is what k would be asked for with.
func (k kept) String() string {
	var flags []string
	if len(k.Groups) > 0 {
		names := []string{string(writer.Basic)}
		for _, g := range k.Groups {
			names = append(names, string(g))
		}
		flags = append(flags, "--features "+strings.Join(names, ","))
	}
	if k.Quantiles {
		flags = append(flags, "--quantiles")
	}
	if k.Sequence > 0 {
		flags = append(flags, fmt.Sprintf("--sequence %d", k.Sequence))
	}
	if len(flags) == 0 {
		return "no feature groups"
	}
	return strings.Join(flags, " ")
}

// readKept decodes what a run file keeps, nothing if data is empty.
func readKept(data []byte) (k kept, err error) {
	if len(data) == 0 {
		return k, nil
	}
	if err := json.Unmarshal(data, &k); err != nil {
		return k, err
	}
	for _, g := range k.Groups {
		if !slices.Contains(writer.FeatureGroups(), g) {
			return k, fmt.Errorf("feature group %q is not known: a later version of the program made this", g)
		}
	}
	if k.Sequence < 0 || k.Sequence > agg.MaxSequence {
		return k, fmt.Errorf("sequence of %d packets", k.Sequence)
	}
	return k, nil
}
