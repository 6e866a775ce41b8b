# Needs make, python3 with venv and pip; everything else comes from requirements.lock.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.stamp
UV_VERSION := 0.13.9

.DEFAULT_GOAL := help
.PHONY: help setup demo test check format lock clean

help: ## what each target does
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## .venv with the pinned packages and .venv/bin/sot; does nothing the second time

# --no-deps: the lock is complete, and pip would spend as long resolving it as installing it.
# --no-build-isolation: setuptools is pinned in the lock as well, so nothing unpinned is fetched.
# compileall: pip does that for packages it copies; ours stays where it is, and a Python that may not
# write bytecode would compile it at every command.
$(READY): requirements.lock pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/python -m pip check
	$(BIN)/python -m compileall -q sot_pipeline
	@touch $@

demo: setup ## a small workspace in demo/, synced in full
	$(BIN)/sot demo demo

# Two workers: most of a test's time is a database or an engine starting. SOT_CI=1 allows no skip
# and no loss of coverage.
test: setup ## the test suite with coverage
	$(BIN)/python -m pytest --numprocesses 2 --cov --cov-report term:skip-covered \
	  $(if $(SOT_CI),-p sot_pipeline_tests.no_skips --cov-fail-under 93)

check: setup ## lint, types, import rules, Dagster definitions
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/dagster definitions validate --workspace workspace.yaml

format: setup ## imports sorted, code laid out
	$(BIN)/ruff check --select I --fix
	$(BIN)/ruff format

lock: ## requirements.lock from pyproject.toml; pins that still fit stay (UPGRADE=1: newest)
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/pip" install --quiet uv==$(UV_VERSION) && \
	"$$tools/bin/uv" pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	  --generate-hashes --no-strip-extras --no-emit-index-url --no-header --quiet \
	  $(if $(UPGRADE),--upgrade) --output-file requirements.lock

clean: ## removes all that the targets above made
	rm -rf .venv demo build dist *.egg-info .coverage* .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
