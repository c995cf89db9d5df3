# The whole project through make; `make help` says what there is.
.DEFAULT_GOAL := help
SHELL := /bin/sh
PYTHON := $(firstword $(foreach name,python3 python3.14 python3.13 python3.12 python3.11,$(shell \
	$(name) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null && echo $(name))) python3)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# Given on the command line, each of these becomes an option of `hpo run` or `hpo submit`; `make help` explains them.
OPTIONS := ALG TRIALS DATA TAGS TRAIN_ON MODEL SPACE EPOCHS SEED SEEDS STUDY GPUS_PER_TRIAL WORKERS SAMPLER \
	TRACKER
# What a job asks of SLURM, for make slurm.
JOB := NODES GPUS CPUS TIME PARTITION PROFILE DRY_RUN
# Of make bench alone.
BENCH := ONLY REPEAT
export $(OPTIONS) $(JOB) $(BENCH)
given = $(filter command,$(firstword $(origin $(1))))
flag = $(if $(call given,$(1)),$(if $($(1)),--$(2) "$$$(1)"))
FLAGS = $(call flag,ALG,alg) $(call flag,TRIALS,trials) $(call flag,DATA,data) $(call flag,TAGS,tags) \
	$(call flag,TRAIN_ON,train-on) $(call flag,MODEL,model) $(call flag,SPACE,space) \
	$(call flag,EPOCHS,epochs) $(call flag,SEED,seed) $(call flag,SEEDS,seeds) $(call flag,STUDY,study) \
	$(call flag,GPUS_PER_TRIAL,gpus-per-trial) $(call flag,WORKERS,workers) $(call flag,SAMPLER,sampler) \
	$(call flag,TRACKER,tracker)
JOB_FLAGS = $(call flag,NODES,nodes) $(call flag,GPUS,gpus) $(call flag,CPUS,cpus) $(call flag,TIME,time) \
	$(call flag,PARTITION,partition) $(call flag,PROFILE,profile) $(if $(DRY_RUN),--dry-run)

KNOWN := $(OPTIONS) $(JOB) $(BENCH) PYTHON VENV
UNKNOWN := $(filter-out $(KNOWN),$(foreach each,$(.VARIABLES),$(if $(call given,$(each)),$(each))))
ifneq ($(strip $(UNKNOWN)),)
$(error unknown variable: $(UNKNOWN) (known: $(KNOWN); make help explains them))
endif

.PHONY: help hpo slurm install test test-slow test-slurm test-extras check bench bench-search clean

help:  ## this text
	@echo "make TARGET [VARIABLE=value ...]"
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' $(MAKEFILE_LIST) | awk -F'|' '{printf "%-16s%s\n", $$1, $$2}'
	@echo
	@echo "Variables of make hpo, with their defaults:"
	@echo "  ALG=asha             asha, bohb, hyperband, pbt, pb2, random, grid (the README says what they do)"
	@echo "  TRIALS=50            configurations to try"
	@echo "  DATA=demo            demo, a file, a folder, or a hub id name:config"
	@echo "  TAGS=suc-original    tag family: a name (hpo families lists them) or a YAML file"
	@echo "  TRAIN_ON=cased       case variant: cased, uncased, ne-lower, uncased-cased-mix, uncased-cased-both,"
	@echo "                       ne-lower-cased-mix, ne-lower-cased-both"
	@echo "  MODEL=tiny           tiny (a BERT from scratch), a hub id, or a folder with safetensors"
	@echo "  SPACE=               search space: a name (hpo spaces lists them) or a YAML file;"
	@echo "                       demo for MODEL=tiny, suc otherwise"
	@echo "  EPOCHS=              most epochs of a trial; what the space says (demo 9, suc 5)"
	@echo "  SEED=42              of the search, the trainings, the mixes and cut dev splits"
	@echo "  SEEDS=1              runs of each configuration of a grid: SEED, SEED + 1 …"
	@echo "  STUDY=               name under results/; made of the settings"
	@echo "  GPUS_PER_TRIAL=1     GPUs of a trial: 4, or a share of one, 0.25; no matter where there is no GPU"
	@echo "  WORKERS=             trials side by side; one per core, or as many as the GPUs hold"
	@echo "  SAMPLER=optuna       whose TPE proposes: optuna or hyperopt"
	@echo "  TRACKER=tensorboard  tensorboard, mlflow[:URI], wandb[:PROJECT], by commas, or none"
	@echo
	@echo "Variables of make slurm, besides:"
	@echo "  NODES=1              machines, on each of which a Ray node starts"
	@echo "  GPUS=0 CPUS=         GPUs and cores on each; whole machines without CPUS"
	@echo "  TIME=06:00:00        limit of the job; the partition's without it"
	@echo "  PARTITION=           the site's default without it"
	@echo "  PROFILE=site.yaml    what else the site asks for (the README lists the keys)"
	@echo "  DRY_RUN=1            print the exact script and the cost, submit nothing"
	@echo
	@echo "Variables of make bench, besides DATA, TAGS and SEED:"
	@echo "  ONLY=                figures by commas, e.g. step,search-8; all of them"
	@echo "  REPEAT=              repetitions of each, 5; all of them take hours"

hpo: $(INSTALLED)  ## search, score the best models, print the result matrix
	@$(BIN)/hpo run $(FLAGS)

slurm: $(INSTALLED)  ## the same as a SLURM job: NODES=2 GPUS=4 TIME=06:00:00 PARTITION=gpu
	@$(BIN)/hpo submit --backend slurm $(FLAGS) $(JOB_FLAGS)

install: $(INSTALLED)  ## make .venv with every dependency at its pinned version

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; give one with: make PYTHON=/path/to/python3" >&2; exit 2; }
	@# A first try that broke off may have left a half-made environment.
	@$(BIN)/python -m pip --version > /dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV)
	@# Wheels only, so that no compiler is needed; seqeval is published as source alone, all of it Python.
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=seqeval \
		--constraint constraints.txt --editable '.[dev]'
	@touch $@

test: $(INSTALLED)  ## the CPU test suite, offline, within ten minutes on two cores
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest

test-slow: $(INSTALLED)  ## the slow tests: real searches of some minutes
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slow

test-slurm: $(INSTALLED)  ## a real SLURM cluster of two nodes on this machine: as root, some minutes
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m slurm -rs

test-extras: $(INSTALLED)  ## the tests of mlflow, wandb and Ray's job API, which it installs
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --only-binary=:all: --no-binary=seqeval \
		--constraint constraints.txt --editable '.[dev,mlflow,wandb,ray-jobs]'
	@HF_HUB_OFFLINE=1 $(BIN)/python -m pytest -m "slow or not slow" tests/tracking tests/cluster/test_ray_jobs.py

check: $(INSTALLED)  ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(INSTALLED)  ## measure speed, disk and memory beside what people would use instead; results/bench.md
	@$(BIN)/python -m benchmarks speed $(call flag,DATA,data) $(call flag,TAGS,tags) $(call flag,SEED,seed) \
		$(call flag,ONLY,only) $(call flag,REPEAT,repeat)

bench-search: $(INSTALLED)  ## compare our searches and other libraries' on recorded curves
	@$(BIN)/python -m benchmarks search compare

clean:  ## remove what make has made; results/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist *.egg-info
