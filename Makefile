# Two commands need nothing but Python 3.11 and the package index:
#   make run     the product at work: broker, service, EHR simulator, synthetic patients
#   make test    every test, on SQLite, a real PostgreSQL and a Kafka broker
# The others are for development: check, lock, clean, and
#   make bench   what the service costs on this machine (docs/performance.md)

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/pip --disable-pip-version-check --quiet
PYTEST_ARGS ?=
BENCH_ARGS ?=

.PHONY: run test bench check lock clean

run: $(VENV)/.installed-demo
	$(BIN)/cryovigil demo

test: $(VENV)/.installed-dev
	$(BIN)/pytest -n 2 --dist worksteal $(PYTEST_ARGS)

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo
	$(BIN)/deptry .
	$(BIN)/hadolint Dockerfile
	$(BIN)/cryovigil rules check
	$(BIN)/cryovigil mappings check

# The widest file is resolved first and the others agree with it, so that a package has one
# version everywhere.
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock"
lock: $(VENV)/.installed-dev
	$(LOCK) pyproject.toml --extra demo --group dev -o requirements/dev.txt
	$(LOCK) pyproject.toml --extra demo --group build -c requirements/dev.txt -o requirements/demo.txt
	$(LOCK) pyproject.toml -c requirements/dev.txt -o requirements/runtime.txt
	$(LOCK) --group build -c requirements/dev.txt -o requirements/build.txt

clean:
	rm -rf $(VENV) dist .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis

# What is installed is exactly what the lock files say, hash by hash. The package itself is built
# with the locked hatchling, so no step downloads anything that is not in them.
$(VENV)/.installed-%: requirements/%.txt pyproject.toml | $(VENV)/pyvenv.cfg
	@echo "Installing requirements/$*.txt into $(VENV)"
	@$(PIP) install --require-hashes -r $<
	@$(PIP) install --no-deps --no-index --no-build-isolation -e .
	@touch $@

$(VENV)/pyvenv.cfg:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "CryoVigil needs Python 3.11 or newer: try 'make PYTHON=/path/to/python3.11'." >&2; \
		exit 1; }
	@$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }
