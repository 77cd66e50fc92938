# make demo    set up and run the main job: adapt the shipped speech network to a new speaker
# make test    set up and run every check
# make bench   regenerate the figures in benchmarks/results

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SOURCES := $(shell find src/stepforward -name '*.[ch]') setup.py pyproject.toml

.PHONY: demo test lint core-test python-test bench tools clean

demo: $(VENV)/.installed
	$(BIN)/stepforward demo --out stepforward-demo --overwrite

test: $(VENV)/.installed-dev tools
	$(MAKE) --no-print-directory lint core-test python-test

lint: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

core-test:
	$(MAKE) --no-print-directory -C src/stepforward/core test

# Conformance once more with each lower level of kernels: of what this machine has, the tests before saw only the best.
python-test: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -n 2
	$(MAKE) --no-print-directory -C src/stepforward/core levels
	STEPFORWARD_CORE=build/core/level/avx2.so $(BIN)/python -m pytest -n 2 tests/conformance
	STEPFORWARD_CORE=build/core/level/plain.so $(BIN)/python -m pytest -n 2 tests/conformance

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/run_all.py

# Cross compiler and emulator for the firmware tests: installed where possible, named where not.
tools:
	@sh scripts/install_tools.sh

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python $(SOURCES) constraints.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[torch,ort]' pytest pytest-xdist hypothesis ruff
	@touch $@ $(VENV)/.installed

clean:
	rm -rf build $(VENV) src/*.egg-info src/stepforward/core/*.so
