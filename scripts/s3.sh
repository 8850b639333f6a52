#!/bin/sh
# s3.sh GO BATCH: the whole way from captures to a table in the object store that
# moto imitates, held against the same on this machine. It is skipped, with a
# message, where moto cannot be installed.
set -eu
go=$1 batch=$(realpath "$2")
command -v python3 >/dev/null && python3 -m venv -h >/dev/null 2>&1 || {
	echo "skipped: no python3 with venv"
	exit 0
}
work=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server"; rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
if ! timeout 300 "$work/venv/bin/pip" install -q 'moto[server]' >"$work/pip.txt" 2>&1; then
	echo "skipped: moto cannot be installed from PyPI:"
	tail -n 3 "$work/pip.txt"
	exit 0
fi
cat >"$work/serve.py" <<'PY'
import sys, time
from moto.server import ThreadedMotoServer
s = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
s.start()
host, port = s.get_host_and_port()
open(sys.argv[1], "w").write(f"http://{host}:{port}\n")
time.sleep(600)
PY
"$work/venv/bin/python" "$work/serve.py" "$work/url" >"$work/server.txt" 2>&1 &
server=$!
tries=0
until [ -s "$work/url" ]; do
	tries=$((tries + 1))
	[ $tries -lt 60 ] || { echo "the server does not start"; cat "$work/server.txt"; exit 1; }
	sleep 0.5
done
export AWS_ENDPOINT_URL="$(cat "$work/url")" AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test AWS_REGION=us-east-1
export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null NO_PROXY=127.0.0.1
"$work/venv/bin/python" - "testdata" <<'PY'
import os, sys, boto3
s3 = boto3.client("s3")
s3.create_bucket(Bucket="captures")
for n in ("example.pcap", "tcp-states.pcap", "bzip2.pcap.bz2"):
    s3.upload_file(os.path.join(sys.argv[1], n), "captures", "in/ä %20 #" + n)
PY
for n in example.pcap tcp-states.pcap bzip2.pcap.bz2; do mkdir -p "$work/in"; cp testdata/$n "$work/in/ä %20 #$n"; done
cd "$work"
"$batch" extract -q -o want.csv in
"$batch" extract -q -o s3://captures/got.csv 's3://captures/i[n]/*pcap*'
"$batch" map -q -P 2 --out s3://captures/runs --outcomes s3://captures/made.jsonl s3://captures/in
"$batch" reduce --partition 0 --out s3://captures/parts --expect s3://captures/made.jsonl s3://captures/runs
"$batch" reduce --partition 1 --out s3://captures/parts --expect s3://captures/made.jsonl s3://captures/runs
"$batch" merge -q --parts -o s3://captures/merged.csv s3://captures/parts
"$work/venv/bin/python" - <<'PY'
import boto3, sys
s3 = boto3.client("s3")
want = open("want.csv", "rb").read()
for key in "got.csv", "merged.csv":
    got = s3.get_object(Bucket="captures", Key=key)["Body"].read()
    if got != want:
        sys.exit(f"{key}: {len(got)} bytes, {len(want)} expected")
left = s3.list_multipart_uploads(Bucket="captures").get("Uploads", [])
if left:
    sys.exit(f"left are {left}")
print("the same rows from the object store")
PY
status=0
"$batch" extract -q -o /dev/null s3://captures/none "in/ä %20 #example.pcap" 2>said.txt || status=$?
[ $status -eq 4 ] && grep -q 's3://captures/none: there is no such object' said.txt || { cat said.txt; exit 1; }
