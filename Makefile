# Each target works alone on a fresh clone: it makes .venv, installs what it needs and runs. Needs Python 3.11+ and pip.
PYTHON ?= python3
RUN := .venv/bin/python
export OMP_WAIT_POLICY ?= PASSIVE

.PHONY: demo test lint help
help:
	@echo "make demo   fine-tune a teacher, distil a student, compare them (minutes on two cores)"
	@echo "make test   lint, type-check and run every test"

demo: .venv/ready
	$(RUN) -m experiments.demo

test: .venv/ready-dev lint
	$(RUN) -m pytest -n 2

lint: .venv/ready-dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

.venv/bin/python:
	@$(PYTHON) -c 'import sys; v = sys.version_info; v >= (3, 11) or sys.exit(f"slimlit needs Python 3.11 or newer, and $(PYTHON) is {v[0]}.{v[1]}; name another: make PYTHON=python3.11 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv .venv

.venv/ready: .venv/bin/python pyproject.toml constraints.txt
	$(RUN) -m pip install --quiet -c constraints.txt -e ".[all]"
	@touch $@

.venv/ready-dev: .venv/bin/python pyproject.toml constraints.txt
	$(RUN) -m pip install --quiet -c constraints.txt -e ".[dev]"
	@touch .venv/ready $@
