# Every target does its own set-up: python3 (3.11 or later, with venv), make and git are enough.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CORE := $(VENV)/.setup-core
TEST := $(VENV)/.setup-test
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: help demo test check bench tiny tiny-check clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip>=25.1"

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) --editable .
	touch $@

$(TEST): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) "torch==2.13.0"
	$(PIP) --editable '.[models,endpoint,sandbox,timestamps,train]' --group test
	touch $@ $(CORE)

demo: $(CORE)  ## Forecast the shipped tiny target with every reference; leaderboard and report
	rm -rf build/demo
	$(BIN)/foretell demo --out build/demo

test: $(TEST)  ## Run all tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

check: $(TEST)  ## ruff and mypy (strict)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TEST)  ## Measure speed and memory against peers, side by side; writes docs/benchmarks.md
	$(BIN)/python -m benchmarks

tiny: $(TEST)  ## Train the shipped target again (about an hour and a half on 2 cores)
	$(BIN)/python -m foretell.organisms.tiny build/tiny
	$(BIN)/python -m foretell.organisms.tiny_ship build/tiny build/shipped-tiny

tiny-check: $(TEST)  ## Train the first checkpoint again and compare its digest with the shipped one
	$(BIN)/python -m foretell.organisms.tiny build/tiny-check 96
	$(BIN)/python -m foretell.organisms.tiny_check build/tiny-check

clean:  ## Remove what the targets above made, the environment included
	rm -rf build $(VENV)
