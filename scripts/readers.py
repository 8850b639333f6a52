#!/usr/bin/env python3
"""readers.py BATCH CAPTURE...: what batch writes, read back by the libraries
that people use: pandas, Polars, DuckDB, pyarrow and Spark, CSV and Parquet.
Asserted are the number of rows, sums, nulls and, of Parquet, the type of every
column. A library that is not there is skipped, and the output says so."""

import csv
import decimal
import importlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

SUMS = ["total_packets", "total_bytes", "src_port", "protocol", "duration_s", "iat_mean_s", "fwd_ttl_min"]

# What a type of the data dictionary is in each library.
TYPES = {
    "pyarrow": {"uint8": "uint8", "uint16": "uint16", "int64": "int64", "double": "double", "string": "string", "timestamp": "timestamp[us, tz=UTC]"},
    "polars": {"uint8": "UInt8", "uint16": "UInt16", "int64": "Int64", "double": "Float64", "string": "String",
               "timestamp": "Datetime(time_unit='us', time_zone='UTC')"},
    "duckdb": {"uint8": "UTINYINT", "uint16": "USMALLINT", "int64": "BIGINT", "double": "DOUBLE", "string": "VARCHAR", "timestamp": "TIMESTAMP WITH TIME ZONE"},
    "spark": {"uint8": "smallint", "uint16": "int", "int64": "bigint", "double": "double", "string": "string", "timestamp": "timestamp"},
    # Integers with nulls are float64 in pandas, texts are object or str.
    "pandas": {"uint8": "uint8|float64", "uint16": "uint16|float64", "int64": "int64|float64", "double": "float64", "string": "object|str|string",
               "timestamp": r"datetime64\[us, UTC\]"},
}


def want(columns, rows):
    """The number of rows, and sum and number of nulls of columns, by the CSV."""
    sums = {}
    for name in SUMS:
        cells = [r[name] for r in rows]
        sums[name] = (sum((decimal.Decimal(c) for c in cells if c), decimal.Decimal(0)), cells.count(""))
    return len(rows), sums


def check(where, expected, rows, sums, exact=("total_packets", "total_bytes", "src_port", "protocol")):
    n, known = expected
    assert rows == n, f"{where}: {rows} rows, want {n}"
    for name, (total, nulls) in known.items():
        got, none = sums[name]
        assert none == nulls, f"{where}: {none} nulls in {name}, want {nulls}"
        if name in exact:
            assert int(got) == int(total), f"{where}: {name} sums to {got}, want {total}"
        else:
            assert abs(float(got) - float(total)) <= 1e-9 * max(1, abs(float(total))), f"{where}: {name} sums to {got}, want {total}"


def types(library, fields, got):
    assert list(got) == [f["name"] for f in fields], f"{library}: columns {list(got)}"
    for f in fields:
        pattern, typ = TYPES[library][f["parquet"]], str(got[f["name"]])
        same = re.fullmatch(pattern, typ) if library == "pandas" else pattern == typ
        assert same, f"{library}: {f['name']} is {typ}, want {pattern}"


def read_pandas(work, fields, expected):
    import pandas
    for suffix in ("csv", "csv.gz", "parquet"):
        if suffix == "parquet":
            importlib.import_module("pyarrow")
            t = pandas.read_parquet(work + ".parquet")
            types("pandas", fields, t.dtypes.to_dict())
        else:
            t = pandas.read_csv(f"{work}.{suffix}")
        check("pandas " + suffix, expected, len(t), {n: (t[n].sum(), int(t[n].isna().sum())) for n in SUMS})


def read_polars(work, fields, expected):
    import polars
    for suffix in ("csv", "csv.gz", "parquet"):
        if suffix == "parquet":
            t = polars.read_parquet(work + ".parquet")
            types("polars", fields, dict(t.schema))
        else:
            t = polars.read_csv(f"{work}.{suffix}", infer_schema_length=None)
        check("polars " + suffix, expected, t.height, {n: (t[n].cast(polars.Float64).sum(), t[n].null_count()) for n in SUMS})


