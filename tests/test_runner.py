"A stage runs alike and leaves the same record, whoever runs it: the chain or a scheduler."

import json
import os
import re
import subprocess
import sys

import nbformat
import pytest

from tmdb_analysis.core.engine import one_server
from tmdb_analysis.core.home import Run, read_counts
from tmdb_analysis.core.records import (
    StageRecord,
    new_record,
    record_path,
    stage_records,
    write_record,
)
from tmdb_analysis.core.settings import TmdbError, book, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.runs.stages import execute_stage, one_kernel, stages
from tmdb_analysis.use.steps import finish, prepare, scheduled_settings, step_command

pytestmark = pytest.mark.integration

FIRST = ["20_ingest", "23_clean", "27_validate"]
STEP = (
    "import sys; from tmdb_analysis.use.steps import step_command; "
    "sys.exit(step_command(*sys.argv[1:]))"
)

SHUFFLED = "spark.sql.shuffle.partitions"
GET_SESSION = "from tmdb_analysis.core.engine import session\nspark = session()\n"


def notebook(source: str) -> nbformat.NotebookNode:
    "A notebook of one code cell."
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source)])


def test_a_stage_starts_with_the_same_engine_settings_after_any_other(tmp_path):
    chosen = settings(home=tmp_path, run_id="x", memory_gb=1)
    run = open_run("x", tmp_path)
    read = notebook(f"{GET_SESSION}print(spark.conf.get('{SHUFFLED}', 'unset'))")
    change = notebook(f"{GET_SESSION}spark.conf.set('{SHUFFLED}', '7')")
    with one_server(chosen.spark, tmp_path), one_kernel(chosen) as kernel:
        for name, nb in {"before": read, "change": change, "after": read}.items():
            execute_stage(name, nb, {}, run, kernel)
    printed = [
        nbformat.read(run.report / f"{name}.ipynb", 4).cells[-1].outputs[0].text
        for name in ("before", "after")
    ]
    assert printed[0] == printed[1] != "7\n"


def test_every_stage_that_counts_has_a_summary(demo):
    lines = json.loads((demo.report / "run.json").read_text())["stages"]
    summaries = {line["stage"][3:]: line["summary"] for line in lines}
    assert [name for name in read_counts(demo) if not summaries.get(name)] == []


@pytest.mark.parametrize("line", ['{"name": "ing', "[]", '{"name": "ingest"}', "\xff"])
def test_a_broken_record_is_named_in_one_line(line, tmp_path):
    run = open_run("x", tmp_path)
    path = record_path(run, "20_ingest")
    path.parent.mkdir()
    path.write_text(line, encoding="latin-1")
    with pytest.raises(TmdbError, match=re.escape(f"{path}: not a valid StageRecord (")) as broken:
        stage_records(run)
    assert len(str(broken.value).splitlines()) == 1


def alike(record: StageRecord) -> dict:
    "A record apart from its times, its proof, which a scheduler does not need, and digests."
    return record.model_dump(exclude={"started", "seconds", "wrote", "proof"}) | {
        "wrote": sorted(record.wrote)
    }


@pytest.fixture(scope="module")
def scheduled(tmp_path_factory) -> Run:
    "A run of which a scheduler has run the first stages, each in a process of its own."
    run = Run("monday", tmp_path_factory.mktemp("scheduled"))
    assert prepare(scheduled_settings({"memory_gb": 1}, run.id, run.home), list(stages()))
    env = os.environ | {"TMDB_HOME": str(run.home)}
    env.pop("SPARK_REMOTE")
    for chapter in FIRST:
        subprocess.run([sys.executable, "-c", STEP, chapter, run.id], env=env, check=True)
    return run


def test_the_chain_and_a_scheduler_leave_the_same_records(demo, scheduled):
    theirs = {record.chapter: record for record in stage_records(demo)}
    assert list(theirs) == list(stages())
    ours = {record.chapter: record for record in stage_records(scheduled)}
    assert list(ours) == FIRST and all(record.counts for record in ours.values())
    for chapter in FIRST:
        assert alike(ours[chapter]) == alike(theirs[chapter])


def test_a_scheduled_run_that_did_not_end_says_where(scheduled):
    told = finish(scheduled.id, scheduled.home)
    missing = list(stages())[len(FIRST)]
    assert (told.status, told.failed_stage) == ("failed", missing)
    assert [line.status for line in told.stages] == ["ok"] * len(FIRST)
    assert [line.stage for line in told.stages] == FIRST


def test_a_step_whose_engine_does_not_start_leaves_its_reason(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TMDB_HOME", str(tmp_path))
    chosen = scheduled_settings({}, "x", tmp_path)
    chosen.spark.engine = "sc://localhost:1"
    assert prepare(chosen, list(stages()))
    assert step_command("20_ingest", "x") == 1
    (record,) = stage_records(Run("x", tmp_path))
    assert record.status == "failed" and "no Spark Connect server answers" in (record.error or "")
    assert record.error in capsys.readouterr().out


def test_a_step_that_was_killed_counts_as_failed(tmp_path):
    assert prepare(scheduled_settings({}, "x", tmp_path), list(stages()))
    run = Run("x", tmp_path)
    write_record(record_path(run, "20_ingest"), new_record("20_ingest"))
    told = finish("x", tmp_path)
    reason = "Its process ended before the stage did."
    assert [told.status, told.failed_stage, told.error] == ["failed", "20_ingest", reason]
    assert reason in (run.report / "index.html").read_text(encoding="utf-8")


def test_papermill_can_neither_alter_a_finished_run_nor_take_an_unknown_parameter(demo, home):
    chapter = str(book() / "nbs/5_search/51_search.ipynb")
    words = [sys.executable, "-m", "papermill", "--no-progress-bar", chapter, os.devnull]
    counts = demo.tables / "search.counts.json"
    before = counts.stat()
    for given, said in {
        (
            "run_id",
            "demo",
        ): "run demo is finished and cannot change: choose another run_id, or `lab`",
        ("topn", "3"): "this notebook has no parameter 'topn'",
    }.items():
        ended = subprocess.run(
            [*words, "-p", *given], capture_output=True, text=True, check=False, cwd=book() / "nbs"
        )
        assert ended.returncode == 1 and said in ended.stderr, ended.stderr[-400:]
    assert counts.stat() == before
    open_run("lab", home)
