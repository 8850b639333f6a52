#!/bin/sh
# notice.sh GO: print NOTICE: the licences of the modules that bin/batch is
# linked with, read from the module cache.
set -eu
go=$1
echo "pcapbatch is under the Apache License 2.0 (see LICENSE). The program contains the"
echo "modules below, each under its own licence, and the Go standard library."
std=$($go env GOROOT)/LICENSE
for os in linux windows; do
	GOOS=$os CGO_ENABLED=0 $go list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/batch
done | LC_ALL=C sort -u | while read -r path version dir; do
	printf '\n================================================================================\n%s %s\n\n' "$path" "$version"
	found=
	for f in "$dir"/LICENSE* "$dir"/LICENCE* "$dir"/COPYING* "$dir"/NOTICE*; do
		[ -f "$f" ] || continue
		found=yes
		cat "$f"
	done
	[ -n "$found" ] || { echo "notice.sh: no licence of $path" >&2; exit 1; }
done
if [ -f "$std" ]; then
	printf '\n================================================================================\nThe Go standard library\n\n'
	cat "$std"
fi
