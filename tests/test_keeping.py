"Which run readers see, and what becomes of the runs that nobody needs."

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_docs import ROOT, blocks
from tests.test_usage import finished
from tmdb_analysis.core.home import Run, current_id, pick_published, point_readers_to, published
from tmdb_analysis.core.store import load, read_kpi
from tmdb_analysis.runs.catalog import LOCK, hold_run_lock
from tmdb_analysis.use.cli import main


def kept(home: Path) -> set[str]:
    "The ids of the runs whose report is there."
    return {path.parent.name for path in (home / "reports").glob("[!._]*/run.json")}


@pytest.fixture
def library(tmp_path) -> Path:
    "A home with three runs of all films, of which the last is published, and a newer scoped one."
    for hour, name in enumerate(("a", "b", "c"), 1):
        run = finished(tmp_path, name, hour)
        (tmp_path / "data/raw" / name).mkdir(parents=True)
        (tmp_path / "data/raw" / name / "answers").write_bytes(b"x" * 1000)
    point_readers_to(run)
    finished(tmp_path, "horror", 5, parameters={"genre": "Horror", "top_n": 25})
    return tmp_path


def say(capsys, home: Path, *words: str, code: int = 0) -> str:
    "What a command prints, on both streams."
    capsys.readouterr()
    assert main([*words, "--home", str(home)]) == code
    printed = capsys.readouterr()
    return printed.out + printed.err


# The list


def test_runs_shows_scope_parameters_disk_and_the_published_run(library, capsys):
    lines = say(capsys, library, "runs").splitlines()
    horror = next(line for line in lines if line.startswith("horror"))
    assert "of the genre Horror" in horror and "top_n=25" in horror and "genre=" not in horror
    rows = {row["run"]: row for row in json.loads(say(capsys, library, "runs", "--json"))}
    assert list(rows) == ["horror", "c", "b", "a"]
    assert [name for name, row in rows.items() if row["published"]] == ["c"]
    assert rows["horror"]["parameters"] == {"genre": "Horror", "top_n": 25}
    assert rows["horror"]["scope"] == "of the genre Horror"
    assert rows["c"]["scope"] is None and rows["c"]["parameters"] == {}
    assert rows["c"]["disk_bytes"] > 1000 and rows["c"]["status"] == "ok"
    assert json.loads(say(capsys, library / "empty", "runs", "--json")) == []


def test_a_home_comes_back_from_its_backup(library, capsys, tmp_path_factory):
    place = tmp_path_factory.mktemp("backup")
    block = next(b for b in blocks(ROOT / "docs/operations.md") if "backup.tar.gz" in b)
    tars = block.replace("HOME", str(library)).splitlines()[:2]
    subprocess.run(["bash", "-ec", "\n".join(tars)], cwd=place, check=True)
    before = [say(capsys, library, "runs", "--json"), published(library).id]
    restored = place / "RESTORED"
    assert [say(capsys, restored, "runs", "--json"), published(restored).id] == before
    answers = {path.relative_to(library) for path in (library / "data/raw").rglob("answers")}
    assert answers == {path.relative_to(restored) for path in restored.rglob("answers")} != set()


# The pointer


def test_use_publishes_a_finished_run_of_all_films(library, capsys):
    assert "run a is now the published run" in say(capsys, library, "use", "a")
    assert published(library).id == "a"
    page = (library / "reports/index.html").read_text()
    assert page.count("<small>published</small>") == 1


def test_use_says_that_a_scoped_run_covers_only_some_films(library, capsys):
    line = say(capsys, library, "use", "horror")
    assert "covers only films of the genre Horror" in line and current_id(library) == "horror"


def test_use_refuses_what_readers_could_not_read(library, capsys):
    finished(library, "failed", 6, status="failed")
    shutil.rmtree(finished(library, "bare", 7).tables)
    for name, reason in {
        "failed": "is not finished",
        "bare": "no tables",
        "d": "no run 'd'",
    }.items():
        assert reason in say(capsys, library, "use", name, code=2)
    assert current_id(library) == "c"


# What readers say


