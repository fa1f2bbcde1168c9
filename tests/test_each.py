"A report on each part of the films: it shares what the run on all films has read."

import json
import os
import shutil
import sys

import pytest

from tmdb_analysis.core.home import Run, current_id
from tmdb_analysis.core.records import stage_records
from tmdb_analysis.core.schema import MOVIES
from tmdb_analysis.core.settings import settings
from tmdb_analysis.runs.plan import Planner
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.each import run_all

pytestmark = pytest.mark.integration
COMPARED = {"report/quality.json", "tables/validate.counts.json"}  # name the run before


def test_each_part_gets_a_report_and_none_is_published(demo, tmp_path, capsys):
    for folder in ("tables", "report"):
        shutil.copytree(
            getattr(demo, folder), getattr(Run("demo", tmp_path), folder), copy_function=os.link
        )
    words = ["run", "--source", "sample", "--home", str(tmp_path), "--run-id", "all"]
    assert main([*words, "--each", "genre=western"]) == 0
    out = capsys.readouterr().out
    assert "[Western]  1/15  20_ingest" in out and "1 of 1 reports done" in out
    part = Run("all-western", tmp_path)
    copied = {r.chapter: r.copied_from for r in stage_records(part)}
    assert copied["20_ingest"] == "all" and copied["23_clean"] is None
    assert {r.chapter for r in stage_records(part) if r.cleaned_run} == {"23_clean"}
    facts = json.loads((part.report / "run.json").read_text())
    assert facts["each_of"] == "all" and facts["parameters"]["genre"] == "Western"
    assert current_id(tmp_path) == "all"
    page = (tmp_path / "reports/index.html").read_text()
    assert '<a href="all-western/index.html">films of the genre Western</a>' in page


def test_a_part_is_byte_for_byte_a_run_made_alone(demo, tmp_path):
    joined, alone = Run("western", tmp_path / "joined"), Run("western", tmp_path / "alone")
    for folder in ("tables", "report"):
        shutil.copytree(
            getattr(demo, folder), getattr(Run("demo", joined.home), folder), copy_function=os.link
        )
    for run in (joined, alone):
        words = ["run", "--source", "sample", "--home", str(run.home), "--run-id", run.id]
        assert main([*words, "-p", "genre=western"]) == 0
    cleaned = [next(r for r in stage_records(run) if r.name == "clean") for run in (joined, alone)]
    assert [record.cleaned_run for record in cleaned] == ["demo", ""]
    assert cleaned[0].counts == cleaned[1].counts and cleaned[0].counts["movies"] > 0
    assert cleaned[0].proof == cleaned[1].proof, "either can be reused for the other"
    written = {n: d for r in stage_records(alone) for n, d in r.wrote.items() if "ipynb" not in n}
    assert len(written) > 100
    found = {n: d for r in stage_records(joined) for n, d in r.wrote.items() if n in written}
    assert {name for name in written if found.get(name) != written[name]} <= COMPARED


def test_changed_tables_of_a_run_are_not_cleaned_films(demo, tmp_path):
    for folder in ("tables", "report"):
        shutil.copytree(getattr(demo, folder), getattr(Run("demo", tmp_path), folder))
    planner = Planner(settings(home=tmp_path, source="sample", genre="Western"))
    ingested = next(r for r in stage_records(Run("demo", tmp_path)) if r.name == "ingest").wrote
    assert planner.cleaned_run("23_clean", ingested) == "demo"
    assert planner.cleaned_run("23_clean", ingested | {"tables/raw.parquet": "other"}) == ""
    assert planner.cleaned_run("27_validate", ingested) == ""
    fewer = settings(home=tmp_path, source="sample", genre="Western", min_known_columns=12)
    assert Planner(fewer).cleaned_run("23_clean", ingested) == ""
    assert Planner(planner.settings, force=True).cleaned_run("23_clean", ingested) == ""
    all_films = Planner(settings(home=tmp_path, source="sample", min_votes=1))
    assert all_films.cleaned_run("23_clean", ingested) == ""
    with open(Run("demo", tmp_path).path(MOVIES), "ab") as file:
        file.write(b" ")
    assert planner.cleaned_run("23_clean", ingested) == ""


def test_a_part_that_no_film_has_stops_before_any_report(demo, tmp_path, capsys):
    for words, reason in {"genre=Westerm": "did you mean Western?", "genres": "genre"}.items():
        for folder in ("tables", "report"):
            target = getattr(Run("demo", tmp_path), folder)
            shutil.copytree(
                getattr(demo, folder), target, copy_function=os.link, dirs_exist_ok=True
            ) if not target.exists() else None
        assert main(["run", "--source", "sample", "--home", str(tmp_path), "--each", words]) == 2
        assert reason in capsys.readouterr().err


def test_one_that_fails_does_not_end_the_others():
    programs = {"a": "exit(1)", "b": "print('fine')", "c": "print('fine')"}
    said: list[tuple[str, str]] = []
    commands = {part: [sys.executable, "-c", code] for part, code in programs.items()}
    codes = run_all(commands, 1, lambda part, line: said.append((part, line)))
    assert codes == {"a": 1, "b": 0, "c": 0} and said == [("b", "fine"), ("c", "fine")]
