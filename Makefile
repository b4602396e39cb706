# All that is needed is Go; tests also use a few Debian packages (see .ci/deps).

SHELL       := /bin/bash
GO          ?= go
STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2

VERSION  = $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
BINARY   := bin/rollcall
PACKAGES = $(shell $(GO) list ./... 2>/dev/null | grep -v '/integration$$')

# Where "make run" listens, all on 127.0.0.1, and where it keeps its state.
DNS_PORT  ?= 8053
API_PORT  ?= 8080
HTTP_PORT ?= 8123
DATA_DIR  ?= rollcall-data

CONTAINERS ?= 200
FUZZTIME  ?= 60s
NEMESIS       ?= 10m
SIMULATIONS   ?= 10000
SIMULATE_FROM ?= 0
BENCHTIME ?= 300ms

# Of "make bench-dns": how often, and for how long each time.
ROUNDS ?= 9
LENGTH ?= 1s

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: build ## build, then run a small example on this machine (DNS_PORT=, API_PORT=, HTTP_PORT=, DATA_DIR=)
	$(BINARY) dev -example -dns-port=$(DNS_PORT) -api-port=$(API_PORT) -http-port=$(HTTP_PORT) -data-dir=$(DATA_DIR)

# Git is asked for the version only: -buildvcs would fail in a checkout that belongs to another user.
.PHONY: build
build: ## build bin/rollcall, one static binary
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=false -ldflags '-X main.version=$(VERSION)' -o $(BINARY) ./cmd/rollcall

.PHONY: test
test: deps ## vet, unit tests with the race detector, integration tests; installs what they use
	$(GO) vet ./...
	$(GO) test -race $(PACKAGES)
	$(GO) test -run 'OverBadLink|CutOff|SessionMoves' ./scheduler/store # which the race detector cannot watch
	$(GO) test -run 'ManyIdleConnections' ./resolver # whose memory it would change
	@$(MAKE) --no-print-directory integration

.PHONY: integration
integration: build ## black-box tests of the built binary, with real dig and curl
	ROLLCALL_BINARY=$(abspath $(BINARY)) $(GO) test -count=1 -timeout 25m ./integration/...

.PHONY: containers
containers: build ## the integration tests with containers, with CONTAINERS (200) of them at once instead of 40
	ROLLCALL_BINARY=$(abspath $(BINARY)) ROLLCALL_CONTAINERS=$(CONTAINERS) $(GO) test -count=1 -timeout 15m -v -run '^TestDocker' ./integration/

.PHONY: golden
golden: build ## replay what was recorded from Mesos-DNS, in ../shared, against the built binary
	ROLLCALL_BINARY=$(abspath $(BINARY)) $(GO) test -count=1 -timeout 10m -v -run '^TestMesosDNS' ./integration/

.PHONY: simulate
simulate: ## SIMULATIONS seeded random histories of the scheduler's core, from seed SIMULATE_FROM on
	$(GO) test -count=1 -timeout 2h -run '^TestSimulation$$' ./scheduler -simulations $(SIMULATIONS) -simulate-from $(SIMULATE_FROM)

.PHONY: nemesis
nemesis: build deps ## a random nemesis at three rollcalls, ZooKeepers and a Mesos for NEMESIS (10m); SEED= for an old one
	ROLLCALL_BINARY=$(abspath $(BINARY)) ROLLCALL_NEMESIS=$(NEMESIS) ROLLCALL_NEMESIS_SEED=$(SEED) $(GO) test -count=1 -timeout 2h -v -run '^TestNemesis$$' ./integration/

.PHONY: bench
bench: ## benchmarks of all packages, BENCHTIME each
	$(GO) test -run '^$$' -bench . -benchmem -benchtime $(BENCHTIME) $(PACKAGES)

.PHONY: bench-cluster
bench-cluster: build deps ## 5,000 simulated Mesos agents and 100,000 tasks (CLUSTER_AGENTS=, CLUSTER_TASKS=): times, memory, DNS on a follower
	ROLLCALL_BINARY=$(abspath $(BINARY)) $(GO) test -run '^$$' -bench '^BenchmarkCluster' -benchtime 1x -timeout 90m ./integration/

.PHONY: bench-dns
bench-dns: build ## what a DNS question costs, beside NSD, Knot and Unbound (installs them); ROUNDS=, LENGTH=
	@.ci/deps bench-dns
	$(GO) run ./integration/dnsbench -rollcall $(BINARY) -rounds $(ROUNDS) -length $(LENGTH)

.PHONY: fuzz
fuzz: ## each fuzz target for FUZZTIME
	@set -eu; for package in $(PACKAGES); do \
		for target in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$target"; \
			$(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

.PHONY: package
package: ## bin/package: .deb, .rpm, static binaries and container root file systems for amd64 and arm64, checksums
	GO=$(GO) cmd/rollcall/package/build bin/package

.PHONY: packagetest
packagetest: package ## build the packages again elsewhere, compare bit for bit; install them on an empty Debian, start what they have
	@.ci/deps packagetest
	ROLLCALL_PACKAGES=$(abspath bin/package) $(GO) test -count=1 -timeout 60m -v -run '^TestPackage' ./integration/

.PHONY: lint
lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "make fmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: fmt
fmt: ## format the code
	gofmt -w .

.PHONY: deps
deps: ## install the Debian packages that tests use (as root or with CI set), else name them
	@.ci/deps

.PHONY: clean
clean: ## end the tasks of "make run", remove its state and what was built
	@pkill -f '^rollcall supervise $(abspath $(DATA_DIR))/' || true
	@while pgrep -f '^rollcall supervise $(abspath $(DATA_DIR))/' >/dev/null; do sleep 0.1; done
	rm -rf bin $(DATA_DIR) coverage.*
