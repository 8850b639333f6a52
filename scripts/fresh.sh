#!/usr/bin/env bash
# fresh.sh [COMMIT]: what a person sees who clones the project. It clones COMMIT
# (HEAD) into a temporary folder with nothing beside it, with an empty HOME,
# GOPATH and GOCACHE, takes the commands out of the README of that clone, runs
# them there, and compares what they print with what the README says they do.
#
# Commands are the lines that begin with "$ " in blocks fenced as console. The
# lines behind a command are its output, all of it; a command without any may
# print what it likes. Modules that were downloaded before are used.
set -eu
cd "$(dirname "$0")/.."
commit=${1:-HEAD}
modules=$(go env GOMODCACHE)
work=$(mktemp -d)
trap 'chmod -R u+w "$work"; rm -rf "$work"' EXIT
git clone -q --no-local . "$work/clone/pcapbatch"
cd "$work/clone/pcapbatch"
git checkout -q "$(git -C "$OLDPWD" rev-parse "$commit")"

export HOME=$work/home GOPATH=$work/gopath GOCACHE=$work/cache GOMODCACHE=$modules GOENV=off GOFLAGS=
mkdir "$HOME" "$GOPATH" "$GOCACHE" "$work/steps"

# A file for each command, and one for the output that is due.
awk -v dir="$work/steps" '
	/^```console$/ { inside = 1; next }
	/^```/         { inside = 0 }
	!inside        { next }
	/^\$ /         { n++; base = sprintf("%s/%03d", dir, n); print substr($0, 3) > (base ".sh"); next }
	n              { print > (base ".want") }
' README.md

ran=0 main=0 tests=0
for step in "$work"/steps/*.sh; do
	[ -e "$step" ] || break
	want=${step%.sh}.want
	echo "\$ $(cat "$step")"
	grep -q '^go test' "$step" && tests=1
	grep -q ' extract ' "$step" && [ -e "$want" ] && main=1
	if [ -e "$want" ]; then
		bash -o pipefail "$step" > "$work/got"
		diff -u --label README.md --label "what it prints" "$want" "$work/got"
	else
		bash "$step"
	fi
	ran=$((ran + 1))
done
if [ "$main$tests" != 11 ]; then
	echo "fresh: of $ran commands none shows what extract prints (main job: $main), or none runs the tests (tests: $tests)" >&2
	exit 1
fi
echo "fresh: $ran commands of the README ran in a clone with nothing beside it"
