package main

import (
	"bufio"
	"os"
	"os/exec"
	"runtime"
	"strings"
)

// machine describes the machine and the program of a measurement.
type machine struct {
	CPU     string `json:"cpu"`
	CPUs    int    `json:"cpus"` // that this process may use
	OS      string `json:"os"`
	Arch    string `json:"arch"`
	Go      string `json:"go"`     // that built this program
	Commit  string `json:"commit"` // with "-dirty" if files were changed
	Command string `json:"command"`
}

func thisMachine(args []string) machine {
	return machine{
		CPU:     cpuModel(),
		CPUs:    runtime.NumCPU(),
		OS:      runtime.GOOS,
		Arch:    runtime.GOARCH,
		Go:      runtime.Version(),
		Commit:  firstLine("git", "describe", "--always", "--dirty"),
		Command: "bench " + strings.Join(args, " "),
	}
}

// cpuModel is the CPU's name on Linux for x86, and "unknown" elsewhere.
func cpuModel() string {
	f, err := os.Open("/proc/cpuinfo")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// firstLine runs a command and returns the first line that is not empty of
// all it writes, even if it fails; "unknown" if there is none.
func firstLine(name string, args ...string) string {
	text, _ := exec.Command(name, args...).CombinedOutput()
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" {
			return line
		}
	}
	return "unknown"
}
