# Everything here sets up what it needs, in .venv, once. Needs Python 3.11+ and make, and a compiler
# where a dependency has no wheel.

PYTHON ?= python3
ARGS ?=
# Processes that share the tests: while one waits for a peer or the disk, the other computes.
PROCESSES ?= 2
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
LOG := $(VENV)/setup.log
# The router with the compiled core, installed apart from the sources. CI has one of its own.
COMPILED := .venv-compiled
INSTALLED := $(COMPILED)/.ready
# Peers of tests/interop whose packages exclude each other, or need node: each in a folder of its own.
PEERS := .venv-peers
PYTHON_PEERS := rusmppyc smppy twisted jasmin
# What tries hostile octets: atheris, in a folder of its own. No other target needs its 35 MB.
FUZZER := .venv-fuzz
# Seconds that `make fuzz` takes for all targets together.
TIME ?= 60
# So many seeds live the same life in both cores, to the letter.
SEEDS := 40

.DEFAULT_GOAL := help
.PHONY: help setup peers demo run test test-long lint check fix interop bench cover fuzz compiled test-compiled
# A recipe that fails half-way must not leave a target that looks made.
.DELETE_ON_ERROR:

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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

peers: $(PEERS)/node/.ready $(PYTHON_PEERS:%=$(PEERS)/%/.ready) ## Install the peers of tests/interop that are scripts
	@:

# smpp.twisted3 imports pyOpenSSL without declaring it, smppy pkg_resources (in setuptools up to 80).
# Each is imported once, before it counts as there.
$(PEERS)/rusmppyc/.ready: PACKAGES := 'rusmppyc>=0.4.0a2'
$(PEERS)/smppy/.ready: PACKAGES := 'smppy>=0.3.2' 'setuptools<81'
$(PEERS)/twisted/.ready: PACKAGES := 'smpp.twisted3>=0.8' pyOpenSSL service_identity
# Of Jasmin only the parser of receipts is used; what else it depends on is most of a server.
$(PEERS)/jasmin/.ready: PACKAGES := 'smpp.twisted3>=0.8' pyOpenSSL service_identity python-dateutil
$(PEERS)/jasmin/.ready: WITHOUT_DEPENDENCIES := 'jasmin>=0.11.1'
$(PEERS)/rusmppyc/.ready: MODULE := rusmppyc
$(PEERS)/smppy/.ready: MODULE := smppy
$(PEERS)/twisted/.ready: MODULE := smpp.twisted.client
$(PEERS)/jasmin/.ready: MODULE := jasmin.protocols.smpp.operations

$(PYTHON_PEERS:%=$(PEERS)/%/.ready): Makefile | $(READY)
	@rm -rf $(@D)
	@mkdir -p $(PEERS)
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --target $(@D) $(PACKAGES) && \
	  { test -z "$(WITHOUT_DEPENDENCIES)" || $(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-input --no-deps --target $(@D) $(WITHOUT_DEPENDENCIES); } && \
	  PYTHONPATH=$(@D) $(BIN)/python -c 'import $(MODULE)'; } >$(@D).log 2>&1 || { \
	  cat $(@D).log >&2; exit 1; }
	@touch $@

$(PEERS)/node/.ready: Makefile
	@rm -rf $(@D)
	@npm install --silent --no-fund --no-audit --prefix $(@D) 'smpp@>=0.5.1'
	@touch $@

demo: $(READY) ## Run a demonstration: an operator with three binds, the router, 1,000 messages
	@$(BIN)/python -m simulators.demo $(ARGS)

run: $(READY) ## Run the router on config/
	@$(BIN)/smpp-router run config/ $(ARGS)

test: $(READY) ## Run the quick tests, which a developer runs before each commit
	@$(BIN)/python -m pytest -q -n $(PROCESSES) --dist worksteal -m 'not long' $(ARGS)

test-long: $(READY) ## Run all tests: the long ones too, and more examples of each property
	@$(BIN)/python -m pytest -q --hypothesis-profile=long -o faulthandler_timeout=1800 $(ARGS)

