package main

import (
	"encoding/json"
	"os"
	"slices"
)

// report is what one call of run or gate measured; the JSON file holds it.
type report struct {
	Machine machine  `json:"machine"`
	Rounds  int      `json:"rounds"`
	Rows    []result `json:"rows"`
}

// result is a row measured. The samples are in the order they were taken:
// one of the program, one of the reference, one of the row beside it if there
// is one, and so on.
type result struct {
	Name      string   `json:"name"`
	About     string   `json:"about"`
	Against   string   `json:"against"`
	Captures  int      `json:"captures"`
	Bytes     int64    `json:"bytes"` // of the plain captures
	Packets   int64    `json:"packets"`
	Sessions  int64    `json:"sessions"`
	Program   []sample `json:"program"`
	Reference []sample `json:"reference"`
	Beside    string   `json:"beside,omitempty"`    // the row of
	Neighbour []sample `json:"neighbour,omitempty"` // these

	// Derived from the samples, for readers of the file.
	WallS          float64 `json:"wall_s"`            // median
	CPUS           float64 `json:"cpu_s"`             // median
	PeakRSS        int64   `json:"peak_rss"`          // the largest, bytes
	PacketsPerS    float64 `json:"packets_per_s"`     // packets / median wall
	RowsPerS       float64 `json:"rows_per_s"`        // sessions / median wall
	GBPerS         float64 `json:"gb_per_s"`          // 10^9 plain bytes / median wall
	CPUNsPerPacket float64 `json:"cpu_ns_per_packet"` // of the median
	BytesPerRow    float64 `json:"bytes_per_session"` // peak RSS / sessions
	Ratio          float64 `json:"ratio"`             // wall, median over the rounds
	RatioMin       float64 `json:"ratio_min"`
	RatioMax       float64 `json:"ratio_max"`
	CPURatio       float64 `json:"cpu_ratio"`              // CPU time, median over the rounds
	BesideRatio    float64 `json:"beside_ratio,omitempty"` // wall to that of the row beside it, median over the rounds
	BesideCPURatio float64 `json:"beside_cpu_ratio,omitempty"`
}

// derive computes the other fields from the samples. Requires: there are as
// many samples of the reference as of the program, at least one.
func (r *result) derive() {
	var walls, cpus, ratios, cpuRatios []float64
	for i, p := range r.Program {
		ref := r.Reference[i]
		walls = append(walls, p.WallS)
		cpus = append(cpus, p.CPUS)
		ratios = append(ratios, quotient(p.WallS, ref.WallS))
		cpuRatios = append(cpuRatios, quotient(p.CPUS, ref.CPUS))
		r.PeakRSS = max(r.PeakRSS, p.PeakRSS)
	}
	r.WallS, r.CPUS = median(walls), median(cpus)
	r.PacketsPerS = quotient(float64(r.Packets), r.WallS)
	r.RowsPerS = quotient(float64(r.Sessions), r.WallS)
	r.GBPerS = quotient(float64(r.Bytes), r.WallS) / 1e9
	r.CPUNsPerPacket = quotient(r.CPUS*1e9, float64(r.Packets))
	r.BytesPerRow = quotient(float64(r.PeakRSS), float64(r.Sessions))
	// There is a ratio for each round, and not one of the medians, because what
	// slows the machine down for some seconds slows both programs down.
	r.Ratio, r.CPURatio = median(ratios), median(cpuRatios)
	r.RatioMin, r.RatioMax = slices.Min(ratios), slices.Max(ratios)
	var beside, besideCPU []float64
	for i, n := range r.Neighbour {
		beside = append(beside, quotient(r.Program[i].WallS, n.WallS))
		besideCPU = append(besideCPU, quotient(r.Program[i].CPUS, n.CPUS))
	}
	r.BesideRatio, r.BesideCPURatio = median(beside), median(besideCPU)
}

// besideCPUS is how many seconds of CPU time the program took more than that of
// the row beside it, the median over the rounds.
func (r *result) besideCPUS() float64 {
	var more []float64
	for i, n := range r.Neighbour {
		more = append(more, r.Program[i].CPUS-n.CPUS)
	}
	return median(more)
}

// besideRSS is how much more memory the program used at most, in bytes.
func (r *result) besideRSS() float64 {
	most := int64(0)
	for _, n := range r.Neighbour {
		most = max(most, n.PeakRSS)
	}
	return float64(r.PeakRSS - most)
}

// quotient is a / b, and 0 for b = 0, which a JSON file can hold.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// median returns the middle value, or the mean of the two middle values; 0 of
// none.
func median(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	half := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[half]
	}
	return (sorted[half-1] + sorted[half]) / 2
}

func writeJSON(path string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

func readJSON(path string, value any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, value)
}
