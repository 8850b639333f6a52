#!/bin/sh
# readers.sh BATCH: what batch writes of testdata, read back by the libraries that
# people use (readers.py). They are installed into bin/readers, within ten
# minutes; those that cannot be are skipped, and Spark where there is no Java.
set -eu
batch=$1
venv=bin/readers
if ! command -v python3 >/dev/null; then
	echo "skipped: there is no python3"
	exit 0
fi
if [ ! -x $venv/bin/python ] && ! python3 -m venv $venv; then
	echo "skipped: python3 has no venv"
	exit 0
fi
libraries="numpy pandas polars duckdb pyarrow"
if command -v java >/dev/null; then
	libraries="$libraries pyspark"
fi
for library in $libraries; do
	$venv/bin/python -c "import $library" 2>/dev/null ||
		timeout 600 $venv/bin/pip install -q "$library" >/dev/null 2>&1 ||
		echo "$library could not be installed"
done
timeout 600 $venv/bin/python scripts/readers.py "$batch" testdata/*.pcap
