#!/bin/sh
# reproducible.sh GO FLAGS...: build the program in two directories and compare.
set -eu
go=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for copy in one another/directory; do
	mkdir -p "$dir/$copy"
	tar -cf - --exclude=./bin --exclude=./.git --exclude=./bench/data . | tar -xf - -C "$dir/$copy"
	(cd "$dir/$copy" && CGO_ENABLED=0 GOFLAGS=-buildvcs=false $go build "$@" -o batch ./cmd/batch)
done
cmp "$dir/one/batch" "$dir/another/directory/batch"
echo "reproducible: $(sha256sum <"$dir/one/batch" | cut -c1-64)"
