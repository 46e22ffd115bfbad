# Everything runs in .venv, made here from PYTHON (3.11 or newer). `make help` lists the targets.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet
SEED   ?= 0
SEEDS  ?= 1
SECONDS ?= 10
DHT_NODES ?= 2000

# A stamp says what is installed; it is older than pyproject.toml when that has changed.
RUN_STAMP := $(VENV)/.installed-run
DEV_STAMP := $(VENV)/.installed-dev

.DEFAULT_GOAL := help
PARTS := $(addprefix test-,rooms sim programs sessions partners finding lines transfers)
.PHONY: help demo test $(PARTS) lint check bench ceilings drill hostile fuzz fuzz-smoke sim docs docs-serve clean

help:  ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(RUN_STAMP)  ## Download and verify a torrent from a real local swarm
	@$(BIN)/bittern demo

# Programs and real clients mostly wait, so these run beside each other; each part is shown when it has ended.
test: $(DEV_STAMP)  ## The whole test suite, real clients included where they are installed
	+@$(MAKE) --no-print-directory --keep-going --output-sync=target -j$(words $(PARTS)) $(PARTS)

PROGRAMS := tests/cli tests/docs tests/bench
SESSIONS := tests/session tests/faults
SIMULATED := tests/sim
TRANSFERS := tests/interop/test_transfer.py
LINES := $(addprefix tests/interop/test_,$(addsuffix .py,binding encryption holepunch mixed_mode nat proxies utp ways))
FINDING := $(addprefix tests/interop/test_,$(addsuffix .py,dht dht_swarms finding_peers private_torrents))
test-rooms:
	$(BIN)/pytest $(addprefix --ignore=,$(PROGRAMS) $(SESSIONS) $(SIMULATED) tests/interop)

test-sim:
	$(BIN)/pytest $(SIMULATED)

test-programs:
	$(BIN)/pytest $(PROGRAMS)

test-sessions:
	$(BIN)/pytest $(SESSIONS)

test-partners:
	$(BIN)/pytest tests/interop $(addprefix --ignore=,$(TRANSFERS) $(LINES) $(FINDING))

test-finding:
	$(BIN)/pytest $(FINDING)

test-lines:
	BITTERN_INTEROP_JSON=build/ways.json $(BIN)/pytest $(LINES)

test-transfers:
	$(BIN)/pytest $(TRANSFERS)

lint: $(DEV_STAMP)  ## Format, lint, types, floors
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

check: lint  ## lint, then every test that needs no partner program
	$(BIN)/pytest -q -m "not interop"

bench: $(DEV_STAMP)  ## All benches, beside libtorrent; tables into bench/results
	$(BIN)/python -m bench.transfer
	$(BIN)/python -m bench.idle_peers
	$(BIN)/python -m bench.many_leechers
	$(BIN)/python -m bench.many_torrents
	$(BIN)/python -m bench.swarm
	$(BIN)/python -m bench.create_verify
	$(BIN)/python -m bench.limits
	$(BIN)/python -m bench.picker
	$(BIN)/python -m bench.ip_filter
	$(BIN)/python -m bench.tracker
	$(BIN)/python -m bench.dht
	$(BIN)/python -m bench.calls_per_block
	$(BIN)/python -m bench.calls_per_packet
	$(BIN)/python -m bench.calls_per_announce

drill: $(DEV_STAMP)  ## Each fault done to the real program: kills, disks, machines, networks; table into bench/results
	$(BIN)/python -m drill --seed $(SEED)

hostile: $(DEV_STAMP)  ## Each misdeed of hostile peers (in 15 minutes), 10,000 handshakes of each kind; table into bench/results
	$(BIN)/python -m bench.hostile

ceilings: $(DEV_STAMP)  ## What a million pieces, 100,000 files and the like cost, against limits; table into bench/results
	$(BIN)/python -m bench.ceilings

fuzz: $(DEV_STAMP)  ## Each fuzz target for SECONDS (10) of CPU time
	$(BIN)/python -m fuzz all --seconds $(SECONDS) --seed $(SEED)
	$(BIN)/python -m fuzz.differential --seed $(SEED)

fuzz-smoke: $(DEV_STAMP)  ## All fuzz targets together for 30 s of CPU time
	$(BIN)/python -m fuzz all --total 30 --seed $(SEED)

sim: $(DEV_STAMP)  ## The simulated swarms, with SEEDS (1) seeds from SEED (0) on, and DHTs of DHT_NODES (2000)
	BITTERN_SIM_DHT_NODES=$(DHT_NODES) BITTERN_SIM_SEED=$(SEED) BITTERN_SIM_SEEDS=$(SEEDS) $(BIN)/pytest -q --timeout 600 tests/sim

docs: $(DEV_STAMP)  ## The documentation as a site, strictly, in build/site
	$(BIN)/python -m docs.site

docs-serve: $(DEV_STAMP)  ## The same at http://127.0.0.1:8000, anew whenever a page changes
	$(BIN)/python -m docs.site --serve

clean:  ## Remove the environment and everything built or cached
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "bittern needs Python 3.11 or newer: make PYTHON=/path/to/python" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) \
	  || { rm -rf $(VENV); echo "could not make $(VENV) (on Debian: apt-get install python3-venv)" >&2; exit 1; }

$(RUN_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing bittern into $(VENV)"
	@$(PIP) install -e .
	@touch $@

$(DEV_STAMP): pyproject.toml | $(BIN)/python
	@echo "installing bittern and its development tools into $(VENV)"
	@$(PIP) install -e '.[dev,docs,interop,notebook]'
	@touch $@ $(RUN_STAMP)
