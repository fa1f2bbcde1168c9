"""A master, two workers and a Connect server with a token: the same tables as the embedded engine,
and one line for what goes wrong."""

import contextlib
import json
import os
import shutil
import signal
import socket
import sys
import threading
from pathlib import Path

import pytest
import zstandard

from deploy.spark import cluster, health
from tests.compare import assert_same, published
from tmdb_analysis.core.engine import one_server
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import QUARANTINE, RAW
from tmdb_analysis.core.servers import free_port, java_version
from tmdb_analysis.core.settings import TmdbError, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films import ingest as ingests
from tmdb_analysis.runs.chain import run_chain
from tmdb_analysis.tmdb.client import Answer
from tmdb_analysis.tmdb.ledger import segment_files, segment_line, segment_lines
from tmdb_analysis.tmdb.sources import fetched_lines, sample
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.machine import machine_checks

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(java_version() not in (17, 21), reason="Apache Spark needs Java 17 or 21"),
]
TOKEN = "canary-of-a-token-4711"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    "A home with 150 films as saved answers, and the run of the embedded engine on them."
    home = tmp_path_factory.mktemp("cluster")
    (home / "films.jsonl").write_text(
        "\n".join(map(json.dumps, segment_lines(sample() / "movies.jsonl.zst")[:150]))
    )
    assert (
        main(["run", "--home", str(home), "--run-id", "sail", "--engine", "sail", *source(home)])
        == 0
    )
    return home


def three_free_ports() -> int:
    """The first of three unused ports in a row: the pages of the master and of two workers.

    They lie below the ports that the system hands out, or another test could take one meanwhile.
    """
    for first in range(20_000 + os.getpid() % 1000 * 3, 30_000, 3):
        with contextlib.ExitStack() as stack, contextlib.suppress(OSError):
            for port in range(first, first + 3):
                stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return first
    raise OSError("no three free ports in a row")


