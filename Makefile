# Motet's commands. `make demo` and `make test` do all of their own set-up; `make help` lists the rest.
# Each step says in one line what it does.

SHELL := /bin/sh
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup demo test test-slow format proto clean check-format check-lint check-types check-imports check-proto check-wheel check-tests

PYTHON_BIN := .venv/bin/python
# What is typed and linted: every source root, and the code around it. Folders, never `-p motet`, which misses files.
ROOTS := proto music model rewards search server training clients/python
CODE := $(ROOTS) $(patsubst %/,%,$(sort $(dir $(wildcard examples/*.py benchmarks/*.py)))) tests .ci

# One thread to a process and nothing fetched: the same results, and no slower, on two cores that many processes share.
export OMP_NUM_THREADS ?= 1
export OMP_WAIT_POLICY ?= PASSIVE
export TOKENIZERS_PARALLELISM ?= false
export HF_HUB_OFFLINE ?= 1
export PYTHONUNBUFFERED ?= 1
# pyfluidsynth looks into Homebrew's folder only when this is set, and Homebrew's own shell set-up may not have run.
ifneq ($(wildcard /opt/homebrew/lib),)
export HOMEBREW_PREFIX ?= /opt/homebrew
endif

help:  ## list these commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | awk -F'|' '{printf "%-18s %s\n", $$1, $$2}'

setup:  ## make .venv ready (Python packages, the FluidSynth library); installs nothing when nothing changed
	@./setup.sh

demo: setup  ## serve, search a caption and leave the MIDI, WAV and picture in out/
	@$(PYTHON_BIN) examples/demo.py

test: setup check-format check-lint check-types check-imports check-proto check-wheel check-tests  ## all the checks that .ci/run makes

test-slow: setup  ## the tests that take minutes
	@echo "motet: running the slow tests (minutes)"
	@$(PYTHON_BIN) -m pytest -q -m slow || [ $$? -eq 5 ]  # 5: no test is marked slow

format: setup  ## rewrite the code in the house format, and repair what the linter can
	@$(PYTHON_BIN) -m ruff format $(CODE)
	@$(PYTHON_BIN) -m ruff check --fix $(CODE)

proto: setup  ## generate motet.v1 anew from the .proto files
	@proto/generate.sh

clean:  ## remove everything that these commands made
	rm -rf .venv out dist build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +

# The parts of `make test`, in its order: the quick ones first, the tests last so that their closing line ends the run.
check-format:
	@echo "motet: checking the format (ruff)"
	@$(PYTHON_BIN) -m ruff format --check --quiet $(CODE) || { echo "motet: not in the house format: type: make format" >&2; exit 1; }

check-lint:
	@echo "motet: checking the code (ruff)"
	@$(PYTHON_BIN) -m ruff check --quiet $(CODE)

check-types:
	@echo "motet: checking the types (mypy, strict; about a minute)"
	@$(PYTHON_BIN) -m mypy $(CODE)

check-imports:
	@echo "motet: checking the import rules (import-linter)"
	@.venv/bin/lint-imports --no-cache > .venv/imports.log 2>&1 || { cat .venv/imports.log >&2; exit 1; }

check-proto:
	@echo "motet: checking the .proto files (buf) and that the generated code is theirs"
	@.venv/bin/buf lint proto
	@fresh=$$(mktemp -d) && trap 'rm -rf "$$fresh"' EXIT && proto/generate.sh "$$fresh" && (cd "$$fresh" && find . -type f) | \
		while read -r file; do cmp "$$fresh/$$file" "proto/$$file" || { echo "motet: the generated code is not of these .proto files: type: make proto" >&2; exit 1; }; done

check-wheel:
	@echo "motet: building the wheel, and using it alone in a clean environment (about 20 seconds)"
	@$(PYTHON_BIN) .ci/check_wheel.py

check-tests:
	@echo "motet: running the tests (minutes)"
	@$(PYTHON_BIN) -m pytest -q -m "not slow"
