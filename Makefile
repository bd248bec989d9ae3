# Every command of the project; `make help` lists them. Nothing needed but python3 (3.11 or newer), make and a C library.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:

PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.requirements.stamp
CDNOW := build/cdnow/CDNOW_master.txt
LIFETIMES := 0.11.3

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: help setup data lint style types format test tests types-and-tests test-faults run demo bench wheel lock

help: ## this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

setup: $(STAMP) ## the environment in .venv (quick when it is there)

$(STAMP): requirements-dev.lock
	@command -v $(PYTHON) >/dev/null || { echo "dmphub needs python3 (3.11 or newer); none was found" >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "dmphub needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Name another: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@test -x $(PY) && $(PY) -m pip --version >/dev/null 2>&1 \
		|| $(PYTHON) -m venv --clear $(VENV) >/dev/null 2>&1 \
		|| { command -v virtualenv >/dev/null && virtualenv --quiet --clear --python $(PYTHON) $(VENV); } \
		|| { rm -rf $(VENV); echo "$(PYTHON) cannot make an environment: install its venv module (on Debian: python3-venv) or virtualenv" >&2; exit 1; }
	$(PY) -m pip install --quiet --require-hashes --requirement requirements-dev.lock
	@touch $@

data: $(CDNOW) ## the CDNOW purchase log, which demo and tests play

$(CDNOW): | $(STAMP)
	@mkdir -p build/wheels $(@D)
	$(PY) -m pip download --quiet --no-deps --only-binary :all: --dest build/wheels lifetimes==$(LIFETIMES)
	@$(PY) -c 'import sys, zipfile; from pathlib import Path; \
		wheel = next(path for path in Path("build/wheels").glob("*.whl") if path.name.lower().startswith("lifetimes-$(LIFETIMES)-")); \
		Path(sys.argv[1]).write_bytes(zipfile.ZipFile(wheel).read("lifetimes/datasets/CDNOW_master.txt"))' $@

lint: style types ## style, types, import rules, missing migrations

style: setup ## style, import rules, missing migrations
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports
	$(PY) manage.py makemigrations --check --dry-run

types: setup ## types
	$(PY) -m mypy

format: setup ## mend what can be mended of the style
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

test: $(if $(ROOM),tests,style types-and-tests) ## lint and every test, on a real PostgreSQL and Redis; ROOM=edge: that room's tests only

types-and-tests: setup data ## both, side by side: the types take a minute of one core
	$(MAKE) --no-print-directory --jobs 2 types tests

tests: setup data ## the tests alone; ROOM=edge: that room's
	$(PY) -m pytest -q -n auto $(if $(ROOM),tests/$(ROOM))

test-faults: setup data ## the long tests: a hub whose processes are killed, that is fuzzed, faults that take time (SEED=… repeats a run)
	$(if $(SEED),DMPHUB_CHAOS_SEED=$(SEED)) $(PY) -m pytest -q -s tests/faults

run: setup ## the hub in the foreground
	$(PY) manage.py up

demo: setup data ## a day of real traffic through the whole hub
	$(PY) manage.py demo

bench: setup ## the benchmarks, as ratios to limits measured in the same run
	$(PY) -m benchmarks

wheel: setup ## the distribution, in dist/
	$(PY) -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist .

lock: setup ## pin the dependencies anew, with hashes: for development, and of those what a deployment needs
	$(PY) -m piptools compile --quiet --upgrade --extra embedded --extra files --extra learning --extra dev \
		--output-file requirements-dev.lock pyproject.toml
	cp requirements-dev.lock requirements.lock # the versions are kept where the file is there
	$(PY) -m piptools compile --quiet --extra files --extra learning --output-file requirements.lock pyproject.toml
