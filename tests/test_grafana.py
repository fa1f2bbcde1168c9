"""The dashboards and alerts as code: what Grafana and Prometheus are given is complete, fits, and
has an answer in a real database."""

import json
import os
import re
import runpy
import shutil
import subprocess
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml

from tests.test_publish import another
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.records import RunRecord
from tmdb_analysis.runs.metrics import RUN_MEASURES, run_gauges
from tmdb_analysis.use.database import ALL_TABLES
from tmdb_analysis.use.publish import publish_run, target

DEPLOY = Path(__file__).parent.parent / "deploy"
BOARDS = {
    path.stem: json.loads(path.read_text(encoding="utf-8"))
    for path in sorted((DEPLOY / "grafana" / "dashboards").glob("*.json"))
}
ALL_PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]
PANELS = [one for one in ALL_PANELS if "rawSql" in one.values[0]["targets"][0]]
QUERIES = [  # of the panels that ask Prometheus; the others ask PostgreSQL
    target["expr"]
    for board in BOARDS.values()
    for panel in board["panels"]
    for target in panel["targets"]
    if "expr" in target
]
ALERTING = DEPLOY / "grafana" / "provisioning" / "alerting" / "tmdb.yaml"
RULES = [
    rule
    for group in yaml.safe_load(ALERTING.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
FETCH = {"attempts": 900, "hits": 100, "misses": 800, "stale": 0, "broken": 2, "flawed": 1}


def script(name: str) -> dict[str, Any]:
    "What a script of deploy/grafana defines."
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    return runpy.run_path(str(DEPLOY / "grafana" / f"{name}.py"))


def fetched(demo: Run, home: Path, run_id: str, **facts) -> Run:
    "The demo run as if it had been fetched, by Apache Spark."
    run = another(
        demo, home, run_id, fetch=FETCH, source="api", spark={"jobs": 120, "stages": 300}, **facts
    )
    counts = json.loads((run.tables / "ingest.counts.json").read_text()) | {"fetch": {"failed": 3}}
    (run.tables / "ingest.counts.json").unlink()
    (run.tables / "ingest.counts.json").write_text(json.dumps(counts))
    return run


@pytest.fixture(scope="module")
def reader(postgres, demo, tmp_path_factory) -> psycopg.Connection:
    "A database with two runs that succeeded and one that failed, seen by a user who may only read."
    url, home = postgres.new("dashboards"), tmp_path_factory.mktemp("grafana")
    publish_run(fetched(demo, home, "first", hours=-30), target(url))
    publish_run(fetched(demo, home, "second", hours=-2), target(url))
    failed = another(
        demo,
        home,
        "failed",
        hours=-1,
        status="failed",
        gate="fail",
        failed_stage="27_validate",
        error="too few",
    )
    publish_run(failed, target(url))
    with psycopg.connect(
        postgres.viewer("dashboards"), options="-c statement_timeout=2000", autocommit=True
    ) as connection:
        yield connection


def answer(connection: psycopg.Connection, query: str) -> tuple[list[str], list[tuple]]:
    "Columns and rows of a query, with Grafana's macros filled in."
    query = re.sub(
        r"\$__timeFilter\(([\w.]+)\)",
        r"\1 between now() - interval '30 days' and now() + interval '1 day'",
        query,
    )
    assert "$" not in query, "a macro or variable that Grafana would have to know"
    cursor = connection.execute(query)
    return [column.name for column in cursor.description], cursor.fetchall()


# Dashboards


def test_the_committed_dashboards_are_what_the_script_makes():
    made = script("make_dashboards")
    assert {name: made["text"](board) for name, board in made["dashboards"]().items()} == {
        path.stem: path.read_text(encoding="utf-8")
        for path in (DEPLOY / "grafana" / "dashboards").glob("*.json")
    }
    assert script("make_alerts")["text"]() == ALERTING.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", BOARDS)
def test_grafana_knows_every_key(name):
    pytest.importorskip("grafana_foundation_sdk", reason="grafana-foundation-sdk is not installed")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.cog.plugins import register_default_plugins
    from grafana_foundation_sdk.models.dashboard import Dashboard

    register_default_plugins()

    def there_and_back(board):
        return json.loads(
            json.dumps(Dashboard.from_json(json.loads(json.dumps(board))), cls=JSONEncoder)
        )

    assert there_and_back(BOARDS[name]) == BOARDS[name]
    misspelt = BOARDS[name] | {"descripton": "a key that Grafana does not know"}
    assert there_and_back(misspelt) != misspelt, "this test can fail"


@pytest.mark.parametrize("name", BOARDS)
def test_panels_fill_the_grid_without_overlap(name):
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        assert place["x"] >= 0 and place["x"] + place["w"] <= 24, panel["title"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
    assert len(taken) == 24 * (max(y for _, y in taken) + 1), "no hole either"


@pytest.mark.parametrize("panel", ALL_PANELS)
def test_a_panel_explains_itself(panel):
    assert (
        panel["title"]
        and panel["description"].endswith(".")
        and panel["fieldConfig"]["defaults"]["unit"]
    )
    known = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/tmdb.yaml").read_text())
    sources = [{"type": one["type"], "uid": one["uid"]} for one in known["datasources"]]
    wanted = sources["expr" in panel["targets"][0]]
    assert panel["datasource"] == wanted
    assert all(target["datasource"] == wanted for target in panel["targets"])


def test_a_wall_can_show_them():
    "Large numbers, long names in full, and a colour of its own for what is bad."
    for panel in (panel for board in BOARDS.values() for panel in board["panels"]):
        custom = panel["fieldConfig"]["defaults"].get("custom", {})
        if panel["type"] == "stat":
            assert panel["options"]["text"]["valueSize"] >= 40
        elif panel["type"] == "table":
            assert custom["cellOptions"] == {"type": "auto", "wrapText": True}
        elif panel["type"] == "timeseries":
            named = {one["matcher"]["options"]: one for one in panel["fieldConfig"]["overrides"]}
            colours = [one["properties"][0]["value"]["fixedColor"] for one in named.values()]
            assert {"critical", "error", "warn", "failed"} <= named.keys()
            assert named["failed"]["properties"][0]["value"]["fixedColor"] == "red"
            assert len(set(colours)) == len(colours) - 1, "only critical and failed share theirs"


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_has_an_answer(panel, reader):
    columns, rows = answer(reader, panel["targets"][0]["rawSql"])
    assert rows and len(set(columns)) == len(columns)
    kinds = [{type(row[i]) for row in rows} - {type(None)} for i in range(len(columns))]
    if panel["type"] == "timeseries":
        assert columns == ["time", "metric", "value"] and kinds == [{datetime}, {str}, {float}]
        assert rows == sorted(rows, key=lambda row: row[0]), "Grafana wants time in order"
    elif panel["type"] in ("barchart", "bargauge"):
        assert len(columns) == 2 and kinds[0] == {str} and kinds[1] <= {int, float, Decimal}
    elif panel["type"] == "stat":
        assert len(rows) == 1 and len(columns) == 1 and rows[0][0] is not None
    assert all(any(row[i] is not None for row in rows) for i in range(len(columns))), (
        "no column is empty"
    )


def test_numbers_of_the_dashboards_are_those_of_the_run(reader, demo):
    told = json.loads((demo.report / "run.json").read_text())
    one = {
        panel["title"]: panel["targets"][0]["rawSql"]
        for panel in BOARDS["pipeline"]["panels"]
        if panel["type"] == "stat"
    }
    assert answer(reader, one["Last run"])[1] == [("failed",)] and answer(reader, one["Films"])[
        1
    ] == [(told["films"],)]
    assert answer(reader, one["Runs"])[1] == [(3,)] and answer(reader, one["Duration"])[1] == [
        (told["seconds"],)
    ]
    table = next(p for p in BOARDS["pipeline"]["panels"] if p["type"] == "table")
    columns, found = answer(reader, table["targets"][0]["rawSql"])
    rate = columns.index("from cache in %")
    assert [(row[1], row[rate]) for row in found] == [
        ("failed", None),
        ("second", 11),
        ("first", 11),
    ]
    sent = next(p for p in BOARDS["pipeline"]["panels"] if p["title"] == "Requests to TMDB")
    assert [row[2] for row in answer(reader, sent["targets"][0]["rawSql"])[1]] == [900, 900, 0]


def test_every_table_of_the_history_is_shown():
    shown = " ".join(one.values[0]["targets"][0]["rawSql"] for one in PANELS)
    for name in ("runs", "metrics", "quality_rules", "quality_dimensions"):
        assert f"tmdb.{name} " in shown
    assert set(re.findall(r"tmdb\.(\w+)", shown)) <= ALL_TABLES.keys()
    assert {name for name in re.findall(r"name = '(\w+)'", shown)} <= RUN_MEASURES.keys()


# Alerts


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["uid"])
def test_an_alert_has_one_number(rule, reader):
    query, condition = rule["data"]
    columns, rows = answer(reader, query["model"]["rawSql"])
    assert len(rows) == len(columns) == 1 and isinstance(rows[0][0], int | float | Decimal)
    assert (
        rule["condition"] == condition["refId"] == "B"
        and condition["model"]["expression"] == query["refId"] == "A"
    )
    assert "$" not in json.dumps(rule), (
        "Grafana takes $ in these files for a variable of its environment"
    )
    assert rule["annotations"]["summary"].endswith(".") and rule["labels"]["severity"] in (
        "critical",
        "warning",
        "info",
    )


def fires(rule: dict[str, Any], connection: psycopg.Connection) -> bool:
    "Whether the number of an alert is beyond its limit, or what no number means."
    rows = answer(connection, rule["data"][0]["model"]["rawSql"])[1]
    evaluator = rule["data"][1]["model"]["conditions"][0]["evaluator"]
    if not rows or rows[0][0] is None:
        return rule["noDataState"] == "Alerting"
    value, limit = rows[0][0], evaluator["params"][0]
    return value > limit if evaluator["type"] == "gt" else value < limit


def test_alerts_fire_when_they_should(reader):
    """The database of the tests: the last run failed at the gate, one succeeded two hours ago, the
    cache is cold, 3 films failed."""
    fired = {rule["uid"] for rule in RULES if fires(rule, reader)}
    assert fired == {"tmdb-run-failed", "tmdb-gate-failed", "tmdb-cache-cold"}


@pytest.mark.parametrize(
    ("hours", "late"), [(25, []), (47, ["daily"]), (49, ["daily", "two-days"])]
)
def test_two_days_without_a_success_are_an_alert(hours, late, postgres, demo, tmp_path):
    url = postgres.new(f"late_{hours}")
    ended = json.loads((demo.report / "run.json").read_text())["finished"]
    since = (datetime.now(UTC) - datetime.fromisoformat(ended)).total_seconds() / 3600
    publish_run(another(demo, tmp_path, "good", hours=int(since) - hours), target(url))
    publish_run(another(demo, tmp_path, "failed", hours=-1, status="failed"), target(url))
    with psycopg.connect(url, autocommit=True) as connection:
        fired = {rule["uid"] for rule in RULES if fires(rule, connection)}
    wanted = {f"tmdb-no-success-{name}" for name in late}
    assert {uid for uid in fired if "no-success" in uid} == wanted


def test_provisioning_holds_no_secret():
    source = yaml.safe_load((DEPLOY / "grafana/provisioning/datasources/tmdb.yaml").read_text())[
        "datasources"
    ][0]
    told = {
        **source["secureJsonData"],
        "user": source["user"],
        "url": source["url"],
        "database": source["jsonData"]["database"],
    }
    assert all(re.fullmatch(r"\$TMDB_GRAFANA_[A-Z]+", value) for value in told.values())


# Prometheus


def test_promtool_takes_the_configuration_and_the_rules():
    if not (tool := shutil.which("promtool")):
        pytest.skip("promtool, of the Debian package prometheus, is not installed")
    for words in (["check", "config", "prometheus.yml"], ["test", "rules", "rules_test.yml"]):
        done = subprocess.run(
            [tool, *words], cwd=DEPLOY / "prometheus", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_reads_the_queries_of_the_panels(tmp_path):
    if not (tool := shutil.which("promtool")):
        pytest.skip("promtool, of the Debian package prometheus, is not installed")
    assert len(QUERIES) > 10
    rules = [{"record": f"panel:{n}", "expr": query} for n, query in enumerate(QUERIES)]
    for broken in ("", ")"):
        rules[0]["expr"] += broken
        (tmp_path / "rules.yml").write_text(json.dumps({"groups": [{"name": "a", "rules": rules}]}))
        command = [tool, "check", "rules", tmp_path / "rules.yml"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode != 0) == bool(broken), done.stdout + done.stderr


def test_rules_are_about_numbers_that_are_written():
    told = yaml.safe_load((DEPLOY / "prometheus" / "rules.yml").read_text())["groups"][0]["rules"]
    written = {f"tmdb_{name}" for name in RUN_MEASURES} | {
        f"tmdb_{name}" for name, *_ in run_gauges(RunRecord(status="ok"), [])
    }
    used = {name for rule in told for name in re.findall(r"tmdb_\w+", rule["expr"])}
    assert used and used <= written


def test_the_metrics_of_the_last_run_can_be_read(demo, home):
    from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
    from prometheus_client.parser import text_string_to_metric_families as prometheus

    text = (home / "reports" / "metrics.prom").read_text()
    runs = [json.loads(path.read_text()) for path in (home / "reports").glob("*/run.json")]
    told = max((run for run in runs if run["status"] == "ok"), key=lambda run: run["finished"])
    for parser in (openmetrics, prometheus):
        found = {
            (s.name, *s.labels.values()): s.value for family in parser(text) for s in family.samples
        }
        assert (
            found["tmdb_run_seconds",] == told["seconds"]
            and found["tmdb_rows", "movies"] == told["films"]
        )
        assert found["tmdb_run_status", "ok"] == 1 and found["tmdb_quality_score",] == told["score"]
        assert (
            found["tmdb_last_success_timestamp_seconds",]
            == datetime.fromisoformat(told["finished"]).timestamp()
        )
    assert not [name for name in os.listdir(home / "reports") if name.endswith(".tmp")]
    if tool := shutil.which("promtool"):
        done = subprocess.run(
            [tool, "check", "metrics"], input=text, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0 and not done.stderr, done.stderr
