package main

import (
	"strings"
	"testing"
)

// A stage of one goroutine bounds a phase once the cores do the others faster.
func TestBound(t *testing.T) {
	stages := []stage{{"wide", 90, everyCore}, {"narrow", 10, one}}
	for cores, want := range map[int]struct {
		ns float64
		by string
	}{1: {100, "cores"}, 4: {25, "cores"}, 10: {10, "cores"}, 20: {10, "narrow"}, 64: {10, "narrow"}} {
		if ns, by := bound(stages, cores); ns != want.ns || by != want.by {
			t.Errorf("%d cores: %v ns by %s, want %v", cores, ns, by, want)
		}
	}
}

func TestScale(t *testing.T) {
	code, stdout, stderr := bench("scale", "-read", "1", "-walk", "1", "-decode", "4", "-table", "4", "-rows", "5", "-merge", "4", "-write", "1")
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != 0 || len(lines) != 7 || squeezed(lines[1]) != "150.0corescores" || squeezed(lines[6]) != "64240.6coresmergeofrows" {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
	if code, _, _ := bench("scale", "-decode", "0"); code != 2 {
		t.Errorf("no cost: exit code %d", code)
	}
}
