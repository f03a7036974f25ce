# Everything starts here; `make help` says what there is.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help bootstrap build demo network test no-std lint clean

export KEYWARD_MAKEFILE := $(abspath $(lastword $(MAKEFILE_LIST)))
IN := source scripts/env &&
SCENARIO ?= tests/scenarios/paper.toml
CONSORTIUM ?= consortium/examples/local.toml

help:
	@echo 'make demo                      the paper'"'"'s experiment on a real chain, broker, bridge and devices'
	@echo 'make demo KEEP=1               the same, and leave it running to play with until Ctrl-C'
	@echo 'make demo SCENARIO=file.toml   another scenario of the same form'
	@echo 'make network                   four validators and two gateways until Ctrl-C, with the address for polkadot.js'
	@echo 'make network CONSORTIUM=file.toml   another consortium, all on this machine'
	@echo 'make test                      all tests'
	@echo 'make build                     all programs, in release mode'
	@echo 'make lint                      formatting and clippy'
	@echo 'make clean                     delete this workspace'"'"'s own build products, and keep the dependencies'"'"''

bootstrap:
	@scripts/bootstrap

# The test programs are built with the programs, so that dependencies are compiled with one set of features.
build: bootstrap
	@$(IN) if [ ! -x "$$CARGO_TARGET_DIR/release/keyward-node" ]; then \
	  echo 'Building everything for the first time: about 35 minutes on 2 cores, most of it the Substrate node.'; fi
	@$(IN) cargo build --locked --release --workspace --all-targets

demo: build
	@$(IN) exec "$$CARGO_TARGET_DIR/release/keyward-demo" --scenario '$(SCENARIO)' $(if $(KEEP),--keep)

network: build
	@$(IN) exec "$$CARGO_TARGET_DIR/release/keyward-network" --consortium '$(CONSORTIUM)'

test: build no-std
	@$(IN) cargo nextest run --locked --release --workspace

# What runs on a device or in the chain needs no std.
no-std: bootstrap
	@$(IN) for crate in protocol crypto client; do \
	  cargo check --quiet --locked --release --package keyward-$$crate --lib --no-default-features --target wasm32v1-none; done

lint: bootstrap
	@$(IN) cargo fmt --all --check
	@$(IN) SKIP_WASM_BUILD=1 cargo clippy --locked --release --workspace --all-targets -- -D warnings

clean:
	@$(IN) for crate in $$(cargo metadata --no-deps --offline --format-version 1 | python3 -c \
	  'import json,sys; print(*(p["name"] for p in json.load(sys.stdin)["packages"]))'); do \
	  cargo clean --release --package $$crate; done
