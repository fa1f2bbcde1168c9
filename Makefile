# The verbs of the project. `make` alone lists them.
.DEFAULT_GOAL := help
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
ARGS ?=
export JUPYTER_PREFER_ENV_PATH := 1

.PHONY: help setup demo lab report run-pipeline test test-integration test-faults test-coverage bench cluster-up cluster-down format lint \
	type-check book pictures dashboards lock clean

help: ## list the verbs
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  %-17s %s\n", $$1, $$2}'

setup: $(READY) ## make .venv from requirements.lock (every other verb does it when needed)

$(READY): requirements.lock settings.ini setup.py
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

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

test: $(READY) lint type-check ## every check and test, on two processors: each file on one of them, in order
	$(BIN)/pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder $(ARGS)

test-integration: $(READY) ## only the tests that run the whole chain: command, both engines, wheel
	$(BIN)/pytest -m "integration and not faults" tests $(ARGS)

test-faults: $(READY) ## what a broken network, disk or process does to a fetch: sockets, kills, secrets
	$(BIN)/pytest -m faults tests $(ARGS)

test-coverage: $(READY) ## the tests, with the lines that they reach
	$(BIN)/pytest --cov --cov-report=term-missing:skip-covered $(ARGS)

bench: $(READY) ## engines and plain Python, fetching and plain requests, side by side as ratios
	$(BIN)/python -m tests.bench $(ARGS)
	$(BIN)/python -m tests.bench_ingest

cluster-up: $(READY) ## start Apache Spark here: master, two workers, Connect with a token (make cluster-up ARGS="--port 7078")
	@$(BIN)/python deploy/spark/cluster.py up $(ARGS)

cluster-down: $(READY) ## stop it
	@$(BIN)/python deploy/spark/cluster.py down $(ARGS)

format: $(READY) ## lay out the code of chapters and tests
	$(BIN)/ruff check --quiet --select I --fix nbs tests data deploy setup.py conftest.py
	$(BIN)/ruff format --quiet nbs tests data deploy setup.py conftest.py
	$(BIN)/nbdev_clean
	$(BIN)/nbdev_export

lint: $(READY) ## look for mistakes and for layout that differs
	$(BIN)/ruff check --quiet nbs tests data deploy setup.py conftest.py
	$(BIN)/ruff format --quiet --check nbs tests data deploy setup.py conftest.py
	$(BIN)/ruff check --quiet --isolated --select F tmdb_analysis

type-check: $(READY) ## check the types of the library
	$(BIN)/mypy tmdb_analysis

book: $(READY) ## after editing a chapter: run all chapters, store their outputs, export the library, make the README
	$(BIN)/python tests/make_book.py $(ARGS)

pictures: $(READY) ## after editing pages: take the pictures of README.md and docs/ anew
	$(BIN)/python -m tests.make_pictures

dashboards: $(READY) ## after editing deploy/grafana: write its dashboards and alerts anew
	$(BIN)/python deploy/grafana/make_dashboards.py
	$(BIN)/python deploy/grafana/make_alerts.py

lock: ## write requirements.lock and environment.yml anew from settings.ini
	$(BIN)/uv pip compile --quiet --refresh setup.py --extra dev --universal --generate-hashes --no-header --no-annotate --python-version 3.11 -o requirements.lock
	$(BIN)/python tests/make_environment.py

clean: ## delete what runs and tests have made, but neither .venv nor what was fetched (data/raw)
	rm -rf data/tables build dist .pytest_cache .ruff_cache .mypy_cache .hypothesis .coverage .coverage.* htmlcov
	find reports -mindepth 1 -not -name README.md -delete
