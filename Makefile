# Everything a developer runs. `make` alone lists it. All it assumes is make and Python 3.11 or newer with venv.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
BIN := .venv/bin
ENGINES ?=
ARGS ?=
# A folder without Python in it is nothing to check yet.
CODE = $(foreach folder,services shared deploy tests bench,$(if $(shell find $(folder) -name '*.py' -print -quit 2>/dev/null),$(folder)))
TESTS = $(if $(ENGINES),PRAXIS_TEST_ENGINES=$(ENGINES)) $(BIN)/pytest $(ARGS)
COMPILE = $(BIN)/pip-compile --quiet --generate-hashes --no-emit-index-url --no-emit-trusted-host --no-emit-find-links \
	--no-header --allow-unsafe --strip-extras

.PHONY: help up down status demo test test-unit faults lint fmt lock bench clean

help:  ## List these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{ printf "  make %-10s %s\n", $$1, $$2 }'

up: .venv/installed  ## Start engines and services, load the demonstration once, print its figures
	@$(BIN)/praxis up --demo

down: .venv/installed  ## Stop what `make up` started; data is kept
	@$(BIN)/praxis down

status: .venv/installed  ## Say what runs, where, and what it waits for
	@$(BIN)/praxis status

demo: .venv/installed  ## Load the demonstration into a running system
	@$(BIN)/praxis demo

test: .venv/installed  ## Run every test on real engines (ENGINES=native|containers, ARGS="-k word")
	@$(TESTS)

test-unit: .venv/installed  ## Run the tests that need no engine
	@$(BIN)/pytest $(wildcard tests/unit tests/service) $(ARGS)

faults: .venv/installed  ## Kill, stop and cut off while commands are written, and check (ARGS="--seeds 5 kafka-killed")
	@$(BIN)/python -m tests.faults $(ARGS)

lint: .venv/installed  ## Check format, style and types
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/mypy --strict $(CODE)

fmt: .venv/installed  ## Format the code, fix what can be fixed
	@$(BIN)/ruff check --fix --quiet $(CODE) || true
	@$(BIN)/ruff format $(CODE)

lock: .venv/installed  ## Renew both lock files from pyproject.toml
	@echo "locking what runs in the image, then that and what local engines, development and benchmarks need (a minute)"
	@$(COMPILE) --output-file requirements.lock pyproject.toml
	@$(COMPILE) --extra local --extra dev --extra bench --constraint requirements.lock --output-file requirements-dev.lock pyproject.toml
	@if grep -nE '://|^--' requirements.lock requirements-dev.lock; then echo "a lock file must not hold an address"; exit 1; fi

bench: .venv/installed  ## Measure side by side, an hour (ARGS="streams --facts 100000 --only worker-2 bare")
	@$(BIN)/python -m bench $(ARGS)

clean:  ## Stop the system and delete its data, the environment and all caches in this folder
	@if [ -x $(BIN)/praxis ]; then $(BIN)/praxis down; fi
	@echo "deleting .praxis, .venv and caches"
	@rm -rf .praxis .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis build praxis.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is as new as what it was installed from, so a second call is quick and a renewed lock installs again.
.venv/installed: requirements-dev.lock pyproject.toml
	@command -v $(PYTHON) >/dev/null || { echo "python3 is not installed; Praxis needs Python 3.11 or newer"; exit 1; }
	@$(PYTHON) -c 'import sys; v = sys.version.split()[0]; sys.exit(0 if sys.version_info >= (3, 11) else f"$(PYTHON) is Python {v}; Praxis needs 3.11 or newer. Name another: make PYTHON=python3.11")'
	@if [ ! -x $(BIN)/python ]; then echo "creating .venv"; \
	  $(PYTHON) -m venv .venv || { rm -rf .venv; echo "Python's venv module is missing; on Debian and Ubuntu: apt install python3-venv"; exit 1; }; fi
	@echo "installing requirements-dev.lock into .venv (once; a minute or two)"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	@log=$$(mktemp); $(BIN)/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation -e . \
	  >"$$log" 2>&1 || { cat "$$log"; rm -f "$$log"; exit 1; }; rm -f "$$log"
	@touch $@
