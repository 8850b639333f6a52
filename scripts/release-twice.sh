#!/bin/sh
# release-twice.sh GO FLAGS...: build a release for linux/amd64 twice, at
# different times and in different directories, compare all checksums, and try
# what the deb holds.
set -eu
go=$1
shift
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
for copy in one another; do
	PLATFORMS=linux/amd64 sh scripts/release.sh "$go" "$dir/$copy" "$@"
	sleep 1
done
cmp "$dir/one/SHA256SUMS" "$dir/another/SHA256SUMS"
if command -v dpkg-deb >/dev/null; then
	dpkg-deb -x "$dir"/one/*.deb "$dir/root"
	$go run ./cmd/batch extract -q testdata/example.pcap >"$dir/rows"
	"$dir/root/usr/bin/pcapbatch" extract -q testdata/example.pcap | cmp - "$dir/rows"
	if command -v mandoc >/dev/null; then
		for page in "$dir"/root/usr/share/man/man1/*.gz; do
			gzip -dc "$page" | mandoc -T lint -W unsupp
		done
	fi
fi
echo "the same release twice:"
cat "$dir/one/SHA256SUMS"
