# Benchmarks. Included by the Makefile, which defines GO and the target build (bin/batch).
# bench/README.md says what every row means. Measure while nothing else runs on the machine.

BENCH_DATA       ?= bench/data
BENCH_RESULTS    ?= $(BENCH_DATA)/results
BENCH_ROUNDS     ?= 5
BENCH_ROWS       ?=
BENCH_GATE_SCALE ?= 0.02
BENCH_GATE_FLAGS ?=
BENCH_ENGINE     ?=
BENCH_PEERS      ?=
BENCH_CORES      ?=
BENCH_BASE       ?= HEAD
BENCH_MICRO      ?= .
BENCHSTAT        ?= $(GO) run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da

BENCH_GATE_DATA  = $(BENCH_DATA)/gate-$(BENCH_GATE_SCALE)
BENCH_SESSIONS   = 1e4 1e5 1e6 1e7
BENCH_KINDS      = mix scan elephant victim
BENCH_FLAGS      = -batch bin/batch -rounds $(BENCH_ROUNDS)
BENCH_WORKTREE   = $(BENCH_DATA)/base

.PHONY: bench bench-options bench-inflate bench-cores bench-engine bench-data bench-gate-data bench-gate bench-baseline bench-peers bench-compare bench-clean bin/bench

# What is printed goes to a file at the end: one that was committed before
# would change, and the commit measured would be called dirty.
bench: build bench-data ## measure every row against its reference (about 20 GB of captures)
	mkdir -p $(BENCH_RESULTS)
	bin/bench run $(BENCH_FLAGS) -data $(BENCH_DATA) -rows '$(BENCH_ROWS)' -json $(BENCH_RESULTS)/bench.json > $(BENCH_DATA)/printed.txt
	mv $(BENCH_DATA)/printed.txt $(BENCH_RESULTS)/bench.txt
	cat $(BENCH_RESULTS)/bench.txt

bench-options: BENCH_ROWS = mix,scan,mix-all,scan-all,mix-quantiles,mix-parquet,scan-parquet,mix-csvgz,scan-csvgz,mix-csvzst,scan-csvzst,mix-report,scan-report,tiny-labels,mix-labels,scan-labels,mix-rules,gz-8files-2cpu,gz-8files-rules
bench-options: bench ## measure only what options cost, beside the rows without them

bench-inflate: bin/bench $(BENCH_DATA)/quarter/mix.pcap.gz $(BENCH_DATA)/text.gz $(BENCH_DATA)/random.gz ## measure gzip decoders alone, with those that are installed
	mkdir -p $(BENCH_RESULTS)
	bin/bench inflate -data $(BENCH_DATA) -rounds $(BENCH_ROUNDS) -json $(BENCH_RESULTS)/inflate.json > $(BENCH_DATA)/printed.txt
	mv $(BENCH_DATA)/printed.txt $(BENCH_RESULTS)/inflate.txt
	cat $(BENCH_RESULTS)/inflate.txt

bench-cores: build bench-data ## measure on 1, 2, 4 and more CPUs (BENCH_CORES='-old OTHER' for another build in turn)
	mkdir -p $(BENCH_RESULTS)
	bin/bench cores $(BENCH_FLAGS) -data $(BENCH_DATA) $(BENCH_CORES) -json $(BENCH_RESULTS)/cores.json > $(BENCH_DATA)/printed.txt
	mv $(BENCH_DATA)/printed.txt $(BENCH_RESULTS)/cores.txt
	cat $(BENCH_RESULTS)/cores.txt

bench-engine: bin/bench ## measure the engine in one process: spilling, state, merging (BENCH_ENGINE has flags)
	bin/bench engine $(BENCH_ENGINE)

bench-gate: build bench-gate-data ## fail if a ratio is more than 15 % worse than bench/baseline.json
	bin/bench gate -batch bin/batch -data $(BENCH_GATE_DATA) -baseline bench/baseline.json $(BENCH_GATE_FLAGS)

bench-baseline: build bench-gate-data ## take the ratios for bench-gate
	bin/bench gate -batch bin/batch -data $(BENCH_GATE_DATA) -baseline bench/baseline.json -rounds 31 -write

bench-peers: build bin/bench $(BENCH_DATA)/quarter/micros/mix.pcap ## measure the other programs that are installed
	mkdir -p $(BENCH_RESULTS)
	bin/bench peers -batch bin/batch -data $(BENCH_DATA) -peers '$(BENCH_PEERS)' -json $(BENCH_RESULTS)/peers.json > $(BENCH_DATA)/printed.txt
	mv $(BENCH_DATA)/printed.txt $(BENCH_RESULTS)/peers.txt
	cat $(BENCH_RESULTS)/peers.txt

