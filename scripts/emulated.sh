#!/bin/sh
# Runs the tests of the packages on other architectures: arm64, and s390x for
# its byte order. What qemu-user is not installed for is skipped, and said.
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
