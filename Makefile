# The verbs of the project. `make` alone lists them.
.DEFAULT_GOAL := help
BIN := .venv/bin
READY := .venv/.ready
UV := $(BIN)/python -I deploy/set_up.py uv
AIRFLOW := .venv-airflow
AIRFLOW_READY := $(AIRFLOW)/.ready
NEWEST := .venv-newest
DOCS := .venv-docs
DOCS_READY := $(DOCS)/.ready
AUDIT := .venv-audit
AUDIT_READY := $(AUDIT)/.ready
VERSION ?= 3.11
ENV_FILE := deploy/.env
COMPOSE := docker compose --env-file $(ENV_FILE) --file deploy/compose.yaml
ARGS ?=
ASSETS := tmdb_analysis/pages/assets
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help setup demo lab report run-pipeline test test-integration test-faults test-nightly test-newest test-spark test-coverage test-airflow airflow up down logs health-check \
	test-containers spark-shell need-docker bench cluster-up cluster-down format lint type-check audit book docs pictures sample dashboards lock clean force

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-17s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv from requirements.lock (every other verb does it when needed)

# The Python that was named, or that of .venv, or the first that is new enough, runs the script.
# The script does nothing when .venv is in step.
$(READY): force
	@for python in $(if $(PYTHON),"$(PYTHON)",$(BIN)/python python3 python3.11 python3.12 python3.13); do \
	"$$python" -Ic 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	exec "$$python" -I deploy/set_up.py; done; \
	echo 'Python 3.11 or newer is needed, and $(or $(PYTHON),python3) is older or missing.' \
	'Install it, or name one: make PYTHON=/path/to/python3.11 ...' >&2; exit 1

demo: $(READY) ## run the chain on the embedded sample and say where the report is
	@$(BIN)/tmdb demo $(ARGS)

report: $(READY) ## a report of your own saved answers: make report INPUT=dump.json
	@test -n "$(INPUT)" || { echo "say which files: make report INPUT=dump.json"; exit 2; }
	@$(BIN)/tmdb run --source files --input $(INPUT) $(ARGS)

run-pipeline: $(READY) ## the chain with any options: make run-pipeline ARGS="--engine spark -p top_n=5"
	@$(BIN)/tmdb run $(ARGS)

lab: $(READY) ## open the book in JupyterLab (with a first run to explore, if there is none yet)
	@test -e data/tables/CURRENT || $(BIN)/tmdb demo
	$(BIN)/jupyter lab --KernelManager.transport_encryption=auto --ServerApp.root_dir=. --LabApp.default_url=/lab/tree/nbs/index.ipynb $(ARGS)

test: $(READY) lint type-check ## every check and test, in two processes: each file in one of them, in order
	$(BIN)/pytest -m "not nightly" --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-nightly: $(READY) ## the tests that are too slow for each change: a Spark worker killed, the sample on local Spark
	$(BIN)/pytest -m nightly tests $(ARGS)

test-newest: $(READY) ## the tests with the newest versions that settings.ini allows: make test-newest VERSION=3.13
	$(UV) venv --quiet --clear --python $(VERSION) $(NEWEST)
	$(UV) pip install --quiet --refresh --python $(NEWEST)/bin/python --editable ".[dev]"
	$(NEWEST)/bin/pytest -m "not nightly" --deselect tests/test_house.py::test_pins_agree --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-integration: $(READY) ## only the tests that run the whole chain: command, both engines, wheel
	$(BIN)/pytest -m "integration and not faults" tests $(ARGS)

test-faults: $(READY) ## what a broken network, disk or process does to a fetch: sockets, kills, secrets
	$(BIN)/pytest -m faults tests $(ARGS)

test-spark: $(READY) ## every number against plain Python once more, computed by Apache Spark: half an hour
	TMDB_ENGINE=spark $(BIN)/pytest tests/test_parity.py tests/test_money_kpis.py tests/test_group_kpis.py $(ARGS)

test-coverage: $(READY) ## the tests, with the lines that they reach
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

test-airflow: $(AIRFLOW_READY) ## the DAG in a real Airflow: a run that goes well, one that fails
	$(AIRFLOW)/bin/pytest -c deploy/airflow/tests/pytest.ini deploy/airflow/tests $(ARGS)

