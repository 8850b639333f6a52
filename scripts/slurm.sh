#!/usr/bin/env bash
# slurm.sh BATCH BENCH: deploy/slurm-array.sh on a Slurm of two nodes, both on
# this machine: 1,000 captures with tasks that are killed, a missing capture, a
# damaged one, and a run file that is lost. The rows must be those of batch
# extract. Skipped, with the reason, where Slurm is not there or does not start.
set -euo pipefail
batch=$(realpath "$1") bench=$(realpath "$2")
array=$(realpath "$(dirname "$0")/../deploy/slurm-array.sh")
dir=$(mktemp -d)

skip() {
	echo "skipped: $*"
	exit 0
}

stop() {
	set +e
	for file in "$dir"/*.pid; do
		kill "$(cat "$file")" 2>/dev/null
	done
	sleep 1
	rm -rf "$dir"
}

for tool in slurmctld slurmd munged sbatch python3; do
	command -v $tool >/dev/null || skip "there is no $tool (Debian: slurm-wlm, munge)"
done
[ "$(id -u)" = 0 ] || skip "slurmd needs root"
trap stop EXIT
chmod 755 "$dir"

# Ports of the three daemons, far from Slurm's own.
port=$((20000 + $$ % 10000))
mkdir "$dir/state" "$dir/spool-n1" "$dir/spool-n2"
cat >"$dir/slurm.conf" <<END
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmUser=root
SlurmctldPort=$port
SlurmctldPidFile=$dir/slurmctld.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdPidFile=$dir/slurmd-%n.pid
SlurmdLogFile=$dir/slurmd-%n.log
SlurmdSpoolDir=$dir/spool-%n
StateSaveLocation=$dir/state
AuthInfo=socket=$dir/munge.socket
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
MaxArraySize=8
KillWait=2
NodeName=n[1-2] NodeHostname=localhost NodeAddr=127.0.0.1 Port=[$((port + 1))-$((port + 2))] CPUs=2 RealMemory=2000
PartitionName=all Nodes=ALL Default=YES
END
echo IgnoreSystemd=yes >"$dir/cgroup.conf"
export SLURM_CONF=$dir/slurm.conf
head -c 128 /dev/urandom >"$dir/munge.key"
chmod 400 "$dir/munge.key"
{
	munged --force --key-file="$dir/munge.key" --socket="$dir/munge.socket" --pid-file="$dir/munged.pid" \
		--log-file="$dir/munged.log" --seed-file="$dir/munge.seed" && slurmctld && slurmd -N n1 && slurmd -N n2
} >"$dir/start.log" 2>&1 || skip "Slurm does not start: $(tail -q -n 1 "$dir"/*.log | tail -n 4)"
for _ in $(seq 20); do
	[ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" = 2 ] && break
	sleep 1
done
[ "$(sinfo -h -N -t idle -o %N 2>/dev/null | wc -l)" = 2 ] || skip "no two nodes of Slurm came up: $(tail -q -n 1 "$dir"/*.log)"

# 1,000 captures, whose sessions go on from one to the next.
mkdir "$dir/captures"
"$bench" gen -kind mix -scale 0.003 -o "$dir" >/dev/null
python3 - "$dir/mix.pcap" "$dir/captures" <<'END'
import struct, sys
data = open(sys.argv[1], "rb").read()
begins = [24]
while begins[-1] < len(data):
    begins.append(begins[-1] + 16 + struct.unpack_from("<I", data, begins[-1] + 8)[0])
for i in range(1000):
    first, end = (begins[(len(begins) - 1) * k // 1000] for k in (i, i + 1))
    open(f"{sys.argv[2]}/{i:03}.pcap", "wb").write(data[:24] + data[first:end])
END
printf '%s\n' "$dir"/captures/*.pcap >"$dir/list"
"$batch" extract -o "$dir/want.csv" "$dir/captures"

# A batch that is killed once in the middle of a map, alone, and once together
# with its task; one that loses a capture after plan once, and run files before
# reduce.
cat >"$dir/killed" <<END
#!/bin/sh
case \$1 in
map)
	if mkdir "$dir/first" 2>/dev/null; then
		"$batch" "\$@" <&0 &
		sleep 0.05
		kill -9 \$! \$\$
	elif mkdir "$dir/second" 2>/dev/null; then
		"$batch" "\$@" <&0 &
		sleep 0.05
		kill -9 \$! \$PPID \$\$
	fi
	;;
esac
exec "$batch" "\$@"
END
cat >"$dir/loses" <<END
#!/bin/sh
[ "\$1" != map ] || ! mkdir "$dir/third" 2>/dev/null || mv "$dir/captures/500.pcap" "$dir"
[ "\$1" != reduce ] || find "$dir/out/runs" -name '*.pack' | head -n 1 | xargs rm -f
exec "$batch" "\$@"
END
chmod 755 "$dir/killed" "$dir/loses"

export PARTITIONS=4 UNIT_BYTES=450K MAP_JOB="--cpus-per-task=1 --mem=400" REDUCE_JOB="--cpus-per-task=1 --mem=400"
failed=0

# expect WHAT STATUS TEXT LIST: runs the array in $dir/out, as the program $BATCH,
# and looks at the exit status and for a text in the messages.
expect() {
	local status=0 begin=$SECONDS
	rm -rf "$dir"/out/work.*
	timeout 120 sh "$array" "$4" "$dir/out" >"$dir/messages" 2>&1 || status=$?
	echo "$1: exit status $status ($((SECONDS - begin)) s)"
	if [ $status -ne "$2" ] || { [ -n "$3" ] && ! grep -q -- "$3" "$dir/messages"; }; then
		echo "not exit status $2, or no '$3' in:"
		cat "$dir/messages"
		failed=1
	fi
}

# same: the rows of the array are those of batch extract.
same() {
	"$batch" compare "$dir/out/sessions.csv" "$dir/want.csv" || failed=1
}

BATCH=$dir/killed expect "1,000 captures, two kills" 0 "trying again [2-5] of 25" "$dir/list"
same
export BATCH=$batch
{ cat "$dir/list" && echo "$dir/captures/gone.pcap"; } >"$dir/list.gone"
expect "a missing capture" 4 "gone.pcap: no such file" "$dir/list.gone"
BATCH=$dir/loses TRIES=2 expect "a capture that goes missing" 4 "500.pcap: no such file" "$dir/list"
mv "$dir/500.pcap" "$dir/captures"
BATCH=$dir/loses expect "a lost run file" 5 "there is no run file of" "$dir/list"
truncate -s -1 "$dir/captures/700.pcap"
"$batch" extract -q -o "$dir/want.csv" "$dir/captures" 2>/dev/null || true
expect "a damaged capture" 1 "700.pcap" "$dir/list"
same
# One capture, in ranges.
echo "$dir/mix.pcap" >"$dir/list.one"
"$batch" extract -q -o "$dir/want.csv" "$dir/mix.pcap"
rm -r "$dir/out"
expect "ranges of one capture" 0 "" "$dir/list.one"
same
# The script as a job, in the place of a node.
sbatch --wait --output="$dir/messages" "$array" "$dir/list.one" "$dir/out" >/dev/null && status=0 || status=$?
echo "as a job: exit status $status"
[ $status -eq 0 ] || { failed=1 && cat "$dir/messages"; }
same
[ "$(squeue -h | wc -l)" = 0 ] || { failed=1 && squeue; }
exit $failed
