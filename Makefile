# Everything a person does with this repository.  Needs make and a Python >= 3.11 with venv; the rest is installed.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
CODE   := src tests $(wildcard benchmarks scripts/*.py)

.DEFAULT_GOAL := help
.PHONY: help setup compiled run test faults soak mutants fuzz check format build lock bench peers clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

setup: $(VENV)/.dev  ## .venv with the locked tools and the package itself

# Redone only when a lock changes.  Hashes are demanded of everything that comes from elsewhere; the package itself
# is built with the locked hatchling.
$(VENV)/.dev: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "coldchain needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

# Tests run the command a thousand times.  Where Python keeps nothing of what it compiled (PYTHONDONTWRITEBYTECODE),
# each of these would compile all of it anew.
compiled: setup
	$(BIN)/python -m compileall -q src

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/bench.txt
	touch $@

$(VENV)/.fuzz: requirements/fuzz.txt $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/fuzz.txt
	touch $@

run: setup  ## a demonstration: an instrument acquires, coldchain carries
	$(BIN)/python scripts/demo.py

test: compiled  ## all tests, against real servers; make test ARGS="-k restore"
	scripts/install_test_servers.sh
	$(BIN)/python -m pytest $(ARGS)

faults: compiled  ## the second tier of tests: power cuts, failing devices; make faults ARGS="-k power"
	scripts/install_test_servers.sh
	$(BIN)/python -m pytest -m faults $(ARGS)

soak: compiled  ## random instruments, random faults, for as long as you like; make soak ARGS="--minutes 30 --seed 7"
	scripts/install_test_servers.sh
	$(BIN)/python -m scripts.soak $(ARGS)

mutants: setup  ## would a test notice, if somebody broke a module? make mutants ARGS="steps/compare.py"
	$(BIN)/python -m scripts.mutants $(ARGS)

fuzz: $(VENV)/.fuzz  ## does any parser of foreign bytes raise or hang? make fuzz ARGS="fcs --seconds 60"
	$(BIN)/python -m scripts.fuzz $(ARGS)

check: setup  ## format, lint, types, floors
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo

format: setup  ## rewrite the code as `make check` wants it
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix $(CODE)

build: setup  ## dist/: wheel and sdist, the same bytes wherever and whenever they are built
	$(BIN)/python scripts/build_dist.py

bench: $(VENV)/.bench  ## coldchain beside other programs
	$(BIN)/python benchmarks/run.py $(ARGS)

# uv lives in a folder of its own that is gone afterwards.  dev.txt is made first: what is tested is what the others hold.
COMPILE = "$$uv/bin/uv" pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --custom-compile-command "make lock" pyproject.toml

peers: $(VENV)/.bench  ## what coldchain and other programs lose to power cuts
	scripts/install_test_servers.sh
	$(BIN)/python -m benchmarks.faults $(ARGS)

lock:  ## newest versions into requirements/*.txt
	uv=$$(mktemp -d) && trap 'rm -rf "$$uv"' EXIT && \
	$(PYTHON) -m venv "$$uv" && "$$uv/bin/python" -m pip install --quiet --disable-pip-version-check uv && \
	$(COMPILE) --all-extras --group dev -o requirements/dev.txt && \
	$(COMPILE) --all-extras -c requirements/dev.txt -o requirements/run.txt && \
	$(COMPILE) --group bench -c requirements/dev.txt -o requirements/bench.txt && \
	$(COMPILE) --group fuzz -c requirements/dev.txt -o requirements/fuzz.txt

clean:  ## remove what can be made again
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
