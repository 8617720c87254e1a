# make demo   set up the core and recognise emotions in real clips
# make check  lint, types and fast tests, for daily work
# make test   lint, types and all tests; what CI runs
# make page   build the page of `avtca serve` from web/ (needs Node 20)
# make docs   build the documentation into docs/_build/html; warnings are errors
PYTHON ?= python3
PIP = .venv/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt
# Two processes of one thread each: files are shared out, and no thread waits for another.
PYTEST = OMP_NUM_THREADS=1 .venv/bin/pytest --numprocesses 2 --dist loadfile
DEMO_OUT ?= demo-report
# Tests of the page take axe-core, and a browser where Debian's chromium is missing, from web/node_modules.
NPM := $(shell command -v npm)
NODE_MODULES = $(if $(NPM),web/node_modules/.package-lock.json)

.PHONY: demo check test lint page docs core dev clean

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

web/node_modules/.package-lock.json: web/package-lock.json
	-cd web && npm ci --ignore-scripts --no-audit --no-fund

page: web/node_modules/.package-lock.json
	cd web && npm run build

check: lint
	$(PYTEST) -m "not slow"

test: lint $(NODE_MODULES)
	$(PYTEST)

docs: dev
	.venv/bin/python -m sphinx -q -W --keep-going -b html docs docs/_build/html

clean:
	rm -rf .venv docs/_build $(DEMO_OUT)
