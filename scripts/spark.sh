#!/bin/sh
# spark.sh GO: runs of the Python package on clusters of this machine, Spark and
# Ray, for twenty minutes at most. What is missing of pyspark, ray and others is
# installed into bin/readers, which readers.sh uses too; without Java, or where
# packages cannot be had, tests are skipped, with a message.
set -eu
go=$1
venv=bin/readers
command -v python3 >/dev/null || {
	echo "skipped: there is no python3"
	exit 0
}
[ -x $venv/bin/python ] || python3 -m venv $venv || {
	echo "skipped: python3 has no venv"
	exit 0
}
command -v java >/dev/null || echo "Spark is skipped: there is no java"
for need in hatchling pytest numpy pandas pyarrow fsspec pyspark grpc:pyspark[connect] ray moto:moto[server]; do
	$venv/bin/python -c "import ${need%%:*}" 2>/dev/null ||
		timeout 600 $venv/bin/pip install -q "${need#*:}" >/dev/null 2>&1 ||
		echo "${need#*:} could not be installed"
done
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
if ! sh scripts/wheels.sh "$go" "$work" "$PWD/$venv/bin/python" "$("$go" env GOOS)/$("$go" env GOARCH)" >"$work/log" 2>&1 ||
	! $venv/bin/python -m pip install -q --no-deps --force-reinstall "$work"/*.whl >>"$work/log" 2>&1; then
	cat "$work/log"
	exit 1
fi
python=$PWD/$venv/bin/python tests=$PWD/python/tests
cd "$work"
# It takes five minutes or so; the limit is for a machine that is busy.
# 5 is the status of pytest where every test is skipped.
timeout 1200 "$python" -m pytest -q -s -p no:cacheprovider "$tests/test_cluster.py" "$tests/test_spark.py" \
	"$tests/test_spark_s3.py" "$tests/test_ray.py" >tests.txt 2>&1 || [ $? -eq 5 ] || {
	tr '\r' '\n' <tests.txt | grep -v '^\[Stage'
	exit 1
}
tr '\r' '\n' <tests.txt | grep -E '^CPU seconds|passed|skipped'
