# The commands of a working day. `make` alone lists them.
SHELL := /bin/bash
PYTHON := .venv/bin/python
NEMO_PYTHON := .cache/nemo-venv/bin/python
TRANSFORMERS_PYTHON := .cache/transformers-venv/bin/python
MODELS ?=
WAV ?=
EDGE ?=
SCENARIO ?=
STAGE ?=
ENGINE ?=
PROVIDER ?=
FOR ?= 30
AGENT_KIND ?=
PART ?=
LANGUAGES ?=
ONE_PROCESS ?=
WORKERS ?= 2
RULE_WORKERS ?= 3
# The second model whose sizes the planner is held to, beside the default one.
PLANNED_MODEL := qwen2.5-1.5b-instruct
CALL_WORKERS ?= 4
# Calls in real time share the cores: what fails is made once more, and the summary names it. Unit tests never are.
AGAIN := --reruns 1 --reruns-delay 1 -rR
IMAGE ?=
VOLUMES ?=
export WAV EDGE SCENARIO STAGE ENGINE PROVIDER AGENT_KIND PART LANGUAGES
# buf, grpcurl and the like come with the environment
export PATH := $(CURDIR)/.venv/bin:$(PATH)

.DEFAULT_GOAL := help
.PHONY: help run-stack pbx call models test check protos bench load drill evaluate prove-gpu test-nemo test-clone test-transformers test-llama-server prove-nlu prove-google clean \
  clients test-clients images docker-start docker-stop compose-up compose-call compose-kills compose-down compose-test \
  test-kustomize \
  env-stack env-call env-test env-deploy

help: ## Say what can be made
	@grep -hE '^[a-z-]+: .*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## */\1\t/' | awk -F'\t' '{printf "  make %-12s %s\n", $$1, $$2}'

run-stack: env-stack ## Start the services, from nothing; Ctrl-C drains and stops; GATEWAY_PROCESSES=n gateways; ONE_PROCESS=1
	@exec $(PYTHON) -m deploy.run_stack $(if $(filter-out 0,$(ONE_PROCESS)),--one-process)

pbx: env-stack ## Start a private Asterisk that sends its calls to the stack; needs no root
	@exec $(PYTHON) -m deploy.asterisk.pbx

call: env-call ## Call the stack: WAV=my.wav, EDGE=grpc (no Asterisk), SCENARIO=barge-in|backchannel|pause|echo|echo-barge-in|hold
	@exec $(PYTHON) -m clients.phone

models: env-stack ## Fetch the embedded models and verify every byte: MODELS="name ..."
	@$(PYTHON) -m deploy.fetch_models --verify $(MODELS)

test: check ## Everything that can fail: make check, then the unit, conformance and integration tests
	@$(PYTHON) -m deploy.fetch_models && $(PYTHON) -m deploy.fetch_models $(PLANNED_MODEL)
	@echo "== unit tests"
	@failed=0; $(PYTHON) -m pytest -n $(WORKERS) tests/unit || failed=1; \
	echo "== conformance tests"; \
	$(PYTHON) -m pytest -n $(RULE_WORKERS) --dist loadgroup $(AGAIN) -m "not models" tests/conformance || failed=1; \
	echo "== integration tests: calls, which mostly wait"; \
	$(PYTHON) -m pytest -n $(CALL_WORKERS) --dist loadfile --no-loadscope-reorder $(AGAIN) -m "not models" tests/integration || failed=1; \
	echo "== servers with models, which have the machine to themselves"; \
	$(PYTHON) -m pytest $(AGAIN) -m models tests/conformance tests/integration || failed=1; \
	exit $$failed

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

clients: env-test ## Generate and build the clients in Go, TypeScript and Java; needs their tool chains, and says which
	@clients/build.sh

test-clients: env-test ## Clients in every language: code from the protos, lint, and every program against running services
	@clients/build.sh check
	@clients/build.sh
	@clients/lint.sh
	@echo "== tests"
	@$(PYTHON) -m pytest -n $(WORKERS) --dist loadfile $(AGAIN) tests/clients

bench: env-test ## Measure turns and barge-in on the wire: a table, and out/bench.json
	@exec $(PYTHON) -m tests.load.bench

drill: env-stack ## Take a provider of a chain out: STAGE=stt|nlu|tts PROVIDER=name FOR=30 (seconds); without PROVIDER say how they stand
	@exec $(PYTHON) -m deploy.drill "$(STAGE)" "$(PROVIDER)" $(FOR)

