// Package figures counts what the report page draws beyond the counts of a run:
// packets over time, histograms, and what the largest sessions have in common.
//
// Package ingest gives it the events of blocks, package job the summaries of
// sessions; both only in runs that ask for it. Values of several goroutines,
// run files or parts are merged, and the result depends neither on the order
// nor on how what was counted was divided. A value belongs to one goroutine at
// a time. Memory is bounded: 12 KiB for Packets, and Memory for all
// Sessions of a plan.
package figures

// Figures are what a run counted. Either part may be missing.
type Figures struct {
	// Packets cannot be made from rows. It is nil where a run file was made
	// without it.
	Packets *Packets `json:"packets,omitempty"`
	// WithoutPackets is how many captures with records lack Packets, which is nil
	// for all of them then.
	WithoutPackets int       `json:"captures_without_packet_figures,omitempty"`
	Sessions       *Sessions `json:"sessions,omitempty"`
}