test-containers: $(READY) ## the stack in real containers; where there is no Docker, in an engine of its own
	$(BIN)/pytest --confcutdir=deploy/tests -o faulthandler_timeout=0 deploy/tests $(ARGS)

airflow: $(AIRFLOW_READY) ## Airflow on this machine, at http://127.0.0.1:8080; it says the password of admin
	@AIRFLOW_HOME=$(CURDIR)/data/airflow AIRFLOW__CORE__DAGS_FOLDER=$(CURDIR)/deploy/airflow/dags AIRFLOW__CORE__LOAD_EXAMPLES=False \
	AIRFLOW__CORE__PARALLELISM=2 AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES=1 AIRFLOW__API__WORKERS=1 AIRFLOW__API__HOST=127.0.0.1 \
	PATH=$(CURDIR)/$(AIRFLOW)/bin:$$PATH $(AIRFLOW)/bin/airflow standalone

$(AIRFLOW_READY): deploy/airflow/requirements.txt $(READY)
	$(UV) venv --quiet --clear --python $(BIN)/python $(AIRFLOW)
	$(UV) pip install --quiet --require-hashes --python $(AIRFLOW)/bin/python -r deploy/airflow/requirements.txt
	@touch $@

need-docker:
	@docker compose version >/dev/null 2>&1 || { echo "this needs Docker with its compose plugin, which is not here: see docs/operations.md" >&2; exit 1; }
	@test -f $(ENV_FILE) || { echo "copy deploy/.env.example to deploy/.env and fill it in: see docs/operations.md" >&2; exit 1; }

up: need-docker ## build and start the whole system: Spark, Airflow, PostgreSQL, Redis, JupyterLab, Grafana
	$(COMPOSE) up --detach --build --wait $(ARGS)

down: need-docker ## stop it; its volumes stay (make down ARGS=--volumes deletes them)
	$(COMPOSE) down $(ARGS)

logs: need-docker ## follow what its services say: make logs ARGS=airflow-scheduler
	$(COMPOSE) logs --follow --tail 100 $(ARGS)

health-check: need-docker ## the state of each service; fails unless all run and are healthy
	@$(COMPOSE) ps --all
	@test -n "$$($(COMPOSE) ps --quiet)" || { echo "nothing is running: make up" >&2; exit 1; }
	@found=$$($(COMPOSE) ps --format '{{.Service}} {{.Health}}'); failed=0; \
	for service in $$($(COMPOSE) config --services | sort | grep -v '^airflow-init$$'); do \
	  echo "$$found" | grep -qx "$$service healthy" && continue; failed=1; \
	  id=$$($(COMPOSE) ps --quiet $$service 2>/dev/null); \
	  [ "$$id" ] || { echo "$$service is not running: make up" >&2; continue; }; \
	  reason=$$(docker inspect --format '{{range .State.Health.Log}}{{.Output}}{{end}}' $$id | \
	    grep . | tail -1); \
	  echo "$$service is not healthy: $${reason:-see make logs ARGS=$$service}" >&2; \
	done; exit $$failed

spark-shell: need-docker ## a Python shell with a session on the cluster
	$(COMPOSE) exec jupyter python -ic "from tmdb_analysis.core.engine import session; spark = session()"

bench: $(READY) ## speed and memory beside DuckDB, Polars and pandas (ARGS=--quick: two minutes; ARGS=--fetch: fetching)
	@$(BIN)/python -m tests.bench $(ARGS)

cluster-up: $(READY) ## start Apache Spark here: master, two workers, Connect with a token (make cluster-up ARGS="--port 7078")
	@$(BIN)/python deploy/spark/cluster.py up $(ARGS)

cluster-down: $(READY) ## stop it
	@$(BIN)/python deploy/spark/cluster.py down $(ARGS)

format: $(READY) ## lay out the code of chapters, tests, scripts, style sheets and templates
	$(BIN)/ruff check --quiet --select I --fix nbs tests data deploy binder setup.py conftest.py
	$(BIN)/ruff format --quiet nbs tests data deploy binder setup.py conftest.py
	$(BIN)/oxfmt $(ASSETS)
	$(BIN)/djlint --quiet --warn --reformat $(ASSETS)
	$(BIN)/nbdev_clean
	$(BIN)/nbdev_export

