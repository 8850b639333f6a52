package job

import (
	"fmt"
	"slices"
	"strings"

	"pcapbatch/internal/report"
)

// checkExpected returns an error unless what is merged holds the captures that
// Config.Expect names, and no others: a run file that was lost on the way would
// otherwise go unnoticed.
func (r *run) checkExpected(captures []string) error {
	if r.Expect == nil {
		return nil
	}
	there, expected := map[string]bool{}, map[string]bool{}
	for _, path := range captures {
		there[path] = true
	}
	for _, path := range r.Expect {
		expected[path] = true
	}
	lost := slices.DeleteFunc(slices.Clone(r.Expect), func(path string) bool { return there[path] })
	if len(lost) > 0 {
		return failure(Kept, "--expect: there is no run file of %s", someOf(lost))
	}
	others := slices.DeleteFunc(slices.Clone(captures), func(path string) bool { return expected[path] })
	if len(others) > 0 {
		return failure(Kept, "--expect: there are run files of captures that are not on the list: %s", someOf(others))
	}
	return nil
}

// mostNamed is how many captures a message names.
const mostNamed = 3

// someOf names the first of a list of paths, each once, and counts the rest.
func someOf(paths []string) string {
	slices.Sort(paths)
	paths = slices.Compact(paths)
	var names []string
	for _, path := range paths[:min(len(paths), mostNamed)] {
		names = append(names, report.Printable(path))
	}
	text := strings.Join(names, ", ")
	if rest := len(paths) - mostNamed; rest > 0 {
		text += fmt.Sprintf(" and %d more", rest)
	}
	return text
}

// capturesOf returns the paths of the captures of run files.
func capturesOf(runs []*keptRun) (paths []string) {
	for _, k := range runs {
		paths = append(paths, k.Capture.Path)
	}
	return paths
}

// capturesIn returns the paths of the captures that a part is made of: those
// that could be opened, and those that are no captures.
func capturesIn(part *report.Run) (paths []string) {
	for i := range part.Captures {
		paths = append(paths, part.Captures[i].Path)
	}
	for i := range part.Damage {
		if part.Damage[i].Record == 0 {
			paths = append(paths, part.Damage[i].Path)
		}
	}
	return paths
}
