# The whole project through make; `make help` lists the targets and the variables.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo $(name))) python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# STUDY_VARIABLES, JOB_VARIABLES and the flags that they become; generated, `make fix` brings it up to date.
include options.mk
SUBMIT := PROFILE DRY_RUN
BENCH := ONLY REPEAT
# Values reach the shell through the environment, so that it never parses them.
export $(STUDY_VARIABLES) $(JOB_VARIABLES) $(SUBMIT) $(BENCH)
given = $(filter command,$(firstword $(origin $(1))))
flag = $(if $(call given,$(1)),$(if $($(1)),--$(2) "$$$(1)"))
DRY_RUN_FLAG = $(if $(DRY_RUN),--dry-run)

KNOWN := $(STUDY_VARIABLES) $(JOB_VARIABLES) $(SUBMIT) $(BENCH) PYTHON VENV
UNKNOWN := $(filter-out $(KNOWN),$(foreach each,$(.VARIABLES),$(if $(call given,$(each)),$(each))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable: $(UNKNOWN) (known: $(KNOWN); make help explains them))
endif

.PHONY: help hpo slurm install test test-slow test-slurm test-extras check fix docs bench bench-search \
	bench-gpu clean

help:  ## show this text
	@echo "make TARGET [VARIABLE=value ...]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'
	@echo
	@sed -n 's/^## \{0,1\}//p' options.mk
	@echo "  PROFILE=                   YAML file with the settings of the site"
	@echo
	@echo "DRY_RUN=1 prints what make hpo or make slurm would run and what it would cost, and runs nothing."
	@echo
	@echo "Variables of make bench, besides DATA, TAGS and SEED:"
	@echo "  ONLY=                      comma-separated figures, such as step,search-8 (default: all)"
	@echo "  REPEAT=5                   repetitions of each measurement; all figures take hours"

hpo: $(INSTALLED)  ## search, score the best models, print the result matrix
	@$(BIN)/hpo run $(strip $(STUDY_FLAGS) $(DRY_RUN_FLAG))

slurm: $(INSTALLED)  ## run the search as a SLURM job, for example make slurm NODES=2 GPUS=4 TIME=06:00:00
	@$(BIN)/hpo submit --backend slurm \
		$(strip $(STUDY_FLAGS) $(JOB_FLAGS) $(call flag,PROFILE,profile) $(DRY_RUN_FLAG))

install: $(INSTALLED)  ## create .venv with every dependency at its pinned version

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; set it with: make PYTHON=/path/to/python3" >&2; exit 2; }
	@# An interrupted first attempt may have left an incomplete environment.
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@# Wheels only, so that no compiler is needed; seqeval is published only as source and is pure Python.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=seqeval \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

test: $(INSTALLED)  ## run the fast tests, offline and on the CPU
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

test-slow: $(INSTALLED)  ## run the slow tests: real searches, some minutes each
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slow

test-slurm: $(INSTALLED)  ## run the tests on a real two-node SLURM cluster on this machine; needs root
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slurm -rs

test-extras: $(INSTALLED)  ## install mlflow, wandb and the Ray job API, and run their tests
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=seqeval \
		--constraint constraints.txt --editable '.[dev,mlflow,wandb,ray-jobs]'
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "slow or not slow" tests/tracking tests/cluster/test_ray_jobs.py

check: $(INSTALLED)  ## check style and types with ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

fix: $(INSTALLED)  ## fix style with ruff and regenerate options.mk
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/python -m hpo.cli.make_options

docs: $(INSTALLED)  ## build the documentation into build/site/; installs what it needs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=seqeval \
		--constraint constraints.txt --editable '.[dev,docs]'
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(INSTALLED)  ## measure speed, memory and disk use against alternatives; writes results/bench.md
	@$(BIN)/python -m benchmarks speed $(call flag,DATA,data) $(call flag,TAGS,tags) $(call flag,SEED,seed) \
		$(call flag,ONLY,only) $(call flag,REPEAT,repeat)

bench-search: $(INSTALLED)  ## compare our search algorithms with those of other libraries on recorded curves
	@$(BIN)/python -m benchmarks search compare

bench-gpu: $(INSTALLED)  ## measure training speed on a GPU
	@$(BIN)/python -m benchmarks gpu

clean:  ## remove the environment, caches and build outputs; results/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist site *.egg-info
