# The commands of a working day. `make` alone lists them.
SHELL := /bin/bash
PYTHON := .venv/bin/python
MODELS ?=
WAV ?=
EDGE ?=
SCENARIO ?=
STAGE ?=
ENGINE ?=
AGENT_KIND ?=
PART ?=
LANGUAGES ?=
export WAV EDGE SCENARIO STAGE ENGINE AGENT_KIND PART LANGUAGES
# buf, grpcurl and the like come with the environment
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run-stack pbx call models test check protos bench load evaluate clean env-stack env-call env-test

help: ## Say what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

run-stack: env-stack ## Start the services, from nothing; Ctrl-C drains and stops; GATEWAY_PROCESSES=n gateways
	@exec $(PYTHON) -m deploy.run_stack

pbx: env-stack ## Start a private Asterisk that sends its calls to the stack; needs no root
	@exec $(PYTHON) -m deploy.asterisk.pbx

call: env-call ## Call the stack: WAV=my.wav, EDGE=grpc (no Asterisk), SCENARIO=barge-in|backchannel|pause|echo|echo-barge-in|hold
	@exec $(PYTHON) -m clients.phone

models: env-stack ## Fetch the embedded models and verify every byte: MODELS="name ..."
	@$(PYTHON) -m deploy.fetch_models --verify $(MODELS)

test: check ## Everything that can fail: make check, then the unit, conformance and integration tests
	@$(PYTHON) -m deploy.fetch_models
	@echo "== tests"
	@$(PYTHON) -m pytest tests/unit tests/conformance tests/integration

check: env-test ## Protos, style, types, imports: what can be told without running anything
	@echo "== protos"
	@protos/check.sh
	@echo "== ruff"
	@$(PYTHON) -m ruff check
	@$(PYTHON) -m ruff format --check
	@echo "== mypy"
	@$(PYTHON) -m mypy
	@echo "== imports"
	@.venv/bin/lint-imports

protos: env-test ## Make the stubs in protos/gen again, then check the protos
	@protos/generate.sh
	@protos/check.sh

bench: env-test ## Measure turns and barge-in on the wire: a table, and out/bench.json
	@exec $(PYTHON) -m tests.load.bench

load: env-test ## Load one stage alone: STAGE=stt|nlu|tts|gateway [ENGINE=name]; a table, and out/load-<stage>.json
	@exec $(PYTHON) -m tests.load.stage

evaluate: env-test ## Put the questions of tests/data/dialogues to an agent: AGENT_KIND=graph,prompt ENGINE=none,llama_cpp PART=test LANGUAGES=en,vi SHOW=1
	@exec $(PYTHON) -m tests.load.evaluate

clean: ## Remove the environment and what was made here; models and wheels stay in ~/.cache/tong-dai
	rm -rf .venv .cache out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

env-stack:
	@deploy/environment.sh stack

env-call:
	@deploy/environment.sh call

env-test:
	@deploy/environment.sh test
