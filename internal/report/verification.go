package report

import (
	"fmt"
	"strings"
)

// KindKept is the kind of damage of a run file, a part or a state directory.
const KindKept = "kept"

// A Verification is what batch verify found in one file, all of which was read.
type Verification struct {
	Path  string
	What  string   // what the file is; empty where that cannot be told
	About []string // what is in it
	// Damage is nil for a file that is whole. Its Kind is KindKept for what the
	// program has made, else as in a Run.
	Damage *Damage
}

// Line is the verification for people, without a line end.
func (v *Verification) Line() string {
	list := v.About
	if v.What != "" {
		list = append([]string{v.What}, list...)
	}
	text := strings.Join(list, ", ")
	switch d := v.Damage; {
	case d == nil:
		text = "whole: " + text
	case text == "":
		text = d.Reason
	case d.Record > 0:
		text += fmt.Sprintf(": DAMAGED at record %d, offset %d: %s", d.Record, d.Offset, d.Reason)
	default:
		text += ": DAMAGED: " + d.Reason
	}
	return v.Path + ": " + text
}
