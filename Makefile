# The project's commands. Each sets up what it needs: Python 3.10 or newer and make are enough.
#   make demo    the main job: serve a small energy meter, read it over TCP and RTU, then show it
#                alive on a page until Ctrl+C; `make demo ONCE=1` checks that page and ends
#   make test    lint, then every test
#   make lint    ruff, the layers of core, mypy --strict, pyright
#   make tox     the tests of each package with that package's own dependencies alone
#   make fuzz    a minute of hostile bytes for every reader; fuzz/README.md says how to run longer
#   make dist    the sdist and the wheel of each package, checked, in dist/
#   make version VERSION=0.3.0   set the version of all packages; without VERSION, print it
#   make bench   the benchmarks; their table is in benchmarks/README.md
#   make docs    the documentation site, in docs/_build/html; a warning is an error
# Another interpreter: make PYTHON=/path/to/python3.13 test (after `make clean`).

# python3 if it is new enough, else the newest that has a name of its own.
CANDIDATES := python3 python3.14 python3.13 python3.12 python3.11 python3.10
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 10))
PYTHON ?= $(or $(shell for python in $(CANDIDATES); do \
	$$python -c '$(NEW_ENOUGH)' 2>/dev/null && echo $$python && break; done),python3)

VENV := .venv
PY := $(VENV)/bin/python
MADE := $(VENV)/.made
DEMO := $(VENV)/.demo
READY := $(VENV)/.ready

# pyright would ask PyPI at each run whether there is a newer pyright.
export PYRIGHT_PYTHON_IGNORE_WARNINGS := 1

.PHONY: help demo test lint style mypy pyright format tox fuzz dist version bench docs coverage clean

help:
	@sed -n 's/^#   //p' Makefile

# Ctrl+C is the way to end it, so it is no failure. Without the trap, the shell would end before it
# could say so.
demo: $(DEMO)
	@trap : INT; $(PY) -m modwire_tools demo $(if $(ONCE),--once) || test $$? -eq 130

# pytest comes last: what make prints ends with its summary.
test: lint
	$(PY) -m pytest -n auto --dist worksteal

# Three parts, for `make -j2`.
lint: style mypy pyright

style: $(READY)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .
	$(VENV)/bin/lint-imports --no-cache --no-logo

mypy: $(READY)
	$(PY) -m mypy

pyright: $(READY)
	$(PY) -m pyright --pythonpath $(PY)

format: $(READY)
	$(PY) -m ruff check --fix .
	$(PY) -m ruff format .

tox: $(READY)
	$(PY) -m tox run

# SECONDS=3600 for an hour, TARGET=rtu-server for one target.
SECONDS ?= 60
fuzz: $(READY)
	$(PY) -m fuzz --seconds $(SECONDS) $(if $(TARGET),--target $(TARGET))

dist: $(READY)
	$(PY) .ci/dist.py

version:
	@$(PYTHON) .ci/version.py $(VERSION)

bench: $(READY)
	$(PY) benchmarks/run.py

docs: $(READY)
	$(PY) -m sphinx -q -W --keep-going -b html docs docs/_build/html
	@echo "built: docs/_build/html/index.html"

coverage: $(READY)
	$(PY) -m coverage run -m pytest
	$(PY) -m coverage report

clean:
	rm -rf $(VENV) dist .fuzz .tox .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage
	rm -rf docs/_build

# Each stamp is written last, so a setup that was interrupted starts again. What the demo needs is a
# part of all, so the stamp of all is one for the demo too.
INSTALL := $(PY) -m pip install --quiet --disable-pip-version-check
PACKAGES := $(wildcard packages/*/pyproject.toml)

$(DEMO): requirements-demo.txt $(PACKAGES) | $(MADE)
	$(call install,requirements-demo.txt)
	@touch $@

$(READY): $(wildcard requirements-*.txt) $(PACKAGES) | $(MADE)
	$(call install,requirements-dev.txt)
	@touch $(DEMO) $@

# An environment of its own for the build of each package would take longer than all the rest.
define install
$(INSTALL) "hatchling>=1.27,<2" editables
$(INSTALL) --no-build-isolation -r $(1)
endef

$(MADE):
	@$(PYTHON) -c '$(NEW_ENOUGH)' 2>/dev/null || { \
		echo "modwire needs Python 3.10 or newer; $(PYTHON) is" \
			"$$($(PYTHON) --version 2>&1 || true)." \
			"Name another one: make PYTHON=/path/to/python3.12" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@
