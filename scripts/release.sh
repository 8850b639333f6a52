#!/bin/sh
# release.sh GO OUT NFPM PLATFORM...: makes the files of a release in the empty
# directory OUT: for each platform (linux/amd64 and so on) an archive and a bill
# of materials, for linux also packages for Debian and RPM, and SHA256SUMS.
#
# The files depend on nothing but the sources, the version of Go, and
# SOURCE_DATE_EPOCH and COMMIT, which are those of the commit unless they are
# set: two runs give the same bytes.
set -eu
export LC_ALL=C TZ=UTC
umask 022
go=$1
mkdir -p "$2"
out=$(cd "$2" && pwd)
nfpm=$3
shift 3
[ -z "$(ls "$out")" ] || { echo "release: $out is not empty" >&2; exit 1; }

if [ -z "${COMMIT:-}" ]; then
	COMMIT=$(git rev-parse --short=12 HEAD)
	git diff --quiet HEAD || COMMIT=$COMMIT.changed
fi
export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}"
VERSION=$(sed -n 's/^const release = "\(.*\)"$/\1/p' cmd/batch/version.go)
export VERSION CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOAMD64=v1 GOARM64=v8.0 GOEXPERIMENT=

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/completions" "$work/tools"

# build OUT: the program, for GOOS and GOARCH.
build() {
	$go build -trimpath -ldflags "-s -w -X main.commit=$COMMIT" -o "$1" ./cmd/batch
}

# What is the same for all platforms, from a program for this machine.
build "$work/tools/pcapbatch"
$go build -o "$work/tools/archive" ./scripts/archive
"$work/tools/pcapbatch" man "$work/man"
for shell in bash:pcapbatch.bash zsh:_pcapbatch fish:pcapbatch.fish powershell:pcapbatch.ps1; do
	"$work/tools/pcapbatch" completion "${shell%:*}" >"$work/completions/${shell#*:}"
done

# archive NAME SUFFIX: one archive, of the program in the directory NAME.
archive() {
	cp -R LICENSE NOTICE README.md CHANGELOG.md "$work/man" "$work/completions" "$work/$1"
	"$work/tools/archive" "$out/$1$2" "$work/$1"
}

# packages PROGRAM ARCH: the deb and the rpm.
packages() {
	share=$work/root/usr/share
	rm -rf "$work/root"
	mkdir -p "$work/root/usr/bin" "$share/man/man1" "$share/doc/pcapbatch" \
		"$share/bash-completion/completions" "$share/fish/vendor_completions.d"
	cp "$1" "$work/root/usr/bin/pcapbatch"
	for page in "$work"/man/*.1; do
		"$work/tools/archive" "$share/man/man1/${page##*/}.gz" "$page"
	done
	cp "$work/completions/pcapbatch.bash" "$share/bash-completion/completions/pcapbatch"
	cp "$work/completions/pcapbatch.fish" "$share/fish/vendor_completions.d"
	cp LICENSE README.md "$share/doc/pcapbatch"
	cp NOTICE "$share/doc/pcapbatch/copyright"
	"$work/tools/archive" "$share/doc/pcapbatch/changelog.gz" CHANGELOG.md
	cp deploy/package/nfpm.yaml "$work"
	for kind in deb rpm; do
		(cd "$work" && ARCH=$2 $go run "$nfpm" package -f nfpm.yaml -p $kind -t "$out")
	done
}

for platform; do
	os=${platform%/*} arch=${platform#*/}
	name=pcapbatch_${VERSION}_${os}_$arch
	program=$work/$name/pcapbatch suffix=.tar.gz
	if [ "$os" = windows ]; then
		program=$program.exe suffix=.zip
	fi
	GOOS=$os GOARCH=$arch build "$program"
	sh scripts/sbom.sh "$go" "$program" "$VERSION+$COMMIT" >"$out/$name.cdx.json"
	[ "$os" != linux ] || packages "$program" "$arch"
	archive "$name" "$suffix"
	rm -r "${work:?}/$name"
done
(cd "$out" && sha256sum -- * >"$work/SHA256SUMS" && mv "$work/SHA256SUMS" .)