def read_duckdb(work, fields, expected):
    import duckdb
    for suffix in ("csv", "csv.gz", "parquet"):
        table = f"read_parquet('{work}.parquet')" if suffix == "parquet" else f"read_csv('{work}.{suffix}', sample_size=-1)"
        if suffix == "parquet":
            types("duckdb", fields, {r[0]: r[1] for r in duckdb.sql(f"describe select * from {table}").fetchall()})
        rows = duckdb.sql(f"select count(*) from {table}").fetchall()[0][0]
        sums = {}
        for n in SUMS:
            total, there = duckdb.sql(f'select sum("{n}"), count("{n}") from {table}').fetchall()[0]
            sums[n] = (total or 0, rows - there)
        check("duckdb " + suffix, expected, rows, sums)


def read_pyarrow(work, fields, expected):
    import pyarrow.compute as compute
    import pyarrow.csv
    import pyarrow.parquet
    for suffix in ("csv", "csv.gz", "parquet"):
        if suffix == "parquet":
            t = pyarrow.parquet.read_table(work + ".parquet")
            types("pyarrow", fields, {f.name: f.type for f in t.schema})
            kept = json.loads(t.schema.metadata[b"pcapbatch.columns"])
            assert [(f["name"], f["unit"], f["definition"]) for f in fields] == [(c["name"], c["unit"], c["definition"]) for c in kept], "dictionary"
        else:
            t = pyarrow.csv.read_csv(f"{work}.{suffix}")
        check("pyarrow " + suffix, expected, t.num_rows, {n: (compute.sum(compute.cast(t[n], "double")).as_py() or 0, t[n].null_count) for n in SUMS})


def read_spark(work, fields, expected):
    if not shutil.which("java") and not os.environ.get("JAVA_HOME"):
        raise ImportError("Spark needs Java")
    from pyspark.sql import SparkSession, functions
    spark = (SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config("spark.sql.session.timeZone", "UTC")
             .config("spark.driver.bindAddress", "127.0.0.1").config("spark.driver.host", "127.0.0.1").getOrCreate())
    try:
        spark.sparkContext.setLogLevel("ERROR")
        for suffix in ("csv", "parquet"):
            if suffix == "parquet":
                t = spark.read.parquet(work + ".parquet")
                types("spark", fields, dict(t.dtypes))
            else:
                t = spark.read.csv(work + ".csv", header=True, inferSchema=True)
            cells = [functions.sum(f"`{n}`").alias(f"s{i}") for i, n in enumerate(SUMS)]
            cells += [functions.count(f"`{n}`").alias(f"c{i}") for i, n in enumerate(SUMS)]
            row = t.agg(functions.count("*").alias("n"), *cells).collect()[0]
            check("spark " + suffix, expected, row["n"], {n: (row[f"s{i}"] or 0, row["n"] - row[f"c{i}"]) for i, n in enumerate(SUMS)},
                  ("total_packets", "src_port", "protocol"))
            # A filter on a column, which uses the statistics of pages.
            ports = t.filter(functions.col("src_port") == 53).count()
            assert ports == t.filter(functions.expr("src_port + 0 = 53")).count(), "spark: a filter loses rows"
    finally:
        spark.stop()


def main(batch, captures):
    with tempfile.TemporaryDirectory() as directory:
        work = os.path.join(directory, "sessions")
        for suffix in ("csv", "csv.gz", "parquet"):
            subprocess.run([batch, "extract", "-q", "--features", "all", "--undefined", "empty", "-o", f"{work}.{suffix}", *captures], check=False)
        with open(work + ".csv", newline="") as f:
            rows = list(csv.DictReader(f))
        dictionary = {c["name"]: c for c in json.loads(subprocess.run([batch, "fields", "--json"], check=True, capture_output=True).stdout)}
        fields = [dictionary[name] for name in rows[0]]
        expected = want(fields, rows)
        failed = False
        for library, read in (("pandas", read_pandas), ("polars", read_polars), ("duckdb", read_duckdb), ("pyarrow", read_pyarrow), ("spark", read_spark)):
            try:
                importlib.import_module("pyspark" if library == "spark" else library)
                read(work, fields, expected)
                print(f"{library}: ok, {len(rows)} rows of {len(fields)} columns")
            except ImportError as e:
                print(f"{library}: skipped: {e}")
            except Exception as e:
                failed = True
                print(f"{library}: FAILED: {type(e).__name__}: {str(e)[:500]}")
        return failed


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
