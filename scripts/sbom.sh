#!/bin/sh
# sbom.sh GO BINARY [VERSION]: print a bill of materials of the binary (CycloneDX
# 1.5), from what the binary says of itself. VERSION is that of the program,
# where the binary does not say it.
set -eu
$1 version -m "$2" | awk -F '\t' -v given="${3:-}" '
	function purl(p, v) { return "pkg:golang/" p "@" v }
	NR == 1 { n = split($0, w, " "); std = w[n]; sub(/^go/, "", std) }
	$2 == "mod" { name = $3; version = given ? given : $4 }
	$2 == "dep" { p[++k] = $3; v[k] = $4 }
	END {
		print "{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.5\",\n  \"version\": 1,"
		printf "  \"metadata\": {\"component\": {\"type\": \"application\", \"name\": \"%s\", \"version\": \"%s\"}},\n", name, version
		print "  \"components\": ["
		printf "    {\"type\": \"library\", \"name\": \"std\", \"version\": \"%s\", \"purl\": \"%s\"}", std, purl("std", std)
		for (i = 1; i <= k; i++)
			printf ",\n    {\"type\": \"library\", \"name\": \"%s\", \"version\": \"%s\", \"purl\": \"%s\"}", p[i], v[i], purl(p[i], v[i])
		print "\n  ]\n}"
	}'
