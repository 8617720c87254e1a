# `make demo`: set up the core and name the emotions in real clips. `make test`: set up and test.
PYTHON ?= python3
PIP = .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt
DEMO_OUT ?= demo-report

.PHONY: demo test lint core dev clean

core: .venv/core.stamp
dev: .venv/dev.stamp

.venv/bin/python:
	$(PYTHON) -m venv .venv

.venv/core.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) -e .
	touch $@

.venv/dev.stamp: pyproject.toml constraints.txt | .venv/bin/python
	$(PIP) torch
	$(PIP) -e '.[train,dev]'
	touch .venv/core.stamp $@

demo: core
	.venv/bin/avtca demo --out $(DEMO_OUT)

lint: dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy

# Two processes of one thread each: files are shared out, and no thread waits for another.
test: lint
	OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses 2 --dist loadfile

clean:
	rm -rf .venv $(DEMO_OUT)
