"A report on each part of the films: it shares what the run on all films has read."

import json
import os
import shutil
import sys

import pytest

from tmdb_analysis.core.home import Run, current_id
from tmdb_analysis.core.records import stage_records
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.each import run_all

pytestmark = pytest.mark.integration


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
    facts = json.loads((part.report / "run.json").read_text())
    assert facts["each_of"] == "all" and facts["parameters"]["genre"] == "Western"
    assert current_id(tmp_path) == "all"
    page = (tmp_path / "reports/index.html").read_text()
    assert '<a href="all-western/index.html">films of the genre Western</a>' in page


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
