# Needs Python 3.11 or newer, make and a package index; all else is installed into .venv.

PYTHON ?= $(shell for name in python3 python3.14 python3.13 python3.12 python3.11; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
BIN := .venv/bin
# Processes that share the tests, one for each of two cores: the longest come first, each with servers and processes of its
# own, and a third beside them takes from these what they measure. 0 for none.
WORKERS ?= 2
COMPILE := pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-annotate --no-header

# What pip was told about the package index, uv is told too.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif
ifdef PIP_EXTRA_INDEX_URL
export UV_INDEX ?= $(PIP_EXTRA_INDEX_URL)
endif
ifdef PIP_TRUSTED_HOST
export UV_INSECURE_HOST ?= $(PIP_TRUSTED_HOST)
endif
ifdef PIP_CERT
export SSL_CERT_FILE ?= $(PIP_CERT)
endif

.PHONY: help setup up demo test soak check bench lock clean

help:
	@echo "make up [PORT=8010]   set up, start everything, keep it running until Ctrl-C; ARGS=--no-demo: without made-up data"
	@echo "make demo             set up, load a made-up practice once, print what comes of it"
	@echo "make setup            install into .venv; at once when nothing changed"
	@echo "make test [ARGS=...] [WORKERS=2]"
	@echo "                      all tests, against a real PostgreSQL and a real Valkey in each of the workers"
	@echo "make soak [ARGS=...]  the long ones, to the largest sizes, on a quiet machine"
	@echo "make check            style, types, layers"
	@echo "make bench [JSON=...]  how fast everything is, beside PostgreSQL itself; no test"
	@echo "make lock             renew the locked versions of all packages"
	@echo "make clean            remove .venv and caches, never data"

setup: .venv/.installed

.venv/.installed: requirements.lock requirements-uv.lock pyproject.toml | $(BIN)/pip
	@echo "Installing into .venv ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps -e .
	@touch $@

$(BIN)/pip:
	@test -n "$(PYTHON)" || { echo "Rapport needs Python 3.11 or newer, and none was found. Install one, or name it: make setup PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit("Rapport needs Python 3.11 or newer; $(PYTHON) is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv .venv

up: .venv/.installed
	@exec $(BIN)/rapport up $(if $(PORT),--port $(PORT)) $(ARGS)

demo: .venv/.installed
	@exec $(BIN)/rapport demo

test: .venv/.installed
	$(BIN)/python -m pytest -m "not soak" -n $(WORKERS) --dist loadgroup --no-loadscope-reorder $(ARGS)

soak: .venv/.installed
	$(BIN)/python -m pytest -m soak -n 0 --timeout 3600 -s $(ARGS) tests/soak

check: .venv/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/.installed
	@$(BIN)/python -m tests.benchmarks $(if $(JSON),--json $(JSON)) $(ARGS)

lock: .venv/.installed
	$(BIN)/uv $(COMPILE) --upgrade --group dev --all-extras pyproject.toml -o requirements.lock
	echo hatchling | $(BIN)/uv $(COMPILE) --extra tracing --constraint requirements.lock pyproject.toml - -o requirements-image.lock
	echo uv | $(BIN)/uv $(COMPILE) --upgrade - -o requirements-uv.lock

clean:
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache *.egg-info
	find domain infra services tests -name __pycache__ -prune -exec rm -rf {} +
