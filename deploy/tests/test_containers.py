"""The whole stack in real containers: it is healthy, a run goes from the form through Spark to
PostgreSQL, and faults are seen.

    make test-containers

With Docker it uses that; without, as root on Debian, engine.sh makes an engine. It takes ten
minutes or more, and 12 GB of disk.
"""

import json
import os
import re
import secrets
import shlex
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from base64 import urlsafe_b64encode
from pathlib import Path
from urllib.parse import urlencode

import pytest
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[2]
ENGINE = ROOT / "deploy/tests/engine.sh"
DAY, RUN = "2026-11-20T00:00:00Z", "20261120T000000"


def free_port() -> int:
    "A port of loopback that nothing listens on."
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def command(*words: str, timeout: float = 600) -> subprocess.CompletedProcess:
    """A command, its output, and its exit code, whatever that is. A `make` that it starts knows
    nothing of the options of the `make` that started these tests."""
    env = {k: v for k, v in os.environ.items() if k not in ("ARGS", "MAKEFLAGS", "MAKEOVERRIDES")}
    return subprocess.run(
        words, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=timeout
    )


class Stack:
    "The services, with passwords and ports of this test alone."

    def __init__(self, file: Path):
        self.file = file
        example = (ROOT / "deploy/.env.example").read_text(encoding="utf-8")
        self.values = dict(
            line.split("=", 1) for line in example.splitlines() if re.match(r"\w+=", line)
        )
        for name, value in self.values.items():
            if name.endswith("_PORT"):
                self.values[name] = str(free_port())
            elif not value and name != "TMDB_READ_TOKEN":
                self.values[name] = secrets.token_hex(24)
        self.values["TMDB_SCHEDULE"] = "0 0 29 2 *"  # no daily run beside that of the test
        self.values["AIRFLOW_FERNET_KEY"] = urlsafe_b64encode(secrets.token_bytes(32)).decode()
        file.write_text(
            "".join(f"{name}={value}\n" for name, value in self.values.items()), encoding="utf-8"
        )
        self.token = None

    def make(self, verb: str, timeout: float = 3600) -> subprocess.CompletedProcess:
        "A verb of the Makefile for this stack."
        compose = (
            f"docker compose --project-name tmdb-test --env-file {self.file} "
            "--file deploy/compose.yaml"
        )
        return command(
            "make",
            "--no-print-directory",
            f"ENV_FILE={self.file}",
            f"COMPOSE={compose}",
            *shlex.split(verb),
            timeout=timeout,
        )

    def inside(self, service: str, *words: str) -> str:
        "The output of a command in a container."
        done = command("docker", "exec", f"tmdb-test-{service}-1", *words)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()

    def airflow(self, path: str, send: dict | None = None, method: str | None = None) -> dict:
        "What the REST API of Airflow answers."
        head = {"Content-Type": "application/json"} | (
            {"Authorization": f"Bearer {self.token}"} if self.token else {}
        )
        body = None if send is None else json.dumps(send).encode()
        url = f"http://127.0.0.1:{self.values['AIRFLOW_PORT']}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, body, head, method=method), timeout=60
        ) as answer:
            return json.load(answer)

    def page(self, path: str, method: str = "GET") -> str:
        "What the web server of the reports answers. Raises `HTTPError`."
        url = f"http://127.0.0.1:{self.values['REPORTS_PORT']}{path}"
        with urllib.request.urlopen(
            urllib.request.Request(url, method=method), timeout=30
        ) as answer:
            return answer.read().decode()

    def answers(self, query: str) -> list[dict]:
        "What Prometheus answers to a query: a value for each series."
        base = f"http://127.0.0.1:{self.values['PROMETHEUS_PORT']}/api/v1/query?"
        with urllib.request.urlopen(base + urlencode({"query": query}), timeout=30) as answer:
            return json.load(answer)["data"]["result"]

    def metric(self, query: str) -> float | None:
        "The value of a query at Prometheus; None if nothing has it."
        found = self.answers(query)
        return float(found[0]["value"][1]) if found else None

    def until_healthy(self, wanted: bool, seconds: float = 300) -> str:
        "Wait until `make health-check` succeeds or fails; what it said."
        deadline = time.monotonic() + seconds
        while True:
            done = self.make("health-check")
            if (done.returncode == 0) == wanted:
                return done.stdout + done.stderr
            assert time.monotonic() < deadline, done.stdout + done.stderr
            time.sleep(3)


