"""A month of daily runs in one home and one PostgreSQL, then pruned: readers, lists and history
stay in order."""

import json
import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.postgres import Server
from tests.test_keeping import kept, say
from tests.test_publish import another, publishing, rows
from tmdb_analysis.core.home import Run, current_id, point_readers_to, published
from tmdb_analysis.runs.catalog import all_runs
from tmdb_analysis.runs.site import render_home
from tmdb_analysis.use.database import HISTORY_TABLES

DAYS = 30
FAILED = (7, 22)  # of the days, 1 is the first


def name(day: int) -> str:
    "The id of the run of a day, as the DAG names it."
    return f"202610{day:02}T000000"


def daily(demo: Run, few: Run, home: Path, day: int) -> Run:
    """The run of a day, as it is when it has ended: a report, tables and what it fetched. On two
    days the gate stopped it."""
    age = datetime.now(UTC) - datetime.fromisoformat(
        json.loads((few.report / "run.json").read_text())["finished"]
    )
    hours = int(age / timedelta(hours=1)) - 24 * (DAYS - day) - 1
    failed = {"status": "failed", "gate": "fail", "failed_stage": "27_validate", "error": "few"}
    run = another(few, home, name(day), hours=hours, **(failed if day in FAILED else {}))
    shutil.copy(demo.report / "index.html", run.report)
    raw = home / "data/raw" / run.id
    raw.mkdir(parents=True)
    (raw / "answers").write_bytes(b"x" * 100_000)
    return run


@pytest.fixture(scope="module")
def month(postgres: Server, demo: Run, tmp_path_factory) -> tuple[Path, str]:
    "A home and a database after thirty daily runs, each published when it ended."
    home, url = tmp_path_factory.mktemp("month"), postgres.new("month")
    few = another(demo, tmp_path_factory.mktemp("few"), "few")
    credits_path = few.tables / "credits.parquet"
    table = pq.read_table(credits_path)
    credits_path.unlink()
    pq.write_table(table.slice(0, 1000), credits_path)
    for day in range(1, DAYS + 1):
        run = daily(demo, few, home, day)
        if day not in FAILED:
            point_readers_to(run)
        assert publishing(url, run.id, "--home", str(home)) == 0
    render_home(home)
    return home, url


@pytest.fixture
def copy(month, tmp_path) -> Path:
    "A copy of the home, to be pruned."
    home = tmp_path / "home"
    shutil.copytree(month[0], home, copy_function=os.link)
    return home


def days(*numbers: int) -> set[str]:
    "The ids of the runs of these days."
    return {name(day) for day in numbers}


def test_a_month_is_listed_and_read(month, capsys):
    home, url = month
    listed = json.loads(say(capsys, home, "runs", "--json"))
    assert [row["run"] for row in listed] == [name(day) for day in range(DAYS, 0, -1)]
    assert {row["run"] for row in listed if row["status"] == "failed"} == days(*FAILED)
    assert [row["run"] for row in listed if row["published"]] == [name(DAYS)]
    assert rows(url, "select count(*) from tmdb.runs") == [(DAYS,)]
    assert rows(url, "select run_id from tmdb.runs where current") == [(name(DAYS),)]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        ("--keep 7", range(24, 31)),
        ("--keep 7 --older 90d", range(1, 31)),
        ("--keep 7 --older 10d", range(21, 31)),
        ("--keep 20 --older 10d", range(10, 31)),
        ("--keep 0", [30]),
        ("--keep 100", range(1, 31)),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_pruning_keeps_what_it_says(options, left, copy, capsys):
    words = options.split()
    before = {row["run"]: row for row in json.loads(say(capsys, copy, "runs", "--json"))}
    dry = say(capsys, copy, "prune", *words, "--dry-run")
    assert kept(copy) == before.keys(), "a dry run deletes nothing"
    wet = say(capsys, copy, "prune", *words)
    assert wet.splitlines()[1:] == dry.splitlines()[1:], "it deletes what it said"
    assert kept(copy) == days(*left)
    for part in ("data/tables", "data/raw", "reports"):
        there = {path.name for path in (copy / part).iterdir() if path.is_dir()}
        assert {one for one in there if one in before} == days(*left)
    assert current_id(copy) == name(DAYS) and published(copy).id == name(DAYS)
    after = json.loads(say(capsys, copy, "runs", "--json"))
    assert [row["run"] for row in after] == sorted(days(*left), reverse=True)
    page = (copy / "reports/index.html").read_text()
    assert not [run for run in before.keys() - days(*left) if f'href="{run}/' in page]
    assert all(f'href="{run}/' in page for run in days(*left))
    found = json.loads(say(capsys, copy, "search", "genre:Horror", "--limit", "3", "--json"))
    assert len(found["films"]) == 3
    assert "no run to delete" in say(capsys, copy, "prune", *words), "a second time: nothing"


