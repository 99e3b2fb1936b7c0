# Two commands do everything: `make demo` and `make test`. Both make the environment in .venv when it is not there yet.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test lint types tests tests-first tests-second format cards clean

demo: $(VENV)/.core
	$(BIN)/whet fit digits --budget 60s --out runs/demo

# Two things at a time, for two cores; the tests in two halves that take about as long as each other.
AT_ONCE := @$(MAKE) --no-print-directory --jobs=2

test: $(VENV)/.dev
	$(AT_ONCE) lint types tests-first tests-second

lint: $(VENV)/.dev
	$(BIN)/ruff check src tests benchmarks
	$(BIN)/ruff format --check src tests benchmarks

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev
	$(AT_ONCE) tests-first tests-second

FIRST := tests/runs tests/runners tests/compare tests/doctor tests/train

tests-first: $(VENV)/.dev
	$(BIN)/python -m pytest $(FIRST)

tests-second: $(VENV)/.dev
	$(BIN)/python -m pytest tests $(FIRST:%=--ignore=%)

format: $(VENV)/.dev
	$(BIN)/ruff check --fix src tests benchmarks
	$(BIN)/ruff format src tests benchmarks

# The facts of the activations, and the pages that show them.
cards: $(VENV)/.dev
	$(BIN)/python -W ignore -m whet.activations.table
	$(BIN)/python -m whet.report.cards docs/activations

# torch goes first and pinned: a newer one would bring several GB of CUDA packages.
$(VENV)/.torch: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "whet needs Python 3.11 or newer; say which with: make PYTHON=python3.12 ..."; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "Installing torch into $(VENV) (a minute or so, once)"
	@$(PIP) torch
	@touch $@

$(VENV)/.core: $(VENV)/.torch pyproject.toml
	@echo "Installing whet"
	@$(PIP) --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.core
	@echo "Installing what the tests need"
	@$(PIP) --editable '.[dev]'
	@touch $@

clean:
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis runs whet-runs
