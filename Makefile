# `make` alone lists the targets. They need Python 3.11 or newer, with pip's own settings deciding where packages come from.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.NOTPARALLEL:

# The slow ones first, so that no process is left alone with one of them at the end.
TESTS := tests/contract tests/acceptance tests/fuzz tests/integration tests/unit
VENV := .venv
# pytest's, beside those that a target gives it.
OPTIONS :=
BIN := $(VENV)/bin
# As new as the environment: older than what the environment is made from means that it has to be brought up to date.
INSTALLED := $(VENV)/.installed
# As new as what pytest keeps of the test modules.
REWRITTEN := $(VENV)/.rewritten

.PHONY: help system install demo test test-scaled lint fix client pins bench reference docs fuzz

help:  ## List the targets
	@sed -nE 's/^([a-z-]+):.*  ## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 16

system:
	@scripts/system-parts $(VENV)

install: system $(INSTALLED)  ## Make .venv with all that the other targets need; quick when it is up to date

$(INSTALLED): pyproject.toml constraints.txt scripts/install
	@scripts/install $(VENV)
	@touch $@

demo: install  ## Search the Python standard library by meaning, from nothing to answers
	@$(BIN)/python -m examples.demo

# pytest rewrites assertions when it imports a module: half the time of collecting, in each process, if it is not kept.
# Where PYTHONDONTWRITEBYTECODE is set only this writes it. What cannot be collected is told by the run itself.
$(REWRITTEN): $(INSTALLED) $(shell find tests -name '*.py')
	@printf '%s\n' 'tests/unit' 'tests/contract tests/acceptance tests/fuzz tests/integration' | \
	    env -u PYTHONDONTWRITEBYTECODE xargs -P 2 -I {} sh -c '$(BIN)/python -m pytest {} --collect-only -qq >/dev/null' || true
	@touch $@

test: install  ## Run the whole suite; OPTIONS go to pytest
	@scripts/system-parts $(VENV) curl jq zip
# Compiled once, also where PYTHONDONTWRITEBYTECODE is set: servers, hosts and commands start some hundreds of times.
	@$(BIN)/python -m compileall -q -j 2 src
	@$(MAKE) --no-print-directory $(REWRITTEN)
	@$(BIN)/python -m pytest $(TESTS) -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder $(OPTIONS)

# Acceptance tests on a PostgreSQL with its replica, S3 and a Ray cluster of three nodes: what clients see of batches,
# requests, rollouts, searches and refusals. Left out, as they ask for what that profile has not:
# - one server's data dir, its own database or files: asks, backup (tests/scaled has one), chaos, containment, crashes,
#   environments, external_database, full_disk, keys, models, objects_away, plugin_logs, restart, sandbox, secrets,
#   shutdown, soak, uploads;
# - URLs that the server signs itself, where S3 signs its own: answers, objects;
# - a profile of their own: qdrant (its store), egress and sandbox_off (how this machine isolates), metrics (its hosts);
# - the embedded profile, as the docs have it: data_howto, demo, dev, docs_page, howto_pages, quick_start,
#   search_howto, tutorial;
# - no server: same_findings, templates;
# - they start very many hosts, each a second of a processor on Ray, so for the 15 minutes: audit, bad_rows,
#   client_plugins, collections, data_commands, data_plane, raw_http, tiers, traffic_shares, trial, version_history,
#   versions_in_use, webhooks.
SCALED := $(addprefix tests/acceptance/test_acceptance_, \
    batches.py search.py stages.py executions.py retrievers.py inference.py deployments.py upgrades.py bad_plugins.py bad_requests.py)
# They look for hosts among the API process's own children.
SCALED += $(addprefix --deselect=tests/acceptance/test_acceptance_inference.py::, \
    test_a_redeploy_and_a_killed_replica_fail_no_request \
    test_a_version_has_as_many_replicas_as_its_serve_config_says)

test-scaled: install  ## Run tests of several processes, of Ray and S3, and acceptance tests on PostgreSQL with a replica
	@[ -x $(BIN)/ray ] || $(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[ray]'
	@status=0; \
	$(BIN)/python -m pytest tests/scaled -n 3 --dist load -rP $(OPTIONS) || status=1; \
	$(BIN)/python -m scripts.scaled $(BIN)/python -m pytest $(SCALED) -n 2 --dist loadfile $(OPTIONS) || status=1; \
	exit $$status

lint: install  ## Check style, types and import layers; change nothing
	@status=0; \
	for check in "ruff check ." "ruff format --check ." mypy lint-imports; do \
	    echo "== $$check"; $(BIN)/$$check || status=1; \
	done; \
	exit $$status

fix: install  ## Repair what can be repaired without thinking
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

reference: install  ## Write docs/reference from the code
	@$(BIN)/python -m scripts.reference

docs: install  ## Build the documentation site into site/, offline; fails for a link that leads nowhere
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet

client: install  ## Write the client that blocks from the one whose methods are coroutines
	@$(BIN)/python -m scripts.sync_client

TARGET ?= all
SECONDS := 120

fuzz: install  ## Fuzz readers of foreign bytes: TARGET=zip|tar|frames|replies|tables|scan|all SECONDS=120
	@scripts/fuzz $(TARGET) $(SECONDS) $(SEED)

pins: install  ## Write the versions installed now into constraints.txt
	@{ head -1 constraints.txt; $(BIN)/python -m pip freeze --exclude-editable; } > $(VENV)/pins && mv $(VENV)/pins constraints.txt

bench: install  ## Measure; each benchmark prints ratios against a limit or a peer
	@status=0; \
	for line in benchmarks/*.py "benchmarks/soak.py --restart"; do \
	    echo "== $$line"; $(BIN)/python $$line || status=1; \
	done; \
	exit $$status
