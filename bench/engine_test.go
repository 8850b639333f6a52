package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"

	engine "pcapbatch/internal/job"
)

// Every way is measured, and those that put sessions into files say so.
func TestEngine(t *testing.T) {
	var out, complaints bytes.Buffer
	if code := run([]string{"engine", "-scale", "0.001", "-rounds", "1", "-share", "65536"}, &out, &complaints); code != 0 {
		t.Fatalf("exit code %d, %s", code, &complaints)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")[2:]
	if len(lines) != len(engineWays()) {
		t.Fatalf("%s", &out)
	}
	for i, way := range engineWays() {
		var ns, allocated, written float64
		if _, err := fmt.Sscan(strings.TrimPrefix(lines[i], way.name), &ns, &allocated, &written); err != nil {
			t.Fatalf("%q: %v", lines[i], err)
		}
		if ns <= 0 || allocated <= 0 || (written > 0) != (i > 0) {
			t.Errorf("%q", lines[i])
		}
	}
	if code := run([]string{"engine", "-share", "1"}, io.Discard, io.Discard); code != 2 {
		t.Errorf("a share of one byte: exit code %d", code)
	}
}

// A way that loses sessions is an error, whatever its times.
func TestEngineLosesSessions(t *testing.T) {
	e := &engineRun{config: engine.New(), dir: t.TempDir()}
	e.total.Sessions = 2
	way := engineWay{"losing", func(_ *engineRun, _ engine.Config, _ string, w io.Writer) error {
		_, err := io.WriteString(w, "header\nrow\n")
		return err
	}}
	if err := e.table([]engineWay{way}, 1, io.Discard); err == nil || !strings.Contains(err.Error(), "1 rows of 2 sessions") {
		t.Error(err)
	}
}
