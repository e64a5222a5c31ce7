# `make demo` and `make test` need only Python 3.11 or later and make.
PYTHON ?= python3
VENV ?= .venv
DEMO_VENV ?= .venv-demo
BIN = $(VENV)/bin
# One more than there are cores, because tests also wait.
WORKERS ?= $(shell echo $$(($$(getconf _NPROCESSORS_ONLN) + 1)))
# Idle workers take over tests, because some tests take a second and most a millisecond.
PYTEST = $(BIN)/pytest -n $(WORKERS) --dist worksteal

.DEFAULT_GOAL := help
.PHONY: help demo test coverage nightly emulator lint format bench bench-docs docs figures tables dist clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/'

$(DEMO_VENV)/.done: setup.cfg
	$(PYTHON) -m venv $(DEMO_VENV)
	@.ci/install $(DEMO_VENV) 'the demo and its local services, once, in about a minute' --editable '.[local,pydantic]'
	@touch $@

$(VENV)/.done: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@.ci/install $(VENV) 'a pip that knows dependency groups' --upgrade 'pip>=25.1'
	@.ci/install $(VENV) 'partialbatch and its test tools, once, in about a minute' --editable '.[local,watch,lint,pydantic,plot,testing]' --group test --group docs
	@touch $@

$(VENV)/.dev: $(VENV)/.done
	@.ci/install $(VENV) 'linters and type checkers' --group dev
	@touch $@

$(VENV)/.bench: $(VENV)/.done
	@.ci/install $(VENV) 'the peers' --group bench
	@touch $@

demo: $(DEMO_VENV)/.done  ## run handlers over local queues and streams, and count lost records
	$(DEMO_VENV)/bin/partialbatch demo

test: $(VENV)/.done  ## run the tests
	@.ci/packages
	$(PYTEST)

coverage: $(VENV)/.done  ## run the tests, and fail unless they cover every line and branch
	@.ci/packages
	HYPOTHESIS_PROFILE=coverage $(PYTEST) --cov --cov-report=term-missing:skip-covered

nightly: $(VENV)/.done  ## run the property tests with many more examples, and the slow tests
	@.ci/packages
	HYPOTHESIS_PROFILE=nightly $(PYTEST)

emulator: $(VENV)/.done  ## run the tests of the real runtime against the Runtime Interface Emulator, too
	.ci/emulator $(VENV)/emulator $(BIN)/python
	PATH="$(abspath $(VENV))/emulator:$$PATH" $(BIN)/pytest tests/testing/runtime

lint: $(VENV)/.dev  ## check style, format, layers and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy

format: $(VENV)/.dev  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/.bench  ## compare speed and memory with the peers
	$(BIN)/python -m benchmarks

bench-docs: $(VENV)/.bench  ## measure anew the figures of docs/benchmarks.rst
	$(BIN)/python -m benchmarks --rst docs/benchmarks.rst

docs: $(VENV)/.done  ## build the documentation site in build/docs
	$(BIN)/sphinx-build --fail-on-warning --keep-going --quiet docs build/docs

figures: $(VENV)/.done  ## run the simulations whose figures and drawings the documentation shows
	$(BIN)/python docs/draw.py

tables: $(VENV)/.done  ## write the tables of options in README.rst and docs/reference.rst
	$(BIN)/python docs/option_tables.py

$(VENV)/.dist: $(VENV)/.done
	@.ci/install $(VENV) 'build and twine' --group dist
	@touch $@

dist: $(VENV)/.dist  ## build the wheel and the sdist in dist/, and check them
	rm -rf dist
	$(BIN)/python -m build --outdir dist .
	$(BIN)/twine check --strict dist/*
	$(BIN)/python .ci/dist.py dist

clean:  ## remove the files that the targets made
	rm -rf $(VENV) $(DEMO_VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache .hypothesis
