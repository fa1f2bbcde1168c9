"""Publishing into a real PostgreSQL: all of a run or nothing, nothing twice, one line for what goes
wrong, the password in none of it."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.postgres import OWNER, PASSWORD, Server
from tests.test_docs import blocks
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.records import record_path, stage_records, write_record
from tmdb_analysis.core.settings import TmdbError, TryLater
from tmdb_analysis.runs.catalog import read_facts
from tmdb_analysis.runs.chain import with_error
from tmdb_analysis.use import loading
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.database import ALL_TABLES, CURRENT_TABLES, FILM_TABLES, HISTORY_TABLES
from tmdb_analysis.use.publish import publish_run, target
from tmdb_analysis.use.steps import finish

ROOT = Path(__file__).parent.parent
SECRETS = (
    PASSWORD,
    PASSWORD.replace("/", "%2F").replace(" ", "%20").replace("@", "%40").replace(":", "%3A"),
    "canary",
)
numbers = count()


@pytest.fixture
def name() -> str:
    "The name of a new database."
    return f"films_{next(numbers)}"


@pytest.fixture
def url(postgres: Server, name: str) -> str:
    "The address of a new database."
    return postgres.new(name)


@pytest.fixture(scope="module")
def filled(postgres: Server, demo: Run) -> tuple[str, str]:
    "A database that the demo run was published to, and what the command said."
    done = command(demo, postgres.new("filled"))
    assert done.returncode == 0 and not [
        secret for secret in SECRETS if secret in done.stdout + done.stderr
    ], done.stderr
    return postgres.url("filled"), done.stdout


def command(run: Run, url: str) -> subprocess.CompletedProcess:
    "The command in a process of its own; the address comes as a secret."
    words = [str(Path(sys.executable).parent / "tmdb"), "publish", run.id, "--home", str(run.home)]
    return subprocess.run(
        words,
        capture_output=True,
        text=True,
        env=os.environ | {"TMDB_POSTGRES_URL": url},
        check=False,
    )


def publishing(url: str, *words: str) -> int:
    "The command in this process; the address comes as a secret."
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMDB_POSTGRES_URL", url)
        return main(["publish", *words])


def said(capsys, run: Run, url: str, *args: str, code: int = 1) -> str:
    "The only line that the command has for an error, without a secret in anything that it says."
    assert publishing(url, run.id, "--home", str(run.home), *args) == code
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert len(lines) == 1 and lines[0].startswith("tmdb: ") and not told.out, told
    assert not [secret for secret in SECRETS if secret in lines[0]]
    return lines[0]


def rows(url: str, query: str) -> list[tuple]:
    "What a query gives."
    with psycopg.connect(url) as connection:
        return connection.execute(query).fetchall()


def versions_of_rows(url: str) -> dict[str, int]:
    "The newest transaction in each table: it grows when a row is written."
    return {
        name: rows(url, f'select max(xmin::text::bigint) from tmdb."{name}"')[0][0]
        for name in ALL_TABLES
    }


def another(demo: Run, home: Path, run_id: str, hours: int = 0, **facts) -> Run:
    "The demo run under another name, some hours later or earlier; the big tables are links."
    run = Run(run_id, home)
    shutil.copytree(demo.tables, run.tables, copy_function=os.link)
    shutil.copytree(demo.report / "kpis", run.report / "kpis", copy_function=os.link)
    shutil.copy(demo.report / "quality.json", run.report)
    told = json.loads((demo.report / "run.json").read_text()) | {"run_id": run_id}
    for key in ("started", "finished"):
        told[key] = (
            f"{datetime.fromisoformat(told[key]) + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}"
        )
    (run.report / "run.json").write_text(json.dumps(told | facts))
    return run


def with_films(run: Run, change) -> Run:
    "A run whose films are changed by a function of their list."
    path = run.tables / "movies.parquet"
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(pa.Table.from_pylist(change(table.to_pylist()), table.schema), path)
    return run


@pytest.fixture(scope="module")
def few(demo: Run, tmp_path_factory) -> Run:
    "The demo run with the credits of few films, so that publishing it is quick."
    run = another(demo, tmp_path_factory.mktemp("few"), "few")
    path = run.tables / "credits.parquet"
    table = pq.read_table(path)
    path.unlink()
    pq.write_table(table.slice(0, 1000), path)
    return run


# What is there afterwards


def in_utc(row: tuple) -> list:
    "A row whose times are in UTC, whatever the database calls it."
    return [value.astimezone(UTC) if isinstance(value, datetime) else value for value in row]


@pytest.mark.parametrize("name", CURRENT_TABLES)
def test_a_table_holds_what_the_run_holds(name, filled, demo):
    folder = demo.tables if name in FILM_TABLES else demo.report / "kpis"
    stored = pq.read_table(folder / f"{name}.parquet")
    if name == "movies":
        stored = stored.drop_columns(
            "seq"
        )  # says where the record came in, and nothing about the film
    columns = ", ".join(f'"{c}"' for c in stored.column_names)
    found = [in_utc(row) for row in rows(filled[0], f'select {columns} from tmdb."{name}"')]
    expected = [in_utc(row) for row in zip(*stored.to_pydict().values(), strict=True)]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
    assert expected or name in ("money_disagreements", "money_sources"), "no second source here"


def test_the_history_says_what_the_run_says(filled, demo):
    told, quality = (
        json.loads((demo.report / f"{name}.json").read_text()) for name in ("run", "quality")
    )
    url = filled[0]
    assert rows(
        url, "select run_id, status, current, films, score, gate, seconds, finished from tmdb.runs"
    ) == [
        (
            "demo",
            "ok",
            True,
            told["films"],
            told["score"],
            told["gate"],
            told["seconds"],
            datetime.fromisoformat(told["finished"]),
        )
    ]
    assert rows(
        url, "select stage, status, seconds, summary from tmdb.stages order by position"
    ) == [
        tuple(stage[key] for key in ("stage", "status", "seconds", "summary"))
        for stage in told["stages"]
    ]
    assert (
        dict(rows(url, "select dimension, score from tmdb.quality_dimensions"))
        == quality["dimensions"]
    )
    names = "id name dimension severity about evaluated failed share threshold gates passed".split()
    columns = (
        "rule_id, rule, dimension, severity, about, evaluated, failed, share, threshold, "
        "gates, passed"
    )
    found = rows(url, f"select {columns} from tmdb.quality_rules")
    assert sorted(found) == sorted(tuple(rule[key] for key in names) for rule in quality["rules"])
    metrics = {row[:2]: row[2] for row in rows(url, "select name, label, value from tmdb.metrics")}
    assert (
        metrics["rows", "movies"] == told["films"]
        and metrics["stage_seconds", "23_clean"] == told["stages"][1]["seconds"]
    )
    assert not rows(url, "select name from tmdb.metrics except select name from tmdb.metric_names")


def test_the_command_says_what_it_did(filled, demo):
    films = pq.read_metadata(demo.tables / "movies.parquet").num_rows
    assert re.search(rf"^tmdb\.movies +{films} +0 +0 +0$", filled[1], re.M), filled[1]
    assert re.search(
        r"^published demo to films@127\.0\.0\.1:\d+/filled in [\d.]+ s: [\d,]+ rows changed$",
        filled[1],
        re.M,
    )


def test_every_table_and_column_is_explained(filled):
    tables = """select c.relname, obj_description(c.oid), a.attname,
        col_description(c.oid, a.attnum) from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        where c.relnamespace = 'tmdb'::regnamespace and c.relkind = 'r'"""
    found = rows(filled[0], tables)
    assert {row[0] for row in found} == ALL_TABLES.keys() | {"schema_version"} and all(
        row[1] and row[3] for row in found
    )
    stored = {
        (name, field.name): field.metadata[b"doc"].decode()
        for name, table in ALL_TABLES.items()
        for field in table.schema
    }
    assert stored.items() <= {(row[0], row[2]): row[3] for row in found}.items()


def test_a_second_publish_writes_nothing(filled, demo, capsys):
    before = versions_of_rows(filled[0])
    assert publishing(filled[0], "demo", "--home", str(demo.home)) == 0
    told = capsys.readouterr().out
    assert "s: 0 rows changed" in told and len(
        re.findall(r"^tmdb\.\w+ +0 +0 +0 +[\d,]+$", told, re.M)
    ) == len(ALL_TABLES)
    assert versions_of_rows(filled[0]) == before


def test_dashboards_may_read_and_not_write(postgres, filled):
    with psycopg.connect(postgres.viewer("filled")) as connection:
        assert connection.execute("select count(*) from tmdb.movies").fetchone()[0] > 900
        for statement in (
            "delete from tmdb.movies",
            "create table tmdb.mine ()",
            "update tmdb.runs set score = 100",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(statement)


# One run after another


def test_only_what_differs_is_written(url, few, tmp_path):
    publish_run(few, target(url))

    def change(films):
        renamed, copied = films[1] | {"title": "Another title"}, films[2] | {"id": 999_999_999}
        return [renamed, *films[2:], copied]

    done = publish_run(
        with_films(another(few, tmp_path, "next", hours=1), change), target(url)
    ).tables
    assert (
        done["movies"][:3] == (1, 1, 1)
        and done["credits"].changed == done["directors"].changed == 0
    )
    assert done["runs"] == (1, 1, 0, 0), (
        "the new run is there, and the other is no longer the current one"
    )
    assert rows(url, "select run_id from tmdb.runs where current") == [("next",)]
    assert rows(url, "select title from tmdb.movies where id = 999999999")


def test_an_older_run_turns_nothing_back(url, few, tmp_path, capsys):
    publish_run(few, target(url))
    old = with_films(another(few, tmp_path, "old", hours=-5), lambda films: films[:10])
    done = publish_run(old, target(url))
    assert (
        "are still from run few, which is newer" in done.notes[0]
        and not done.tables.keys() & CURRENT_TABLES.keys()
    )
    assert rows(url, "select run_id, current from tmdb.runs order by run_id") == [
        ("few", True),
        ("old", False),
    ]
    assert rows(url, "select count(*) from tmdb.movies")[0][0] > 900 and rows(
        url, "select 1 from tmdb.stages where run_id = 'old'"
    )
    assert publish_run(old, target(url), force=True).tables["movies"].deleted > 900
    assert rows(url, "select run_id, current from tmdb.runs order by run_id") == [
        ("few", False),
        ("old", True),
    ]


def test_a_failed_run_is_in_the_history_only(url, few, tmp_path):
    publish_run(few, target(url))
    bad = another(
        few,
        tmp_path,
        "bad",
        hours=1,
        status="failed",
        gate="fail",
        failed_stage="27_validate",
        error="too few films",
    )
    done = publish_run(bad, target(url))
    assert (
        "its quality gate failed" in done.notes[0]
        and not done.tables.keys() & CURRENT_TABLES.keys()
    )
    assert rows(url, "select current, gate, error from tmdb.runs where run_id = 'bad'") == [
        (False, "fail", "too few films")
    ]


def test_a_report_on_a_part_of_the_films_is_in_the_history_only(url, few, tmp_path):
    publish_run(few, target(url))
    western = another(few, tmp_path, "western", hours=1, parameters={"genre": "Western"})
    for force in (False, True):
        done = publish_run(western, target(url), force=force)
        assert (
            "covers only films of the genre Western" in done.notes[0]
            and not done.tables.keys() & CURRENT_TABLES.keys()
        )
    assert rows(url, "select run_id, current from tmdb.runs order by run_id") == [
        ("few", True),
        ("western", False),
    ]


@pytest.mark.parametrize("status", ["interrupted", "stopped", "incomplete"])
def test_a_run_without_an_end_is_refused(status, url, few, tmp_path, capsys):
    run = another(few, tmp_path, "half", status="running" if status == "interrupted" else status)
    if status == "incomplete":
        (run.report / "run.json").unlink()
    assert f"run half has not finished ({status})" in said(capsys, run, url)
    assert not rows(url, "select 1 from pg_namespace where nspname = 'tmdb'")


def scheduled(demo: Run, home: Path, stages: int | None = None) -> Run:
    "The demo run as a scheduler leaves it before the last step, after all or the first stages."
    run = Run("scheduled", home)
    shutil.copytree(demo.tables, run.tables, copy_function=os.link)
    shutil.copytree(demo.report, run.report)
    changed = {"run_id": run.id, "status": "running", "finished": None}
    told = read_facts(run.report).model_copy(update=changed)
    write_record(run.report / "run.json", told)
    for record in stage_records(run)[stages:] if stages else []:
        record_path(run, record.chapter).unlink()
    return run


def test_the_last_step_of_a_scheduled_run_publishes_it(url, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("TMDB_POSTGRES_URL", url)
    run = scheduled(demo, tmp_path)
    assert finish(run.id, tmp_path).status == "ok"
    assert rows(url, "select run_id, status, current from tmdb.runs") == [("scheduled", "ok", True)]
    assert rows(url, "select count(*) from tmdb.movies")[0][0] == read_facts(run.report).films


def test_the_last_step_of_a_scheduled_run_on_a_part_of_the_films_publishes_nothing(
    url, demo, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMDB_POSTGRES_URL", url)
    run = scheduled(demo, tmp_path)
    told = read_facts(run.report)
    told.status, told.parameters["decade"] = "running", 1990
    write_record(run.report / "run.json", told)
    assert (
        finish(run.id, tmp_path).status == "ok" and not (tmp_path / "data/tables/CURRENT").exists()
    )
    assert rows(url, "select run_id, status, current from tmdb.runs") == [
        ("scheduled", "ok", False)
    ]


def test_the_last_step_of_a_failed_scheduled_run_brings_its_history(
    url, demo, tmp_path, monkeypatch
):
    monkeypatch.setenv("TMDB_POSTGRES_URL", url)
    assert finish(scheduled(demo, tmp_path, 2).id, tmp_path).status == "failed"
    assert rows(url, "select status, failed_stage, current from tmdb.runs") == [
        ("failed", "27_validate", False)
    ]


def test_a_scheduled_run_that_waits_is_not_published_yet(url, demo, tmp_path, monkeypatch):
    monkeypatch.setenv("TMDB_POSTGRES_URL", url)
    run = scheduled(demo, tmp_path, 1)
    (record,) = stage_records(run)
    waits = with_error(record, TryLater("stopped by SIGTERM"))
    write_record(record_path(run, record.chapter), waits)
    told = finish(run.id, tmp_path)
    assert told.status == "stopped" and "stopped by SIGTERM" in str(told.error)
    assert not rows(url, "select 1 from pg_namespace where nspname = 'tmdb'")


def test_another_run_of_the_same_name_is_refused(filled, few, tmp_path, capsys):
    before = versions_of_rows(filled[0])
    assert "has another run demo, started" in said(
        capsys, another(few, tmp_path, "demo", hours=2), filled[0]
    )
    assert versions_of_rows(filled[0]) == before


def test_a_run_of_another_version_is_refused(url, few, tmp_path, capsys):
    run = another(few, tmp_path, "odd")
    (run.report / "kpis" / "genres.parquet").unlink()
    assert "run odd has no KPI genres, another version made it" in said(capsys, run, url)
    assert not rows(url, "select 1 from pg_namespace where nspname = 'tmdb'"), "nothing half"


def test_history_can_be_pruned(url, few, tmp_path):
    publish_run(few, target(url))
    publish_run(another(few, tmp_path, "next", hours=1), target(url))
    with psycopg.connect(url) as connection:
        connection.execute("delete from tmdb.runs where not current")
    assert all(
        rows(url, f"select distinct run_id from tmdb.{name}") == [("next",)]
        for name in HISTORY_TABLES
    )


# Who may do what


def test_a_server_that_does_not_let_in(postgres, few, filled, capsys, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    closed = Server(postgres.binaries, postgres.data, 1).url("filled")
    for address, words in {
        postgres.url(
            "filled", password="canary"
        ): "the password is wrong; set it in the URL, in PGPASSWORD or in a password file",
        postgres.url("filled", password=None): "a password is required",
        postgres.url(
            "gone"
        ): "the database does not exist; ask an administrator to run CREATE DATABASE gone",
        closed: "no server answers; start PostgreSQL",
        closed.replace("127.0.0.1", "no-such-host.invalid"): "the host name is unknown",
    }.items():
        assert words in said(capsys, few, address)
    assert PASSWORD not in repr(target(postgres.url("filled")))
    assert "is invalid" in said(capsys, few, "mysql://a:canary@b/c", code=2)
    assert "is invalid" in said(capsys, few, postgres.url("filled") + "?canary", code=2)


def test_the_password_may_come_from_elsewhere(postgres, filled, demo, tmp_path, monkeypatch):
    bare = postgres.url("filled", password=None)
    monkeypatch.setenv("PGPASSWORD", PASSWORD)
    assert publish_run(demo, target(bare)).changed == 0
    monkeypatch.delenv("PGPASSWORD")
    (tmp_path / "pass").write_text("*:*:*:*:" + PASSWORD.replace(":", r"\:") + "\n")
    (tmp_path / "pass").chmod(0o600)
    assert publish_run(demo, target(f"{bare}?passfile={tmp_path / 'pass'}")).changed == 0


def test_a_user_with_few_rights(postgres, name, url, few, capsys):
    postgres.admin(f"create role guest_{name} login password '{PASSWORD}'")
    guest = postgres.url(name, f"guest_{name}")
    line = said(capsys, few, guest)
    assert (
        f"permission denied for database {name}" in line
        and f"GRANT CREATE ON DATABASE {name} TO guest_{name}" in line
    )
    postgres.admin(f"grant create on database {name} to guest_{name}")
    publish_run(few, target(guest))
    assert "permission denied" in said(capsys, few, url), (
        "another user may not write into the tables of the first"
    )


def test_what_the_docs_tell_an_administrator_is_enough(few):
    "Roles belong to the whole server, so this test brings its own."
    from tests.postgres import running

    (block,) = blocks(ROOT / "docs" / "operations.md", "sql")
    with running() as server:
        server.admin(f"drop role {OWNER}")
        for statement in block.replace("'...'", f"'{PASSWORD}'").splitlines():
            server.admin(statement)
        publish_run(few, target(server.url("films", "films")))
        assert rows(server.url("films", "grafana"), "select run_id from tmdb.runs") == [("few",)]
        with pytest.raises(psycopg.Error, match="permission denied"):
            rows(server.url("films", "grafana"), "delete from tmdb.runs")


def test_the_role_for_dashboards_may_have_to_wait(postgres, few):
    "Roles belong to the whole server, so this test brings its own."
    from tests.postgres import running

    with running() as server:
        server.admin("alter role films nocreaterole")
        url = server.new("films")
        assert (
            "ask an administrator to run CREATE ROLE tmdb_reader NOLOGIN"
            in publish_run(few, target(url)).notes[0]
        )
        server.admin("create role tmdb_reader nologin")
        done = publish_run(few, target(url))
        assert done.changed == 0 and not done.notes
        assert rows(url, "select has_table_privilege('tmdb_reader', 'tmdb.movies', 'select')") == [
            (True,)
        ]


# Versions of the tables


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        (
            "update tmdb.schema_version set version = 9",
            "has tables of version 9, this program knows 1; update tmdb_analysis",
        ),
        (
            "update tmdb.schema_version set version = 0",
            "the tables have version 0, too old to migrate",
        ),
        (
            "drop table tmdb.schema_version",
            "schema tmdb exists but was not created by this program",
        ),
        ("alter table tmdb.runs drop column score", "table tmdb.runs was changed by hand"),
        (
            (
                "create view tmdb.mine as select * from tmdb.genres; "
                "alter table tmdb.genres add extra int"
            ),
            "drop the view, publish",
        ),
    ],
)
def test_a_schema_that_differs_is_refused(statement, words, url, few, capsys):
    publish_run(few, target(url))
    with psycopg.connect(url) as connection:
        connection.execute(statement)
    assert words in said(capsys, few, url)


def test_an_older_schema_is_migrated(url, few, monkeypatch):
    publish_run(few, target(url))
    with psycopg.connect(url) as connection:
        connection.execute("alter table tmdb.stages rename summary to told")
    monkeypatch.setattr(loading, "SCHEMA_VERSION", 2)
    monkeypatch.setattr(
        loading, "MIGRATIONS", {2: ("alter table tmdb.stages rename told to summary",)}
    )
    assert publish_run(few, target(url)).changed == 0
    assert rows(url, "select version from tmdb.schema_version order by 1") == [(1,), (2,)]


@pytest.mark.parametrize(
    "statement",
    [
        "alter table tmdb.genres drop column films",
        "alter table tmdb.genres drop constraint genres_pkey",
        "drop table tmdb.genres",
    ],
)
def test_a_table_of_the_current_run_is_made_anew(statement, url, few):
    publish_run(few, target(url))
    with psycopg.connect(url) as connection:
        connection.execute(statement)
    done = publish_run(few, target(url)).tables["genres"]
    assert done.inserted == rows(url, "select count(films) from tmdb.genres")[0][0] > 0
    assert rows(url, "select has_table_privilege('tmdb_reader', 'tmdb.genres', 'select')") == [
        (True,)
    ]


# At once, and in the middle


def waiting(url: str, kind: str) -> int:
    "The server's process of a publish that waits for a lock of some kind."
    query = (
        "select pid from pg_stat_activity where application_name = 'tmdb publish' and "
        f"wait_event = '{kind}'"
    )
    deadline = time.monotonic() + 60
    while not (found := rows(url, query)):
        assert time.monotonic() < deadline, "no publish came to wait"
        time.sleep(0.02)
    return found[0][0]


def in_thread(work, *args, **options) -> tuple[threading.Thread, list]:
    "A call that goes on in a thread, and a list that gets its result or its error."
    result: list = []

    def call():
        try:
            result.append(work(*args, **options))
        except TmdbError as e:
            result.append(e)

    thread = threading.Thread(target=call)
    thread.start()
    return thread, result


def test_two_publishes_at_once(url, few):
    both = [in_thread(publish_run, few, target(url)) for _ in range(2)]
    for thread, _ in both:
        thread.join()
    assert sorted(result[0].changed > 0 for _, result in both) == [False, True], (
        "one brings all, the other finds all there"
    )


def test_a_publish_does_not_wait_for_another_for_ever(url, few, capsys):
    with psycopg.connect(url) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('tmdb publish'))")
        assert "another publish has been running for more than 0.2 s" in said(
            capsys, few, url, "--wait", "0.2"
        )
    assert publish_run(few, target(url)).changed


def test_a_locked_table_is_said(url, few, capsys):
    publish_run(few, target(url))
    with psycopg.connect(url) as other:
        other.execute("lock table tmdb.directors in access exclusive mode")
        line = said(capsys, few, url, "--wait", "0.2")
    assert "another session has locked a table for more than 0.2 s; see pg_locks" in line


def test_a_publisher_that_is_killed_leaves_nothing_half(url, few, tmp_path):
    publish_run(few, target(url))
    run, before = (
        with_films(another(few, tmp_path, "next", hours=1), lambda films: films[:5]),
        versions_of_rows(url),
    )
    words = [str(Path(sys.executable).parent / "tmdb"), "publish", "next", "--home", str(tmp_path)]
    with psycopg.connect(url) as other:
        other.execute("lock table tmdb.directors in access exclusive mode")
        process = subprocess.Popen(words, env=os.environ | {"TMDB_POSTGRES_URL": url})
        waiting(url, "relation")  # the films are written by now, and not committed
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert publish_run(few, target(url)).changed == 0, "the lock of the dead one is gone"
    assert versions_of_rows(url) == before and rows(url, "select run_id from tmdb.runs") == [
        ("few",)
    ]
    assert publish_run(run, target(url)).tables["movies"].deleted > 900


def test_a_connection_that_is_cut_leaves_nothing_half(postgres, url, few, tmp_path):
    publish_run(few, target(url))
    run, before = another(few, tmp_path, "next", hours=1), versions_of_rows(url)
    with psycopg.connect(url) as other:
        other.execute("lock table tmdb.directors in access exclusive mode")
        thread, result = in_thread(publish_run, run, target(url))
        postgres.admin(f"select pg_terminate_backend({waiting(url, 'relation')})")
        thread.join()
    assert "the connection was lost; the database has the whole run or none of it" in str(result[0])
    assert versions_of_rows(url) == before


def test_a_full_disk_is_said(url, few, tmp_path, capsys):
    "The server raises what it raises when a file cannot grow."
    publish_run(few, target(url))
    with psycopg.connect(url) as connection:
        connection.execute("""create function full_disk() returns trigger language plpgsql as $$
            begin
            raise exception using errcode = 'disk_full',
            message = 'could not extend file: No space left on device'; end $$""")
        connection.execute(
            "create trigger full_disk before delete on tmdb.movies execute function full_disk()"
        )
    before = versions_of_rows(url)
    line = said(
        capsys, with_films(another(few, tmp_path, "next", hours=1), lambda films: films[1:]), url
    )
    assert (
        "the disk of the server is full (could not extend file: No space left on device); "
        "free space there. No row has changed"
    ) in line
    assert versions_of_rows(url) == before


def test_a_server_that_dies_is_said(few):
    from tests.postgres import running

    with running() as server:
        url = server.new("films")
        publish_run(few, target(url))
        with psycopg.connect(url) as other:
            other.execute("lock table tmdb.directors in access exclusive mode")
            thread, result = in_thread(publish_run, few, target(url))
            waiting(url, "relation")
            server.control("-m", "immediate", "stop")
            thread.join()
            other.close()
        assert "the connection was lost" in str(result[0])


# Around it


def test_nothing_is_said_without_an_address(demo, capsys, monkeypatch):
    monkeypatch.delenv("TMDB_POSTGRES_URL", raising=False)
    assert main(["publish", "demo", "--home", str(demo.home)]) == 2
    assert "no target database" in capsys.readouterr().err


def test_doctor_looks_at_the_database(postgres, filled, name, url, capsys, monkeypatch, tmp_path):
    for address, words in {
        filled[0]: "ok    postgres  films@127.0.0.1",
        url: "no run published yet",
        postgres.url("filled", password="canary"): "warn  postgres",
    }.items():
        monkeypatch.setenv("TMDB_POSTGRES_URL", address)
        main(["doctor", "--home", str(tmp_path)])
        told = capsys.readouterr().out
        assert words in told and not [secret for secret in SECRETS if secret in told]


def test_the_password_is_in_nothing_that_is_written(postgres, filled, demo, capsys):
    for address in (filled[0], postgres.url("filled", password="canary")):
        publishing(address, "demo", "--home", str(demo.home), "--debug")
        told = capsys.readouterr()
        assert "published" in told.out or "Traceback" in told.err
        assert not [secret for secret in SECRETS if secret in told.out + told.err], told.err
    held = [
        path
        for path in demo.home.rglob("*")
        if path.is_file() and any(s.encode() in path.read_bytes() for s in SECRETS[:2])
    ]
    assert not held
