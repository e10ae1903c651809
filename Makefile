# What there is to do here. Needs python3 (3.11 or newer) with pip; everything else goes into $(VENV).
#
#   make demo     the main job on real data, end to end: results in primase-demo/
#   make test     all tests, the examples in docstrings among them
#   make lint     style, types, and which room may import which
#   make docs     the site, in docs/_build/html; every warning is an error
#   make clean    remove what the above made, but not the results of the demo

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# Pins from constraints.txt, also for the tool that builds the package.
INSTALL := $(PIP) install --quiet --constraint constraints.txt --build-constraint constraints.txt --editable .

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test lint docs clean

help:
	@sed -n '3,7s/^# *//p' $(MAKEFILE_LIST)

demo: $(VENV)/.installed-runtime
	$(BIN)/primase demo

test: $(VENV)/.installed-test
	$(BIN)/python -m pytest -n $(JOBS) -m "not slow"
	$(BIN)/python -m pytest -n $(JOBS) -m slow || [ $$? -eq 5 ] # 5: there are none

lint: $(VENV)/.installed-lint
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/.installed-docs
	$(BIN)/python -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "docs/_build/html/index.html"

clean:
	rm -rf $(VENV) docs/_build docs/generated build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .import_linter_cache

# A stamp per group of packages says that they are there. Changed pins, or a changed list of what is needed, install
# anew into the same environment.
$(VENV)/.made: constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "primase needs Python 3.11 or newer, and this is " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --quiet --upgrade --constraint constraints.txt pip
	@touch $@

$(VENV)/.installed-runtime: $(VENV)/.made pyproject.toml
	@echo "Installing primase and what it needs into $(VENV): a few minutes, once"
	$(INSTALL)
	@touch $@

$(VENV)/.installed-%: $(VENV)/.installed-runtime
	$(INSTALL) --group $*
	@touch $@
