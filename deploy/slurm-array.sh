#!/bin/sh
# Usage: slurm-array.sh LIST OUT
#
# LIST is a file with the path of one capture on each line. OUT is a directory on
# shared storage, for runs/, parts/ and sessions.csv. The script submits three
# steps, each of which begins when all tasks of the one before have succeeded.
# README.md has the exit statuses.
set -eu

list=$(realpath "$1")
out=$(realpath -m "$2")
partitions=${PARTITIONS:-16}
captures=$(grep -c . "$list")
mkdir -p "$out"

# Exit status 1 of map and merge means that a capture is damaged. That is
# reported, and another try would change nothing, so it counts as success. A
# capture that is missing or failed to read is 4, which does not.
damage_is_fine='|| [ $? -eq 1 ]'

map=$(sbatch --parsable --requeue --array="1-$captures" --cpus-per-task=4 --mem=8G --wrap "
	capture=\$(grep . '$list' | sed -n \"\${SLURM_ARRAY_TASK_ID}p\")
	batch map -q -P $partitions -j 4 --out '$out/runs' \"\$capture\" $damage_is_fine")

reduce=$(sbatch --parsable --requeue --dependency="afterok:$map" --array="0-$((partitions - 1))" --mem=8G --wrap "
	batch reduce --partition \$SLURM_ARRAY_TASK_ID --out '$out/parts' '$out/runs'")

sbatch --requeue --dependency="afterok:$reduce" --mem=2G --wrap "
	batch merge --parts -o '$out/sessions.csv' --summary '$out/summary.json' '$out/parts' $damage_is_fine"