lint: $(READY) ## look for mistakes and for layout that differs
	$(BIN)/ruff check --quiet nbs tests data deploy binder setup.py conftest.py
	$(BIN)/ruff format --quiet --check nbs tests data deploy binder setup.py conftest.py
	$(BIN)/ruff check --quiet --isolated --select F tmdb_analysis
	$(BIN)/oxlint --quiet --format=unix $(ASSETS)
	$(BIN)/oxfmt --list-different $(ASSETS)
	$(BIN)/djlint --lint --check $(ASSETS)

type-check: $(READY) ## check the types of the library
	$(BIN)/mypy tmdb_analysis

audit: $(AUDIT_READY) ## known vulnerabilities of the locked packages, secrets in the files, what the wheel brings (build/sbom.json)
	@mkdir -p build
	@if git grep --line-number -IE -f deploy/audit/secrets.txt -- ':!deploy/audit/secrets.txt'; then \
	echo "these lines look like secrets: remove them, and revoke the secrets" >&2; exit 1; fi
	@$(UV) venv --quiet --clear --python $(BIN)/python $(AUDIT)/wheel
	@$(UV) pip install --quiet --python $(AUDIT)/wheel/bin/python --constraint requirements.lock .
	@$(AUDIT)/bin/cyclonedx-py environment --output-reproducible --output-file build/sbom.json $(AUDIT)/wheel/bin/python
	@$(AUDIT)/bin/python deploy/audit/vulnerabilities.py

# The tools of the audit have an environment of their own.
$(AUDIT_READY): deploy/audit/requirements.txt $(READY)
	@$(UV) venv --quiet --clear --python $(BIN)/python $(AUDIT)
	@$(UV) pip install --quiet --require-hashes --python $(AUDIT)/bin/python -r deploy/audit/requirements.txt
	@touch $@

book: $(READY) ## after editing a chapter: run all chapters, store their outputs, export the library, make the README
	$(BIN)/python tests/make_book.py $(ARGS)

docs: $(DOCS_READY) ## build the website of the book in build/site: chapters, docs, API reference, reports of the sample
	@PYTHONPATH="$(CURDIR)" $(DOCS)/bin/python -m deploy.docs.make_docs $(ARGS)

# The tools of the website have an environment of their own, which sees the packages of .venv.
$(DOCS_READY): deploy/docs/requirements.txt $(READY)
	@$(UV) venv --quiet --clear --python $(BIN)/python $(DOCS)
	@$(UV) pip install --quiet --require-hashes --python $(DOCS)/bin/python -r deploy/docs/requirements.txt
	@place='import site; print(site.getsitepackages()[0])'; \
	$(BIN)/python -c "$$place" > "$$($(DOCS)/bin/python -c "$$place")/book.pth"
	@touch $@

pictures: $(READY) ## after editing pages: take the pictures of README.md and docs/ anew
	$(BIN)/python -m tests.make_pictures

sample: $(READY) ## fetch the films of the embedded sample anew (needs TMDB_READ_TOKEN in .env), then: make book
	$(BIN)/python data/sample/make_sample.py --renew $(ARGS)

dashboards: $(READY) ## after editing deploy/grafana: write its dashboards and alerts anew
	$(BIN)/python deploy/grafana/make_dashboards.py
	$(BIN)/python deploy/grafana/make_alerts.py

lock: $(READY) ## write requirements.lock, environment.yml and the requirements.txt of the images, Airflow and the website anew
	$(BIN)/uv pip compile --quiet --refresh setup.py --extra dev --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements.lock
	$(BIN)/python tests/make_environment.py
	$(BIN)/uv pip compile --quiet setup.py deploy/docker/requirements.in --constraint requirements.lock --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o deploy/docker/requirements.txt
	$(BIN)/uv pip compile --quiet deploy/docker/spark.in --constraint requirements.lock --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o deploy/docker/spark.txt
	$(BIN)/uv pip compile --quiet deploy/airflow/requirements.in --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o deploy/airflow/requirements.txt
	$(BIN)/uv pip compile --quiet deploy/docs/requirements.in --constraint requirements.lock --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o deploy/docs/requirements.txt
	$(BIN)/uv pip compile --quiet deploy/audit/requirements.in --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o deploy/audit/requirements.txt

clean: ## delete what runs and tests have made, but neither .venv nor what was fetched (data/raw)
	rm -rf data/tables build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov
	find reports -mindepth 1 -not -name README.md -delete
