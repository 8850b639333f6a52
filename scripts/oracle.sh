#!/bin/sh
# oracle.sh DIR: holds the program against the exact answers in DIR: basic rows
# both ways, the innermost layer of tunnels, feature groups and session rules,
# and small inputs of public reports. Captures on which the answers themselves
# are wrong are listed, with the reason, in scripts/oracle-exceptions.txt; any
# other difference fails.
set -eu
dir=$1
exceptions=scripts/oracle-exceptions.txt
make -s build

# expect WHAT SUMMARY COMMAND...: runs a check, prints its last line, and fails
# for differences that are not argued. Its lines begin with the name of the
# capture, for features with the kind of the answer behind it.
expect() {
	what=$1
	summary=$2
	shift 2
	"$@" >bin/oracle.txt || true
	echo "$what: $(tail -n 1 bin/oracle.txt)"
	grep -q "$summary" bin/oracle.txt
	unexpected=$(sed -n 's/^\([^:]*\): [0-9]* differences; .*/\1/p' bin/oracle.txt |
		sed -E 's/\.(features|rules|short|tcpend|uni)\.csv\.gz$//; s/\.pcap$//' | sort -u |
		grep -vxF "$(grep -v '^#' $exceptions | cut -f1 | sed 's/\.pcap$//')" || true)
	if [ -n "$unexpected" ]; then
		echo "differences that are not argued in $exceptions:"
		grep -F "$unexpected" bin/oracle.txt
		exit 1
	fi
}

expect "both directions" ' captures agree; ' python3 "$dir/oracle/check.py" bin/batch --direction bi
expect "one direction" ' captures agree; ' python3 "$dir/oracle/check.py" bin/batch --direction uni
if [ -e "$dir/oracle/check_features.py" ]; then
	expect "innermost layer" ' captures agree; ' python3 "$dir/oracle/check.py" bin/batch --decapsulate
	expect "features and rules" '; 0 columns missing' python3 "$dir/oracle/check_features.py" -v bin/batch
	python3 "$dir/cases/check.py" bin/batch >bin/oracle.txt || { cat bin/oracle.txt; exit 1; }
	tail -n 1 bin/oracle.txt
fi
