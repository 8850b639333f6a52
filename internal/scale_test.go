package internal_test

import (
	"fmt"
	"go/constant"
	"go/token"
	"go/types"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// A quantity is a row of a table of docs/scale.md: what is measured or assumed
// has no formula. values has one for each division of the work, or a single
// one.
type quantity struct {
	formula string
	values  []string
}

var quantityRow = regexp.MustCompile("^\\| `(\\w+)` \\|(?: `([^`]*)` \\|)?((?: [0-9.e-]+ \\|)+)")

func quantities(page string) map[string]quantity {
	found := map[string]quantity{}
	for line := range strings.Lines(page) {
		if m := quantityRow.FindStringSubmatch(line); m != nil {
			found[m[1]] = quantity{m[2], strings.Fields(strings.ReplaceAll(m[3], "|", ""))}
		}
	}
	return found
}

// evaluate computes all quantities of one division: formulas are constant
// expressions of Go.
func evaluate(all map[string]quantity, division int) (map[string]float64, error) {
	scope := types.NewPackage("scale", "scale")
	results := map[string]float64{}
	for left := len(all); left > 0; {
		before := left
		var failed error
		for _, name := range slices.Sorted(maps.Keys(all)) {
			q := all[name]
			formula := q.formula
			if formula == "" {
				formula = q.values[min(division, len(q.values)-1)]
			}
			if _, done := results[name]; done {
				continue
			}
			v, err := types.Eval(token.NewFileSet(), scope, token.NoPos, "1.0*("+formula+")")
			if err != nil {
				failed = fmt.Errorf("%s = %s: %w", name, formula, err)
				continue
			}
			results[name], _ = constant.Float64Val(v.Value)
			scope.Scope().Insert(types.NewConst(token.NoPos, scope, name, types.Typ[types.UntypedFloat], v.Value))
			left--
		}
		if left == before {
			return nil, failed
		}
	}
	return results, nil
}

// The values of docs/scale.md are those of its formulas. Whoever changes a value
// that is measured or assumed sees here what follows from it.
func TestScaleArithmetic(t *testing.T) {
	all := quantities(read(t, "docs/scale.md"))
	formulas := 0
	for division := range 3 {
		results, err := evaluate(all, division)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range slices.Sorted(maps.Keys(all)) {
			q := all[name]
			if q.formula == "" || division >= len(q.values) {
				continue
			}
			formulas++
			stated, err := strconv.ParseFloat(q.values[division], 64)
			if got := results[name]; err != nil || math.Abs(stated-got) > 0.05*got {
				t.Errorf("%s = %s is %.3g in column %d; docs/scale.md says %s", name, q.formula, got, division+1, q.values[division])
			}
		}
	}
	if formulas < 30 {
		t.Errorf("only %d values with formulas were found", formulas)
	}
}