def test_a_reader_names_its_run_unless_it_is_the_newest(library, capsys):
    assert pick_published(library) == Run("c", library)
    assert "reading run c, not the newest finished run horror" in capsys.readouterr().err
    shutil.rmtree(library / "reports/horror")
    assert pick_published(library).id == "c" and not capsys.readouterr().err
    for folder in ("reports", "data/tables"):
        shutil.rmtree(library / folder / "c")
    assert pick_published(library).id == "b"
    assert "the published run c is missing: reading run b" in capsys.readouterr().err
    assert "the published run c is missing: reading run b" in say(capsys, library, "runs")


def test_search_falls_back_to_the_newest_run_after_a_deletion_by_hand(demo, tmp_path, capsys):
    for hour, name in enumerate(("old", "new"), 1):
        run = Run(name, tmp_path)
        shutil.copytree(demo.tables, run.tables, copy_function=os.link)
        shutil.copytree(demo.report, run.report)
        facts = json.loads((run.report / "run.json").read_text())
        facts |= {"run_id": name, "finished": f"2026-11-28T0{hour}:00:00Z"}
        (run.report / "run.json").write_text(json.dumps(facts))
    point_readers_to(run)
    words = ["search", "genre:Horror", "--limit", "1", "--json", "--home", str(tmp_path)]
    assert main(words) == 0 and "reading" not in capsys.readouterr().err
    assert main([*words, "--run-id", "old"]) == 0
    assert "reading run old, not the newest finished run new" in capsys.readouterr().err
    shutil.rmtree(run.report)
    assert main(words) == 0
    printed = capsys.readouterr()
    assert "the published run new is missing: reading run old" in printed.err
    assert json.loads(printed.out)


def test_the_library_says_which_run_it_reads(demo, library, monkeypatch, capsys):
    for folder in ("tables", "report"):
        shutil.rmtree(getattr(Run("c", library), folder))
        shutil.copytree(getattr(demo, folder), getattr(Run("c", library), folder))
    monkeypatch.setenv("TMDB_HOME", str(library))
    for reader, name in ((load, "collections"), (read_kpi, "directors")):
        assert reader(name) is not None
        line = capsys.readouterr().err
        assert ("reading run c" in line) == (finished_last(library) != "c"), line


def finished_last(home: Path) -> str:
    "The id of the run that ended last."
    ends = {
        p.parent.name: json.loads(p.read_text())["finished"]
        for p in home.glob("reports/*/run.json")
    }
    return max(ends, key=lambda name: ends[name])


# Deletion


def test_delete_removes_report_tables_and_answers(library, capsys):
    line = say(capsys, library, "delete", "a")
    assert "deleted run a" in line and "MB" in line
    assert not any(
        (library / part / "a").exists() for part in ("reports", "data/tables", "data/raw")
    )
    assert 'href="a/' not in (library / "reports/index.html").read_text()
    assert current_id(library) == "c" and kept(library) == {"b", "c", "horror"}
    assert "there is no run 'a'" in say(capsys, library, "delete", "a", code=2)


def test_delete_can_keep_the_answers(library, capsys):
    say(capsys, library, "delete", "a", "--keep-raw")
    assert (library / "data/raw/a/answers").is_file() and "a" not in kept(library)


def test_delete_of_the_published_run_needs_force_and_moves_the_pointer(library, capsys):
    assert "run c is the published run" in say(capsys, library, "delete", "c", code=2)
    assert "c" in kept(library)
    assert "run b is now the published run" in say(capsys, library, "delete", "c", "--force")
    assert current_id(library) == "b"
    for name in ("b", "a"):
        line = say(capsys, library, "delete", name, "--force")
    assert "no run is published" in line and not (library / "data/tables/CURRENT").exists()
    assert "only runs on some of the films exist (horror)" in say(capsys, library, "open", code=1)


def test_readers_never_land_on_a_trial(library, capsys):
    finished(library, "trial", 4, publish=False)
    rows = {row["run"]: row for row in json.loads(say(capsys, library, "runs", "--json"))}
    assert not rows["trial"]["publish"] and rows["b"]["publish"]
    assert "no (--no-publish)" in say(capsys, library, "runs")
    assert "run b is now the published run" in say(capsys, library, "delete", "c", "--force")
    (library / "data/tables/CURRENT").unlink()
    assert published(library).id == "b"
    say(capsys, library, "use", "trial")
    assert published(library).id == "trial", "somebody chose it"


