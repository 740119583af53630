# `make demo` and `make test` set everything up by themselves, in .venv.
PYTHON ?= python3
VENV := .venv
PIP := $(VENV)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help demo test test-ray lint bench bench-detect bench-scan bench-page clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

$(VENV)/.runtime: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "nucleate needs Python 3.11 or newer; set PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(PIP) torch
	$(PIP) --editable .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) --editable '.[dev,data,parity,ui]'
	touch $@

demo: $(VENV)/.runtime ## Train a small model and watch it crystallise (5 minutes)
	$(VENV)/bin/nucleate demo

lint: $(VENV)/.dev ## Style, types, import contract
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports --no-logo

test: $(VENV)/.dev lint ## Lint and run every test
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(VENV)/bin/pytest -n 2

$(VENV)/.bench: $(VENV)/.dev
	$(PIP) --editable '.[bench]'
	touch $@

bench: $(VENV)/.bench ## Measure speed beside peers, in one run, as ratios
	$(VENV)/bin/python -m benchmarks.run

bench-detect: $(VENV)/.bench ## Measure how often the detector is right, beside its peers (15 minutes)
	$(VENV)/bin/python -m benchmarks.detect --cells
	$(VENV)/bin/python -m benchmarks.detect.abroad --generator elsewhere --seed 1 --grids 48
	$(VENV)/bin/python -m benchmarks.detect.annotated
	$(if $(wildcard benchmarks/detect/online.py),$(VENV)/bin/python -m benchmarks.detect.online)

$(VENV)/.ray: $(VENV)/.dev
	$(PIP) --editable '.[ray]'
	touch $@

test-ray: $(VENV)/.ray ## Test that a scan by Ray workers gives the bytes of one process
	OMP_NUM_THREADS=1 $(VENV)/bin/pytest tests/unit/bridges/test_ray_pool.py tests/unit/bridges/test_ray_runs.py

bench-scan: $(VENV)/.dev ## Measure a scan of 12 checkpoints beside lm-eval
	$(VENV)/bin/python -m benchmarks.scan

bench-page: $(VENV)/.dev ## Measure the live page on 10,000 steps × 500 metrics
	$(VENV)/bin/python -m benchmarks.page

clean: ## Remove the environment and caches
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache build dist
