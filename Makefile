.DEFAULT_GOAL := help
SHELL := /bin/bash

# The workspace that `make demo` renders stays here, to look at.
WORKSPACE := build/order-fulfilment
export PATH := $(CURDIR)/.venv/bin:$(PATH)
# Ruff leaves no cache in the template folder: cookiecutter would copy it.
export RUFF_CACHE_DIR := $(CURDIR)/.ruff_cache
# It would be the one environment of this checkout and of every workspace that is rendered here.
unexport UV_PROJECT_ENVIRONMENT

.PHONY: help setup runtime demo test test-template test-workspace test-trips test-node test-brokers \
	test-contract test-rehearsal test-manifests test-kubernetes test-compose test-swarm check bench bench-guards \
	bench-hot-key bench-styles bench-multi-app bench-brokers compare-brokers clean

help:  ## list the tasks
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 15

setup: .venv/ready  ## install the template's own tools into .venv

.venv/ready: pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "python3 is $$(python3 -V 2>&1), and the template needs 3.11 or newer" >&2; exit 1; }
	python3 -m venv .venv
	.venv/bin/pip install --quiet 'uv>=0.9,<1'
	uv sync --quiet --inexact
	@touch $@

runtime:  ## find, download or build Dapr
	@python3 -m runtime

demo: setup  ## 200 orders in each style on real sidecars, and a table of what each style costs
	@[ ! -e $(WORKSPACE)/Makefile ] || $(MAKE) --no-print-directory -C $(WORKSPACE) down
	rm -rf $(WORKSPACE)
	cookiecutter . --no-input --output-dir build
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) $(MAKE) --no-print-directory -C $(WORKSPACE) demo

test: setup  ## all tests, those of a rendered workspace included
	@python3 -m runtime >/dev/null
	@# Side by side: of the two, only a workspace that runs has ports of its own choice.
	@$(MAKE) --no-print-directory -j2 test-template test-workspace

# Without the flags of this make, which a workspace's own make would follow: two tasks at a time.
test-template: setup
	MAKEFLAGS= DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest

test-workspace: setup
	MAKEFLAGS= DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/workspace

test-trips: setup  ## a process of one's own, from `workspace new-service` to demo and faults
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/trips

test-node: setup  ## services written in JavaScript, as members of a workspace
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/node/test_node.py

test-rehearsal: setup  ## backup, restore and new secrets, as docs/operate.md has them
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/rehearsal

test-brokers: setup  ## the conformance suite, on a real server of each broker
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/brokers

# The pinned version is part of `make test`.
VERSIONS ?= 1.18.1 1.17.5

test-contract: setup  ## the contract on other versions of daprd: make test-contract VERSIONS=1.17.5
	@set -e; for version in $(VERSIONS); do \
		daprd=$$(python -m tests.contract.versions $$version); \
		echo "daprd $$version"; \
		DAPRD=$$daprd DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/contract \
			--deselect tests/contract/test_hot_key.py; \
	done

test-manifests: setup  ## what is sent to a cluster, against the schemas of all that it uses
	pytest tests/deploy/kubernetes/checked

test-kubernetes: test-manifests  ## the same against a real API server, then on a cluster of one node
	pytest tests/deploy/kubernetes/accepted
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m tests.deploy.kubernetes.running $(ARGS)

test-compose: setup  ## the three styles under Docker Compose, on a Docker daemon of its own
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/deploy/test_compose_config.py \
		tests/deploy/test_stack_config.py tests/deploy/test_compose.py

test-swarm: setup  ## the same on Docker Swarm
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) pytest tests/deploy/test_swarm.py

check: setup  ## lint, formatting, types
	ruff check . && ruff format --check .
	# In place: the template's pyproject.toml holds Jinja, which RUF200 cannot read.
	cd '{{cookiecutter.project_slug}}' && ruff check --ignore RUF200 . && ruff format --check .
	mypy

bench: setup  ## the generated choreography against the quickstart style, five rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks

bench-guards: setup  ## what inbox, recorded outcomes and ETags cost, five rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.guards

bench-hot-key: setup  ## all orders for one SKU against orders for fifty, five rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.hot_key

bench-styles: setup  ## the CPU of an order in each style, on one stack, five rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.styles

bench-multi-app: setup  ## activities of another app against service invocation, five rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.multi_app

bench-brokers: setup  ## on each broker, the choreography against a bare chain, three rounds
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.bare_chain

compare-brokers: setup  ## the three styles on each broker and store, on real servers
	DAPR_RUNTIME_PATH=$$(python3 -m runtime) python -m benchmarks.brokers

clean:  ## forget the rendered workspace and the tools
	@[ ! -e $(WORKSPACE)/Makefile ] || $(MAKE) --no-print-directory -C $(WORKSPACE) down
	rm -rf build .venv
