#!/bin/sh
# python.sh GO BATCH: builds the wheel of this platform, installs it into a new
# virtual environment, and runs its tests and the recipes of docs/ there; mypy
# checks its types. What needs packages that cannot be had is skipped, with a
# message.
set -eu
go=$1 batch=$2
command -v python3 >/dev/null && python3 -m venv -h >/dev/null 2>&1 || {
	echo "skipped: no python3 with venv"
	exit 0
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/build"
python3 -m venv "$work/venv"
python=$work/venv/bin/python
if ! "$work/build/bin/pip" install -q hatchling >"$work/pip.txt" 2>&1 ||
	! "$python" -m pip install -q pytest polars pandas pyarrow duckdb tqdm scikit-learn >>"$work/pip.txt" 2>&1; then
	echo "skipped: packages from PyPI cannot be installed:"
	tail -n 3 "$work/pip.txt"
	exit 0
fi
if "$python" -m pip install -q mypy pandas-stubs types-tqdm >"$work/pip.txt" 2>&1; then
	(cd python && "$python" -m mypy --cache-dir "$work/mypy")
else
	echo "skipped: the types are not checked, for mypy cannot be installed:"
	tail -n 3 "$work/pip.txt"
fi
sh scripts/wheels.sh "$go" "$work/wheels" "$work/build/bin/python" "$("$go" env GOOS)/$("$go" env GOARCH)"
"$python" -m pip install -q --no-deps "$work"/wheels/*.whl
tests=$PWD/python/tests recipes=$PWD/scripts/recipes.py program=$(realpath "$batch")
cd "$work"
"$python" -m pytest -q -p no:cacheprovider "$tests"
"$python" "$recipes" "$program"