# Both trees take turns, for the same reason as above: what slows the machine
# down for a minute hits them alike.
bench-compare: ## benchstat of the Go benchmarks: the working tree against BENCH_BASE (a commit)
	mkdir -p $(BENCH_DATA)
	git worktree remove --force $(BENCH_WORKTREE) 2>/dev/null || true
	git worktree add --detach $(BENCH_WORKTREE) $(BENCH_BASE)
	rm -f $(BENCH_DATA)/base.txt $(BENCH_DATA)/new.txt
	for i in 1 2 3 4 5 6 7 8 9 10; do \
		(cd $(BENCH_WORKTREE) && $(GO) test -p 1 -run '^$$' -bench '$(BENCH_MICRO)' -benchmem ./internal/...) >> $(BENCH_DATA)/base.txt || exit 1; \
		$(GO) test -p 1 -run '^$$' -bench '$(BENCH_MICRO)' -benchmem ./internal/... >> $(BENCH_DATA)/new.txt || exit 1; \
	done
	git worktree remove --force $(BENCH_WORKTREE)
	$(BENCHSTAT) $(BENCH_DATA)/base.txt $(BENCH_DATA)/new.txt

bench-clean: ## remove the captures and what was measured
	rm -rf $(BENCH_DATA)

bench-data: $(BENCH_KINDS:%=$(BENCH_DATA)/%.pcap) $(BENCH_SESSIONS:%=$(BENCH_DATA)/sessions-%/scan.pcap) $(BENCH_DATA)/tiny/mix.pcap $(BENCH_DATA)/mix16/mix-15.pcap \
	$(BENCH_DATA)/labels.csv $(BENCH_DATA)/mix.pcap.zst $(BENCH_DATA)/quarter/mix.pcap.gz $(BENCH_DATA)/quarter/mix8/mix-07.pcap.gz

bench-gate-data: $(BENCH_KINDS:%=$(BENCH_GATE_DATA)/%.pcap)

# The captures do not depend on the generator's date: they take minutes, and
# TestSamePacketsEverywhere says when they change. Then: make bench-clean.
bin/bench:
	$(GO) build -o bin/bench ./bench

$(BENCH_GATE_DATA)/%.pcap: | bin/bench
	bin/bench gen -kind $* -scale $(BENCH_GATE_SCALE) -o $(@D)

$(BENCH_DATA)/tiny/mix.pcap: | bin/bench
	bin/bench gen -kind mix -scale 0.0001 -o $(@D)

$(BENCH_DATA)/quarter/mix.pcap: | bin/bench
	bin/bench gen -kind mix -scale 0.25 -o $(@D)

# What a quarter of mix is in nanoseconds, in microseconds: nfpcapd 1.7 refuses
# nanoseconds.
$(BENCH_DATA)/quarter/micros/mix.pcap: | bin/bench
	bin/bench gen -kind mix -scale 0.25 -micros -o $(@D)

$(BENCH_DATA)/labels.csv: | bin/bench
	bin/bench labels -o $@

# A scan of scale 0.0385 has 10^5 sessions.
$(BENCH_DATA)/sessions-%/scan.pcap: | bin/bench
	bin/bench gen -kind scan -scale $$(awk 'BEGIN {print $* * 3.85e-7}') -o $(@D)

$(BENCH_DATA)/mix16/mix-15.pcap: | bin/bench
	bin/bench gen -kind mix -split 16 -o $(@D)

$(BENCH_DATA)/quarter/mix8/mix-07.pcap.gz: | bin/bench
	bin/bench gen -kind mix -scale 0.25 -split 8 -o $(@D)
	gzip -6 -f $(@D)/mix-*.pcap

# Go source is text; it differs a little with the version of Go.
$(BENCH_DATA)/text.gz:
	mkdir -p $(@D)
	find "$$($(GO) env GOROOT)/src" -name '*.go' | LC_ALL=C sort | xargs cat | head -c 128000000 | gzip -6 > $@.part
	mv $@.part $@

$(BENCH_DATA)/random.gz:
	mkdir -p $(@D)
	head -c 256000000 /dev/urandom | gzip -6 > $@.part
	mv $@.part $@

$(BENCH_DATA)/%.pcap: | bin/bench
	bin/bench gen -kind $* -o $(@D)

$(BENCH_DATA)/%.pcap.gz: $(BENCH_DATA)/%.pcap
	gzip -6 -c $< > $@.part
	mv $@.part $@

$(BENCH_DATA)/%.pcap.zst: $(BENCH_DATA)/%.pcap
	@if command -v zstd > /dev/null; then \
		echo zstd -3 $<; zstd -3 -q -c $< > $@.part && mv $@.part $@; \
	else echo "zstd is not installed: no row mix-zst"; fi
