#!/bin/sh
# image.sh GO: builds the Dockerfile with buildah, and runs the program in the
# image. No registry is asked: what stands for golang:1.26 is made of busybox
# and the Go, the modules and the cache of this machine. It is skipped, with the
# reason, where that cannot be done.
set -eu
go=$1
skip() {
	echo "skipped: $*"
	exit 0
}
[ "$(uname -s)" = Linux ] && [ "$(id -u)" = 0 ] || skip "images are built as root, on Linux"
for tool in buildah busybox; do
	command -v $tool >/dev/null || skip "there is no $tool"
done
if ldd "$(command -v busybox)" >/dev/null 2>&1; then
	skip "busybox is not static"
fi
certificates=/etc/ssl/certs/ca-certificates.crt
[ -f $certificates ] || skip "there is no $certificates"

work=$(mktemp -d)
run() { TMPDIR=$work buildah --root "$work/root" --runroot "$work/run" --storage-driver vfs "$@"; }
trap 'run rm --all >/dev/null 2>&1 || true; rm -rf "$work"' EXIT
mkdir -p "$work/base/bin" "$work/base$(dirname $certificates)" "$work/base/usr/local/go" "$work/base/tmp"
cp "$(command -v busybox)" "$work/base/bin/busybox"
cp -L $certificates "$work/base$certificates"
for tool in sh mkdir chmod cp; do
	ln -s busybox "$work/base/bin/$tool"
done
if ! base=$(run from scratch 2>"$work/why") || ! run copy "$base" "$work/base" / >/dev/null 2>"$work/why" ||
	! run run --isolation chroot "$base" -- sh -c true 2>"$work/why"; then
	skip "buildah cannot run here: $(tail -n 1 "$work/why")"
fi
run config --env PATH=/usr/local/go/bin:/bin --env GOTOOLCHAIN=local \
	--env GOCACHE=/cache --env GOPROXY=file:///modules --env GONOSUMDB='*' "$base"
run commit -q "$base" docker.io/library/golang:1.26 >/dev/null
"$go" mod download
run build --platform "linux/$("$go" env GOARCH)" --isolation chroot --pull-never -q -t pcapbatch \
	-v "$("$go" env GOROOT):/usr/local/go:ro" -v "$("$go" env GOCACHE):/cache" \
	-v "$("$go" env GOMODCACHE)/cache/download:/modules:ro" . >"$work/log" 2>&1 || {
	cat "$work/log"
	exit 1
}

image=$(run from --pull-never pcapbatch)
try() { run run --isolation chroot -v "$PWD/testdata:/data:ro" "$image" -- /usr/bin/pcapbatch "$@"; }
fail() {
	echo "image.sh: $*" >&2
	exit 1
}
# Nobody reads /data, where the program begins, and writes to /tmp.
[ "$(try extract example.pcap | wc -l)" = 7 ] || fail "extract does not write seven lines"
try extract -q -o /tmp/rows.csv example.pcap || fail "/tmp is no place for files"
root=$(run mount "$image")
[ -s "$root$certificates" ] || fail "there are no certificates, which object storage needs"
[ "$(stat -c %u "$root/tmp/rows.csv")" = 65534 ] || fail "the program does not run as nobody"
[ "$(run inspect --type image --format '{{.OCIv1.Config.Entrypoint}} {{.OCIv1.Config.WorkingDir}}' pcapbatch)" = "[/usr/bin/pcapbatch] /data" ] ||
	fail "another entry point or directory"
echo "image: the Dockerfile is built, and the program runs in it"