def test_pruning_keeps_an_older_run_that_readers_see(copy, capsys):
    say(capsys, copy, "use", name(3))
    say(capsys, copy, "prune", "--keep", "5")
    assert kept(copy) == days(3, *range(26, 31)) and published(copy).id == name(3)


def test_files_and_history_are_pruned_by_the_same_rule(month, copy, postgres, capsys, monkeypatch):
    home, source = month
    postgres.admin("create database pruned template month owner films")
    url = postgres.url("pruned")
    films = rows(url, "select count(*), sum(revenue_musd) from tmdb.movies")
    say(capsys, copy, "prune", "--keep", "7")
    assert rows(url, "select count(*) from tmdb.runs") == [(DAYS,)], "history stays by itself"
    monkeypatch.setenv("TMDB_POSTGRES_URL", url)
    words = ["prune", "--keep", "7", "--history"]
    assert f"would delete {DAYS - 7} runs" in say(capsys, copy, *words, "--dry-run")
    assert rows(url, "select count(*) from tmdb.runs") == [(DAYS,)]
    line = say(capsys, copy, *words).splitlines()[-1]
    assert f"history: deleted {DAYS - 7} runs in films@127.0.0.1" in line and "canary" not in line
    for table in HISTORY_TABLES:
        found = {run for (run,) in rows(url, f"select distinct run_id from tmdb.{table}")}
        assert found == days(*range(24, 31)) == {run.id for run, _ in all_runs(copy)}, table
    assert rows(url, "select run_id from tmdb.runs where current") == [(name(DAYS),)]
    assert rows(url, "select count(*), sum(revenue_musd) from tmdb.movies") == films
    assert "deleted 0 runs" in say(capsys, copy, *words)
    assert publishing(url, name(DAYS), "--home", str(copy)) == 0
    assert "0 rows changed" in capsys.readouterr().out
    words = ["prune", "--keep", "0", "--older", "3d", "--history"]
    assert "deleted 4 runs" in say(capsys, copy, *words).splitlines()[-1]


def test_the_current_run_of_the_database_stays_though_it_is_old(month, postgres, copy, capsys):
    "Its films and KPIs are those that dashboards show."
    postgres.admin("create database older template month owner films")
    url = postgres.url("older")
    assert publishing(url, name(3), "--home", str(copy), "--force") == 0
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMDB_POSTGRES_URL", url)
        say(capsys, copy, "prune", "--keep", "5", "--history")
    left = {run for (run,) in rows(url, "select run_id from tmdb.runs")}
    assert left == days(3, *range(26, 31))
    assert rows(url, "select run_id from tmdb.runs where current") == [(name(3),)]


def test_without_a_database_nothing_is_pruned(copy, capsys, monkeypatch):
    words = ["prune", "--keep", "1", "--history"]
    monkeypatch.delenv("TMDB_POSTGRES_URL", raising=False)
    assert "no target database" in say(capsys, copy, *words, code=2)
    assert len(kept(copy)) == DAYS
