# The one door for developers. `make` alone prints what there is.
#
# Needs: make, and Python 3.11 or newer with its venv module. Everything else comes from requirements/,
# by version and hash, into .venv. Another interpreter: make setup PYTHON=python3.12

PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
  $$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && break; \
  python=python3; done; echo $$python)
# How many processes share the quick tests. `make quick WORKERS=0` runs them in one, for a debugger.
WORKERS ?= 2

VENV  := .venv
BIN   := $(VENV)/bin
STAMP := $(VENV)/.installed
TIERS := $(VENV)/.tiers
JARS  := .services/kafka-libs/.fetched
SPARK_JARS := .services/spark-jars/.fetched
CODE  := src tests $(wildcard benchmarks examples)
LOCKS := $(wildcard requirements/*.txt)
MAP   := tests/shape/architecture_map.py
QUICK := not documents and not kill and not long and not browser and not services and not spark

# Copies, not links: .venv and uv's cache may lie on different disks.
export UV_LINK_MODE ?= copy
# Images set it; then every process of the tests compiles all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE
SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
# The parts of `test` follow one another, also under `make -j`.
.NOTPARALLEL:

.PHONY: help setup test quick kill browser services-test spark-test check format map lock demo \
  demo-distributed bench clean jars spark-jars services services-stop

help: ## this list
	@echo 'Croupier. First `make setup`, then `make demo` to see it run or `make test` to check it.'
	@echo
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)$$/\1 \2/p' $(firstword $(MAKEFILE_LIST)) \
	  | while read -r name text; do printf '  make %-16s %s\n' "$$name" "$$text"; done

# --- set-up ---------------------------------------------------------------------------------------

setup: $(STAMP) ## .venv with all tools and croupier itself (a second call costs nothing)

# The venv's own pip brings the pinned uv; uv brings the rest, or pip does where only pip knows a mirror.
$(STAMP): $(LOCKS) pyproject.toml
	@"$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo 'Croupier needs Python 3.11 or newer; "$(PYTHON)" is missing or older.' >&2; \
	  echo 'On Debian or Ubuntu: apt-get install python3 python3-venv. Elsewhere: make setup PYTHON=/path/to/python3' >&2; \
	  exit 1; }
	@"$(PYTHON)" -c 'import venv, ensurepip' 2>/dev/null || { \
	  echo '"$(PYTHON)" lacks the venv module. On Debian or Ubuntu: apt-get install python3-venv' >&2; \
	  echo '(for a Python named with its version: apt-get install python3.11-venv, and so on).' >&2; \
	  exit 1; }
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	  || { rm -rf $(VENV); "$(PYTHON)" -m venv $(VENV); }
	@[ -x $(BIN)/uv ] || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/bootstrap.txt
	@$(BIN)/uv pip sync --quiet --python $(BIN)/python --require-hashes requirements/dev.txt \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $(STAMP)
	@echo "Ready: $(BIN)/croupier"

# What the large tiers of `make test` need on top: Debian's packages, Chromium's driver, Spark.
PACKAGES := chromium redis-server postgresql maven openjdk-17-jre-headless
$(TIERS): $(STAMP) requirements/tiers.txt
	@missing=$$(for package in $(PACKAGES); do dpkg-query -W $$package >/dev/null 2>&1 || echo $$package; done); \
	if [ -n "$$missing" ]; then \
	  [ "$$(id -u)" = 0 ] || { echo "As root: apt-get install --no-install-recommends" $$missing >&2; exit 1; }; \
	  apt-get update -qq && DEBIAN_FRONTEND=noninteractive \
	    apt-get install -qq --no-install-recommends $$missing >/dev/null; \
	fi
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements/tiers.txt \
	  || $(BIN)/python -m pip install --quiet --require-hashes -r requirements/tiers.txt
	@touch $(TIERS)

jars: $(JARS) ## the jars of a Kafka broker, into .services/ (Maven, once)
$(JARS): deploy/kafka/pom.xml
	@command -v mvn >/dev/null || { echo 'On Debian or Ubuntu: apt-get install maven openjdk-17-jre-headless' >&2; exit 1; }
	@rm -rf $(dir $(JARS))
	mvn --quiet --batch-mode --file deploy/kafka/pom.xml dependency:copy-dependencies \
	  -DincludeScope=runtime -DoutputDirectory=$(abspath $(dir $(JARS)))
	@touch $(JARS)

spark-jars: $(SPARK_JARS) ## the jars of Spark's Kafka connector, into .services/ (Maven, once)
$(SPARK_JARS): deploy/spark/pom.xml
	@command -v mvn >/dev/null || { echo 'On Debian or Ubuntu: apt-get install maven openjdk-17-jre-headless' >&2; exit 1; }
	@rm -rf $(dir $(SPARK_JARS))
	mvn --quiet --batch-mode --file deploy/spark/pom.xml dependency:copy-dependencies \
	  -DincludeScope=runtime -DoutputDirectory=$(abspath $(dir $(SPARK_JARS)))
	@touch $(SPARK_JARS)

# --- services -------------------------------------------------------------------------------------

services: $(STAMP) $(JARS) ## start Redis, PostgreSQL and Kafka on loopback; a line with the URL of each
	@$(BIN)/python -m tests.services start

services-stop: $(STAMP) ## stop them; what they hold stays in .services/, or in $CROUPIER_SERVICES
	@$(BIN)/python -m tests.services stop

# --- tests ----------------------------------------------------------------------------------------

test: check quick kill browser services-test spark-test ## everything: check, quick tests, real processes, a browser, real services, Spark

quick: $(STAMP) ## doctests, laws, core, apps, adapters without services, ring (seconds)
	$(BIN)/pytest -m '$(QUICK)' -n $(WORKERS)

kill: $(TIERS) ## real processes: the documents' commands, then kill -9 under load (two minutes)
	$(BIN)/pytest -m 'documents or kill or long'

browser: $(TIERS) ## the beacon in a real Chromium (two minutes)
	$(BIN)/pytest -m browser

services-test: $(TIERS) $(JARS) ## the contracts over real Redis, PostgreSQL and Kafka (three minutes)
	$(BIN)/pytest -m services

spark-test: $(TIERS) $(JARS) $(SPARK_JARS) ## the ring on a real Spark, killed, submitted, with damaged checkpoints (eight minutes)
	$(BIN)/pytest -m spark

check: $(STAMP) ## format, lint, types, import contracts, map, no addresses in the locks
	$(BIN)/ruff format --check --quiet $(CODE)
	$(BIN)/ruff check --quiet $(CODE)
	$(BIN)/mypy $(CODE)
	$(BIN)/lint-imports --no-logo
	$(BIN)/python $(MAP) --check
	@! grep -rnE 'https?://' requirements/ || { echo 'requirements/ must hold no address' >&2; exit 1; }

# --- upkeep ---------------------------------------------------------------------------------------

format: $(STAMP) ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix-only --quiet $(CODE)
	$(BIN)/ruff format $(CODE)

map: $(STAMP) ## write the map of src/ into ARCHITECTURE.md
	$(BIN)/python $(MAP) --write

# Versions and hashes without an address; see requirements/README.md. UPGRADE=--upgrade takes the newest.
COMPILE = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
          --no-emit-index-url --no-header $(UPGRADE)
lock: $(STAMP) ## resolve requirements/ anew from pyproject.toml (UPGRADE=--upgrade for newest versions)
	$(COMPILE) pyproject.toml --group dev -o requirements/dev.txt
	$(COMPILE) pyproject.toml -c requirements/dev.txt --no-annotate -o requirements/base.txt
	$(COMPILE) pyproject.toml --group tiers -c requirements/dev.txt -o requirements/tiers.txt
	$(COMPILE) --group peers -c requirements/dev.txt -o requirements/peers.txt
	echo uv | $(COMPILE) - -c requirements/dev.txt --no-annotate -o requirements/bootstrap.txt
	@! grep -rnE 'https?://' requirements/ || { echo 'requirements/ must hold no address' >&2; exit 1; }

demo: $(STAMP) ## the whole ring on this machine, with simulated visitors
	@$(BIN)/croupier demo

demo-distributed: $(TIERS) $(JARS) ## the same as processes on Kafka, PostgreSQL and Redis (a minute)
	@$(BIN)/python -m tests.services.demo --visitors 12000 --seconds 40

# Whom we compare with stays out of .venv, and out of the way of the tools: only benchmarks/ look there.
PEERS := .peers
$(PEERS)/.installed: $(STAMP) requirements/peers.txt
	@rm -rf $(PEERS)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --target $(PEERS) --require-hashes -r requirements/peers.txt \
	  || $(BIN)/python -m pip install --quiet --target $(PEERS) --require-hashes -r requirements/peers.txt
	@touch $@

bench: $(PEERS)/.installed ## the benchmarks, as ratios within one run
	$(BIN)/python benchmarks/run.py

clean: ## remove .venv, caches and builds
	rm -rf $(VENV) $(PEERS) build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
