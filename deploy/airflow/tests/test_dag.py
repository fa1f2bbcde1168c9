"""The DAG in a real Airflow: how it is wired, a run that goes well, one that does not, and a key
that nobody sees."""

import json
import re
import shlex
import shutil
import tempfile
import time
import urllib.request
from copy import deepcopy
from datetime import UTC, datetime

import pytest
from airflow.cli.cli_parser import get_parser
from airflow.dag_processing.dagbag import DagBag
from airflow.models import DagRun
from airflow.sdk.exceptions import AirflowException, AirflowFailException, ParamValidationError
from airflow.serialization.serialized_objects import DagSerialization
from airflow.utils.types import DagRunType

from conftest import HOME, KEY, PLACE, PYTHON, ROOT

KNOWN = json.loads((ROOT / "deploy/airflow/dags/tmdb.json").read_text(encoding="utf-8"))
STAGES = list(KNOWN["stages"])
DAY = datetime(2026, 11, 22, tzinfo=UTC)
RUN = "20261122T000000"


def states(run) -> dict[str, str]:
    "The state of each task of a run."
    return {task.task_id: str(task.state) for task in run.get_task_instances()}


@pytest.fixture(autouse=True)
def no_idling(monkeypatch):
    "`dag.test()` sleeps a second for each task that cannot run."
    sleep = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: sleep(min(seconds, 0.02)))


def facts(run_id: str) -> dict:
    "The run.json of a run."
    return json.loads((HOME / "reports" / run_id / "run.json").read_text(encoding="utf-8"))


def test_a_stage_waits_for_those_whose_files_it_reads(dag):
    before = {name: dag.get_task(name).upstream_task_ids for name in STAGES}
    assert before["20_ingest"] == {"prepare"} and before["23_clean"] == {"20_ingest"}
    assert before["28_cohort"] == {"27_validate"}, "no number comes from data that fail the gate"
    beside = {name for name in STAGES if before[name] == {"28_cohort"}}
    assert beside > {"42_rankings", "44_directors", "45_genres"}, "they can run side by side"
    assert beside < dag.get_task("68_report").get_flat_relative_ids(upstream=True)
    assert dag.get_task("finish").upstream_task_ids == {"prepare", *STAGES}
    assert not dag.catchup and dag.max_active_runs == 1 and dag.max_active_tasks == 2
    assert {dag.get_task(name).retries for name in STAGES} == {2} and dag.get_task(
        "prepare"
    ).retries == dag.get_task("finish").retries == 0


def test_a_table_is_the_asset_of_the_stage_that_makes_it(dag):
    made = {name: {asset.uri for asset in dag.get_task(name).outlets} for name in STAGES}
    assert made["28_cohort"] == {"x-tmdb://tables/cohort", "x-tmdb://tables/funnel"}
    assert "x-tmdb://tables/movies" in made["23_clean"] and made["68_report"] == set()
    assert [asset.uri for asset in dag.get_task("finish").outlets] == ["x-tmdb://reports"]


def test_the_dag_can_be_read_where_an_image_has_it(bag, monkeypatch):
    "A folder with two parents, such as /srv/dags."
    monkeypatch.setenv("AIRFLOW_VAR_TMDB_HOME", "/srv/tmdb/home")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        shutil.copytree(ROOT / "deploy/airflow/dags", folder, dirs_exist_ok=True)
        there = DagBag(folder)
    assert there.import_errors == {} and set(there.dags) == {"tmdb"}
    assert there.dags["tmdb"].get_task(STAGES[0]).record.startswith("/srv/tmdb/home/reports/")


def test_the_dag_can_be_stored(dag):
    stored = DagSerialization.to_dict(dag)
    assert KEY not in json.dumps(stored)
    assert set(DagSerialization.from_dict(stored).task_ids) == {"prepare", *STAGES, "finish"}


def test_the_form_is_that_of_the_settings(dag):
    assert dag.params["min_votes"] == 20, "the variable tmdb_params gives another default"
    dag.params.validate()
    emptied = deepcopy(dag.params)
    emptied.update({"genre": None, "tmdb_list": None, "discover": None})
    emptied.validate()
    assert not dag.params.keys() & {"read_token", "api_key", "base_url", "home"}
    for wrong in ({"top_n": 0}, {"top_n": "three"}, {"source": "moon"}):
        with pytest.raises(ParamValidationError):
            changed = deepcopy(dag.params)
            changed.update(wrong)
            changed.validate()


def test_a_name_that_nobody_knows_is_refused(dag, capfd):
    run = dag.partial_subset("prepare").test(
        logical_date=None, run_conf={"topn": 3}
    )  # a run by hand may have no date
    assert states(run) == {"prepare": "failed"}
    lines = "".join(capfd.readouterr())
    assert "unknown setting topn; did you mean top_n?" in lines
    assert "Process returned" not in lines, "the reason is the first line of the error"
    assert not (HOME / "reports").exists()