@pytest.fixture(scope="module")
def ports(place):
    "The cluster, started once, on free ports; it leaves nothing behind."
    chosen = {"--port": free_port(), "--connect": free_port(), "--ui": three_free_ports()}
    options = ["--home", str(place), *[str(word) for pair in chosen.items() for word in pair]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMDB_SPARK_TOKEN", TOKEN)
        assert cluster.main(["up", *options]) == 0
        pids = {p.stem: int(p.read_text()) for p in (place / "data" / "spark").glob("*.pid")}
        assert cluster.main(["up", *options]) == 0, "again: what runs stays"
        assert (
            pids == {p.stem: int(p.read_text()) for p in (place / "data" / "spark").glob("*.pid")}
            and len(pids) == 4
        )
    yield {name: f"127.0.0.1:{number}" for name, number in chosen.items()}
    assert cluster.main(["down", *options]) == 0 and cluster.main(["down", *options]) == 0
    assert not any(cluster.group_lives(pid) for pid in pids.values())


def source(home: Path) -> list[str]:
    "The options that name the input."
    return ["--source", "files", "--input", str(home / "films.jsonl")]


def check(home: Path, run_id: str) -> None:
    "Compare all tables of a run with those of the embedded engine."
    theirs, ours = published(Run(run_id, home)), published(Run("sail", home))
    assert theirs.keys() == ours.keys()
    for name in ours:
        assert_same(theirs[name], ours[name], name)


def told(capsys, *words: str) -> str:
    "What a health check of the containers says here; nothing when all is well."
    code = health.main(*words)
    said = capsys.readouterr().out
    assert code == bool(said) and said.count("\n") == code
    return said


def has_page(url: str) -> bool:
    "Whether a page of Spark answers; its port opens before it does."
    try:
        return bool(health.read_page(url))
    except OSError:
        return False


def test_the_health_checks_of_the_containers_see_a_cluster(ports, capsys):
    host, ui = ports["--ui"].split(":")
    connect, master = ports["--connect"].split(":")[1], f"http://{ports['--ui']}"
    for i in (1, 2):
        assert told(capsys, "worker", f"http://{host}:{int(ui) + i}") == ""
    assert told(capsys, "connect", master, connect) == ""
    assert "does not answer" in told(capsys, "connect", master, str(free_port()))
    assert "does not answer" in told(capsys, "worker", f"http://{host}:{free_port()}")


def test_a_worker_without_its_master_is_not_healthy(tmp_path, capsys):
    "It has a page of its own all the same."
    ui, master = free_port(), free_port()
    command = cluster.commands(tmp_path, master, 0, ui - 1)["worker1"]
    page = f"http://127.0.0.1:{ui}"
    cluster.start(tmp_path, "worker1", command, {"SPARK_DAEMON_MEMORY": "256m"})
    try:
        cluster.wait(tmp_path, "worker1", lambda: has_page(page))
        assert told(capsys, "worker", page) == "the worker has not reached its master\n"
    finally:
        os.killpg(cluster.running(tmp_path, "worker1"), signal.SIGKILL)


def test_connect_with_a_token_gives_the_same_tables_and_tells_it_to_nobody(
    place, ports, monkeypatch, capfd
):
    monkeypatch.setenv("TMDB_SPARK_TOKEN", TOKEN)
    assert (
        main(
            [
                "run",
                "--home",
                str(place),
                "--run-id",
                "connect",
                "--engine",
                f"sc://{ports['--connect']}",
                *source(place),
            ]
        )
        == 0
    )
    check(place, "connect")
    said = capfd.readouterr()
    kept = [
        path for path in place.rglob("*") if path.is_file() and TOKEN.encode() in path.read_bytes()
    ]
    assert TOKEN not in said.out + said.err and kept == [place / "data" / "spark" / "token"]


def test_a_wrong_token_and_a_master_that_is_down_are_a_line(place, ports, monkeypatch, capfd):
    monkeypatch.setenv("TMDB_SPARK_TOKEN", f"not-{TOKEN}")
    engines = {
        f"sc://{ports['--connect']}": "refuses our token",
        f"sc://127.0.0.1:{free_port()}": "no Spark Connect server answers",
        f"spark://127.0.0.1:{free_port()}": "no Spark master answers",
    }
    for engine, reason in engines.items():
        words = ["run", "--force", "--home", str(place), "--engine", engine, *source(place)]
        assert main(words) == 1
        said = capfd.readouterr()
        lines = [line for line in said.err.splitlines() if line.strip()]
        assert len(lines) == 1 and reason in lines[0] and TOKEN not in said.out + said.err
        assert "fail" in {
            verdict
            for verdict, what, detail in machine_checks(str(place), engine)
            if what == "engine" and reason in detail
        }


def test_doctor_counts_executors_and_sees_a_home_that_is_not_shared(place, ports, monkeypatch):
    monkeypatch.setenv("TMDB_SPARK_TOKEN", TOKEN)
    engine = f"sc://{ports['--connect']}"
    told = {what: (verdict, detail) for verdict, what, detail in machine_checks(str(place), engine)}
    assert told["engine"][0] == "ok" and "; 2 executors" in told["engine"][1]
    monkeypatch.setenv("TMDB_ENGINE_HOME", "file:///nowhere")
    told = {what: (verdict, detail) for verdict, what, detail in machine_checks(str(place), engine)}
    assert told["engine"][0] == "fail" and "engine_home" in told["engine"][1]


@pytest.mark.nightly
def test_a_master_whose_worker_is_killed_in_the_middle_gives_the_same_tables(place, ports):
    victim, killed = cluster.running(place / "data" / "spark", "worker1"), []

    def kill():
        killed.append(victim)
        os.killpg(victim, signal.SIGKILL)  # its executors as well

    def tell(i, n, stage):
        if stage.chapter == "27_validate" and stage.status == "running":
            threading.Timer(2, kill).start()

    asked = dict(
        engine=f"spark://{ports['--port']}",
        home=str(place),
        run_id="master",
        source="files",
        input=[str(place / "films.jsonl")],
    )
    told = run_chain(settings(memory_gb=1, executor_memory_gb=0.5, **asked), tell)
    assert told.status == "ok" and killed, told.error
    check(place, "master")


def test_executors_that_no_worker_has_room_for_are_a_line(place, ports):
    engine = settings(
        engine=f"spark://{ports['--port']}", memory_gb=1, executor_memory_gb=64, engine_wait_s=5
    ).spark
    with pytest.raises(Exception, match="64 GB free") as said, one_server(engine, place):
        pass
    assert "\n" not in str(said.value)


BAD_BODIES = (b'{"title": "no id"}', b'{"id": 7, "budget": "much"}', b'{"id": 8, "seasons": [1]}')


@pytest.fixture(scope="module")
def segments(place):
    "Seven segments with films of the sample, with lines without a film, and with bad records."
    folder = place / "data" / "raw" / "fetched"
    folder.mkdir(parents=True)
    bodies = zstandard.decompress((sample() / "movies.jsonl.zst").read_bytes()).splitlines()
    for number in range(1, 8):
        part = [*bodies[number * 100 : number * 100 + 90 + number], *BAD_BODIES]
        answers = [Answer(200, body, "live", f"2026-11-22T18:00:0{number}Z") for body in part]
        answers.insert(5, Answer(404, b"{}", "live", "2026-11-22T18:00:00Z"))
        lines = [segment_line(film, answer) for film, answer in enumerate(answers)]
        path = folder / f"{number:06}.jsonl.zst"
        path.write_bytes(zstandard.compress(b"\n".join(lines) + b"\n"))
    return segment_files(folder)


@pytest.fixture
def small_jobs(monkeypatch):
    "Seven segments are enough for a job on the executors, and two make a task."
    monkeypatch.setattr(ingests, "MANY_SEGMENTS", 7)
    monkeypatch.setattr(ingests, "GROUP_SEGMENTS", 2)
    monkeypatch.setenv("TMDB_SPARK_TOKEN", TOKEN)


def ingested(home: Path, run_id: str, files: list[Path], engine: str = "sail") -> dict:
    "The counts of an ingest with an engine."
    run, stream = open_run(run_id, home), map(fetched_lines, files)
    with contextlib.ExitStack() as stack:
        if engine != "sail":
            spark = settings(engine=engine, memory_gb=1, executor_memory_gb=0.5).spark
            stack.enter_context(one_server(spark, home))
        return ingests.ingest(stream, run, segments=files, engine=engine)


def bytes_of(home: Path, run_id: str) -> list[bytes]:
    "The files of both tables."
    return [Run(run_id, home).path(table).read_bytes() for table in (RAW, QUARANTINE)]


@pytest.mark.parametrize("scheme", ["spark", "sc"])
def test_executors_make_the_same_tables_of_segments(place, ports, segments, small_jobs, scheme):
    engine = f"{scheme}://{ports['--port' if scheme == 'spark' else '--connect']}"
    expected = ingested(place, "here", segments)
    counts = ingested(place, "there", segments, engine)
    assert counts.pop("where") == "The executors of the cluster read the 7 segments."
    assert counts == expected and counts["records"] == counts["landed"] + counts["quarantined"]
    assert counts["quarantined"] >= 14 and counts["unknown_values"][0]["first"].startswith("000001")
    assert bytes_of(place, "there") == bytes_of(place, "here")
    assert not [*Run("there", place).tables.glob("*.tmp")], "scratch files are deleted"


def test_a_damaged_segment_on_executors_is_the_same_line(place, ports, segments, small_jobs):
    files = [place / "data" / "raw" / "torn" / path.name for path in segments]
    files[0].parent.mkdir()
    for path, copy in zip(segments, files, strict=True):
        copy.write_bytes(path.read_bytes()[: -20 if path == segments[4] else None])
    with pytest.raises(TmdbError) as here:
        ingested(place, "torn", files)
    with pytest.raises(TmdbError) as there:
        ingested(place, "torn", files, f"sc://{ports['--connect']}")
    assert str(there.value) == str(here.value) and "000005.jsonl.zst" in str(here.value)
    assert not Run("torn", place).path(RAW).exists()


HIDE_PACKAGE = """
import sys
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "tmdb_analysis":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hide())
"""


@pytest.mark.parametrize("kind", ["without the package", "with another version"])
def test_executors_that_cannot_ingest_leave_it_to_this_process(
    place, ports, segments, small_jobs, monkeypatch, tmp_path, kind
):
    if kind == "without the package":
        reason = "lack a package (No module named 'tmdb_analysis')"
        (tmp_path / "sitecustomize.py").write_text(HIDE_PACKAGE)
    else:
        reason = "have another version of this package"
        package = Path(ingests.__file__).parent.parent
        shutil.copytree(package, tmp_path / "tmdb_analysis")
        with open(tmp_path / "tmdb_analysis" / "films" / "ingest.py", "a") as f:
            f.write("# another version\n")
    python = tmp_path / "python"
    path = f"{tmp_path}${{PYTHONPATH:+:$PYTHONPATH}}"
    python.write_text(f'#!/bin/sh\nPYTHONPATH="{path}" exec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PYSPARK_PYTHON", str(python))
    counts = ingested(place, "alone", segments, f"spark://{ports['--port']}")
    assert counts["where"] == f"This process read the segments: the executors {reason}."
    ingested(place, "here", segments)
    assert bytes_of(place, "alone") == bytes_of(place, "here")


@pytest.mark.nightly
def test_a_run_of_many_segments_says_on_its_page_that_executors_read_them(
    place, ports, monkeypatch
):
    "The chapter runs in a notebook, whose own functions no executor knows."
    monkeypatch.setenv("TMDB_SPARK_TOKEN", TOKEN)
    folder = place / "data" / "raw" / "many"
    folder.mkdir(parents=True)
    bodies = zstandard.decompress((sample() / "movies.jsonl.zst").read_bytes()).splitlines()
    for number in range(ingests.MANY_SEGMENTS):
        pair = [Answer(200, body, "live", "2026-11-22T18:00:00Z") for body in bodies[:200:150]]
        bodies = bodies[1:]
        lines = b"\n".join(segment_line(film, answer) for film, answer in enumerate(pair))
        (folder / f"{number + 1:06}.jsonl.zst").write_bytes(zstandard.compress(lines))
    (folder / "packed.json").write_text("{}")
    words = ["run", "--home", str(place), "--run-id", "many", "--source", "api", "--ids", "1"]
    assert main([*words, "--engine", f"sc://{ports['--connect']}"]) == 0
    run, sentence = Run("many", place), "The executors of the cluster read the 500 segments."
    assert json.loads((run.tables / "ingest.counts.json").read_text())["where"] == sentence
    assert sentence in (run.report / "20_ingest.html").read_text()
    files = segment_files(folder)
    ingested(place, "many-here", files)
    assert bytes_of(place, "many") == bytes_of(place, "many-here")
