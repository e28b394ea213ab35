# Everything here works on a fresh clone: each target first sees to it that what it needs is there.
# `make help` lists the targets.
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PAYLOAD ?=
MODE ?= realm
ARGS ?=
SECONDS ?= 20
# The same with QEMU=path; without it, the one on PATH.
ifdef QEMU
export QEMU
endif

CARGO ?= cargo
AIRLOCK := $(CARGO) run --quiet --package airlock-cli --bin airlock --
# Crates that have no meaning without the target's instructions.
TARGET := aarch64-unknown-none
MONITOR_TARGET := aarch64-unknown-none-softfloat

.PHONY: help
help: ## lists the targets
	@echo 'Airlock: targets of make (options: PAYLOAD= MODE=realm|vm QEMU=path ARGS="..." SECONDS=)'
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## installs what is missing: toolchain, targets, QEMU
	@scripts/setup

.PHONY: run
run: setup ## the main job: boots a realm under the test monitor (PAYLOAD=, MODE=vm, ARGS=)
	@$(AIRLOCK) run --mode $(MODE) $(if $(PAYLOAD),--payload $(PAYLOAD)) $(ARGS)

.PHONY: doctor
doctor: setup ## probes every feature of the machine, one row each
	@$(AIRLOCK) run --mode $(MODE) --payload doctor $(ARGS)

.PHONY: image
image: setup ## builds all payloads as raw images into target/airlock
	@$(AIRLOCK) image --monitor $(PAYLOAD)