@pytest.fixture(scope="module")
def stack(tmp_path_factory):
    "The stack, healthy. It is taken away at the end, with its volumes."
    ours = command("docker", "info").returncode != 0
    with pytest.MonkeyPatch.context() as patch:
        if ours:
            started = command("bash", str(ENGINE), "start", timeout=1800)
            if started.returncode == 77:
                pytest.skip(started.stderr.strip().splitlines()[-1].removeprefix("skipped: "))
            assert started.returncode == 0, started.stderr
            for word in shlex.split(started.stdout.removeprefix("export ")):
                patch.setenv(*word.split("=", 1))
        stack = Stack(tmp_path_factory.mktemp("stack") / "env")
        try:
            up = stack.make("up")
            assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
            stack.token = stack.airflow(
                "/auth/token",
                {"username": "admin", "password": stack.values["AIRFLOW_ADMIN_PASSWORD"]},
            )["access_token"]
            yield stack
        finally:
            stack.make("down ARGS=--volumes")
            if ours:
                command("bash", str(ENGINE), "stop")


def test_every_service_is_healthy_and_spark_has_its_workers(stack):
    stack.until_healthy(True)
    with urllib.request.urlopen(
        f"http://127.0.0.1:{stack.values['SPARK_UI_PORT']}/json/", timeout=30
    ) as page:
        told = json.load(page)
    assert told["aliveworkers"] == 2 and told["coresused"] == 4
    settings = stack.inside("spark-connect", "sh", "-c", "cat /proc/*/cmdline | tr '\\0' '\\n'")
    assert "spark.sql.adaptive.enabled=false" in settings, "tuned as by deploy/spark/cluster.py"


def test_the_workers_can_ingest(stack):
    "They have this package, in the version of the image that sends them its functions."
    code = (
        "from tmdb_analysis.core.engine import code_digest, run_on_executors, session; "
        "from tmdb_analysis.films.ingest import film_id; "
        "assert run_on_executors(session(), code_digest, [{}] * 4) == [code_digest()] * 4; "
        "print(run_on_executors(session(), film_id, [{'record': {'id': 348}}]))"
    )
    said = stack.inside("airflow-scheduler", "/srv/package/bin/python", "-c", code)
    assert said.splitlines()[-1] == "[348]"


