#!/usr/bin/env bash
# release-twice.sh GO NFPM PLATFORM...: makes a release in two directories, in
# the second of which everything that must not matter is different, and compares
# the files. Then it unpacks what was made and uses it:
# the program, its manual pages and the completion of bash, as far as the tools
# for that are installed.
set -eu
go=$1
nfpm=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() {
	echo "release-twice: $*" >&2
	exit 1
}
has() { command -v "$1" >/dev/null || { echo "skipped: no $1"; return 1; }; }

# Two copies without git, so that changes that are not committed are tested too.
export COMMIT=0123456789ab SOURCE_DATE_EPOCH=1000000000
GOCACHE=$($go env GOCACHE) GOMODCACHE=$($go env GOMODCACHE)
export GOCACHE GOMODCACHE
for copy in one another/directory; do
	mkdir -p "$work/$copy"
	tar -cf - --exclude=./bin --exclude=./dist --exclude=./.git --exclude=./bench/data . | tar -xf - -C "$work/$copy"
done
find "$work/another" -exec touch -d @1234567890 {} +
mkdir "$work/home"
(cd "$work/one" && sh scripts/release.sh "$go" "$work/release" "$nfpm" "$@" >/dev/null)
(
	cd "$work/another/directory"
	umask 077
	export HOME=$work/home TZ=Asia/Tokyo LC_ALL=C.UTF-8 GOMAXPROCS=3
	sh scripts/release.sh "$go" "$work/again" "$nfpm" "$@" >/dev/null
)
diff -r "$work/release" "$work/again" || fail "two runs give different files"
(cd "$work/release" && sha256sum --check --quiet SHA256SUMS && cat SHA256SUMS)

# try DIR WHERE: the program, in a directory or below the root of a package.
try() {
	local program=$1/pcapbatch rows
	echo "trying $2"
	[[ $("$program" version) == "pcapbatch "*"+$COMMIT ("* ]] || fail "$2: version: $("$program" version)"
	rows=$("$program" extract testdata/example.pcap | wc -l)
	[ "$rows" = 7 ] || fail "$2: $rows lines of testdata/example.pcap"
}

# pages DIR: mandoc and man read every page.
pages() {
	local page
	if has mandoc; then
		for page in "$1"/*; do gzip -cdf "$page" | mandoc -Tlint -Wwarning || fail "mandoc does not like $page"; done
	fi
	if has man && man --version | grep -q '^man [0-9]'; then # man-db
		for page in "$1"/*; do
			[ -z "$(man --warnings -l "$page" 2>&1 >/dev/null)" ] || fail "man does not like $page"
		done
		man -l "$1"/pcapbatch-extract.1* >"$work/page"
		grep -q -e '--idle-timeout DURATION' "$work/page" || fail "$1: a flag is missing"
	fi
}

# completes FILE BIN: bash completes commands of the installed name. Where the
# package bash-completion is not installed, its function that takes words apart
# is replaced by one that does for words without quotes.
completes() {
	local got
	got=$(PATH=$2:$PATH bash -c '
		_get_comp_words_by_ref() {
			words=("${COMP_WORDS[@]}") cword=$COMP_CWORD cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
		}
		[ ! -e /usr/share/bash-completion/bash_completion ] || . /usr/share/bash-completion/bash_completion
		. "$0"
		complete -p pcapbatch >/dev/null || exit
		COMP_WORDS=(pcapbatch ext) COMP_CWORD=1 COMP_LINE="pcapbatch ext" COMP_POINT=13 COMP_TYPE=9
		__start_pcapbatch pcapbatch ext pcapbatch 2>/dev/null
		echo "${COMPREPLY[0]%% *}"' "$1")
	[ "$got" = extract ] || fail "$1: completes ext to '$got'"
	! grep -wE '(complete|compdef|function) .*\bbatch\b' "$1" || fail "$1 speaks of batch"
}

name=$(cd "$work/release" && echo pcapbatch_*_linux_amd64.tar.gz)
if [ -e "$work/release/$name" ] && [ "$(uname -sm)" = "Linux x86_64" ]; then
	tar -xzf "$work/release/$name" -C "$work"
	top=$work/${name%.tar.gz}
	try "$top" "$name"
	pages "$top/man"
	for file in LICENSE NOTICE README.md completions/pcapbatch.{bash,fish,ps1} completions/_pcapbatch; do
		[ -s "$top/$file" ] || fail "$name: no $file"
	done
	if has dpkg-deb; then
		dpkg-deb -x "$work"/release/*_amd64.deb "$work/deb"
		try "$work/deb/usr/bin" "the deb"
		pages "$work/deb/usr/share/man/man1"
		completes "$work/deb/usr/share/bash-completion/completions/pcapbatch" "$work/deb/usr/bin"
		[ -s "$work/deb/usr/share/zsh/vendor-completions/_pcapbatch" ] || fail "the deb: no completion for zsh"
		[ -z "$(find "$work/deb" -type f -newermt @$SOURCE_DATE_EPOCH)" ] || fail "the deb: other times"
	fi
	if has rpm2archive; then
		mkdir "$work/rpm"
		rpm2archive --nocompression - <"$(echo "$work"/release/*.x86_64.rpm)" | tar -xf - -C "$work/rpm"
		try "$work/rpm/usr/bin" "the rpm"
		pages "$work/rpm/usr/share/man/man1"
		completes "$work/rpm/usr/share/bash-completion/completions/pcapbatch" "$work/rpm/usr/bin"
		[ -s "$work/rpm/usr/share/zsh/site-functions/_pcapbatch" ] || fail "the rpm: no completion for zsh"
	fi
fi
echo "release-twice: two runs give the same files, and they can be used"
