#!/bin/sh
# fuzz.sh GO TIME: runs every fuzz target of the module, one after the other, each
# for TIME: a number of executions (20000x) or a duration (600s).
set -eu
go=$1
time=$2
for dir in $("$go" list -f '{{.Dir}}' ./...); do
	for target in $(grep -ho '^func Fuzz[A-Za-z0-9_]*' "$dir"/*_test.go 2>/dev/null | sed 's/^func //'); do
		echo "fuzz $(basename "$dir") $target"
		"$go" test "$dir" -run '^$' -fuzz "^$target\$" -fuzzminimizetime 1x -fuzztime "$time"
	done
done
