#!/bin/sh
# kubernetes.sh BATCH FILE VERSION...: runs kubernetes.py in a new virtual
# environment. It is skipped, with a message, where Python or the schemas cannot be
# had.
set -eu
command -v python3 >/dev/null && python3 -m venv -h >/dev/null 2>&1 || {
	echo "skipped: no python3 with venv"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
if ! timeout 180 "$work/venv/bin/pip" install -q 'kubernetes-validate>=1.37' >"$work/pip.txt" 2>&1; then
	echo "skipped: kubernetes-validate cannot be installed from PyPI:"
	tail -n 3 "$work/pip.txt"
	exit 0
fi
"$work/venv/bin/python" scripts/kubernetes.py "$@"
