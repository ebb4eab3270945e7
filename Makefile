# One entry for every chore. `make help` lists them; CI calls the same targets.

SHELL       := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:

TOOLS   := $(CURDIR)/.tools/bin
BIN     := $(CURDIR)/bin
export PATH := $(TOOLS):$(PATH)

# Fail points are compiled in for tests only; one feature set means one set of artefacts.
CARGO_TEST := --locked --features failpoints
GO_MODULES := go-compat go-compat/services go-compat/cmd go-compat/bench go-compat/tools go-compat/wiretest examples/go
GO_FILES    = $(shell git ls-files '*.go' ':!go-compat/gen')
RELEASE    := $(shell sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -1)
# Library and runner have to be of one version.
GUNGRAUN   := $(shell sed -n 's/^gungraun = "=\(.*\)"/\1/p' Cargo.toml)
GO_BUILD   := go build -trimpath -ldflags "-X treasurehunt.example/go-compat/services/program.release=$(RELEASE)"

BUF                := github.com/bufbuild/buf/cmd/buf@v1.75.0
PROTOC_GEN_GO      := google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12
PROTOC_GEN_GO_GRPC := google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2
PROTOC_GEN_GOGOFASTER := github.com/gogo/protobuf/protoc-gen-gogofaster@v1.3.2
STATICCHECK        := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GRPCURL            := github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4

# Says what runs, and how long it took: $(call step,name,command). The subshell is what makes a failure in
# the middle of an `a && b` stop the target.
step = @printf '\033[1m▶ %s\033[0m\n' '$(1)'; start=$$SECONDS; ( $(2) ); printf '  ✓ %s (%ds)\n' '$(1)' $$((SECONDS - start))

# Ends a line of a recipe within a foreach.
define newline


endef

.PHONY: help
help: ## List every chore.
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z0-9-]+:.*## / {printf "  \033[1m%-18s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ The two that matter

.PHONY: demo
demo: build ## Play hunts through both engines and audit them. KEEP=1 leaves it running; SEED=n replays.
	@$(BIN)/demo --log-level warn --bin-dir $(BIN) $(if $(KEEP),--keep) $(if $(SEED),--seed $(SEED))

.PHONY: test
test: forget-skipped postgres redis check-gen lint check-deploy test-rust test-instructions test-go test-wire test-differential test-examples test-e2e ## Every test that CI runs; installs what is missing.
	@scripts/report-skipped
	@printf '\n\033[1mall of make test passed\033[0m\n'

##@ Tests, one by one

.PHONY: test-rust
test-rust: ## Unit, property and wire tests of the crate.
	$(call step,cargo test,cargo test $(CARGO_TEST) --quiet)

.PHONY: test-instructions
test-instructions: valgrind gungraun-runner ## Instructions of commands, a batch, a snapshot: at most 2 % over benches/instructions.json.
	$(call step,instruction counts,scripts/check-instructions)

# -count=1: go test remembers a pass although docs/ or tests/vectors, outside the module, have changed since.
.PHONY: test-go
test-go: ## Unit and property tests of the Go modules, with the race detector.
	$(foreach m,$(filter-out go-compat/wiretest,$(GO_MODULES)),$(call step,go test $(m),cd $(m) && go test -race -count=1 ./...)$(newline))

.PHONY: test-wire
test-wire: ## The codecs of both languages and of old services, byte by byte; snapshots through both engines.
	$(call step,build the Rust side,cargo build $(CARGO_TEST) --quiet --example wire_peer)
	$(call step,wire,cd go-compat/wiretest && WIRE_PEER=$(CURDIR)/target/debug/examples/wire_peer go test -count=1 ./...)

.PHONY: test-differential
test-differential: build-test ## Both engines on the same generated hunts; 20 planted differences are found.
	$(call step,hunts of the Rust properties in both engines,LEGACY_ENGINE=$(BIN)/test/legacy-engine cargo test $(CARGO_TEST) --quiet --test rules -- --ignored --nocapture differential)
	$(call step,generated hunts in both engines,cd go-compat/services && BIN_DIR=$(BIN)/test go test -count=1 -v -tags e2e -timeout 15m ./differential)

.PHONY: test-e2e
test-e2e: build-test ## The real binaries together: both engines compared, the flag under play, faults.
	$(call step,end to end,cd go-compat/services && BIN_DIR=$(BIN)/test go test -count=1 -tags e2e -timeout 8m ./e2e/...)

