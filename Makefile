# Everything runs in .venv, made here from any Python >= 3.11. `make PYTHON=...` picks the interpreter.

VENV ?= .venv
BIN := $(VENV)/bin
PYTHON ?=
PYTEST_ARGS ?= -n 2 --dist worksteal --durations=10
# Half of the time of the tests of every day went into compiling: they take programs that are compiled in a third of the
# time, without loops fused in MLIR and without LLVM's optimisations, where XLA knows these flags: it ends a process that
# asks for others. Slow tests, and those of bits that different programs have in common, take the programs that users
# have.
PLAIN_CODE := --xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=0
# There is a process for every core: none needs threads of its own for large operations.
ONE_THREAD := --xla_cpu_multi_thread_eigen=false
# Seconds after which a slow test tells where it stands, and is ended.
SLOW_LIMITS := -o faulthandler_timeout=1440 --timeout=1500
# make mutate MUTATE_ARGS='--only *chain*': those whose room, file or words match.
MUTATE_ARGS ?= --jobs 2
# make torture TORTURE_ARGS="kills --count 10": one part, and fewer cases.
TORTURE_ARGS ?=
DEMO := runs/theorem
PIP_INSTALL := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input

.PHONY: help demo test test-slow test-all test-slurm root-and-apt torture mutate lint bench gallery docs dist clean
.DEFAULT_GOAL := help

help:  ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1	/p' Makefile | expand -t 12

demo: $(VENV)/.run  ## Measure the finite-size law log(p) sqrt(dt) of one-pass SGD (a minute or two), with figures and a report
	$(BIN)/sgdsim run configs/committee/theorem.toml --quick -o $(DEMO)

test: $(VENV)/.test  ## Run the tests of every day, and name the ten slowest
	@flags="$$XLA_FLAGS $(ONE_THREAD) $(PLAIN_CODE)"; \
	XLA_FLAGS="$$flags" $(BIN)/python -c "import jax; jax.devices()" >/dev/null 2>&1 || flags="$$XLA_FLAGS"; \
	XLA_FLAGS="$$flags" $(strip $(BIN)/python -m pytest -m "not slow and not bits" $(PYTEST_ARGS))
	$(BIN)/python -m pytest -m "bits and not slow"

test-slow: $(VENV)/.test  ## Run the others: long statistics, whole runs, benchmarks, processes that are killed
	XLA_FLAGS="$$XLA_FLAGS $(ONE_THREAD)" $(strip $(BIN)/python -m pytest -m slow $(SLOW_LIMITS) $(PYTEST_ARGS))

test-all:  ## Run all tests, each once
	@$(MAKE) --no-print-directory test
	@$(MAKE) --no-print-directory test-slow

test-slurm: root-and-apt $(VENV)/.test  ## Run the scripts of configs/cluster on a Slurm of their own (root, Debian or Ubuntu)
	SGDSIM_SLURM=1 $(BIN)/python -m pytest $(SLOW_LIMITS) tests/cluster/test_slurm.py

root-and-apt:
	@{ test "$$(id -u)" = 0 && command -v apt-get >/dev/null; } || { \
	    echo "make test-slurm installs Slurm and munge and starts them: it needs root, on Debian or Ubuntu." >&2; exit 1; }

torture: $(VENV)/.test  ## Kill runs, damage their files, fill their disks, feed them nonsense; figures in docs/reliability.md
	$(BIN)/python -m tests.torture $(TORTURE_ARGS)

mutate: $(VENV)/.test  ## Plant errors of tests/mutations that are not known to be caught, and see that tests notice
	@flags="$$XLA_FLAGS $(PLAIN_CODE)"; \
	XLA_FLAGS="$$flags" $(BIN)/python -c "import jax; jax.devices()" >/dev/null 2>&1 || flags="$$XLA_FLAGS"; \
	XLA_FLAGS="$$flags" $(BIN)/python -m tests.mutations $(MUTATE_ARGS)

lint: $(VENV)/.dev  ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/pyright

bench: $(VENV)/.run  ## Measure speed on this machine
	$(BIN)/python -m benchmarks

gallery: $(VENV)/.test  ## Run every experiment at full size (some hours) and write docs/gallery.md and docs/reproductions.md
	$(BIN)/python docs/gallery.py
	$(BIN)/python docs/reproductions.py

dist: $(VENV)/.test  ## Build the wheel and the source distribution into dist/, and say how large they are
	$(BIN)/python -m hatchling build -d dist >/dev/null
	@wc -c dist/*

docs: $(VENV)/.docs  ## Build the site into site/: index.html there; every warning and broken link is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet --strict
	@echo "The site is in site/index.html."

clean:  ## Remove the environment, caches and build products (runs/ stays)
	rm -rf $(VENV) .cache .hypothesis .pytest_cache .ruff_cache build dist site
	find sgdsim tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.run: pyproject.toml $(BIN)/python
	@echo "Installing sgdsim into $(VENV) (once; a minute or two) ..."
	@$(PIP_INSTALL) --editable .
	@touch $@

$(VENV)/.test: pyproject.toml $(BIN)/python
	@echo "Installing sgdsim and its test tools into $(VENV) (once; a minute or two) ..."
	@$(PIP_INSTALL) --editable '.[test]'
	@touch $@ $(VENV)/.run

$(VENV)/.dev: pyproject.toml $(BIN)/python
	@echo "Installing sgdsim and its development tools into $(VENV) (once; a minute or two) ..."
	@$(PIP_INSTALL) --editable '.[dev]'
	@touch $@ $(VENV)/.run $(VENV)/.test

$(VENV)/.docs: pyproject.toml $(BIN)/python
	@echo "Installing sgdsim and what builds its site into $(VENV) (once; a minute or two) ..."
	@$(PIP_INSTALL) --editable '.[docs]'
	@touch $@ $(VENV)/.run

# A version manager's stub may be on the path without the version behind it, and a distribution's Python may lack venv:
# each candidate is tried, not only looked up.
$(BIN)/python:
	@for python in $(if $(PYTHON),"$(PYTHON)",python3.13 python3.12 python3.11 python3.14 python3); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then \
	        echo "Making $(VENV) with $$("$$python" --version) ..."; \
	        "$$python" -m venv --clear $(VENV) && exit 0; \
	        rm -rf $(VENV); exit 1; \
	    fi; \
	done; \
	echo "No Python >= 3.11 with its venv module was found. Install one (on Debian or Ubuntu also its -venv package)," >&2; \
	echo "or name one: make PYTHON=/path/to/python3.12" >&2; exit 1
