# Everything lives in .venv, made from the lock files with their hashes; `make help` lists the targets.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= auto
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header

.DEFAULT_GOAL := help
.PHONY: help demo test check format screenshots lock clean

help:  ## list the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

# Its local identity provider is one of the tests' dependencies.
demo: $(VENV)/.installed$(if $(findstring --with-idp,$(ARGS)),-dev)  ## run the demo; its options as ARGS="--port 9001 --with-idp"
	@exec $(BIN)/authserver demo $(ARGS)

test: $(VENV)/.installed-dev  ## run all tests; JOBS=0 runs them in one process
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(ARGS)

check: $(VENV)/.installed-dev  ## format, lint, types, import contracts, models against migrations
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/authserver db check

format: $(VENV)/.installed-dev  ## format the code and mend what ruff can
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

screenshots: $(VENV)/.installed-dev  ## take pictures of every page into screenshots/; ARGS="login consent" takes these alone
	$(BIN)/python -m tests.browser.screenshots screenshots $(ARGS)

lock: $(VENV)/.installed-dev  ## pin the dependencies anew; ARGS=--upgrade takes newer ones
	$(LOCK) $(ARGS) pyproject.toml -o requirements/base.txt
	$(LOCK) $(ARGS) requirements/build.in -c requirements/base.txt -o requirements/build.txt
	$(LOCK) $(ARGS) pyproject.toml --group dev \
		-c requirements/base.txt -c requirements/build.txt -o requirements/dev.txt

clean:  ## remove the environment
	rm -rf $(VENV)

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "authserver needs Python 3.11 or newer, and $(PYTHON) is not." >&2; \
		echo "Name another one: make demo PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python's venv module is needed (on Debian: apt install python3-venv)." >&2; exit 1; }
	@touch $@

$(VENV)/.installed: $(VENV)/.created requirements/base.txt requirements/build.txt pyproject.toml
	@echo "Installing authserver into $(VENV) …"
	@$(PIP) install --require-hashes -r requirements/base.txt -r requirements/build.txt
	@$(PIP) install --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed requirements/dev.txt
	@echo "Installing what tests and checks need …"
	@$(PIP) install --require-hashes -r requirements/dev.txt
	@touch $@
