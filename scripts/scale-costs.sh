#!/usr/bin/env bash
# scale-costs.sh BATCH BENCH: measures the costs that docs/scale.md reckons
# with, on generated captures of half a gigabyte, in some two minutes. CPU times
# are user and system time, the least of five runs. It needs GNU time.
set -euo pipefail
batch=$(realpath "$1") bench=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
TIMEFORMAT='%U %S'

# cpu COMMAND...: the CPU time of a command in seconds.
cpu() {
	for _ in 1 2 3 4 5; do
		{ time "$@" >/dev/null 2>&1; } 2>&1 | awk '{print $1 + $2}'
	done | sort -n | head -1
}

# peak COMMAND...: the peak memory of a command in KB.
peak() { /usr/bin/time -f %M "$@" 2>&1 >/dev/null | tail -1; }

calc() { awk "BEGIN { printf \"$1\", $2 }"; }

total() { cat "$1" | grep -o "\"$2\":[0-9]*" | awk -F: '{ n += $2 } END { print n }'; }

bytes() { find "$@" -type f -printf '%s\n' | awk '{ n += $1 } END { print n }'; }

map() { rm -rf "$1" && "$batch" map -q -P "$2" --no-sync --outcomes "$1.jsonl" --out "$1" -r "${@:3}"; }

reduce() { rm -rf out && "$batch" reduce --no-sync --partition 0 --out out "$@"; }

echo "$(nproc) CPUs, $(uname -m), $("$batch" version | head -1)"

# One capture of each kind: what a packet and a session cost in map.
"$bench" gen -kind mix -scale 0.1 -o mix >/dev/null
"$bench" gen -kind scan -scale 0.2 -o scan >/dev/null
for kind in mix scan; do
	declare "$kind=$(cpu map "$kind-runs" 256 "$kind")"
	declare "${kind}_packets=$(total "$kind-runs.jsonl" packets)" "${kind}_sessions=$(total "$kind-runs.jsonl" sessions)"
done
det=$(calc %.0f "$mix_packets * $scan_sessions - $scan_packets * $mix_sessions")
calc 'map: %.0f ns of CPU time a packet, ' "1e9 * ($mix * $scan_sessions - $scan * $mix_sessions) / $det"
calc '%.0f ns a session\n' "1e9 * ($scan * $mix_packets - $mix * $scan_packets) / $det"

# The last 20 bytes of a run file begin with the length of its footer.
for p in 64 1024; do
	map footer-runs $p mix
	echo "$p partitions: a footer of $(tail -qc 20 footer-runs/*.run | head -c 8 | od -An -tu8 | tr -d ' ') bytes"
done

# Four times 25 and four times 100 captures: how run files merge.
for kind in mix scan; do
	for n in 25 100; do
		for seed in 1 2 3 4; do
			"$bench" gen -kind $kind -scale 0.05 -seed $seed -split $n -o $kind-$n/$seed >/dev/null
		done
		map $kind-$n-runs 1 $kind-$n
		entries=$(total $kind-$n-runs.jsonl sessions)
		calc "$kind in $((4 * n)) captures: %.0f bytes of run file for each of $entries entries\n" \
			"$(bytes $kind-$n-runs) / $entries"
		for format in csv parquet; do
			t=$(cpu reduce --format $format $kind-$n-runs)
			[ $format = parquet ] || rows=$(tail -n +2 out/*.csv | wc -l)
			calc "  reduce to $format: %.0f ns of CPU time an entry, " "1e9 * $t / $entries"
			calc "%.0f bytes for each of $rows rows\n" "$(bytes out) / $rows"
		done
		[ $n = 25 ] || continue
		map $kind-parts-runs 4 $kind-$n
		for partition in 0 1 2 3; do
			"$batch" reduce --no-sync --partition $partition --out $kind-parts $kind-parts-runs
		done
		t=$(cpu "$batch" merge --parts -q --no-sync -o all.csv $kind-parts)
		calc "  merge --parts: %.0f ns of CPU time a row\n" "1e9 * $t / $(tail -n +2 all.csv | wc -l)"
	done
done

# Many run files of next to nothing: what opening one costs.
for seed in $(seq 1 20); do
	"$bench" gen -kind scan -scale 0.001 -seed "$seed" -split 100 -o tiny/"$seed" >/dev/null
done
for p in 16 1024; do
	# So few in each call that no pack is made: each is a file of its own.
	find tiny -name '*.pcap' | xargs -n 15 "$batch" map -q --no-sync -P $p --out runs-$p
	size=$(bytes runs-$p)
	one=$(peak "$batch" reduce --no-sync --partition 0 --format csv --out out1 "$(find runs-$p -name '*.run' | head -1)")
	calc "2000 run files of $p partitions: %.0f bytes, " "$size / 2000"
	calc '%.0f microseconds of CPU time ' "1e6 * $(cpu reduce --format csv runs-$p) / 2000"
	calc 'and %.0f bytes of memory for each in a reduce\n' "1024 * ($(peak "$batch" reduce --no-sync --partition 0 --format csv --out out2 runs-$p) - $one) / 2000"
done
