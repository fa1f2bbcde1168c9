"""A run that is stopped or killed, or that loses its kernel: it ends soon, says why, leaves no
process, and can be run again."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN
from tmdb_analysis.core.home import Run, point_readers_to, published
from tmdb_analysis.core.reach import Package, installed_package
from tmdb_analysis.core.schema import TABLES
from tmdb_analysis.core.settings import UsageError, settings
from tmdb_analysis.runs import chain
from tmdb_analysis.runs.catalog import LOCK, read_facts
from tmdb_analysis.runs.chain import claim_run
from tmdb_analysis.runs.plan import Planner, proved_versions
from tmdb_analysis.use.cli import main

pytestmark = [pytest.mark.faults, pytest.mark.integration]

TMDB = str(Path(sys.executable).parent / "tmdb")
MOMENTS = int(os.environ.get("TEST_MOMENTS", "1"))  # at which a run is stopped


@contextmanager
def going(home: Path, *args: str, verb: str = "demo", tmp: Path | None = None):
    "A run in a process of its own, with its output as text."
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_REMOTE"))} | {
        "PYTHONUNBUFFERED": "1"
    }
    env |= {"TMPDIR": str(tmp)} if tmp else {}
    command = [TMDB, verb, "--home", str(home), "--run-id", "x", *args]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=env
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def until(process: subprocess.Popen, words: str) -> None:
    "Read what a run says up to a line with some words."
    assert process.stdout is not None
    assert any(words in line for line in process.stdout), words


def children(process: subprocess.Popen) -> list[psutil.Process]:
    "The engine and the kernel of a run, as far as it has started them."
    return psutil.Process(process.pid).children(recursive=True)


def survivors(processes: list[psutil.Process], seconds: float = 10) -> list[psutil.Process]:
    "Those of some processes that are still alive after some time."
    return psutil.wait_procs(processes, timeout=seconds)[1]


def status(home: Path) -> str:
    "What run.json says became of the run."
    return json.loads((home / "reports/x/run.json").read_text())["status"]


def ended(process: subprocess.Popen, seconds: float = 15) -> tuple[str, list[str]]:
    "What a run still says on stdout, and the lines of its stderr; it must end soon."
    out, said = process.communicate(timeout=seconds)
    return out, said.splitlines()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (
            "ipykernel",
            (
                r"the kernel died in stage \d\d\w+ \(killed by signal 9; "
                r"most often memory ran out\): free some memory"
            ),
        ),
        ("pysail", r"the engine (died in stage|is gone before) \d\d\w+"),
    ],
)
def test_a_run_whose_kernel_or_engine_dies_says_so(program, said, tmp_path, capsys):
    with going(tmp_path) as process:
        until(process, "20_ingest")
        others = children(process)
        commands = {child: " ".join(child.cmdline()) for child in others}
        (victim,) = (
            child
            for child, line in commands.items()
            if program in line and "run_isolated" not in line
        )
        victim.kill()
        _, lines = ended(process, 30)
    assert process.returncode == 1 and len(lines) == 1
    assert re.search(said, lines[0]) and "memory_gb" in lines[0]
    assert lines[0].endswith(f"to continue: tmdb resume x --home {tmp_path}")
    assert status(tmp_path) == "failed" and not (tmp_path / "data/tables/CURRENT").exists()
    assert not survivors(others)
    before = begun(tmp_path)
    assert main(["resume", "x", "--home", str(tmp_path)]) == 0
    assert begun(tmp_path)["ingest"] == before["ingest"] and "kept" in capsys.readouterr().out


def stopped(home: Path, how: int, words: str, delay: float) -> None:
    """Stop a run some seconds after a line: it must end at once, cleanly, and with all that it
    started."""
    with going(home) as process:
        until(process, words)
        time.sleep(delay)
        others = children(process)
        process.send_signal(how)
        others += [child for child in children(process) if child not in others]
        out, lines = ended(process)
    assert process.returncode == 75, lines
    assert (
        out.splitlines()[-1] == f"again   tmdb resume x --home {home}  (finished stages are kept)"
    )
    assert len(lines) == 1 and "stopped" in lines[0], lines
    assert status(home) == "stopped"
    assert not (home / "data/tables/CURRENT").exists() and not survivors(others)


def test_what_a_kill_leaves_is_deleted_by_the_next_start(tmp_path):
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    home = tmp_path / "home"
    with going(home, tmp=temporary) as process:
        until(process, "20_ingest")
        others = children(process)
        process.kill()
        process.wait()
    assert not survivors(others)
    left = {path.name.rsplit("-", 1)[0] for path in temporary.iterdir()}
    assert left == {"tmdb-engine", "tmdb-kernel"}, left
    scratch = home / f"reports/done/_diff_x.html.{process.pid}.tmp"  # a finished run
    scratch.parent.mkdir()
    scratch.touch()
    os.utime(scratch, (0, 0))
    with going(home, tmp=temporary) as process:
        until(process, "23_clean")
        assert len(list(temporary.glob("tmdb-*"))) == 2, "its own"
        assert not scratch.exists()
        process.send_signal(signal.SIGTERM)
        ended(process)
    assert list(temporary.iterdir()) == []


def test_a_signal_at_the_end_of_a_stage_stops_the_run(tmp_path, capsys):
    stopped(tmp_path, signal.SIGTERM, "20_ingest", 0)
    before = begun(tmp_path)
    assert main(["resume", "x", "--home", str(tmp_path)]) == 0
    assert begun(tmp_path)["ingest"] == before["ingest"] and "kept" in capsys.readouterr().out


def moment(home: Path, seed: int, longest: float) -> tuple[float, int]:
    """Seconds that a run takes to end after a signal at a moment that the seed names, and the exit
    code; none of its children survives, and only a run that has begun leaves a folder."""
    chance = random.Random(seed)
    how = chance.choice([signal.SIGTERM, signal.SIGINT])
    delay = 0.3 + (longest - 0.3) * chance.random()  # before that, Python itself starts
    with going(home) as process:
        end = time.monotonic() + delay
        while time.monotonic() < end and process.poll() is None:
            time.sleep(0.01)
        if process.poll() is not None:
            return 0, process.returncode
        others = children(process)
        begin = time.monotonic()
        process.send_signal(how)
        _, lines = ended(process)
        seconds = time.monotonic() - begin
    assert len([line for line in lines if line.startswith("tmdb:")]) == len(lines) < 2, lines
    assert not survivors(others)
    return seconds, process.returncode


@pytest.mark.skipif(
    "TEST_MOMENTS" not in os.environ,
    reason="long: set TEST_MOMENTS=200, and -o faulthandler_timeout=0 for pytest",
)
def test_signals_over_a_whole_run(tmp_path, capsys):
    begin = time.monotonic()
    assert main(["demo", "--home", str(tmp_path / "whole")]) == 0
    longest = time.monotonic() - begin
    found = []
    for seed in range(MOMENTS):
        seconds, code = moment(tmp_path / str(seed), seed, longest)
        found.append((seconds, code, seed))
        assert code in (0, 75) and seconds < 5, found[-1]
        if (tmp_path / str(seed)).exists():
            shutil.rmtree(tmp_path / str(seed))
    with capsys.disabled():
        print(f"slowest: {sorted(found, reverse=True)[:5]} (seconds, exit code, seed)")


@pytest.mark.parametrize("seed", range(MOMENTS))
def test_a_signal_at_any_moment_stops_the_run(seed, tmp_path):
    chance = random.Random(seed)
    words = chance.choice(["source=sample", "20_ingest", "23_clean", "27_validate"])
    stopped(
        tmp_path,
        chance.choice([signal.SIGTERM, signal.SIGINT]),
        words,
        chance.choice([0.01, 0.03, 0.06, 0.1, 0.5, 1.5]),
    )


def test_a_closed_pipe_does_not_end_a_run(tmp_path):
    with going(tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline().startswith("tmdb ")
        process.stdout.close()
        assert process.wait(120) == 0 and not process.stderr.read()
    assert status(tmp_path) == "ok"


def test_a_signal_during_the_imports_ends_the_command_at_once(tmp_path):
    with going(tmp_path) as process:
        one = psutil.Process(process.pid)
        while not any("pydantic" in place.path for place in one.memory_maps()):
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        begin = time.monotonic()
        _, lines = ended(process)
    assert process.returncode == 75 and time.monotonic() - begin < 5
    assert lines == ["tmdb: stopped by a signal; run the same command again"]
    assert not (tmp_path / "reports").exists()


def test_a_killed_run_is_interrupted_and_can_be_run_again(tmp_path, capsys):
    with going(tmp_path) as process:
        until(process, "54_why")
        others = children(process)
        until(process, "68_report")  # now its pages are written
        process.kill()
        process.wait()
    assert len(others) >= 2 and not survivors(others)
    before = begun(tmp_path)
    assert status(tmp_path) == "running" and not (tmp_path / "data/tables/CURRENT").exists()
    assert main(["runs", "--home", str(tmp_path)]) == 0
    assert "interrupted" in capsys.readouterr().out
    with going(tmp_path) as process:
        until(process, "20_ingest")
        assert begun(tmp_path)["ingest"] == before["ingest"], "it goes on"
        assert main(["runs", "--home", str(tmp_path)]) == 0
        assert "running" in capsys.readouterr().out
        assert main(["demo", "--home", str(tmp_path), "--run-id", "x"]) == 2
        assert f"run x is running (process {process.pid})" in capsys.readouterr().err
        out, lines = ended(process, 120)
    assert process.returncode == 0 and not lines and "done in" in out
    assert main(["demo", "--home", str(tmp_path), "--run-id", "x"]) == 2
    assert "run x is finished: choose another --run-id, or delete it" in capsys.readouterr().err


@pytest.fixture
def api(monkeypatch):
    "A local TMDB, and the settings to ask it."
    with fake_tmdb("synthetic:400") as server:
        for name, value in {
            "BASE_URL": server.url,
            "READ_TOKEN": TOKEN,
            "RATE_PER_SECOND": "0",
        }.items():
            monkeypatch.setenv(f"TMDB_{name}", value)
        yield server


def test_a_fetch_that_is_killed_before_it_asked_for_anything_begins_again_in_its_folder(
    api, tmp_path
):
    words = [TMDB, "run", "--source", "api", "--ids", "1,2,3", "--home", str(tmp_path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None and not list(tmp_path.glob("reports/*/run.json")):
            time.sleep(0.01)
        process.kill()
    (folder,) = tmp_path.glob("reports/*")
    assert not (tmp_path / "data/raw" / folder.name).exists()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        until(process, f"run={folder.name}")
        until(process, "20_ingest")
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 75 and "(the fetch continues where it stopped)" in out
    assert f"resume {folder.name} --home" in out and [
        path.name for path in tmp_path.glob("reports/*/")
    ] == [folder.name]


# Which runs may begin, and in which state


def claim(home: Path, status: str | None, **facts) -> Path:
    "Leave a run in some state, then claim it; gives its folder."
    folder = home / "reports" / "x"
    folder.mkdir(parents=True)
    (folder / "kpis").mkdir()
    if status:
        (folder / "run.json").write_text(json.dumps({"status": status, **facts}))
        (folder / "index.html").write_text("old")
    with claim_run(settings(home=home, run_id="x")) as run:
        assert sorted(path.name for path in run.report.iterdir()) == [LOCK, "kpis"]
    return folder


@pytest.mark.parametrize("status", [None, "failed", "stopped", "running"])
def test_a_run_that_did_not_finish_may_begin_again(status, tmp_path):
    assert not (claim(tmp_path, status) / LOCK).exists()


@pytest.mark.parametrize(
    ("status", "facts", "said"),
    [
        ("ok", {}, "run x is finished: choose another --run-id, or delete it"),
        ("running", {"scheduled": True}, "run x is running"),
        ("unreadable", {}, "has files but no readable run.json"),
    ],
)
def test_a_run_that_is_finished_or_going_on_may_not(status, facts, said, tmp_path):
    with pytest.raises(UsageError, match=re.escape(said)):
        claim(tmp_path, status, **facts)
    assert (tmp_path / "reports/x/index.html").read_text() == "old"


def test_a_run_that_was_published_and_then_killed_is_finished_by_the_same_command(
    demo, tmp_path, capsys
):
    run = Run("x", tmp_path)
    shutil.copytree(demo.tables, run.tables, copy_function=os.link)
    shutil.copytree(demo.report, run.report)
    told = json.loads((run.report / "run.json").read_text())
    (run.report / "run.json").write_text(json.dumps(told | {"status": "running"}))
    point_readers_to(run)
    assert main(["demo", "--home", str(tmp_path), "--run-id", "x"]) == 0
    assert (
        "done in" in capsys.readouterr().out
        and status(tmp_path) == "ok"
        and (run.report / "68_report.ipynb").is_file()
    )


def test_an_error_that_nobody_expected_stands_in_run_json(tmp_path, monkeypatch):
    def raise_it(*_) -> None:
        raise RuntimeError("the token is abc")

    monkeypatch.setattr(chain, "run_stages", raise_it)
    with pytest.raises(RuntimeError):
        chain.run_chain(settings(home=tmp_path, run_id="x"))
    facts = read_facts(tmp_path / "reports" / "x")
    assert facts.status == "failed" and facts.error is not None
    assert facts.error.startswith("unexpected RuntimeError in test_stopping.py, line")
    assert "abc" not in (tmp_path / "reports/x/run.json").read_text()


def test_a_closed_gate_can_be_run_again_with_the_same_id(tmp_path):
    (tmp_path / "films.jsonl").write_text(
        '{"id": 1, "title": "A", "status": "Released"}\nnot json\nnot json\n'
    )
    words = [
        "run",
        "--source",
        "files",
        "--input",
        str(tmp_path / "films.jsonl"),
        "--home",
        str(tmp_path),
        "--run-id",
        "x",
    ]
    assert main(words) == 1
    (tmp_path / "films.jsonl").write_text('{"id": 1, "title": "A", "status": "Released"}\n')
    main(words)
    rules = json.loads((tmp_path / "reports/x/quality.json").read_text())["rules"]
    assert all(rule["passed"] for rule in rules if rule["name"] == "records can be used"), (
        "it read the mended file"
    )


# A report on a part of the films


def test_a_scoped_run_never_becomes_the_published_one(demo, tmp_path, capsys):
    whole = Run("whole", tmp_path)
    shutil.copytree(demo.tables, whole.tables, copy_function=os.link)
    shutil.copytree(demo.report, whole.report)
    point_readers_to(whole)
    home = ["--home", str(tmp_path)]
    assert main(["demo", *home, "--run-id", "western", "-p", "genre=Western"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert (
        last
        == "this report covers only films of the genre Western; the published run is still whole"
    )
    assert published(tmp_path) == whole

    assert main(["runs", *home]) == 0
    rows = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert "of the genre Western" in rows["western"] and "all films" in rows["whole"]
    assert rows["whole"].split()[-1] == "yes" and rows["western"].split()[-1] != "yes"
    page = (tmp_path / "reports/index.html").read_text()
    assert page.count("<small>published</small>") == 1 and "films of the genre Western" in page

    assert main(["search", "genre:Horror", "--limit", "1", *home]) == 0
    assert main(["search", "genre:Western", "--limit", "1", *home, "--run-id", "western"]) == 0
    (tmp_path / "data/tables/CURRENT").unlink()
    shutil.rmtree(whole.report)
    capsys.readouterr()
    for words in (["search", "genre:Western"], ["open"], ["why", "highest_roi"]):
        assert main([*words, *home]) == 1
        assert "only runs on some of the films exist (western): name one" in capsys.readouterr().err
    assert main(["open", "western", "--no-browser", *home]) == 0


# A run that ended early goes on


def begun(home: Path) -> dict[str, str]:
    "When each stage of the run began, by name."
    paths = (home / "reports/x/stages").glob("*.json")
    return {path.stem: json.loads(path.read_text())["started"] for path in paths}


def test_a_closed_gate_goes_on_from_the_check_once_it_may_pass(tmp_path, capsys):
    home = ["--home", str(tmp_path)]
    words = ["run", "--source", "sample", "--no-publish", *home, "--run-id", "x"]
    log = tmp_path / "log.jsonl"
    assert main([*words, "-p", "min_score=99.9", "--log-json", str(log)]) == 1
    lines = [json.loads(text) for text in log.read_text().splitlines()]
    assert {told["run"] for told in lines} == {"x"} and lines[-1]["event"] == "run"
    assert lines[-2]["chapter"] == "27_validate" and lines[-2]["raised"] == "GateClosed"
    (line,) = capsys.readouterr().err.splitlines()
    assert re.search(r"^tmdb: failed in 27_validate, under \"[^\"]+\": .*score", line), line
    page = tmp_path / "reports/x/27_validate.html"
    assert f"{page.as_uri()}#failed; to continue: tmdb resume x --home {tmp_path}" in line
    assert '<h2 id="failed">' in page.read_text()
    assert "27_validate.html#failed" in (page.parent / "index.html").read_text()
    before = begun(tmp_path)

    assert main(["resume", "x", *home]) == 1, "the gate is still closed"
    out = capsys.readouterr().out
    assert begun(tmp_path)["ingest"] == before["ingest"] and "kept" in out

    assert main(["resume", "x", *home, "-p", "min_score=0"]) == 0
    after = begun(tmp_path)
    assert [after[name] for name in ("ingest", "clean")] == [
        before[name] for name in ("ingest", "clean")
    ]
    assert after["validate"] > before["validate"] and status(tmp_path) == "ok"
    assert not (tmp_path / "data/tables/CURRENT").exists(), "a trial stays one"
    assert "this report is not published" in capsys.readouterr().out
    assert main(["runs", *home]) == 0 and "no (--no-publish)" in capsys.readouterr().out
    assert main(["open", *home]) == 1
    assert "only runs with --no-publish exist (x): name one" in capsys.readouterr().err
    assert main(["resume", "x", *home]) == 2
    assert "run x is finished" in capsys.readouterr().err
    assert main(["resume", "nothing", *home]) == 2


def test_a_stage_is_repeated_if_anything_that_it_depends_on_changed(demo, tmp_path, monkeypatch):
    run = Run("x", tmp_path)
    shutil.copytree(demo.tables, run.tables)
    shutil.copytree(demo.report, run.report)
    facts = (run.report / "run.json").read_text()
    (run.report / "run.json").write_text(facts.replace('"status": "ok"', '"status": "failed"', 1))
    chosen = settings(source="sample", home=tmp_path, run_id="x")

    def kept(**options) -> str:
        "The last stage that the run keeps."
        records = Planner(settings(**chosen.flat() | options)).kept_stages(run)
        return records[-1].chapter if records else ""

    assert kept() == "68_report" and kept(top_n=3) == "28_cohort"
    assert kept(language="en-GB") == "68_report", "the sample is in one language"
    assert kept(genre="Western") == "20_ingest"
    shutil.copytree(installed_package().folder, tmp_path / "package")
    for name, old, new, last in (
        ("films/comparisons.py", '"""', '"""Other words. ', "68_report"),
        ("stats/intervals.py", "\ndef ", "\n@print\ndef ", "28_cohort"),
    ):
        path = tmp_path / "package" / name
        text = path.read_text(encoding="utf-8")
        times = 1 if old == '"""' else -1  # only the docstring of the module
        path.write_text(text.replace(old, new, times), encoding="utf-8")
        copy = Package(tmp_path / "package")
        with monkeypatch.context() as patch:
            patch.setattr("tmdb_analysis.runs.plan.installed_package", lambda copy=copy: copy)
            assert kept() == last, name
        path.write_text(text, encoding="utf-8")
    run.path(TABLES["cohort"]).unlink()
    assert kept() == "27_validate"
    versions = proved_versions() | {"pysail": "0"}
    monkeypatch.setattr("tmdb_analysis.runs.plan.proved_versions", lambda: versions)
    assert kept() == "", "another version of the engine"
