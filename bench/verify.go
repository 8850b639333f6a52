package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
)

// outcome is what the program found in a capture.
type outcome struct{ sessions, packets int64 }

// summary is what is checked of the JSON of `batch extract --summary`.
type summary struct {
	Packets  int64 `json:"packets"`
	Sessions int64 `json:"sessions"`
}

// checkWork compares a CSV and a summary with the packets of the capture: a
// program that leaves packets out is not measured. All generated packets
// belong to sessions. A missing summary is not an error, a wrong one is.
func checkWork(csvPath, summaryPath string, packets int64) (outcome, error) {
	got, err := countCSV(csvPath)
	if err != nil {
		return got, fmt.Errorf("%s: %w", csvPath, err)
	}
	if got.packets != packets {
		return got, fmt.Errorf("the CSV has %d packets, the capture %d", got.packets, packets)
	}
	var s summary
	err = readJSON(summaryPath, &s)
	if errors.Is(err, os.ErrNotExist) {
		return got, nil
	}
	if err != nil {
		return got, fmt.Errorf("summary: %w", err)
	}
	if s.Packets != packets || s.Sessions != got.sessions {
		return got, fmt.Errorf("the summary says %d packets in %d sessions, the CSV %d in %d",
			s.Packets, s.Sessions, got.packets, got.sessions)
	}
	return got, nil
}

// countCSV counts rows and adds up total_packets.
func countCSV(path string) (outcome, error) {
	var got outcome
	f, err := os.Open(path)
	if err != nil {
		return got, err
	}
	defer f.Close()
	lines := bufio.NewReaderSize(f, blockSize)
	header, err := lines.ReadSlice('\n')
	if err != nil {
		return got, fmt.Errorf("header: %w", err)
	}
	names := bytes.Split(bytes.TrimSpace(header), []byte(","))
	column := slices.IndexFunc(names, func(n []byte) bool { return string(n) == "total_packets" })
	if column < 0 {
		return got, errors.New("no column total_packets")
	}
	for {
		line, err := lines.ReadSlice('\n')
		if err == io.EOF && len(line) == 0 {
			return got, nil
		}
		if err != nil {
			return got, fmt.Errorf("row %d: %w", got.sessions+1, err)
		}
		n, err := strconv.ParseInt(string(cell(line, column)), 10, 64)
		if err != nil {
			return got, fmt.Errorf("row %d: %w", got.sessions+1, err)
		}
		got.sessions++
		got.packets += n
	}
}

// cell returns the column of a line without quotes; nil if it has too few.
func cell(line []byte, column int) []byte {
	for range column {
		comma := bytes.IndexByte(line, ',')
		if comma < 0 {
			return nil
		}
		line = line[comma+1:]
	}
	if end := bytes.IndexAny(line, ",\n"); end >= 0 {
		line = line[:end]
	}
	return line
}
