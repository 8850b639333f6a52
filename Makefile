# make help lists the targets.

GO         ?= go
BIN        := bin/batch
PACKAGES   := ./... ./testdata/gen
BUILDFLAGS := -trimpath
FUZZTIME   ?= 20000x
TIME       ?= 10m
PYTHON     ?= python3
PLATFORMS  := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
NFPM       := github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.4
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.7.0

.DEFAULT_GOAL := build
.PHONY: help build man release release-twice image reproducible sbom notice test full race safe platforms emulated lint tidy fuzz fuzz-long metamorphic browser readers wheels python spark slurm kubernetes s3 bench-s3 golden testdata profile check clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build bin/batch
	CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o $(BIN) ./cmd/batch

reproducible: ## build in two directories and compare the binaries
	@sh scripts/reproducible.sh $(GO) $(BUILDFLAGS)

release: ## archives, packages and checksums of every platform, bin/release
	@rm -rf bin/release
	@sh scripts/release.sh $(GO) bin/release $(NFPM) $(PLATFORMS)

release-twice: ## make the release twice, compare, and try what was made
	@bash scripts/release-twice.sh $(GO) $(NFPM) $(PLATFORMS)

image: ## build the Dockerfile with buildah, where it is installed, and run what is in the image
	@sh scripts/image.sh $(GO)

man: build ## manual pages of the program as pcapbatch, bin/man
	@rm -rf bin/man
	@ln -sf batch bin/pcapbatch
	bin/pcapbatch man bin/man

sbom: build ## bill of materials of bin/batch, bin/batch.cdx.json
	@sh scripts/sbom.sh $(GO) $(BIN) >$(BIN).cdx.json

notice: ## rewrite NOTICE, the licences of the modules in bin/batch
	@sh scripts/notice.sh $(GO) >NOTICE

test: ## all tests
	$(GO) test $(PACKAGES)

full: ## all tests at their full sizes: see CONTRIBUTING.md
	PCAPBATCH_FULL=1 $(GO) test -timeout 30m $(PACKAGES)

race: ## all tests under the race detector, on 1 and 4 CPUs
	$(GO) test -race -cpu=1,4 -short -timeout 45m $(PACKAGES)

safe: ## tests of the build without package unsafe
	$(GO) test -tags safe -short ./internal/... ./cmd/...

platforms: ## build, and go vet of the tests too, for every system and architecture
	@set -e; for p in $(PLATFORMS); do \
		export GOOS=$${p%/*} GOARCH=$${p#*/}; \
		echo "$$GOOS/$$GOARCH"; \
		$(GO) vet $(BUILDFLAGS) $(PACKAGES); \
		CGO_ENABLED=0 $(GO) build $(BUILDFLAGS) -o /dev/null ./cmd/batch; \
	done

emulated: ## tests on arm64 and big-endian s390x, where qemu-user is installed
	@sh scripts/emulated.sh $(GO)

lint: ## gofmt, go vet and staticcheck
	@test -z "$$(gofmt -l .)" || { echo "not formatted:"; gofmt -l .; exit 1; }
	$(GO) vet $(PACKAGES)
	$(GO) vet -tags safe $(PACKAGES)
	$(GO) run $(STATICCHECK) $(PACKAGES)

tidy: ## fail if go.mod or go.sum are not tidy
	$(GO) mod tidy -diff

fuzz: ## every fuzz target for a fixed number of executions (FUZZTIME)
	@sh scripts/fuzz.sh $(GO) $(FUZZTIME)

fuzz-long: ## every fuzz target for ten minutes
	@sh scripts/fuzz.sh $(GO) 600s

metamorphic: ## random captures read in random ways give the same rows, for ten minutes (TIME)
	PCAPBATCH_TIME=$(TIME) $(GO) test ./internal/job -run TestMetamorphic -count=1 -timeout 0

browser: ## look at reports in headless Chromium, where there is one; DIR=... for pictures
	@sh scripts/report.sh $(GO) $(DIR)

wheels: ## wheels of python/ for every platform, or those of WHEELS=..., dist/
	@sh scripts/wheels.sh $(GO) dist $(PYTHON) $(WHEELS)

python: build ## the Python package in a new environment: its tests, and the recipes of docs/
	@sh scripts/python.sh $(GO) $(BIN)

slurm: build ## deploy/slurm-array.sh on a Slurm of two nodes on this machine, where it is installed
	@$(GO) build -o bin/bench ./bench
	@timeout 300 bash scripts/slurm.sh $(BIN) bin/bench

kubernetes: build ## deploy/kubernetes-indexed-job.yaml against the schemas of two versions, and its commands
	@sh scripts/kubernetes.sh $(BIN) deploy/kubernetes-indexed-job.yaml 1.31.0 1.37.0

readers: build ## read CSV and Parquet back with pandas, Polars, DuckDB, pyarrow and Spark
	@sh scripts/readers.sh $(BIN)

s3: build ## from captures to a table in the object store that moto imitates
	@sh scripts/s3.sh $(GO) $(BIN)

bench-s3: build ## throughput of CAPTURE=... as an object of a server on this machine, against disk
	$(GO) run ./scripts/objectbench $(BIN) $(CAPTURE)

spark: ## the Python package on clusters of this machine: Spark and Ray
	@sh scripts/spark.sh $(GO)

golden: ## rewrite the golden CSVs; read the difference before committing it
	$(GO) test ./cmd/batch -run Golden -update

testdata: ## make testdata anew
	$(GO) run ./testdata/gen

profile: build ## CPU profile of the mix capture, as text
	$(BIN) extract -q -o /dev/null --cpuprofile bin/cpu.prof bench/data/mix.pcap
	$(GO) tool pprof -top -nodecount=40 $(BIN) bin/cpu.prof

check: lint tidy test safe platforms fuzz ## what CI runs, without the race detector and other architectures

clean: ## remove what the others made
	rm -rf bin

-include bench/bench.mk