.PHONY: test-long
test-long: build-test ## Comparisons, crashes, power cuts and damage at length (about an hour and a half).
	$(call step,kill -9 under load at length,RESTART_CYCLES=600 cargo test $(CARGO_TEST) --quiet --test restart)
	$(call step,power cuts at length,POWER_CUTS=200 cargo test $(CARGO_TEST) --quiet --test power_cut -- --nocapture)
	$(call step,every cut and bit of write-ahead files,JOURNAL_BITS=1 cargo test $(CARGO_TEST) --quiet --test store)
	$(call step,every cut and bit of all files of a journal,JOURNAL_BITS=1 cargo test $(CARGO_TEST) --quiet --lib journal::store::damage -- --nocapture)
	$(call step,hunts of the Rust properties in both engines at length,COMMANDS=10000000 LEGACY_ENGINE=$(BIN)/test/legacy-engine cargo test --release $(CARGO_TEST) --quiet --test rules -- --ignored --nocapture differential)
	$(call step,generated hunts in both engines at length,cd go-compat/services && BIN_DIR=$(BIN)/test go test -count=1 -v -tags e2e -timeout 60m -run TestBothEngines ./differential -long)
	$(call step,what a server may send to a lane,cd go-compat && go test -run - -fuzz FuzzServer -fuzztime 3m -fuzzminimizetime 1s ./sidecar/internal/onecall)
	$(call step,end to end at length,cd go-compat/services && BIN_DIR=$(BIN)/test go test -count=1 -tags e2e -timeout 60m ./e2e/... -long)

# The first run installs kubernetes-validate and hadolint; no run wants a cluster or a Docker engine.
.PHONY: check-deploy
check-deploy: $(TOOLS)/staticcheck ## What deploy/ ships, held against Kubernetes, hadolint, systemd and the code.
	$(call step,tools of deploy,scripts/install-deploy-tools)
	$(call step,deploy,scripts/check-deploy)

# Tests that a machine lacks something for add a line to this file, in any language; make test counts them at its end.
# A target by itself has no such file: what it skips, it shows.
test: export SKIPPED_FILE := $(CURDIR)/.tools/skipped

.PHONY: forget-skipped
forget-skipped:
	@mkdir -p .tools && rm -f .tools/skipped

.PHONY: postgres
postgres: ## Install Debian's PostgreSQL, which tests start for themselves.
	@scripts/install-postgres

.PHONY: test-examples
test-examples: build-test $(TOOLS)/buf $(TOOLS)/grpcurl ## The callers of examples/ in four languages, docs/adopting.md and the README's Go.
	$(call step,examples,cd go-compat/services && BIN_DIR=$(BIN)/test go test -count=1 -tags e2e -timeout 15m ./adopting)

##@ Benches

.PHONY: bench
bench: build bench-build ## Measure beside peers, each figure beside its goal (docs/benchmarks.md); ARGS="--rounds 9".
	@$(BIN)/bench $(ARGS)

.PHONY: bench-short
bench-short: build bench-build ## The same in under two minutes, for a look.
	@$(BIN)/bench --short $(ARGS)

.PHONY: bench-table
bench-table: bench-build ## Keep what the last bench found, and write docs/benchmarks.md's table from it.
	cp .bench/bench.json docs/benchmarks.json
	$(BIN)/bench table docs/benchmarks.json docs/benchmarks.md

.PHONY: bench-story
bench-story: build bench-build ## Measure what the story of the rewrite claims (docs/story.md), in at most 12 minutes.
	@$(BIN)/bench --suites story --json .bench/story.json $(ARGS)

.PHONY: story-table
story-table: bench-build ## Keep what the last bench-story found, and write docs/story.md's tables from it.
	cp .bench/story.json docs/story.json
	$(BIN)/bench table docs/story.json docs/story.md

.PHONY: bench-build
bench-build: redis
	$(call step,build the bench,cd go-compat/bench && $(GO_BUILD) -o $(BIN)/ ./cmd/...)
	$(call step,build its peer (release),cargo build --locked --release --quiet --example echo && mkdir -p $(BIN) && cp target/release/examples/echo $(BIN)/)

.PHONY: bench-baseline
bench-baseline: valgrind gungraun-runner ## Take today's instruction counts as the baseline that later ones are held against.
	$(call step,instruction counts,scripts/check-instructions --take)

.PHONY: redis
redis: ## Install Debian's redis-server, which the bench starts for itself.
	@scripts/install-redis

.PHONY: valgrind
valgrind: ## Install Debian's valgrind, which counts instructions.
	@scripts/install-valgrind

