# kequn: every verb of the project. `make demo` and `make test` need python3 (with venv) and make, nothing else.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install
DEMO ?=
QUICK := not slow and not e2e and not postgresql
# What was compiled is kept, whatever the shell says: to compile the tests anew takes each process ten seconds.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup setup-dev demo test test-all check e2e wheel clean

help:            ## the verbs
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 14

setup: .venv/.ready                      ## the product in .venv
setup-dev: .venv/.ready-dev              ## the product and its tests' tools

.venv/.ready: requirements/base.txt requirements/build.txt requirements/node.txt pyproject.toml hatch_build.py package-lock.json
	@echo "Setting up in .venv (some minutes the first time) …"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(PIP) --require-hashes -r requirements/base.txt -r requirements/build.txt
	@command -v npm >/dev/null || $(PIP) --require-hashes -r requirements/node.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@touch $@

.venv/.ready-dev: .venv/.ready requirements/dev.txt
	@$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

.venv/.ready-e2e: .venv/.ready-dev requirements/e2e.txt
	@$(PIP) --require-hashes -r requirements/e2e.txt
	@$(BIN)/python -c "import sys; sys.path.insert(0, 'tools'); import assets; assets.npm('ci', '--ignore-scripts')"
	@touch $@

demo: setup      ## the starter bank, the whole loop, and the console on http://127.0.0.1:8000
	@$(BIN)/kequn demo $(DEMO)

test: setup-dev  ## the quick tests
	@$(BIN)/python -m pytest -n 2 -m "$(QUICK)" -q

test-all: setup-dev  ## quick and slow tests, real data included
	@$(BIN)/python -m pytest -n 2 -m "not e2e and not postgresql" -q

check: setup-dev ## lint, types, import contracts, translations, migrations
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(BIN)/python tools/translations.py check
	@KEQUN_HOME=$$(mktemp -d) DJANGO_SETTINGS_MODULE=kequn.server.settings $(BIN)/python -m django makemigrations --check --dry-run

e2e: .venv/.ready-e2e ## the browser suite, in Chromium
	@$(BIN)/python -m pytest tests/e2e -m e2e -q -p no:xdist

wheel: setup-dev ## build the wheel and try it in an empty environment without node
	@bash tools/try_wheel.sh

clean:           ## remove what the verbs made
	@rm -rf .venv var node_modules dist src/kequn/console/static/vendor
