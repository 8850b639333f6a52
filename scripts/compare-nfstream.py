#!/usr/bin/env python3
"""compare-nfstream.py CAPTURE CSV ...: holds rows of --schema nfstream against
those of NFStream itself, which must be installed (pip install nfstream).

Each CSV was made of the CAPTURE before it, with the VLAN ids in the key and
--sequence 20. Sessions are looked up by 5-tuple and first time. Times may
differ by the millisecond to which NFStream rounds each packet's time; sizes
and numbers of packets not at all. Every session that differs is listed, with the reason
that nfstream-exceptions.txt gives for it; without one there it is an error, and
so is an exception for a session that does not differ: all others of the same
capture are compared.
"""
import collections
import csv
import math
import os
import sys

from nfstream import NFStreamer

SEQUENCE = 20
IDENTITY = ("src_ip", "src_port", "dst_ip", "dst_port", "protocol")
TEXT = IDENTITY + ("ip_version", "vlan_id")


def theirs(capture):
    """The flows of NFStream as dictionaries."""
    streamer = NFStreamer(source=capture, decode_tunnels=False, n_dissections=0, statistical_analysis=True,
                          splt_analysis=SEQUENCE, idle_timeout=120, active_timeout=1800, accounting_mode=0, n_meters=1,
                          snapshot_length=65535)
    return [dict(zip(flow.keys(), flow.values())) for flow in streamer]


def ours(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def key(row):
    """Both directions of a 5-tuple, and the VLAN id, have one key."""
    ends = sorted([(row["src_ip"], int(row["src_port"])), (row["dst_ip"], int(row["dst_port"]))])
    return (*ends, int(row["protocol"]), int(row["vlan_id"]))


def same(name, a, b):
    """Whether our text a says what their value b does."""
    if name in TEXT:
        return a == str(b)
    if name.startswith("splt_"):
        a = [int(x) for x in a.strip("[]").split(",")]
        near = 1 if name == "splt_piat_ms" else 0
        return len(a) == len(b) and all(abs(x - y) <= near for x, y in zip(a, b))
    near = 1e-6 if name.endswith(("mean_ps", "stddev_ps")) else 1 if name.endswith("_ms") else 0
    if name.endswith("stddev_piat_ms"):
        near = math.sqrt(2)  # gaps that are off by up to 1 ms, two of them at least
    return math.isclose(float(a), float(b), rel_tol=1e-9, abs_tol=near + 1e-9 if near else 0)


def differing(a, b):
    return [name for name in a if name in b and name != "id" and not same(name, a[name], b[name])]


def compare(capture, path):
    by_key = collections.defaultdict(lambda: ([], []))
    for side, rows in enumerate((ours(path), theirs(capture))):
        for row in rows:
            by_key[key(row)][side].append(row)
    equal, lines = 0, []
    for k, (a, b) in sorted(by_key.items(), key=lambda item: str(item[0])):
        a.sort(key=lambda row: int(row["bidirectional_first_seen_ms"]))
        b.sort(key=lambda row: int(row["bidirectional_first_seen_ms"]))
        what = "%s:%d %s:%d protocol %d vlan %d" % (*k[0], *k[1], k[2], k[3])
        if len(a) != len(b):
            lines.append((what, "%d sessions here, %d there" % (len(a), len(b))))
            continue
        for x, y in zip(a, b):
            names = differing(x, y)
            if not names:
                equal += 1
                continue
            lines.append((what, ", ".join("%s %s/%s" % (n, x[n], y[n]) for n in names[:4])))
    return equal, lines


def exceptions():
    """The reasons of nfstream-exceptions.txt: by capture, then by session."""
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "nfstream-exceptions.txt")
    reasons = collections.defaultdict(dict)
    with open(path) as f:
        for number, line in enumerate(f, 1):
            line = line.rstrip("\n")
            if line.startswith("#") or not line:
                continue
            if not line.startswith("\t"):
                capture, reason = line.split("\t")
                continue
            session = line[1:]
            if session in reasons[capture]:
                sys.exit("%s:%d: the session is there twice" % (path, number))
            reasons[capture][session] = reason
    return reasons


def judge(name, equal, lines, reasons):
    """Prints what differs in a capture; returns how much of it is an error."""
    bad = 0
    if lines or reasons:
        print("%s: %d sessions equal, %d differ" % (name, equal, len({what for what, _ in lines})))
    for what, difference in lines:
        bad += what not in reasons
        print("  %s: %s: %s" % (what, reasons.get(what, "NO REASON"), difference[:200]))
    for what in reasons.keys() - {what for what, _ in lines}:
        bad += 1
        print("  %s: it does not differ, but there is an exception" % what)
    return bad


def main(args):
    reasons, total, bad = exceptions(), 0, 0
    for capture, path in zip(args[::2], args[1::2]):
        name = os.path.basename(capture)
        try:
            equal, lines = compare(capture, path)
        except ValueError as error:
            print("%s: not read there: %s" % (name, error))
            continue
        total += equal
        bad += judge(name, equal, lines, reasons.get(name, {}))
    print("%d sessions are equal; without a reason, or with one too many: %d" % (total, bad))
    return bad > 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
