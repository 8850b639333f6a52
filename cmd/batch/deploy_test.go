package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSbatch runs what it is given at once, array tasks one by one.
const fakeSbatch = `#!/bin/sh
array=
while [ $# -gt 0 ]; do
	case $1 in
	--array=*) array=${1#--array=} ;;
	--wrap) script=$2; shift ;;
	esac
	shift
done
if [ -z "$array" ]; then
	sh -c "$script" >&2 || exit
else
	for i in $(seq "${array%-*}" "${array#*-}"); do
		SLURM_ARRAY_TASK_ID=$i sh -c "$script" >&2 || exit
	done
fi
echo 42
`

// The worked example for Slurm makes the CSV of a single run, a damaged capture
// among the others.
func TestSlurmExample(t *testing.T) {
	for _, tool := range []string{"sh", "seq", "sed", "grep", "realpath"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir, paths := series(t, 3000, 4)
	data := read(t, paths[2])
	mustWrite(t, paths[2], string(data[:len(data)-1]))
	bin, out := t.TempDir(), filepath.Join(t.TempDir(), "out")
	if err := os.WriteFile(filepath.Join(bin, "sbatch"), []byte(fakeSbatch), 0o700); err != nil {
		t.Fatal(err)
	}
	list := write(t, "list", []byte(strings.Join(paths, "\n")+"\n"))
	cmd := exec.Command("sh", "../../deploy/slurm-array.sh", list, out)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "PARTITIONS=3")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	// One that is missing must not pass unnoticed.
	gone := write(t, "gone", []byte(paths[0]+"\n"+paths[0]+".gone\n"))
	cmd = exec.Command("sh", "../../deploy/slurm-array.sh", gone, filepath.Join(t.TempDir(), "out"))
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "PARTITIONS=3")
	if text, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(text), "without a run file") {
		t.Errorf("a missing capture: %v\n%s", err, text)
	}
	want := runWith(nil, "extract", dir)
	if got := string(read(t, filepath.Join(out, "sessions.csv"))); got != want.stdout {
		t.Errorf("other rows from line %d", differentLine(got, want.stdout))
	}
	if r := readSummary(t, filepath.Join(out, "summary.json")); len(r.Captures) != 4 || len(r.Damage) != 1 {
		t.Errorf("%d captures, %d damaged", len(r.Captures), len(r.Damage))
	}
}
