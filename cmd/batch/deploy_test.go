package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// fakeSbatch runs the tasks of an array one by one, and loses all of the first
// array but its first task. It ends with the last exit status that is not 0.
const fakeSbatch = `#!/bin/sh
array=0-0
while :; do
	case $1 in
	--array=*) array=${1#--array=} ;;
	-*) ;;
	*) break ;;
	esac
	shift
done
echo 42
[ -n "$FIRST" ] && mkdir "$FIRST" 2>/dev/null && array=0-0
end=0
for i in $(seq "${array%-*}" "${array#*-}"); do
	SLURM_ARRAY_TASK_ID=$i SLURM_MEM_PER_NODE=200 sh "$@" >&2 || end=$?
done
exit $end
`

// slurmExample runs the worked example for Slurm with three tasks in an array at
// most, and returns its exit status and messages.
func slurmExample(t *testing.T, list, out string, env ...string) (status int, text string) {
	t.Helper()
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "sbatch"), []byte(fakeSbatch), 0o700); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", "../../deploy/slurm-array.sh", list, out)
	cmd.Env = append(os.Environ(), "PATH="+bin+string(os.PathListSeparator)+os.Getenv("PATH"), "PARTITIONS=5", "TASKS=3")
	cmd.Env = append(cmd.Env, env...)
	output, err := cmd.CombinedOutput()
	if _, ok := errors.AsType[*exec.ExitError](err); err != nil && !ok {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(output)
}

// The worked example for Slurm makes the CSV of a single run, whatever happens to
// tasks, and ends with the exit status of batch. make slurm tries it with Slurm.
func TestSlurmExample(t *testing.T) {
	for _, tool := range []string{"sh", "seq", "sed", "grep", "mktemp", "stat"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir, paths := series(t, 3000, 7)
	out := filepath.Join(t.TempDir(), "out")
	expect := func(list []string, status int, text string, env ...string) {
		t.Helper()
		got, messages := slurmExample(t, write(t, "list", []byte(strings.Join(list, "\n")+"\n")), out, env...)
		if got != status || !strings.Contains(messages, text) {
			t.Errorf("exit status %d, not %d, or no %q in:\n%s", got, status, text, messages)
		}
	}
	same := func() {
		t.Helper()
		want := runWith(nil, "extract", dir)
		if got := string(read(t, filepath.Join(out, "sessions.csv"))); got != want.stdout {
			t.Errorf("other rows from line %d", differentLine(got, want.stdout))
		}
	}
	expect(nil, exitUsage, "no captures named")
	unitBytes := fmt.Sprintf("UNIT_BYTES=%d", 2*len(read(t, paths[0]))+100)
	expect(paths, exitOK, "map: trying again 2 of 4", unitBytes, "FIRST="+filepath.Join(t.TempDir(), "first"))
	same()

	gone := paths[0] + ".gone"
	expect(append([]string{gone}, paths...), exitInput, gone+": no such file")
	expect(paths, exitUsage, "--unit-bytes", "UNIT_BYTES=0")
	expect(paths, exitUsage, "another try would not help", "MAP_OPTIONS=--nonsense")
	expect(paths[1:], exitKept, "not on the list: "+paths[0])

	data := read(t, paths[2])
	mustWrite(t, paths[2], string(data[:len(data)-1]))
	expect(paths, exitDamaged, paths[2])
	same()
	if r := readSummary(t, filepath.Join(out, "summary.json")); len(r.Captures) != 7 || len(r.Damage) != 1 {
		t.Errorf("%d captures, %d damaged", len(r.Captures), len(r.Damage))
	}
}
