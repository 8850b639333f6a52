#!/bin/sh
# wheels.sh GO OUT PYTHON [PLATFORM...]: builds the wheels of python/ into OUT,
# one for each platform, as GOOS/GOARCH; without one, for all. Where PYTHON has no
# hatchling, that is installed into an environment for the time being. The
# program is static, so that a Linux wheel is for any libc.
set -eu
go=$1 out=$2 python=$3
shift 3
[ $# -gt 0 ] || set -- linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! "$python" -c "import hatchling" 2>/dev/null; then
	"$python" -m venv "$work/venv" && "$work/venv/bin/pip" install -q hatchling || {
		echo "wheels.sh: $python has no hatchling, and it cannot be installed; PYTHON names another Python" >&2
		exit 1
	}
	python=$work/venv/bin/python
fi

# What hatchling puts into a wheel has this time, so that two builds are the
# same bytes.
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1577836800)}
export SOURCE_DATE_EPOCH

for platform in "$@"; do
	case $platform in
	linux/amd64) tag=manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64 ;;
	linux/arm64) tag=manylinux_2_17_aarch64.manylinux2014_aarch64.musllinux_1_1_aarch64 ;;
	darwin/amd64) tag=macosx_12_0_x86_64 ;;
	darwin/arm64) tag=macosx_12_0_arm64 ;;
	windows/amd64) tag=win_amd64 ;;
	*)
		echo "no wheel for $platform" >&2
		exit 2
		;;
	esac
	CGO_ENABLED=0 GOOS=${platform%/*} GOARCH=${platform#*/} "$go" build -trimpath -ldflags=-s -o "$work/program" ./cmd/batch
	(cd python && PCAPBATCH_BINARY="$work/program" PCAPBATCH_TAG="$tag" "$python" -m hatchling build -t wheel -d "$out")
done
ls -l "$out"
