# Everything starts here; `make help` says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help bootstrap build demo network test soak fuzz no-std lint weights bench clean

export KEYWARD_MAKEFILE := $(abspath $(lastword $(MAKEFILE_LIST)))
IN := source scripts/env &&
SCENARIO ?= tests/scenarios/paper.toml
PALLETS ?= fleet governance validator-set
SEEDS ?= 50
FIRST ?= 1
CONSORTIUM ?= consortium/examples/local.toml

help:
	@echo 'make demo                      the paper'"'"'s experiment on a real chain, broker, bridge and devices'
	@echo 'make demo KEEP=1               the same, and leave it running to play with until Ctrl-C'
	@echo 'make demo SCENARIO=file.toml   another scenario of the same form'
	@echo 'make network                   four validators and two gateways until Ctrl-C, with the address for polkadot.js'
	@echo 'make network CONSORTIUM=file.toml   another consortium, all on this machine'
	@echo 'make test                      all tests'
	@echo 'make fuzz                      hostile bytes for 20 seconds each: the fuzz targets, with their names'
	@echo 'make fuzz TARGET=session SECONDS=600   one of them, longer'
	@echo 'make soak                      50 seeds of faults, each judged (about two hours)'
	@echo 'make soak SEEDS=1 FIRST=17     one of them'
	@echo 'make soak BUG=silence          a program with a bug, which must be convicted (tests/faults/README.md); BUG=all: each of them'
	@echo 'make build                     all programs, in release mode'
	@echo 'make lint                      formatting and clippy'
	@echo 'make weights                   measure what the chain'"'"'s calls cost, and write it into the pallets'
	@echo 'make bench                     measure: beside implementations of MLS, and removals on a whole network (docs/benchmarks.md)'
	@echo 'make bench QUICK=1             the same with few of everything, to see that it works'
	@echo 'make clean                     delete this workspace'"'"'s own build products, and keep the dependencies'"'"''

bootstrap:
	@scripts/bootstrap

# The test programs are built with the programs, so that dependencies are compiled with one set of features. All clones share the
# build directory: what was compiled in another one and names that one's directory is compiled again.
build: bootstrap
	@$(IN) clone="$$CARGO_TARGET_DIR/clone"; if [ "$$(cat "$$clone" 2>/dev/null)" != "$$PWD" ]; then \
	  grep -rlZ --include='*.rs' 'env!("CARGO_MANIFEST_DIR")' . | xargs -0 touch; \
	  mkdir -p "$$CARGO_TARGET_DIR"; echo "$$PWD" > "$$clone"; fi
	@$(IN) if [ ! -x "$$CARGO_TARGET_DIR/release/keyward-node" ]; then \
	  echo 'Building everything for the first time: about 35 minutes on 2 cores, most of it the Substrate node.'; fi
	@$(IN) cargo build --locked --release --workspace --all-targets

demo: build
	@$(IN) exec "$$CARGO_TARGET_DIR/release/keyward-demo" --scenario '$(SCENARIO)' $(if $(KEEP),--keep)

network: build
	@$(IN) exec "$$CARGO_TARGET_DIR/release/keyward-network" --consortium '$(CONSORTIUM)'

test: build no-std
	@$(IN) cargo nextest run --locked --release --workspace

# libFuzzer on the stable compiler, without a sanitizer. Everything is built with its counters, in a directory of its own.
FUZZ_TARGETS := $(patsubst fuzz/fuzz_targets/%.rs,%,$(sort $(wildcard fuzz/fuzz_targets/*.rs)))
fuzz: bootstrap
	@$(IN) export PATH="$$CARGO_TARGET_DIR/tools/bin:$$PATH" CXX="$${CXX:-$$(command -v c++ || command -v clang++)}"; \
	  command -v cargo-fuzz >/dev/null || { echo 'Building cargo-fuzz, which drives the targets (a minute, once).'; \
	    CARGO_TARGET_DIR="$$CARGO_TARGET_DIR/tools" cargo install -q --locked --root "$$CARGO_TARGET_DIR/tools" cargo-fuzz@0.13.2; }; \
	  $(if $(TARGET),,echo 'Targets: $(FUZZ_TARGETS)';) \
	  for target in $(or $(TARGET),$(FUZZ_TARGETS)); do \
	    found="$$CARGO_TARGET_DIR/fuzz/corpus/$$target"; mkdir -p "$$found"; \
	    fuzz() { cargo fuzz run --fuzz-dir fuzz --sanitizer none --features libfuzzer --target-dir "$$CARGO_TARGET_DIR/fuzz" "$$target" "$$@"; }; \
	    if [ -n '$(INPUT)' ]; then fuzz '$(INPUT)'; \
	    elif [ -n '$(MERGE)' ]; then fuzz "fuzz/corpus/$$target" "$$found" -- -merge=1 -max_len=4096; \
	    else fuzz "$$found" "fuzz/corpus/$$target" -- -max_total_time=$(or $(SECONDS),$(if $(TARGET),60,20)) -timeout=20 -len_control=0 -print_final_stats=1; fi; \
	  done

soak: build
	@$(IN) exec "$$CARGO_TARGET_DIR/release/keyward-soak" \
	  $(if $(BUG),bug $(filter-out all,$(BUG)),run --seeds '$(SEEDS)' --first '$(FIRST)')

# What runs on a device or in the chain needs no std.
no-std: bootstrap
	@$(IN) for crate in protocol crypto client; do \
	  cargo check --quiet --locked --release --package keyward-$$crate --lib --no-default-features --target wasm32v1-none; done

lint: bootstrap
	@$(IN) cargo fmt --all --check
	@$(IN) SKIP_WASM_BUILD=1 cargo clippy --locked --release --workspace --all-targets -- -D warnings

# On a machine that does nothing else. A workspace of its own: nothing that a gateway runs is built with it.
weights: bootstrap
	@$(IN) for pallet in $(PALLETS); do \
	  cargo run --locked --release --manifest-path runtime/benchmarks/Cargo.toml -- $$pallet; done

# On a machine that does nothing else, too. Libraries of MLS are in a workspace of their own.
bench: build
	@command -v cc >/dev/null || { echo 'AWS-LC needs a C compiler: apt-get install gcc libc6-dev'; exit 1; }
	@$(IN) results="$$CARGO_TARGET_DIR/bench"; mkdir -p "$$results"; \
	  cargo run --quiet --locked --release --manifest-path benchmarks/Cargo.toml -- $(if $(QUICK),--quick) \
	    --markdown "$$results/libraries.md" --json "$$results/libraries.json"; \
	  "$$CARGO_TARGET_DIR/release/keyward-bench-network" $(if $(QUICK),--quick) $(if $(MEMBERS),--members '$(MEMBERS)') \
	    --markdown "$$results/network.md" --json "$$results/network.json"; \
	  echo "The results are in $$results."

clean:
	@$(IN) for crate in $$(cargo metadata --no-deps --offline --format-version 1 | python3 -c \
	  'import json,sys; print(*(p["name"] for p in json.load(sys.stdin)["packages"]))'); do \
	  cargo clean --release --package $$crate; done
