#!/bin/sh
# report.sh GO [DIR]: looks at reports in headless Chromium. Pages of an empty, a
# small, a damaged and a 10 000-capture run are loaded light, dark and as wide as
# a phone, and their documents checked; they are printed, and the pages checked as
# far as poppler-utils is installed (TestReportInBrowser). With DIR, pictures and
# PDFs are put there. Where there is no Chromium and none can be installed, it says so
# and ends with 0.
set -eu
go=$1
find_it() { command -v chromium || command -v chromium-browser || command -v google-chrome || true; }
browser=$(find_it)
if [ -z "$browser" ] && [ "${CI:-}" = true ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null 2>&1 || true
	browser=$(find_it)
fi
if [ -z "$browser" ]; then
	echo "skipped: there is no Chromium, and none could be installed"
	exit 0
fi
if [ $# -gt 1 ]; then
	mkdir -p "$2"
	PCAPBATCH_SHOTS=$(cd "$2" && pwd)
	export PCAPBATCH_SHOTS
fi
PCAPBATCH_CHROMIUM=$browser "$go" test ./cmd/batch -run 'TestReportInBrowser$' -count=1
