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
# test-linux and bench with the newest Linux that Debian has, or with that of one release: LINUX=7.2.
ifdef LINUX
export LINUX
endif
ifdef FORCE
export FORCE
endif

CARGO ?= cargo
AIRLOCK := $(CARGO) run --quiet --package airlock-cli --bin airlock --
XTASK := $(CARGO) run --quiet --package xtask --
# Tools are built aloud before they run quietly: a first build takes minutes.
TOOL := $(or $(CARGO_TARGET_DIR),target)/debug/airlock
# Crates that have no meaning without the target's instructions.
TARGET := aarch64-unknown-none
MONITOR_TARGET := aarch64-unknown-none-softfloat

.PHONY: help
help: ## lists the targets
	@echo 'Airlock: targets of make (options: PAYLOAD= MODE=realm|vm QEMU=path ARGS="..." SECONDS= EVENTS=)'
	@sed -n 's/^\([a-z-]*\):[^#]*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r name text; do printf '  %-14s %s\n' "$$name" "$$text"; done

.PHONY: setup
setup: ## installs what is missing: toolchain, targets, QEMU
	@scripts/setup

.PHONY: tool
tool: setup
	@[[ -x $(TOOL) ]] || echo 'make: builds the command `airlock` (once, some minutes)'
	@$(CARGO) build --package airlock-cli

.PHONY: run
run: tool ## the main job: boots a realm under the test monitor (PAYLOAD=, MODE=vm, ARGS=)
	@$(AIRLOCK) run --mode $(MODE) $(if $(PAYLOAD),--payload $(PAYLOAD)) $(ARGS)

.PHONY: doctor
doctor: tool ## probes every feature of the machine, one row each
	@$(AIRLOCK) run --mode $(MODE) --payload doctor $(ARGS)

.PHONY: image
image: tool ## builds all payloads as raw images into target/airlock
	@$(AIRLOCK) image --monitor $(PAYLOAD)

.PHONY: dist
dist: tool ## images, digests, reference values, bill of materials and a page to read, into dist/
	@$(AIRLOCK) dist

.PHONY: test
test: setup ## all tests: on the host, then whole images in QEMU (QEMU=path selects one)
	@scripts/setup test
	@echo 'make: tests on the host (a first build takes some minutes)'
	@$(CARGO) test
	@echo 'make: builds the images, then boots them in QEMU'
	@# With the packages of above and not alone, or cargo chooses other features and builds thirty crates again.
	@$(CARGO) test $$($(XTASK) packages host) --test images

.PHONY: newcomer
newcomer: tool ## docs/payload.md from an empty folder: airlock new, cargo test, airlock run, and the service (some minutes)
	@scripts/newcomer

# Crates that are ready for the registry but for their names: those that others can use, and those that they stand on.
# Each name without `airlock-` is somebody else's there, so cargo may say that theirs is yanked: it is not asked for.
REGISTRY := clock ipa untrusted airlock-audit rsi bounce pci its
.PHONY: package
package: setup ## packages the crates for the registry, and builds what is in the packages, and nothing else
	@scripts/package $(REGISTRY)
	@echo 'make: on the registry these names are taken, and need others before they are published: $(filter-out airlock-%,$(REGISTRY))'