def test_a_day_becomes_a_report_and_once_more_it_stays_as_it_is(dag, capfd):
    as_it_opens = {
        name: dag.params[name] for name in dag.params
    }  # the form sends all of its fields
    run = dag.test(logical_date=DAY, run_conf=as_it_opens | {"top_n": 3})
    assert run.state == "success" and set(states(run).values()) == {"success"}
    assert "Traceback" not in "".join(capfd.readouterr())
    told = facts(RUN)
    assert (
        told["status"] == "ok"
        and told["films"] > 900
        and [stage["stage"] for stage in told["stages"]] == STAGES
    )
    assert (told["parameters"]["top_n"], told["parameters"]["min_votes"]) == (3, 20)
    assert told["definitions"].keys() > {"movies", "quality", "highest_revenue"}
    assert (
        len(
            (HOME / "reports" / RUN / "kpis" / "highest_revenue.csv")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        == 4
    )
    assert (HOME / "data" / "tables" / "CURRENT").read_text(encoding="utf-8") == f"{RUN}\n"
    assert all(
        (HOME / "reports" / RUN / f"{name}.html").is_file()
        for name in ("index", "dashboard", *STAGES[:-1])
    )

    before = {path: path.stat().st_mtime_ns for path in HOME.rglob("*")}
    again = states(dag.test(logical_date=DAY, run_conf={"top_n": 5}))
    assert set(again.values()) == {"skipped"}
    assert before == {path: path.stat().st_mtime_ns for path in HOME.rglob("*")}
    capfd.readouterr()


def test_a_key_that_is_refused_is_not_tried_again(dag, tmdb, capfd):
    pointer = HOME / "data" / "tables" / "CURRENT"
    published = pointer.read_text(encoding="utf-8") if pointer.exists() else None
    run = dag.test(
        logical_date=datetime(2026, 11, 23, tzinfo=UTC), run_conf={"source": "api", "ids": ["603"]}
    )
    told, first = states(run), STAGES[0]
    assert run.state == "failed" and told["prepare"] == "success"
    assert told[first] == told["finish"] == "failed" and {told[name] for name in STAGES[1:]} == {
        "upstream_failed"
    }
    assert next(task.try_number for task in run.get_task_instances() if task.task_id == first) == 1
    with urllib.request.urlopen(f"{tmdb}/_fake/stats") as stats:
        assert json.load(stats)["statuses"] == {"401": 1}

    page = HOME / "reports" / "20261123T000000" / f"{first}.html"
    lines, reason = "".join(capfd.readouterr()), facts("20261123T000000")["error"]
    assert "401" in reason and reason in page.read_text(encoding="utf-8")
    assert (
        any(page.as_uri() in line for line in lines.splitlines())
        and f"failed with SecretRefused: {reason}" in lines
    )
    assert facts("20261123T000000")["failed_stage"] == first
    assert (pointer.read_text(encoding="utf-8") if pointer.exists() else None) == published
    assert KEY not in lines


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ("tmdb_analysis.tmdb.transport import NoAnswer", AirflowException),
        ("tmdb_analysis.core.settings import TryLater", AirflowException),
        ("tmdb_analysis.films.validate import GateClosed", AirflowFailException),
    ],
)
def test_what_may_pass_is_tried_again(dag, error, kind, tmp_path):
    chapter = dag.get_task(STAGES[0]).prepare_for_execution()
    chapter.record, chapter.page = str(tmp_path / "ingest.json"), str(tmp_path / "x.html")
    source = f"""
import os, pathlib
from tmdb_analysis.core.records import write_record
from tmdb_analysis.runs.chain import new_record, with_error
from {error} as E
reason = E(f"a key of {{len(os.environ['TMDB_READ_TOKEN'])}} letters")
write_record(pathlib.Path({chapter.record!r}), with_error(new_record("20_ingest"), reason))
raise SystemExit(1)"""
    chapter.bash_command = shlex.join([PYTHON, "-c", source])
    with pytest.raises(AirflowException) as raised:
        chapter.execute({})
    assert type(raised.value) is kind and f"a key of {len(KEY)} letters" in str(raised.value)


def test_a_stage_whose_process_is_killed_is_tried_again(dag, tmp_path):
    chapter = dag.get_task(STAGES[0]).prepare_for_execution()
    chapter.record, chapter.page = str(tmp_path / "ingest.json"), str(tmp_path / "x.html")
    chapter.bash_command = "kill -9 $$"
    with pytest.raises(AirflowException, match="ended without a record") as raised:
        chapter.execute({})
    assert type(raised.value) is AirflowException


def test_the_commands_of_the_docs_are_taken(dag, capsys):
    blocks = re.findall(
        r"^```bash\n(.*?)^```",
        (ROOT / "docs" / "operations.md").read_text(encoding="utf-8"),
        re.M | re.S,
    )
    commands = [
        shlex.split(line)[1:]
        for block in blocks
        for line in block.splitlines()
        if line.startswith("airflow ")
    ]
    assert [words[:2] for words in commands] == [
        ["dags", "trigger"],
        ["backfill", "create"],
        ["connections", "add"],
    ]
    for words in commands:
        args = get_parser().parse_args(words)
        args.func(args)
    runs = DagRun.find(dag_id="tmdb")
    assert next(
        run.conf for run in runs if run.run_type == DagRunType.MANUAL and run.conf.get("discover")
    ) == json.loads(commands[0][-1])
    assert sum(run.run_type == DagRunType.BACKFILL_JOB for run in runs) == 7


def test_the_key_is_nowhere():
    files = [path for path in PLACE.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert not [path for path in files if KEY.encode() in path.read_bytes()]
