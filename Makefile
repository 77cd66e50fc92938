# make demo    set up and run the main job: adapt the shipped speech network to a new speaker
# make check   set up, lint and the quick tests
# make test    set up and run every check; asks before it installs compilers with apt (make tools installs them)
# make bench   regenerate the figures in benchmarks/results
# make bench-learning   the tasks that defaults are chosen and judged by; hours, resumes where it stopped (TASKS, METHODS, SETS, SEEDS)
# make fuzz    every reader with inputs that are nearly right: PARSER=journal RUNS=1000000 SEED=0 (docs/reliability.md)
# Full output of every step goes to build/logs.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
SOURCES := $(shell find src/stepforward -name '*.[ch]') setup.py pyproject.toml
CSOURCES := $(shell find src tests/core firmware benchmarks -name '*.[ch]')
PARSER := all
RUNS   := 10000
SEED   := 0
QUIET  := sh tools/quiet.sh
PIP    := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
CORE   := $(MAKE) --no-print-directory -C src/stepforward/core
PYTEST := $(BIN)/python -m pytest -n 2 --dist worksteal

# What make check leaves to make test: emulators, torch, benchmarks, proofs by many random programs, whole runs in processes of their own.
SLOW := tests/firmware tests/bench tests/benchmarks tests/conformance tests/engines/test_torch.py tests/methods/test_backprop.py \
        tests/sources/test_torch.py tests/cli/test_demo.py tests/cli/test_stopping.py tests/cli/test_streams.py tests/cli/test_walk.py tests/tools

.PHONY: demo check test lint format core-test python-test bench bench-learning fuzz tools ask-tools clean

demo: $(VENV)/.installed
	@$(BIN)/stepforward demo --out stepforward-demo --overwrite

check: $(VENV)/.installed-dev
	@$(MAKE) --no-print-directory lint
	@$(PYTEST) $(SLOW:%=--ignore=%)

test: $(VENV)/.installed-dev ask-tools
	@$(MAKE) --no-print-directory -j 2 -O lint core-test
	@$(MAKE) --no-print-directory python-test

lint: $(VENV)/.installed-dev
	@$(QUIET) lint $(BIN)/ruff check .
	@$(QUIET) format $(BIN)/ruff format --check .
	@$(QUIET) types $(BIN)/python -m mypy
	@$(QUIET) format-c $(BIN)/clang-format --dry-run -Werror $(CSOURCES)

# Writes what lint checks.
format: $(VENV)/.installed-dev
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CSOURCES)

core-test: $(VENV)/.installed-dev
	@$(QUIET) core-test $(CORE) -j 2 -O test

# Conformance with each other level of kernels, of which the tests before saw only this machine's best, and under the sanitizer.
python-test: $(VENV)/.installed-dev
	@$(PYTEST)
	@$(QUIET) conformance $(CORE) -j 2 conformance JOBS=2

bench: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/run_all.py

# Finished rows are kept in benchmarks/results/learning.json and skipped the next time.
bench-learning: $(VENV)/.installed-dev
	$(BIN)/python benchmarks/learning/run.py $(if $(TASKS),--tasks $(TASKS)) $(if $(METHODS),--methods $(METHODS)) \
		$(if $(SETS),--sets $(SETS)) $(if $(SEEDS),--seeds $(SEEDS))
	$(BIN)/python benchmarks/fill_documents.py

# In C, with sanitizers: core-program, core-plan, core-journal; in Python: the names in tests/fuzz/parsers.py.
fuzz: CORE_PARSER := $(if $(filter all,$(PARSER)),all,$(patsubst core-%,%,$(filter core-%,$(PARSER))))
fuzz: $(VENV)/.installed-dev
	@$(if $(CORE_PARSER),$(CORE) --silent fuzz RUNS=$(RUNS) SEED=$(SEED) PARSER=$(CORE_PARSER))
	@$(if $(filter core-%,$(PARSER)),,PYTHONPATH=tests:tests/support $(BIN)/python -m fuzz --parser $(PARSER) --runs $(RUNS) --seed $(SEED))

# Compilers and emulators for the tests of the firmware, of AArch64, with clang and with emulated AVX-512.
tools:
	@sh tools/install_tools.sh --yes

ask-tools:
	@sh tools/install_tools.sh

$(VENV)/bin/python:
	@$(QUIET) venv $(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(VENV)/bin/python $(SOURCES)
	@$(QUIET) install $(PIP) -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/bin/python $(SOURCES) constraints.txt
	@$(QUIET) install $(PIP) -e '.[torch,ort,tflite,tflite-test]' pytest pytest-xdist hypothesis ruff mypy clang-format
	@touch $@ $(VENV)/.installed

clean:
	rm -rf build $(VENV) src/*.egg-info src/stepforward/core/*.so