lint: $(READY) ## Check style, format and types
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --quiet --check
	@$(BIN)/mypy --strict --no-error-summary hatch_build.py router simulators benchmarks tests

check: lint ## Check style, format, types and tests, as CI does
	@$(MAKE) --no-print-directory test

fix: $(READY) ## Repair what ruff can repair, and format
	@$(BIN)/ruff check --quiet --fix
	@$(BIN)/ruff format --quiet

interop: $(READY) ## Run tests/interop with all peers that are there, and write docs/interop.md
	@$(BIN)/python -m pytest -q -n $(PROCESSES) tests/interop --interop-matrix docs/interop.md $(ARGS)

bench: $(READY) ## Run the benchmarks; ARGS="--help" shows the options
	@$(BIN)/python -m benchmarks $(ARGS)

cover: $(READY) ## Show which lines and branches of router/ no test covers
	@$(BIN)/coverage run -m pytest -q -m 'not long' $(ARGS)
	@$(BIN)/coverage report

fuzz: $(FUZZER)/.ready ## Try hostile octets for TIME seconds; ARGS="--help" shows the options
	@PYTHONPATH=$(FUZZER) $(BIN)/python -m tests.fuzz --time $(TIME) $(ARGS)

$(FUZZER)/.ready: Makefile | $(READY)
	@rm -rf $(@D)
	@{ $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-input --target $(@D) 'atheris>=3.0' && \
	  PYTHONPATH=$(@D) $(BIN)/python -c 'import atheris'; } >$(@D).log 2>&1 || { \
	  cat $(@D).log >&2; echo "atheris has no wheel for this interpreter or machine, or cannot be had;" \
	  "make test replays what is kept without it." >&2; exit 1; }
	@touch $@

compiled: $(INSTALLED) ## Compile the core, and install the router with it in .venv-compiled
	@SMPP_ROUTER_CORE=compiled $(COMPILED)/bin/smpp-router --version

# With the tools of .venv, whose mypy has checked these sources, and with its interpreter.
$(INSTALLED): $(READY) hatch_build.py $(shell find router simulators -name '*.py')
	@echo "Compiling the core (one to three minutes) ..." >&2
	@mkdir -p $(COMPILED)
	@rm -rf $(COMPILED)/wheel
	@{ $(BIN)/python -m venv $(COMPILED) && HATCH_BUILD_HOOKS_ENABLE=1 $(BIN)/python -m pip wheel --quiet \
	  --disable-pip-version-check --no-deps --no-build-isolation --wheel-dir $(COMPILED)/wheel . && \
	  wheel=$$(echo $(COMPILED)/wheel/*.whl) && \
	  $(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check --no-input "$$wheel[dev]" && \
	  $(COMPILED)/bin/python -m pip install --quiet --disable-pip-version-check --no-input \
	  --no-deps --force-reinstall "$$wheel"; } >$(COMPILED)/setup.log 2>&1 || { \
	  cat $(COMPILED)/setup.log >&2; echo "Compiling the core failed; what was said is above." >&2; exit 1; }
	@touch $@

test-compiled: $(INSTALLED) ## Run journey, e2e, interop and the seeds' equality on the compiled core
	@$(BIN)/python -m tests.checkout $(COMPILED)/checkout
	@$(BIN)/python -m tests.simulation digest 0 $(SEEDS) >$(COMPILED)/interpreted.seeds
	@cd $(COMPILED)/checkout && SMPP_ROUTER_CORE=compiled \
	  ../bin/python -m tests.simulation digest 0 $(SEEDS) >../compiled.seeds
	@diff $(COMPILED)/interpreted.seeds $(COMPILED)/compiled.seeds || { \
	  echo "These seeds live another life in the compiled core." >&2; exit 1; }
	@cd $(COMPILED)/checkout && SMPP_ROUTER_CORE=compiled SMPP_ROUTER_PEERS=$(CURDIR)/$(PEERS) \
	  ../bin/python -m pytest -q -m 'not long' tests/journey tests/e2e tests/interop $(ARGS)
