# Osprey from a fresh checkout. Needed beforehand: make, and Python 3.11 or newer with venv and pip.
# Everything is installed into .venv; pip's and uv's own settings (PIP_*, UV_*) choose where it comes from.

PYTHON ?=
ARGS   ?=
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(BIN)/uv

# Stamps are written last, so an interrupted install is started again.
UV_READY := $(VENV)/.uv-ready
READY    := $(VENV)/.ready
CORE     := $(VENV)/.core

CODE  := src tests scripts benchmarks examples
CORES := $(shell n=$$(nproc 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 1); \
           if [ "$$n" -gt 4 ]; then n=4; fi; echo "$$n")

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-slow coverage test-lowest test-bare lint bench lock clean

help: ## print this list
	@echo "Osprey: from labelled photos to a tested recogniser"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile
	@echo "Options: PYTHON=python3.12 (first install), ARGS='...' (for demo, test and lock)"

demo: $(if $(wildcard $(READY)),$(READY),$(CORE)) ## train on the embedded harbour set, then recognise one of its photos
	@$(BIN)/osprey demo $(ARGS)
	@echo; \
	echo "first: source $(BIN)/activate"

test: lint ## lint, then the tests on up to four cores, but for those that take long
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -q -n $(CORES) -m "not slow" $(ARGS)

test-slow: $(READY) ## the tests that take long: several processes, kills, wheels, W&B
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -q -n $(CORES) -m slow $(ARGS)

coverage: $(READY) ## the tests, and which lines of src they run (at least 90%)
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(BIN)/pytest -q -n $(CORES) -m "not slow" --cov --cov-report=term $(ARGS)

test-lowest: $(UV_READY) ## the tests with the lowest versions that pyproject.toml promises
	$(call test_in,.venv-lowest,--resolution lowest-direct)

test-bare: $(UV_READY) ## the tests with the newest versions and without any extra
	$(call test_in,.venv-bare,--upgrade)

# An environment of its own, made anew: a folder and what uv is told of the versions.
define test_in
	rm -rf $(1)
	$(or $(PYTHON),$(BIN)/python) -m venv $(1)
	$(UV) pip compile pyproject.toml --extra dev --python $(1)/bin/python $(2) --quiet -o $(1)/versions.txt
	$(UV) pip install --quiet --python $(1)/bin/python -r $(1)/versions.txt
	$(UV) pip install --quiet --python $(1)/bin/python --no-deps -e .
	OMP_NUM_THREADS=$${OMP_NUM_THREADS:-1} $(1)/bin/python -m pytest -q -n $(CORES) -m "not slow" $(ARGS)
endef

lint: $(READY) ## check style, format, types, and who imports whom
	$(BIN)/ruff check $(CODE)
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

bench: $(READY) ## every benchmark against its peers, one table, bench.json (ARGS=loader for one)
	$(BIN)/python benchmarks/run.py $(ARGS)

# What the images of deploy/ hold, at requirements.lock's versions: the extra `serve` beside deploy/serve.in,
# and every extra that training uses beside deploy/train.in.
IMAGE_LOCK = $(UV) pip compile --universal --python-version 3.11 --constraints requirements.lock \
    --generate-hashes --no-header --no-annotate --quiet
SERVED  = $(BIN)/python -c "import tomllib; print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['serve'], sep='\n')"
TRAINED = parquet sweep tensorboard transformers video weights

lock: $(UV_READY) ## write the locks from pyproject.toml (ARGS=--upgrade for the newest versions)
	$(UV) pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --quiet -o requirements.lock $(ARGS)
	printf '%s\n' hatchling editables | $(UV) pip compile pyproject.toml - --universal --python-version 3.11 \
	    --constraints requirements.lock --generate-hashes --no-header --no-annotate --quiet -o requirements-core.lock
	echo uv | $(UV) pip compile - --universal --python-version 3.11 \
	    --generate-hashes --no-header --no-annotate --quiet -o requirements-uv.lock $(ARGS)
	$(SERVED) | $(IMAGE_LOCK) deploy/serve.in - -o deploy/requirements-serve.lock
	$(SERVED) | cat - deploy/serve.in | sed 's/^onnxruntime$$/onnxruntime-gpu[cuda,cudnn]/' | \
	    $(IMAGE_LOCK) - -o deploy/requirements-serve-gpu.lock
	$(IMAGE_LOCK) pyproject.toml $(TRAINED:%=--extra %) deploy/train.in -o deploy/requirements-train.lock

clean: ## remove .venv, caches and builds; runs/ and data/ stay
	rm -rf $(VENV) .venv-lowest .venv-bare .coverage* build dist .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find $(CODE) -type d -name __pycache__ -prune -exec rm -rf {} +

# Compiled once here, imports take half the time at every start, also where none may write bytecode.
# Builds from source (antlr4, the package itself) use only what the lock holds, hash for hash.
$(READY): $(UV_READY) pyproject.toml requirements.lock
	@rm -f $@
	$(UV) pip install --python $(BIN)/python --require-hashes --compile-bytecode \
	    --build-constraints requirements.lock -r requirements.lock
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

# The same without extras and tools of development: enough to train and to predict.
$(CORE): $(UV_READY) pyproject.toml requirements-core.lock
	@rm -f $@
	$(UV) pip install --python $(BIN)/python --require-hashes --compile-bytecode \
	    --build-constraints requirements.lock -r requirements-core.lock
	$(UV) pip install --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(UV_READY): requirements-uv.lock
	@rm -f $@
	@for python in $(or $(PYTHON),python3 python3.14 python3.13 python3.12 python3.11 python); do \
	    if "$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; \
	    then echo "$$python -m venv $(VENV)"; exec "$$python" -m venv $(VENV); fi; \
	done; \
	echo "Osprey needs Python 3.11 or newer with its venv and pip; none was found. Install one (on Debian" \
	     "also python3-venv), or name it: make PYTHON=/path/to/python3.11" >&2; exit 1
	$(BIN)/python -m pip install --quiet --require-hashes -r requirements-uv.lock
	@touch $@
