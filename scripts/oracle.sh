#!/bin/sh
# oracle.sh DIR: compares the program's rows with the exact answers in DIR, for
# bidirectional and for unidirectional sessions. Captures for which the answers
# are wrong are listed, with the reason, in scripts/oracle-exceptions.txt; any
# other difference is a failure.
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
		echo "differences that $exceptions does not explain:"
		grep -F "$unexpected" bin/oracle.txt
		exit 1
	fi
done
