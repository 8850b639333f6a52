#!/bin/sh
# emulated.sh [GO]: runs the tests of the packages on arm64 and on s390x, whose
# byte order is the other one, under qemu-user. An architecture for which that is
# not installed is skipped, with a message.
set -u
go=${1:-go}
failed=0
for pair in arm64:aarch64 s390x:s390x; do
	arch=${pair%:*}
	qemu=$(command -v "qemu-${pair#*:}-static" || command -v "qemu-${pair#*:}") || {
		echo "$arch: skipped, no qemu-${pair#*:}"
		continue
	}
	echo "$arch"
	GOARCH=$arch "$go" test -short -timeout 30m -exec "$qemu" ./internal/... || failed=1
done
exit $failed