def test_a_run_from_the_form_reaches_postgresql_though_a_worker_dies(stack):
    fields = stack.airflow("/api/v2/dags/tmdb/details")["params"]
    as_it_opens = {name: field["value"] for name, field in fields.items()}
    stack.airflow("/api/v2/dags/tmdb", {"is_paused": False}, "PATCH")
    path = "/api/v2/dags/tmdb/dagRuns"
    run = f"{path}/{stack.airflow(path, {'logical_date': DAY, 'conf': as_it_opens})['dag_run_id']}"

    deadline, killed = time.monotonic() + 3600, False
    while (state := stack.airflow(run)["state"]) in ("queued", "running"):
        tasks = {
            task["task_id"]: task["state"]
            for task in stack.airflow(f"{run}/taskInstances")["task_instances"]
        }
        if tasks.get("23_clean") == "running" and not killed:
            killed = command("docker", "kill", "tmdb-test-spark-worker-1-1").returncode == 0
        assert time.monotonic() < deadline, tasks
        time.sleep(3)
    assert state == "success" and killed

    reports = f"/srv/tmdb/home/reports/{RUN}"
    facts = json.loads(stack.inside("jupyter", "cat", f"{reports}/run.json"))
    assert (
        facts["status"] == "ok"
        and stack.inside("jupyter", "test", "-s", f"{reports}/index.html") == ""
    )
    front = stack.page("/")
    assert f'href="{RUN}/index.html"' in front and "<h1" in stack.page(f"/{RUN}/index.html")
    with pytest.raises(urllib.error.HTTPError, match="403"):
        stack.page(f"/{RUN}/index.html", method="PUT")
    count = (
        "select count(*) from tmdb.movies "
        f"where exists (select from tmdb.runs where run_id = '{RUN}')"
    )
    url = f"postgresql://films:{stack.values['FILMS_DB_PASSWORD']}@127.0.0.1/films"
    assert stack.inside("postgres", "psql", url, "-Atc", count) == str(facts["films"])

    pruned = stack.inside(
        "airflow-scheduler", "/srv/package/bin/tmdb", "prune", "--keep", "1", "--history"
    )
    assert pruned.splitlines() == [
        "no run to delete",
        "history: deleted 0 runs in films@postgres:5432/films",
    ]

    wanted = {
        "tmdb_rows{table='movies'}": facts["films"],
        "sum(up{job='spark'})": 3,  # one worker is dead
        "metrics_master_aliveWorkers_Value": 1,
        "metrics_tmdb_driver_appStatus_jobs_succeededJobs_Count > bool 100": 1,
        "max(airflow_dag_processing_import_errors)": 0,
        "sum(last_over_time(airflow_ti_finish_total{state='success'}[1h]))": 17,
        "sum(increase(airflow_scheduler_heartbeat_total[5m])) > bool 0": 1,
    }
    deadline = time.monotonic() + 180  # Prometheus asks once a minute
    while (found := {query: stack.metric(query) for query in wanted}) != wanted:
        assert time.monotonic() < deadline, found
        time.sleep(5)

    board = json.loads((ROOT / "deploy/grafana/dashboards/services.json").read_text("utf-8"))
    for panel in board["panels"]:
        assert all(stack.answers(target["expr"]) for target in panel["targets"]), panel["title"]

    assert "spark-worker-1 is not running" in stack.until_healthy(False)
    assert stack.make("up").returncode == 0
    stack.until_healthy(True)


def test_the_form_can_be_sent_as_it_opens(stack):
    "A person signs in, opens the form, changes nothing, and sends it."
    browser = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
    if not browser:
        pytest.skip("no Chromium here: apt-get install chromium")
    path = "/api/v2/dags/tmdb/dagRuns"
    before = stack.airflow(path)["total_entries"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.goto(f"http://127.0.0.1:{stack.values['AIRFLOW_PORT']}/dags/tmdb")
        page.get_by_label("Username").fill("admin")
        page.get_by_label("Password").first.fill(stack.values["AIRFLOW_ADMIN_PASSWORD"])
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Trigger").first.click()
        form = page.get_by_role("dialog")
        for section in ("api", "pipeline", "report"):  # a field counts when it has been shown
            form.get_by_role("button", name=section, exact=True).click()
        form.get_by_role("button", name="Trigger", exact=True).click()  # waits until it is enabled
        form.wait_for(state="hidden")
        chromium.close()
    runs = stack.airflow(f"{path}?order_by=-run_after")
    assert runs["total_entries"] == before + 1
    assert runs["dag_runs"][0]["state"] in ("queued", "running", "success")


def test_a_dag_that_cannot_be_read_makes_the_stack_unhealthy(stack):
    broken = (
        "cp /srv/dags/tmdb.py /srv/dags/broken.py && echo 'raise IndexError(2)  "
        "# dag airflow' >> /srv/dags/broken.py"
    )
    command(
        "docker", "exec", "--user", "0", "tmdb-test-airflow-dag-processor-1", "sh", "-c", broken
    )
    command(
        "docker", "restart", "tmdb-test-airflow-dag-processor-1"
    )  # it reads all files when it starts
    deadline = time.monotonic() + 600
    while "Airflow cannot read" not in (said := stack.until_healthy(False, 600)):
        assert time.monotonic() < deadline, said
