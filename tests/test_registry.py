"""Every KPI table says everything about itself in one place, and the example in CONTRIBUTING works
as written."""

import json
import re
import shutil
import statistics
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests import oracle, oracle_groups, oracle_money
from tests.test_docs import blocks
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.records import RunRecord
from tmdb_analysis.core.schema import MOVIES, dictionary
from tmdb_analysis.core.settings import SECTION_OF
from tmdb_analysis.core.store import read, save_kpi
from tmdb_analysis.films.clean import FILMS_VERSION
from tmdb_analysis.films.cohort import COHORT_PARAMETERS
from tmdb_analysis.kpis import genres
from tmdb_analysis.kpis.registry import all_kpis
from tmdb_analysis.runs.catalog import definitions
from tmdb_analysis.search.why import explain

CONTRIBUTING = Path(__file__).parent.parent / "CONTRIBUTING.md"
KPIS = all_kpis()


@pytest.mark.parametrize("name", KPIS)
def test_a_kpi_says_everything_about_itself(name):
    kpi = KPIS[name]
    assert kpi.name == name and kpi.version >= 1
    assert kpi.definition.endswith(".") and len(kpi.definition) > 40
    assert {kpi.label, *kpi.contract.key} <= set(kpi.contract.columns)
    assert all(len(row["meaning"]) >= 5 for row in dictionary(kpi.contract))
    assert set(kpi.parameters) | set(kpi.limits) <= SECTION_OF.keys()
    assert not set(kpi.parameters) & set(kpi.limits)
    assert set(kpi.values) <= set(MOVIES.columns)
    uses_cohort = set(COHORT_PARAMETERS) <= set(kpi.parameters)
    assert uses_cohort == bool(kpi.cohort), (
        "the version of the money rules goes with their parameters"
    )


def computed_twice() -> set[str]:
    "The tables that a test compares with a computation of its own."
    named: list[str] = []
    for test in ("test_coverage_kpis.py", "test_other_money.py", "test_drivers.py"):
        text = (CONTRIBUTING.parent / "tests" / test).read_text(encoding="utf-8")
        named += re.findall(r'(?:\bours|published\(\w+\))\["(\w+)"\]', text)
    return {*oracle.tables([]), *oracle_groups.tables([]), *oracle_money.tables([]), *named}


def test_every_kpi_is_computed_a_second_time():
    missing = KPIS.keys() - computed_twice()
    assert not missing, f"compute {sorted(missing)} a second time in tests/oracle*.py"


def test_a_run_records_versions_and_parameters_of_every_table(demo):
    facts = json.loads((demo.report / "run.json").read_text(encoding="utf-8"))
    recorded = facts["definitions"]
    assert recorded.keys() == {*KPIS, "movies", "quality"}
    for name, kpi in KPIS.items():
        assert recorded[name]["versions"] == {"films": FILMS_VERSION, **kpi.versions}
        assert set(kpi.parameters) <= recorded[name]["parameters"].keys()
        assert recorded[name]["parameters"] == {
            setting: facts["parameters"][setting] for setting in recorded[name]["parameters"]
        }
    assert recorded["highest_roi"]["parameters"]["roi_min_budget_musd"] == 10.0
    assert recorded["highest_roi"]["limits"] == {"top_n": 10}


def test_the_example_in_contributing_works_as_written(demo, tmp_path, monkeypatch):
    cell, below_run = blocks(CONTRIBUTING, "python")
    run = Run("demo", tmp_path)
    shutil.copytree(demo.report, run.report)
    shutil.copytree(demo.tables, run.tables)
    chapter = vars(genres) | {"save_kpi": save_kpi, "run": run}
    chapter["films"] = read(session(), MOVIES, run)
    exec(cell, chapter)
    monkeypatch.setattr(genres, "genre_runtimes", chapter["genre_runtimes"], raising=False)
    exec(below_run, chapter)

    assert all_kpis().keys() == KPIS.keys() | {"genre_runtimes"}, "also if a chapter has it already"
    runtimes: dict[str, list[int]] = {}
    for film in pq.read_table(run.tables / "movies.parquet").to_pylist():
        for genre in film["genres"] or []:
            runtimes.setdefault(genre, []).extend([film["runtime"]] if film["runtime"] else [])
    saved = pq.read_table(run.report / "kpis" / "genre_runtimes.parquet").to_pylist()
    assert {row["genre"]: row["n_runtime"] for row in saved} == {
        g: len(v) for g, v in runtimes.items()
    }
    for row in saved:
        assert row["median_runtime"] == statistics.median(runtimes[row["genre"]])

    answer = explain("genre_runtimes", run, "Horror")
    assert answer.definition.startswith("The typical runtime of each genre")
    assert answer.n >= answer.row["n_runtime"] > 0
    recorded = definitions(run, RunRecord(status="ok"))["genre_runtimes"]
    assert recorded.versions == {"films": FILMS_VERSION, "definition": 1}
