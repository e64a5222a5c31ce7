# `make demo` and `make test` need nothing but Python 3.11 or later and make.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
BIN = $(VENV)/bin
WORKERS ?= 2
COVERAGE ?= --cov --cov-report=term-missing:skip-covered

.DEFAULT_GOAL := help
.PHONY: help demo test nightly emulator lint format bench docs figures clean

help:  ## list the targets
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(DEMO_VENV)/.done: setup.cfg
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/pip install --quiet --editable '.[local,pydantic]'
	touch $@

$(VENV)/.done: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/pip install --quiet --editable '.[local,watch,lint,pydantic,plot,testing]' --group dev
	touch $@

$(VENV)/.bench: $(VENV)/.done
	$(BIN)/pip install --quiet --group bench
	touch $@

demo: $(DEMO_VENV)/.done  ## run handlers over local queues and streams, and count what was lost
	$(DEMO_VENV)/bin/partialbatch demo

test: $(VENV)/.done  ## run the tests, with coverage
	.ci/packages
	$(BIN)/pytest -n $(WORKERS) --dist loadfile $(COVERAGE)

nightly: $(VENV)/.done  ## run the property tests with many more examples
	.ci/packages
	HYPOTHESIS_PROFILE=nightly $(BIN)/pytest -n $(WORKERS) --dist loadfile

emulator: $(VENV)/.done  ## run the tests of the real runtime against the Runtime Interface Emulator, too
	.ci/emulator $(VENV)/emulator $(BIN)/python
	PATH="$(abspath $(VENV))/emulator:$$PATH" $(BIN)/pytest tests/testing/runtime

lint: $(VENV)/.done  ## check style, format, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.done  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench  ## compare speed and memory with the peers
	$(BIN)/python -m benchmarks

docs: $(VENV)/.done  ## build the documentation site in build/docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs

figures: $(VENV)/.done  ## run the simulations whose figures and drawings the documentation shows
	$(BIN)/python docs/draw.py

clean:  ## remove what the targets made
	rm -rf $(VENV) $(DEMO_VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
