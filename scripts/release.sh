#!/bin/sh
# release.sh GO DIR FLAGS...: static binaries of every platform, deb and rpm,
# bill of materials and checksums, in DIR. The same commit gives the same bytes:
# every time in them is SOURCE_DATE_EPOCH, by default that of the commit.
set -eu
go=$1 out=$2
shift 2
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
platforms=${PLATFORMS:-linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
VERSION=$(sed -n 's/^const release = "\(.*\)"$/\1/p' cmd/batch/version.go)
export SOURCE_DATE_EPOCH VERSION CGO_ENABLED=0 LC_ALL=C TZ=UTC0
umask 022
rm -rf "$out"
SHARE=$out/stage/share
mkdir -p "$SHARE/man"
export SHARE

# Pages and completions come from the program itself, under its name in packages.
$go build "$@" -o "$SHARE/pcapbatch" ./cmd/batch
"$SHARE/pcapbatch" man "$SHARE/man"
gzip -9n "$SHARE"/man/*
"$SHARE/pcapbatch" completion bash >"$SHARE/pcapbatch.bash"
"$SHARE/pcapbatch" completion zsh >"$SHARE/_pcapbatch"
"$SHARE/pcapbatch" completion fish >"$SHARE/pcapbatch.fish"

for platform in $platforms; do
	os=${platform%/*} ARCH=${platform#*/}
	STAGE=$out/stage/$os-$ARCH
	name=pcapbatch-$VERSION-$os-$ARCH
	binary=$STAGE/pcapbatch
	[ "$os" = windows ] && binary=$binary.exe
	GOOS=$os GOARCH=$ARCH $go build "$@" -o "$binary" ./cmd/batch
	cp LICENSE NOTICE README.md "$STAGE"
	sh scripts/sbom.sh "$go" "$binary" >"$out/$name.cdx.json"
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" \
		--transform "s,^\.,$name," -C "$STAGE" -cf - . | gzip -9n >"$out/$name.tar.gz"
	[ "$os" = linux ] || continue
	export ARCH STAGE
	find "$STAGE" "$SHARE" -exec touch -d "@$SOURCE_DATE_EPOCH" {} +
	for format in deb rpm; do
		$go run $nfpm package -f deploy/package/nfpm.yaml -p $format -t "$out/" >"$out/stage/nfpm.log" || { cat "$out/stage/nfpm.log"; exit 1; }
	done
done
(cd "$out" && sha256sum pcapbatch* >SHA256SUMS)