load: env-test ## Load one stage alone: STAGE=stt|nlu|tts|gateway [ENGINE=name] [STREAMS=1,4]; tts with ENGINE: 1 to 32 calls in real time
	@exec $(PYTHON) -m tests.load.stage

prove-gpu: env-test ## The tests of llama.cpp with all layers on GPUs, of NeMo and of transformers: needs one, and llama.cpp compiled for it
	@NLU_GPU_LAYERS=-1 $(PYTHON) -m pytest tests/unit/nlu/test_llama4.py tests/unit/nlu/test_llama_model.py tests/integration/test_nlu_chain.py
	@$(MAKE) test-nemo test-transformers

test-nemo: ## NeMo's and BigVGAN's own code on tiny weights, in an environment of its own (5.6 GB); on a GPU where one is
	@deploy/nemo/environment.sh
	@PYTHONPATH=.:protos/gen $(NEMO_PYTHON) -m pytest tests/nemo

test-clone: env-test ## XTTS's own code on tiny weights, in an environment of its own (5.2 GB)
	@deploy/clone/environment.sh
	@exec $(PYTHON) -m pytest tests/clone

test-transformers: ## The engine transformers on a tiny random Qwen2, in an environment of its own (5 GB); on a GPU where one is
	@deploy/transformers/environment.sh
	@PYTHONPATH=.:protos/gen $(TRANSFORMERS_PYTHON) -m pytest tests/transformers

test-llama-server: env-test ## The engine openai at a real llama-server, compiled here once from the lock file's sources (half an hour)
	@LLAMA_SERVER="$$($(PYTHON) -m deploy.llama_server)" && export LLAMA_SERVER && $(PYTHON) -m pytest tests/llama_server

prove-nlu: env-test ## Hold the NLU engine of the environment to every rule of the protocol: NLU_ENGINE=gemini NLU_GEMINI_API_KEY_FILE=key
	@export NLU_PORT=51753 NLU_METRICS_PORT=0; $(PYTHON) -m services.nlu & pid=$$!; trap "kill $$pid" EXIT; \
	for i in $$(seq 120); do $(PYTHON) -m deploy.probe nlu && break; kill -0 $$pid || exit 1; sleep 1; done; \
	$(PYTHON) -m clients.conformance --target 127.0.0.1:51753 --service nlu

prove-google: env-test ## Prove the engine google: its suite and its delays, by Google itself where STT_GOOGLE_PROJECT is set
	@exec $(PYTHON) -m tests.load.prove_google

evaluate: env-test ## Put the questions of tests/data/dialogues to an agent: AGENT_KIND=graph,prompt ENGINE=none,llama_cpp PART=test LANGUAGES=en,vi SHOW=1
	@exec $(PYTHON) -m tests.load.evaluate

docker-start: ## Start a Docker daemon where no service manager does; as root
	@deploy/docker/daemon.sh start

docker-stop: ## End the Docker daemon that make docker-start began
	@deploy/docker/daemon.sh stop

images: env-deploy ## Build the container images, with sizes, times and bills of materials: IMAGE=name for one
	@deploy/docker/daemon.sh ensure
	@exec $(PYTHON) -m deploy.containers.images $(IMAGE)

compose-up: env-deploy ## Start the stack and an Asterisk in containers, from nothing, with TLS and tokens
	@exec $(PYTHON) -m deploy.containers.stack up

compose-call: env-deploy ## Call the stack in containers by gRPC and by SIP: two transcripts
	@exec $(PYTHON) -m deploy.containers.stack call

compose-kills: env-deploy ## Kill each container in mid-call and print what the caller heard; as root
	@exec $(PYTHON) -m deploy.containers.kills

compose-down: env-deploy ## Remove the containers; VOLUMES=1 the models, secrets and caches in volumes too
	@exec $(PYTHON) -m deploy.containers.stack down $(if $(filter-out 0,$(VOLUMES)),--volumes)

compose-test: images ## Build the images, start the stack in containers, call it, and remove it
	@$(PYTHON) -m deploy.containers.stack up && $(PYTHON) -m deploy.containers.stack call; failed=$$?; \
	$(PYTHON) -m deploy.containers.stack down && exit $$failed

test-kustomize: env-test ## Hold the overlays of Kubernetes to what kustomize makes of them; builds it with Go where it is not on PATH
	@$(PYTHON) -m pytest tests/kustomize

clean: ## Remove the environment and what was made here; models and wheels stay in ~/.cache/tong-dai
	rm -rf .venv .cache out .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis

env-stack:
	@deploy/environment.sh stack

env-deploy:
	@deploy/environment.sh deploy

env-call:
	@deploy/environment.sh call

env-test:
	@deploy/environment.sh test
