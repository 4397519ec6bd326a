# Everything that is done to this project has a name here. `make help` lists the names.
# `make demo` and `make test` each start from a bare Debian 12 machine: scripts/setup.sh brings what is missing.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

BIN := .venv/bin
# Two test processes for each core: many tests wait for daemons most of their time.
JOBS ?= $(shell expr 2 '*' "$$(nproc 2>/dev/null || echo 1)")
TESTS ?=
ON_SLURM := $(if $(filter-out 0,$(SLURM)),-slurm)

.PHONY: help
help: ## List what can be made
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} \
		/^[a-z-]+:.*## / {printf "  make %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

##@ Try it

.PHONY: demo
demo: setup-demo$(ON_SLURM) ## A small city, its people, a simulation, a training (SLURM=1: on real Slurm; EXIT=1: stop then)
	@$(BIN)/$(if $(ON_SLURM),python -m scripts.demo_on_slurm,hpc-portal demo) $(if $(filter-out 0,$(EXIT)),--exit)

.PHONY: slurm-up
slurm-up: setup-demo-slurm ## Start a real Slurm cluster here (BIND="folder ...": jobs may write there; SUITE=forky: newer)
	@$(BIN)/python -m scripts.slurm_cluster up $(foreach folder,$(BIND),--bind $(folder)) \
		$(if $(SUITE),--suite $(SUITE))

.PHONY: slurm-status
slurm-status: ## Where is the Slurm cluster, and what runs in it?
	@$(BIN)/python -m scripts.slurm_cluster status || [[ $$? == 3 ]]

.PHONY: slurm-down
slurm-down: ## Stop the Slurm cluster; nothing of it is left
	@$(BIN)/python -m scripts.slurm_cluster down

##@ Test it

.PHONY: test
test: setup-test ## Run all tests (JOBS=4: processes, SEED=1: fixed order, TESTS="tests/unit -k money": some)
	@$(BIN)/python -m pytest --numprocesses $(JOBS) --dist loadgroup --no-loadscope-reorder --durations 10 \
		$(if $(SEED),--randomly-seed $(SEED) --hypothesis-seed $(SEED)) $(TESTS)

.PHONY: check
check: check-static secrets arch test ## All that must hold before a commit: format, lint, types, secrets, arch, test

.PHONY: check-static
check-static: fmt-check lint types arrows ## The quick part of check: nothing is run but analysers

.PHONY: fuzz
fuzz: setup-test ## Call every operation and page in many ways, good and bad (EXAMPLES=100: of each, SEED=7: those)
	@seed=$(or $(SEED),$$RANDOM); echo "SEED=$$seed"; \
	HPC_FUZZ_EXAMPLES=$(or $(EXAMPLES),20) HPC_FUZZ_SEED=$$seed $(BIN)/python -m pytest --numprocesses $(JOBS) \
		--timeout 0 -rP --show-capture=stdout tests/integration/authorisation/test_openapi.py \
		tests/integration/authorisation/test_hostile_pages.py

.PHONY: audit
audit: setup-test ## Known vulnerabilities of what the lock files pin
	@scripts/audit.sh

.PHONY: sbom
sbom: setup-test ## The wheel and the bill of materials beside it (CycloneDX), into dist/
	@$(BIN)/python -m scripts.write_sbom dist

.PHONY: bench
bench: setup-test ## Measure, each figure beside its reference; docs/benchmarks.md keeps the results
	@$(BIN)/python -m pytest -m benchmark -p no:randomly --timeout 0 -s $(or $(TESTS),tests/benchmarks)

.PHONY: gpu
gpu: ## Tests and benchmark on this machine's NVIDIA GPU; fails without (PYTHON=python3: one that has CuPy)
	@HPC_GPU_TESTS=demanded $(or $(PYTHON),$(BIN)/python) -m pytest $(or $(TESTS),tests/gpu)
	@$(or $(PYTHON),$(BIN)/python) -m pytest -m benchmark --timeout 0 -s tests/benchmarks/test_gpu_kernels.py

##@ Keep it clean

.PHONY: fmt
fmt: setup-test ## Format, and mend what the linter can mend
	@$(BIN)/ruff check --fix-only --quiet
	@$(BIN)/ruff format

.PHONY: fmt-check
fmt-check: setup-test ## Is everything formatted?
	@$(BIN)/ruff format --check

.PHONY: lint
lint: setup-test ## Lint: every ruff rule, each exception with its reason
	@$(BIN)/ruff check

.PHONY: types
types: setup-test ## Check types: mypy --strict over product and tests
	@$(BIN)/mypy

.PHONY: arrows
arrows: setup-test ## May every import point where it points? (contracts in pyproject.toml)
	@$(BIN)/lint-imports --no-cache

.PHONY: secrets
secrets: setup-test ## Passwords and keys in what git knows; what was looked at stands in .secrets.baseline
	@scripts/secrets.sh

.PHONY: arch
arch: arrows ## Arrows, and the tests of the project's own shape
	@$(BIN)/python -m pytest -q tests/architecture

##@ Write it down

.PHONY: docs
docs: setup-test ## Write the generated parts anew: the file tree, settings, the chart's schema and upgrade, who may do what
	@$(BIN)/python scripts/write_docs.py
	@$(BIN)/python -m scripts.write_chart_schema
	@$(BIN)/python -m scripts.write_chart_upgrade
	@$(BIN)/python -m scripts.write_authorisation

.PHONY: screenshots
screenshots: setup-test ## Take pictures of every page into docs/screenshots, anew (PAGES="home jobs": some only)
	@$(BIN)/python -m scripts.screenshots $(PAGES)

.PHONY: docs-check
docs-check: setup-test ## Are the generated parts of docs/ up to date, and do all links lead somewhere?
	@$(BIN)/python -m pytest -q tests/architecture/test_docs.py

##@ Set it up

.PHONY: setup-demo
setup-demo: ## Install what running the portal needs
	@scripts/setup.sh demo

.PHONY: setup-demo-slurm
setup-demo-slurm: ## Install what running the portal with a real Slurm cluster needs
	@scripts/setup.sh demo-slurm

.PHONY: setup-test
setup-test: ## Install what developing and testing needs
	@scripts/setup.sh test

.PHONY: hooks
hooks: setup-test ## Run the quick checks before every git commit
	@$(BIN)/pre-commit install

.PHONY: lock
lock: setup-demo ## Write requirements/*.lock anew (UPGRADE=1: with newer releases)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)

.PHONY: clean
clean: ## Remove caches and build leftovers; keeps .venv and the demo's data in .state
	@rm -rf build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -not -path './.venv/*' -prune -exec rm -rf {} +

.PHONY: clean-all
clean-all: clean ## Remove .venv and the demo's data too
	@rm -rf .venv .state