.PHONY: check
check: setup ## format, clippy and docs for host and target, and what no compiler checks
	@echo 'make: format'
	@$(CARGO) fmt --all --check
	@echo 'make: clippy for the host'
	@$(CARGO) clippy $$($(XTASK) packages host) --all-targets -- -D warnings
	@for group in image:$(TARGET) monitor:$(MONITOR_TARGET); do \
	    packages=$$($(XTASK) packages $${group%%:*}); \
	    [[ -n $$packages ]] || continue; \
	    echo "make: clippy and documentation for $${group#*:}"; \
	    RUSTFLAGS= $(CARGO) clippy --profile image --target $${group#*:} $$packages -- -D warnings; \
	    RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps --target $${group#*:} $$packages; \
	done
	@echo 'make: documentation for the host'
	@RUSTDOCFLAGS='-D warnings' $(CARGO) doc --no-deps $$($(XTASK) packages host)
	@$(XTASK) check

NIGHTLY := nightly
MIRI_PACKAGES := bounce virtio
# Shared memory is leaked on purpose: it lives as long as the program. The rules of references are
# checked in `bounce`, where they are made; on whole paths they take Miri many times as long.
MIRI_FLAGS := -Zmiri-disable-isolation -Zmiri-disable-weak-memory-emulation -Zmiri-ignore-leaks

# Weak memory emulation is off because Miri itself crashes when bytes that were cleared one by one
# are then loaded as a word.
.PHONY: miri
miri: setup ## undefined behaviour: bounce and virtio under Miri, with a thread that scribbles (nightly)
	@rustup component list --toolchain $(NIGHTLY) --installed 2>/dev/null | grep -q '^miri' || { \
	    echo 'make: installs Miri with the nightly toolchain (once, some hundred MB)'; \
	    rustup toolchain install $(NIGHTLY) --profile minimal --component miri,rust-src; }
	@RUSTUP_TOOLCHAIN=$(NIGHTLY) MIRIFLAGS='$(MIRI_FLAGS)' PROPTEST_CASES=4 \
	    cargo miri test $(addprefix -p ,$(MIRI_PACKAGES)) --target-dir target/miri
	@RUSTUP_TOOLCHAIN=$(NIGHTLY) MIRIFLAGS='$(MIRI_FLAGS) -Zmiri-disable-stacked-borrows' \
	    cargo miri test -p datapath --target-dir target/miri

.PHONY: fuzz
fuzz: setup ## each fuzz target for SECONDS (20) seconds, or ARGS='TARGET...' (nightly, cargo-fuzz); keeps account in docs/fuzzing.md
	@rustup toolchain list | grep -q '^$(NIGHTLY)' || { \
	    echo 'make: installs the nightly toolchain (once, some hundred MB)'; \
	    rustup toolchain install $(NIGHTLY) --profile minimal; }
	@command -v cargo-fuzz >/dev/null || { \
	    echo 'make: installs cargo-fuzz (once, about a minute)'; cargo install --locked cargo-fuzz; }
	@NIGHTLY=$(NIGHTLY) scripts/fuzz $(SECONDS) $(ARGS)

.PHONY: mutants
mutants: setup ## plants known bugs one at a time, and sees that a test kills each (some minutes; goes on where it was; ARGS=--keep)
	@$(CARGO) run --quiet --package mutants -- --table target/mutants/table.md $(ARGS)
	@echo 'make: the table is in target/mutants/table.md'

.PHONY: places
places: setup ## which tests, fuzz targets and attacks reach each read of the host's bytes, by coverage (some minutes; ARGS='CRATE... images')
	@rustup component list --installed | grep -q '^llvm-tools' || { \
	    echo 'make: installs llvm-tools (once, some ten MB)'; rustup component add llvm-tools; }
	@$(XTASK) cover $(ARGS)
TIMES ?= 50
.PHONY: repeat
repeat: setup ## the tests of the host TIMES (50) times on one processor and on two, and which ever failed (hours; JOBS=3 at a time; ARGS='-p qemu-tests -- NAME')
	@JOBS=$(JOBS) scripts/repeat $(TIMES) $(ARGS)

EVENTS ?= 1000000
.PHONY: attack
attack: setup ## random attacks on a realm until EVENTS (1000000) lies were told in all; goes on where it ended
	@$(CARGO) build --package attack
	@$(CARGO) run --quiet --package attack -- --events $(EVENTS) $(ARGS)

.PHONY: attack-planted
attack-planted: setup ## plants bugs in a copy of the source, and sees that random attacks find each within 100000 lies
	@$(CARGO) build --package attack --package airlock-cli
	@$(CARGO) run --quiet --package attack -- --planted $(ARGS)

.PHONY: test-linux
test-linux: setup ## a Linux that none of us wrote, as a realm on the monitor (downloads Debian packages; LINUX=7.2)
	@$(CARGO) build --package linux-guest
	@$(CARGO) run --quiet --package linux-guest

.PHONY: bench
bench: setup ## Airlock against Linux, measured: target/bench/report.html (20 minutes; QUICK=1: 3; FORCE=1 on a busy host; KEEP=1)
	@scripts/setup bench
	@echo 'make: builds what measures (a first build takes some minutes)'
	@$(CARGO) build --package bench
	@$(CARGO) run --quiet --package bench -- all $(if $(QUICK),--quick) $(if $(KEEP),--keep)

.PHONY: reproducible
reproducible: setup ## builds all images twice in different folders and compares their bytes
	@scripts/reproducible
