#!/bin/sh
# oracle.sh DIR: holds the program against the exact answers in DIR, both ways.
# Captures on which the answers themselves are wrong are listed, with the
# reason, in scripts/oracle-exceptions.txt; any other difference fails.
set -eu
dir=$1
exceptions=scripts/oracle-exceptions.txt
make -s build
for direction in bi uni; do
	python3 "$dir/oracle/check.py" bin/batch --direction $direction >bin/oracle.txt || true
	tail -n 1 bin/oracle.txt
	grep -q ' captures agree; ' bin/oracle.txt
	unexpected=$(grep ' differences; ' bin/oracle.txt | cut -d: -f1 | grep -vxF "$(grep -v '^#' $exceptions | cut -f1)" || true)
	if [ -n "$unexpected" ]; then
		echo "differences that are not argued in $exceptions:"
		grep -F "$unexpected" bin/oracle.txt
		exit 1
	fi
done
