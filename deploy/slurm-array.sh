#!/bin/sh
#SBATCH --job-name=pcapbatch --cpus-per-task=1 --mem=1G --requeue --open-mode=append
# Usage: slurm-array.sh LIST OUT
#
# Makes OUT/sessions.csv of the captures that LIST names, one a line: a plan, and
# job arrays for map, reduce and merge. It waits for each array, submits again what
# failed and may succeed, and ends with the exit status of batch. To be run in
# the foreground or as a job of its own: sbatch slurm-array.sh LIST OUT. To go on
# after whatever happened, run it again. README.md says more.
set -eu
end=3 # the exit status, if a command that is not expected to fails
trap 'exit $end' EXIT

: "${BATCH:=batch}"                              # the program on the nodes
: "${PARTITIONS:=16}"                            # how many reduce tasks there are
: "${UNIT_BYTES:=512M}"                         # capture bytes that one call of map reads
: "${TRIES:=3}"                                  # how often each unit is tried
: "${MAP_JOB:=--cpus-per-task=4 --mem=8G}"       # options of sbatch
: "${REDUCE_JOB:=--cpus-per-task=1 --mem=8G}"    # for reduce and merge
: "${PLAN_OPTIONS:=}"                            # of batch plan: --whole, say
: "${MAP_OPTIONS:=}"                             # of batch map: --idle-timeout 60s, say
: "${REDUCE_OPTIONS:=}"                          # of batch reduce: --features all, say

say() { echo "slurm-array.sh: $*" >&2; }

# fail STATUS MESSAGE...
fail() {
	end=$1
	shift
	say "$*"
	exit
}

# A task takes its share of the items of a round, one after the other, and keeps
# the exit status of batch for each. Its own is the first that is not 0 or 1.
task() {
	cat <<'END'
#!/bin/sh
step=$1 round=$2 share=$3 batch=$4 partitions=$5 options=$6
work=${round%/*}
out=${work%/*}
# Slurm need not confine a task to its memory, so batch is told what it has.
mb=${SLURM_MEM_PER_NODE:-$((${SLURM_MEM_PER_CPU:-0} * ${SLURM_CPUS_ON_NODE:-1}))}
memory=
[ "$mb" -eq 0 ] || memory="--memory $((mb * 3 / 4))M"
run() {
	case $step in
	map)
		"$batch" map -q -P "$partitions" -j "${SLURM_CPUS_PER_TASK:-1}" $memory $options --out "$out/runs" \
			--unit "$work/plan:$1"
		;;
	reduce) "$batch" reduce --partition "$1" $memory $options --expect "$work/plan" --out "$work/parts" "$out/runs" ;;
	merge)
		"$batch" merge --parts -q $memory --expect "$work/plan" --summary "$out/summary.json" -o "$out/sessions.csv" \
			"$work/parts"
		;;
	esac
}
first=$((SLURM_ARRAY_TASK_ID * share + 1))
end=0
for item in $(sed -n "$first,$((first + share - 1))p" "$round/items"); do
	run "$item" 2>"$round/$item.log"
	status=$?
	echo $status >"$round/$item.new" && mv "$round/$item.new" "$round/$item.status"
	[ $status -le 1 ] || [ $end -ne 0 ] || end=$status
done
exit $end
END
}

# undone ROUND: the items of a round that are not done, each with its exit
# status, or "none" where the task was killed before there was one.
undone() {
	while read -r item; do
		status=none
		[ ! -e "$1/$item.status" ] || read -r status <"$1/$item.status"
		case $status in
		0 | 1) ;;
		*) echo "$item $status" ;;
		esac
	done <"$1/items"
}

# give_up STEP ROUND MESSAGE: ends with the first of the exit statuses 2, 3, 5
# and 4 that an item of the round has, or else that of a signal.
give_up() {
	head -n 5 "$2/undone" | while read -r item status; do
		say "$1 $item: exit status $status"
		head -n 4 "$2/$item.log" 2>/dev/null || true
	done >&2
	! grep -q none "$2/undone" || tail -q -n 2 "$2"/task-* >&2
	for status in 2 3 5 4 '[0-9][0-9]*'; do
		status=$(sed -n "s/^.* \($status\)\$/\1/p" "$2/undone" | head -n 1)
		[ -z "$status" ] || break
	done
	fail "${status:-4}" "$1: $3: $(wc -l <"$2/undone") of $count; see $2"
}

# submit ROUND ARGUMENT...: sbatch, until the array has ended. A signal ends the
# array too.
submit() {
	round=$1
	shift
	sbatch --parsable --wait --requeue --open-mode=append --output="$round/task-%a" "$@" >"$round/job" &
	trap 'scancel "$(cat "$round/job")"; fail 143 "ended by a signal"' INT TERM
	wait $! || true
	trap - INT TERM
	[ -s "$round/job" ] || fail 4 "sbatch submitted nothing"
}

# step NAME COUNT JOB OPTIONS: does items 0 to COUNT - 1 of a step. A round is an
# array with what is not done yet.
step() {
	name=$1 count=$2
	try=1
	seq 0 $((count - 1)) >"$work/items"
	while [ -s "$work/items" ]; do
		round=$work/$name-$try
		mkdir "$round"
		mv "$work/items" "$round"
		items=$(wc -l <"$round/items")
		share=$(((items + most - 1) / most))
		# $3 is several options.
		submit "$round" $3 --job-name="batch-$name" --array="0-$(((items - 1) / share))" "$work/task" \
			"$name" "$round" "$share" "$BATCH" "$PARTITIONS" "$4"
		undone "$round" >"$round/undone"
		! grep -q ' [25]$' "$round/undone" || give_up "$name" "$round" "another try would not help"
		try=$((try + 1))
		[ ! -s "$round/undone" ] || [ $try -le "$TRIES" ] || give_up "$name" "$round" "not done after $TRIES tries"
		sed 's/ .*//' "$round/undone" >"$work/items"
		[ ! -s "$work/items" ] || say "$name: trying again $(wc -l <"$work/items") of $count"
	done
	# An NFS client may show a directory as it was a minute ago.
	case $(stat -f -c %T "$out") in
	nfs*) sleep 60 ;;
	esac
}

[ $# -eq 2 ] || fail 2 "usage: slurm-array.sh LIST OUT"
[ -r "$1" ] || fail 4 "$1: not there, or not to be read"
mkdir -p "$2/runs" || fail 3 "$2: cannot be made"
out=$(cd "$2" && pwd)
work=$(mktemp -d "$out/work.XXXXXX") || fail 3 "$out: cannot be written"
"$BATCH" plan -q --unit-bytes "$UNIT_BYTES" $PLAN_OPTIONS --files-from "$1" >"$work/plan" || {
	end=$?
	rm -r "$work"
	fail $end "there is no plan of these captures"
}
task >"$work/task"
# Of a job that runs this script: no task should take it for its own.
unset SLURM_MEM_PER_NODE SLURM_MEM_PER_CPU SLURM_CPUS_PER_TASK
# An array has no more tasks than this; they have several items if need be.
most=${TASKS:-$(scontrol show config 2>/dev/null | sed -n 's/^MaxArraySize *= *//p')}
most=${most:-1000}

step map "$(wc -l <"$work/plan")" "$MAP_JOB" "$MAP_OPTIONS"
step reduce "$PARTITIONS" "$REDUCE_JOB" "$REDUCE_OPTIONS"
step merge 1 "$REDUCE_JOB" ''
read -r end <"$round/0.status"
cat "$round/0.log" >&2
rm -r "$work"