# cargo sees by itself whether this version is there. It waits for valgrind all the time, so it is not optimised.
.PHONY: gungraun-runner
gungraun-runner:
	@cargo install --quiet --locked --debug --version $(GUNGRAUN) --root .tools gungraun-runner

##@ Builds

.PHONY: build
build: ## Release binaries into bin/.
	$(call step,build the sidecar (release),cargo build --locked --release --quiet && mkdir -p $(BIN) && cp target/release/player-state $(BIN)/)
	$(call step,build the Go services,cd go-compat/cmd && $(GO_BUILD) -o $(BIN)/ ./...)

.PHONY: build-test
build-test: ## The binaries that the end-to-end tests run, fail points compiled in, into bin/test/.
	$(call step,build the sidecar (test),cargo build $(CARGO_TEST) --quiet && mkdir -p $(BIN)/test && cp target/debug/player-state $(BIN)/test/)
	$(call step,build the Go services,cd go-compat/cmd && $(GO_BUILD) -o $(BIN)/test/ ./...)

.PHONY: clean
clean: ## Remove what builds and demos leave behind.
	cargo clean --quiet
	rm -rf $(BIN) .demo .bench

##@ Schema

.PHONY: gen
gen: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc $(TOOLS)/protoc-gen-gogofaster ## Regenerate the checked-in Go code from proto/, and that of the wire tests.
	cd proto && buf generate
	cd go-compat/wiretest/legacypb && buf generate

.PHONY: check-gen
check-gen: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc $(TOOLS)/protoc-gen-gogofaster ## Lint the schema, compare it with its baseline, and compare the checked-in Go code.
	$(call step,schema,cd proto && buf lint && buf breaking --against baseline.binpb && cd .. && scripts/check-gen)

.PHONY: baseline
baseline: $(TOOLS)/buf ## Take today's schema as the baseline that later ones may not break.
	cd proto && buf build -o baseline.binpb

##@ Code

.PHONY: fmt
fmt: ## Format Rust and Go.
	cargo fmt
	gofmt -w $(GO_FILES)

.PHONY: lint
lint: $(TOOLS)/staticcheck $(TOOLS)/nolockcall ## Formatting, clippy, vet, staticcheck, no Go lock over a call.
	$(call step,cargo fmt,cargo fmt --check)
	$(call step,cargo clippy,cargo clippy $(CARGO_TEST) --all-targets --no-deps --quiet -- -D warnings)
	$(call step,cargo fmt and clippy of story,cd story && cargo fmt --check && cargo clippy --locked --all-targets --quiet -- -D warnings)
	$(call step,gofmt,unformatted=$$(gofmt -l $(GO_FILES)); if [ -n "$$unformatted" ]; then echo "run make fmt: $$unformatted"; exit 1; fi)
	$(foreach m,$(GO_MODULES),$(call step,vet and staticcheck $(m),cd $(m) && go vet -tags e2e ./... && staticcheck -tags e2e ./...)$(newline))
	$(foreach m,$(GO_MODULES),$(call step,no lock over a call in $(m),cd $(m) && go vet -tags e2e -vettool=$(TOOLS)/nolockcall ./...)$(newline))

##@ Tools

.PHONY: tools
tools: $(TOOLS)/buf $(TOOLS)/protoc-gen-go $(TOOLS)/protoc-gen-go-grpc $(TOOLS)/protoc-gen-gogofaster $(TOOLS)/staticcheck $(TOOLS)/nolockcall $(TOOLS)/grpcurl ## Install every tool into .tools/bin.

install-tool = @echo "installing $(1) into .tools/bin"; GOBIN=$(TOOLS) GOFLAGS=-mod=mod go install $(1)

$(TOOLS)/buf: ; $(call install-tool,$(BUF))
$(TOOLS)/protoc-gen-go: ; $(call install-tool,$(PROTOC_GEN_GO))
$(TOOLS)/protoc-gen-go-grpc: ; $(call install-tool,$(PROTOC_GEN_GO_GRPC))
$(TOOLS)/protoc-gen-gogofaster: ; $(call install-tool,$(PROTOC_GEN_GOGOFASTER))
$(TOOLS)/staticcheck: ; $(call install-tool,$(STATICCHECK))
$(TOOLS)/grpcurl: ; $(call install-tool,$(GRPCURL))

# Ours. go build is quick to see that there is nothing to do.
$(TOOLS)/nolockcall: $(wildcard go-compat/tools/go.* go-compat/tools/*/*.go go-compat/tools/cmd/*/*.go) ; cd go-compat/tools && $(GO_BUILD) -o $@ ./cmd/nolockcall
