# Two commands on a fresh machine with Python 3.11 or newer: "make demo" and "make test".

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-faults bench lint ci clean

help:
	@echo "make demo    try it: a small CRM with a local mail server, and a first mailing before your eyes"
	@echo "make test    run every test that this machine can run"
	@echo "make bench   measure how fast it sends, and say whether it is fast enough (fifteen minutes)"
	@echo "make test-faults   kill 200 workers while 5,000 mails leave, and say what became of the mails"
	@echo "make lint    check style, types and the order of the rooms"
	@echo "make ci      both, with nothing left out; installs what it needs (Debian, as root)"
	@echo "make clean   remove what these commands have made, the sandbox's data included"
	@echo
	@echo "Another Python: make demo PYTHON=python3.12"

demo: $(VENV)/.sandbox
	@$(BIN)/python sandbox/demo.py

test: $(VENV)/.dev $(if $(MASSMAIL_FORBID_SKIPS),$(VENV)/.mariadb)
	@$(BIN)/python -m tests

bench: $(VENV)/.dev
	@$(BIN)/python -m tests.benchmarks

test-faults: $(VENV)/.dev
	@$(BIN)/python -m tests faults

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	$(BIN)/python sandbox/manage.py makemigrations --check --dry-run
	$(BIN)/python sandbox/manage.py check --fail-level WARNING
	$(BIN)/python sandbox/manage.py check --deploy --tag massmail --fail-level WARNING

ci:
	@.ci/run

# A virtual environment holds what its group of dependencies needs; it is made again when they change.
$(VENV)/.sandbox: pyproject.toml | $(BIN)/python
	@echo "Installing what the sandbox needs into $(VENV)"
	@$(BIN)/python -m pip install -qq --editable . --group sandbox
	@touch $@

$(VENV)/.dev: pyproject.toml | $(BIN)/python
	@echo "Installing what the tests need into $(VENV)"
	@$(BIN)/python -m pip install -qq --editable . --group dev
	@touch $@ $(VENV)/.sandbox

# Built here: needs gcc, pkg-config and MariaDB's headers. Without it the tests on MariaDB are not run.
$(VENV)/.mariadb: $(VENV)/.dev
	@$(BIN)/python -m pip install -qq --group mariadb
	@touch $@

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "This needs Python 3.11 or newer, and $(PYTHON) is `$(PYTHON) --version 2>&1`."; \
		echo "Name a newer one, for example: make $(MAKECMDGOALS) PYTHON=python3.12"; exit 1; }
	@echo "Making the virtual environment $(VENV)"
	@$(PYTHON) -m venv $(VENV)
	@# --group is new in pip 25.1.
	@$(BIN)/python -m pip install -qq --upgrade 'pip>=25.1'

clean:
	rm -rf $(VENV) var build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find massmail_plugin sandbox tests -name __pycache__ -type d -prune -exec rm -rf {} +
