# Everything here sets up what it needs, in .venv, once. Needs Python 3.11+ and make, and a compiler
# where a dependency has no wheel.

PYTHON ?= python3
ARGS ?=
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOG := $(VENV)/setup.log

.DEFAULT_GOAL := help
.PHONY: help setup demo run test test-long lint check fix bench cover
# A recipe that fails half-way must not leave a target that looks made.
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Make .venv with all dependencies (other targets do this when needed)
	@:

# The log is shown only on failure: pip warns of package indexes that are set up on a machine but
# not there, which is nothing that a newcomer can or must act on.
$(READY): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Try: make PYTHON=python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV) (once; half a minute or so) ..." >&2
	@mkdir -p $(VENV)
	@{ $(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet \
	  --disable-pip-version-check --no-input -e '.[dev]'; } >$(LOG) 2>&1 || { \
	  cat $(LOG) >&2; echo "Setting up $(VENV) failed; what pip said is above." >&2; exit 1; }
	@touch $@

demo: $(READY) ## Run a demonstration: an operator with three binds, the router, 1,000 messages
	@$(BIN)/python -m simulators.demo $(ARGS)

run: $(READY) ## Run the router on config/
	@$(BIN)/smpp-router run config/ $(ARGS)

test: $(READY) ## Run the quick tests, which a developer runs before each commit
	@$(BIN)/python -m pytest -q -m 'not long' $(ARGS)

test-long: $(READY) ## Run all tests: the long ones too, and more examples of each property
	@$(BIN)/python -m pytest -q --hypothesis-profile=long -o faulthandler_timeout=1800 $(ARGS)

lint: $(READY) ## Check style, format and types
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy --strict --no-error-summary router simulators benchmarks tests

check: lint ## Check style, format, types and tests, as CI does
	@$(MAKE) --no-print-directory test

fix: $(READY) ## Repair what ruff can repair, and format
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

bench: $(READY) ## Run the benchmarks; ARGS="--help" shows the options
	@$(BIN)/python -m benchmarks $(ARGS)

cover: $(READY) ## Show which lines and branches of router/ no test covers
	@$(BIN)/coverage run -m pytest -q -m 'not long' $(ARGS)
	@$(BIN)/coverage report