def test_delete_refuses_a_running_run_even_with_force(library, capsys):
    run = finished(library, "now", 8, status="running")
    with hold_run_lock(run):
        assert "run now is running" in say(capsys, library, "delete", "now", "--force", code=2)
    assert "now" in kept(library) and not (run.report / LOCK).exists()
    assert "deleted run now" in say(capsys, library, "delete", "now"), "its process has ended"


def test_delete_of_a_scheduled_run_that_never_ended_needs_force(library, capsys):
    finished(library, "dag", 8, status="running", scheduled=True)
    assert "--force" in say(capsys, library, "delete", "dag", code=2)
    assert "deleted run dag" in say(capsys, library, "delete", "dag", "--force")


def test_delete_removes_what_a_deletion_by_hand_left(library, capsys):
    shutil.rmtree(library / "reports/a")
    assert "deleted run a" in say(capsys, library, "delete", "a")
    assert not (library / "data/tables/a").exists() and not (library / "data/raw/a").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights")
def test_delete_never_follows_a_link_out_of_the_home(library, tmp_path_factory, capsys):
    outside = tmp_path_factory.mktemp("outside")
    (outside / "film").write_text("x")
    (library / "reports/a/link").symlink_to(outside)
    shutil.rmtree(library / "data/raw/a")
    (library / "data/raw/a").symlink_to(outside)
    say(capsys, library, "delete", "a")
    assert (outside / "film").is_file() and not (library / "data/raw/a").is_symlink()
    for name in ("..", ".", "../reports/b", "CURRENT"):
        say(capsys, library, "delete", name, "--force", code=2)
    assert kept(library) == {"b", "c", "horror"} and current_id(library) == "c"


# Pruning


def test_a_dry_run_lists_what_goes_and_deletes_nothing(library, capsys):
    text = say(capsys, library, "prune", "--keep", "1", "--dry-run")
    assert "would delete 2 runs" in text and "would free" in text and "MB" in text
    assert [line.split()[0] for line in text.splitlines()[1:3]] == ["b", "a"]
    assert kept(library) == {"a", "b", "c", "horror"}


def test_prune_keeps_the_newest_the_published_and_the_running_run(library, capsys):
    finished(library, "broken", 0, status="failed")
    finished(library, "late", 9, status="failed")
    finished(library, "dag", 0, status="running", scheduled=True)
    (library / "reports/lab/kpis").mkdir(parents=True)  # a run of the chapters has no run.json
    say(capsys, library, "use", "a")
    assert "deleted 2 runs" in say(capsys, library, "prune", "--keep", "2")
    assert kept(library) == {"a", "c", "horror", "late", "dag"}
    assert (library / "reports/lab").is_dir() and current_id(library) == "a"
    assert "no run to delete" in say(capsys, library, "prune", "--keep", "2")


def test_prune_keeps_runs_younger_than_older(library, capsys):
    finished(library, "ancient", 0, finished="2020-01-01T00:00:00Z")
    assert "deleted 1 run" in say(capsys, library, "prune", "--keep", "1", "--older", "2000d")
    assert kept(library) == {"a", "b", "c", "horror"}


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--keep", "-1"], "0 or more"),
        (["--keep", "x"], "0 or more"),
        (["--keep", "1", "--older", "soon"], "90d"),
        (["--older", "90d"], "--keep"),
        (["--dry-run"], "--keep"),
    ],
)
def test_prune_refuses_what_it_does_not_understand(words, reason, library, capsys):
    try:
        assert main(["prune", *words, "--home", str(library)]) == 2
    except SystemExit as e:
        assert e.code == 2
    assert reason in capsys.readouterr().err and len(kept(library)) == 4


# Not published


def test_a_run_with_no_publish_leaves_the_pointer(demo, tmp_path, capsys):
    whole = Run("whole", tmp_path)
    shutil.copytree(demo.tables, whole.tables, copy_function=os.link)
    shutil.copytree(demo.report, whole.report)
    point_readers_to(whole)
    line = say(capsys, tmp_path, "run", "--no-publish", "--run-id", "trial").splitlines()[-1]
    assert line == "this report is not published; the published run is still whole"
    assert published(tmp_path) == whole and "trial" in kept(tmp_path)
    say(capsys, tmp_path, "use", "trial")
    assert published(tmp_path).id == "trial"
