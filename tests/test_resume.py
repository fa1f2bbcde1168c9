"""A fetch that is killed, damaged or asked twice ends with the same films and the same bytes as one
that is left alone."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter, namedtuple
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import pytest
import time_machine

from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN
from tests.fetching import asked, bodies, chosen, ended, go, lines, raw, segments, started, states
from tmdb_analysis.core.settings import TmdbError, TryLater, UsageError
from tmdb_analysis.core.store import open_run
from tmdb_analysis.runs import chain as pipeline
from tmdb_analysis.tmdb import client, fetch
from tmdb_analysis.tmdb.ledger import LEDGER_FORMAT, Ledger, Segments, fetch_lock
from tmdb_analysis.use.cli import main

pytestmark = pytest.mark.faults

ROOT = Path(__file__).parent.parent
FILMS, WORKERS, SIZE = 2_000, 12, 200
IDS = [str(i) for i in range(1, FILMS + 1)]  # every fourth is not there
FEW = [str(i) for i in range(1, 301)]
IN_FLIGHT = (
    5 * WORKERS + 1
)  # in the hands of the workers, waiting in the queue, in the hand of the writer


@pytest.fixture(scope="module")
def tmdb():
    "A local TMDB."
    with fake_tmdb("synthetic:4000") as server:
        yield server


@pytest.fixture(autouse=True)
def quiet(tmdb):
    "Without faults, and counting from zero."
    tmdb.reset()


@pytest.fixture(scope="module")
def undisturbed(tmdb, tmp_path_factory) -> dict[int, bytes]:
    "The bodies of a fetch that nothing happened to."
    home = tmp_path_factory.mktemp("quiet")
    go(tmdb.url, home, ids=IDS)
    return bodies(home)


def small(monkeypatch, size: int = 50) -> None:
    "Small segments in this process."
    monkeypatch.setattr(fetch, "Segments", lambda ledger: Segments(ledger, size))


def whole(home: Path, undisturbed: dict[int, bytes]) -> None:
    """The law: ids and bytes are those of an undisturbed fetch, nothing is there twice, nothing
    half."""
    assert bodies(home) == undisturbed
    assert states(home) == {"done": 1_500, "not_found": 500}
    assert not list(raw(home).glob("*.part"))


# Killed


@pytest.mark.integration
def test_killed_at_every_boundary_it_loses_at_most_a_segment(tmdb, tmp_path, undisturbed):
    (tmp_path / "data" / "cache" / "http.sqlite").mkdir(
        parents=True
    )  # no cache: only the segments tell what was fetched
    names = ("compress", "fsync", "rename", "sync_folder")
    ends = [
        ("want", 1, False),
        ("want", 1, True),
        *((name, 2, after) for name in names for after in (False, True)),
        ("enter", 1, False),
        ("enter", 1, True),
        ("once", 2, True),
    ]
    lost = 0
    for end in ends:
        assert ended(started(tmdb.url, tmp_path, SIZE, end, ids=IDS)) == -signal.SIGKILL, end
        lost += SIZE + IN_FLIGHT
    assert ended(started(tmdb.url, tmp_path, SIZE, ids=IDS)) == 0
    whole(tmp_path, undisturbed)
    assert FILMS <= sum(asked(tmdb).values()) <= FILMS + lost


@pytest.mark.integration
def test_killed_at_random_moments_it_repeats_only_what_was_in_flight(tmdb, tmp_path, undisturbed):
    dice, kills = random.Random(44), 0
    for share in sorted(dice.random() for _ in range(6)):
        process = started(tmdb.url, tmp_path, ids=IDS)
        while process.is_alive() and tmdb.stats()["requests"] < share * FILMS:
            process.join(0.01)
        process.kill()
        kills += ended(process) == -signal.SIGKILL
    assert kills >= 4
    assert ended(started(tmdb.url, tmp_path, ids=IDS)) == 0
    whole(tmp_path, undisturbed)
    assert FILMS <= sum(asked(tmdb).values()) <= FILMS + kills * WORKERS


def test_a_clock_that_jumps_loses_nothing(tmdb, tmp_path, undisturbed, monkeypatch):
    with time_machine.travel(datetime.now(UTC), tick=True) as clock:
        jumps = {500: timedelta(hours=-1), 1_000: timedelta(days=1), 1_500: timedelta(days=-400)}
        monkeypatch.setattr(
            fetch,
            "progress_file",
            lambda _: lambda told: clock.shift(jumps.get(told["done"], timedelta())),
        )
        start = time.monotonic()
        go(tmdb.url, tmp_path, ids=IDS)
        whole(tmp_path, undisturbed)
        assert len({line["fetched_at"][:10] for line in lines(tmp_path).values()}) >= 3, (
            "the clock did jump"
        )
        clock.shift(timedelta(days=400))
        assert go(tmdb.url, tmp_path, "b", ids=IDS)["failed"] == 0
    assert bodies(tmp_path, "b") == undisturbed and time.monotonic() - start < 300
    assert max(asked(tmdb).values()) <= 2, (
        "an answer from the future helps, one from long ago is asked for again"
    )


# Stopped from outside


@contextmanager
def command(url: str, home: Path):
    "The command that fetches some films, in a process of its own."
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_REMOTE"))}
    env |= {"TMDB_BASE_URL": url, "TMDB_READ_TOKEN": TOKEN, "PYTHONPATH": str(ROOT)}
    code = "import sys; from tmdb_analysis.use.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [
        sys.executable,
        "-c",
        code,
        "run",
        "--source",
        "api",
        "--ids",
        ",".join(FEW),
        "--home",
        str(home),
    ]
    words += ["-p", "language=en-GB"]
    with subprocess.Popen(
        words, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.integration
def test_a_stopped_command_exits_75_and_the_same_command_goes_on(tmdb, tmp_path):
    for sign in (signal.SIGTERM, signal.SIGINT):
        enough = tmdb.stats()["requests"] + 40
        with command(tmdb.url, tmp_path) as process:
            while process.poll() is None and tmdb.stats()["requests"] < enough:
                time.sleep(0.05)
            start = time.monotonic()
            process.send_signal(sign)
            said = process.communicate(timeout=60)[0]
            assert process.returncode == 75 and time.monotonic() - start < 30, said
        assert tmdb.stats()["requests"] < enough + 100, (
            "it ends while there is still something to fetch"
        )
        assert sum(states(tmp_path, next(raw(tmp_path, "").glob("2*")).name).values()) == len(FEW)
    with command(tmdb.url, tmp_path) as process:
        said = process.communicate(timeout=120)[0]
    assert process.returncode == 0 and "continuing the unfinished fetch" in said, said
    (run,) = (path.name for path in raw(tmp_path, "").glob("2*"))
    assert states(tmp_path, run) == {"done": 225, "not_found": 75}
    assert len(lines(tmp_path, run)) == 300
    assert Ledger(raw(tmp_path, run)).question()["language"] == "en-GB", (
        "a parameter of the command reaches the fetch"
    )
    assert sum(asked(tmdb).values()) <= 300 + 2 * WORKERS  # those in flight may be asked for again


def test_told_to_stop_it_keeps_what_is_under_way(tmdb, tmp_path, monkeypatch):
    tmdb.faults("latency:ms=20")
    stop = threading.Event()
    monkeypatch.setattr(
        fetch, "progress_file", lambda _: lambda progress: progress["done"] >= 100 and stop.set()
    )
    with pytest.raises(TryLater, match="run it again"):
        fetch.fetch_films(open_run("a", tmp_path), chosen(tmdb.url, tmp_path, ids=FEW), stop)
    kept = states(tmp_path)
    assert 100 <= kept["done"] + kept["not_found"] == len(lines(tmp_path)) < 300
    before = asked(tmdb)
    monkeypatch.undo()
    assert go(tmdb.url, tmp_path, ids=FEW)["pending"] == 0
    assert asked(tmdb) == before | {int(i): 1 for i in FEW}, (
        "what was under way is not asked for again"
    )


@pytest.mark.parametrize("after", [False, True])
def test_an_interrupt_while_a_segment_is_entered_makes_nothing_double(
    tmdb, tmp_path, monkeypatch, after
):
    small(monkeypatch)
    real, calls = Ledger.enter, count(1)

    def enter(self, *segment):
        interrupted = next(calls) == 2
        if after or not interrupted:
            real(self, *segment)
        if interrupted:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "enter", enter)
        with pytest.raises(KeyboardInterrupt):
            go(tmdb.url, tmp_path, ids=FEW)
    go(tmdb.url, tmp_path, ids=FEW)
    assert len(lines(tmp_path)) == 300 and states(tmp_path) == {"done": 225, "not_found": 75}


def test_a_transaction_that_is_interrupted_is_undone(tmp_path):
    def found():
        yield {"id": 1, "status": 200, "source": "live", "fetched_at": "2026-11-22T18:00:00Z"}
        raise KeyboardInterrupt

    with closing(Ledger(tmp_path)) as ledger:
        ledger.want([1])
        with pytest.raises(KeyboardInterrupt):
            ledger.enter("000001.jsonl.zst", "0", found())
        assert ledger.ids("pending") == [1] and not ledger.segments()
        ledger.want([2])  # the database is not in the middle of anything


# Damaged


@pytest.fixture
def half(tmdb, tmp_path, monkeypatch) -> Path:
    """A home with a finished fetch of six small segments; what is asked for from now on is counted,
    and nothing is cached."""
    small(monkeypatch)
    go(tmdb.url, tmp_path, ids=FEW)
    (tmp_path / "data" / "cache" / "http.sqlite").unlink()
    tmdb.reset()
    return tmp_path


def drop_ledger(home: Path) -> int:
    "The ledger is gone, the segments tell what it told."
    for path in raw(home).glob("ledger*"):
        path.unlink()
    return 0


def drop_segments(home: Path) -> int:
    "All segments are gone."
    for path in segments(home):
        path.unlink()
    return 300


def drop_all_but_wal(home: Path) -> int:
    "The ledger is gone, its log is not."
    (raw(home) / "ledger.sqlite-wal").write_bytes(os.urandom(4096))
    (raw(home) / "ledger.sqlite").unlink()
    return 0


def flip(home: Path) -> int:
    "Eight bytes of one segment are wrong. (A single bit can be one that zstd does not read.)"
    path = segments(home)[2]
    data = bytearray(path.read_bytes())
    for place in range(len(data) // 2, len(data) // 2 + 8):
        data[place] ^= 0xFF
    path.write_bytes(data)
    return 50


def cut(home: Path) -> int:
    "One segment ends too early."
    path = segments(home)[0]
    path.write_bytes(path.read_bytes()[:-10])
    return 50


def garbage_head(home: Path) -> int:
    "The ledger is no database."
    (raw(home) / "ledger.sqlite").write_bytes(b"garbage " * 1_000)
    return 0


def garbage_pages(home: Path) -> int:
    "The ledger is a database by its first page only."
    path = raw(home) / "ledger.sqlite"
    data = path.read_bytes()
    path.write_bytes(data[:4096] + b"\xa5" * (len(data) - 4096))
    return 0


def flip_and_forget(home: Path) -> int:
    "A segment is damaged and there is no ledger that knows."
    return flip(home) + drop_ledger(home)


def half_written(home: Path) -> int:
    "A segment that never got its name."
    (raw(home) / "000007.jsonl.zst.part").write_bytes(segments(home)[0].read_bytes()[:99])
    return 0


def orphan(home: Path) -> int:
    "A segment that the ledger does not know."
    with closing(Ledger(raw(home))) as ledger:
        ledger.forget(segments(home)[3].name)
    return 0


DAMAGES = [
    drop_ledger,
    drop_segments,
    drop_all_but_wal,
    flip,
    cut,
    garbage_head,
    garbage_pages,
    flip_and_forget,
    half_written,
    orphan,
]


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda f: f.__name__)
def test_damage_costs_only_what_is_lost(tmdb, half, damage, monkeypatch):
    before, lost = bodies(half), damage(half)
    go(tmdb.url, half, ids=FEW)
    assert sum(asked(tmdb).values()) == lost
    assert bodies(half) == before
    assert states(half) == {"done": 225, "not_found": 75}
    assert not list(raw(half).glob("*.part"))


def test_adopted_and_lost_segments_are_counted(tmdb, half):
    orphan(half), flip(half)
    assert go(tmdb.url, half, ids=FEW)["segments"] == {"adopted": 1, "lost": 1}


def test_a_ledger_of_a_newer_version_is_not_touched(tmdb, half):
    path = raw(half) / "ledger.sqlite"
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA user_version={LEDGER_FORMAT + 1}")
    before = path.read_bytes()
    with pytest.raises(TmdbError, match="update the package"):
        go(tmdb.url, half, ids=FEW)
    assert path.read_bytes() == before
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version=1")
    with pytest.raises(TmdbError, match="start a new run"):
        go(tmdb.url, half, ids=FEW)
    assert go(tmdb.url, half, "b", ids=FEW)["done"] == 225, "another run of the home goes on"


# Refused


def test_another_question_under_the_same_name_is_refused(tmdb, half, monkeypatch, capsys):
    with pytest.raises(UsageError, match="another ids"):
        go(tmdb.url, half, ids=["1"])
    for name, value in {"BASE_URL": tmdb.url, "READ_TOKEN": TOKEN, "RATE_PER_SECOND": "0"}.items():
        monkeypatch.setenv(f"TMDB_{name}", value)
    monkeypatch.setattr(pipeline, "one_server", None)  # nothing may start
    assert main(["run", "--source", "api", "--ids", "1", "--run-id", "a", "--home", str(half)]) == 2
    assert "another ids" in capsys.readouterr().err
    assert sum(asked(tmdb).values()) == 0


@pytest.mark.parametrize("run_id", ["a", "b"])
def test_a_second_fetch_at_the_same_time_is_refused(tmdb, tmp_path, run_id):
    with fetch_lock(tmp_path), pytest.raises(TmdbError, match="another run is fetching"):
        go(tmdb.url, tmp_path, run_id, ids=FEW)
    tmdb.faults("latency:ms=50")
    process = started(tmdb.url, tmp_path, ids=FEW)
    while process.is_alive() and not tmdb.stats()["requests"]:
        process.join(0.01)
    with pytest.raises(TmdbError, match="another run is fetching"):
        go(tmdb.url, tmp_path, run_id, ids=FEW)
    process.kill()
    ended(process)
    tmdb.faults("")
    assert go(tmdb.url, tmp_path, run_id, ids=FEW)["done"] == 225, "the lock ended with its process"


# The machine


Usage = namedtuple("Usage", "total used free")


def test_a_full_disk_stops_it_before_and_in_the_middle(tmdb, tmp_path, monkeypatch):
    free = iter([5e9, 5e8])
    monkeypatch.setattr(fetch.shutil, "disk_usage", lambda _: Usage(1e12, 0, next(free, 5e8)))
    ids = IDS[:600]
    with pytest.raises(TmdbError, match="make room and run it again"):
        go(tmdb.url, tmp_path, ids=ids)
    kept = Counter(states(tmp_path))
    assert tmdb.stats()["requests"] < 600, "the threads go no further"
    assert 500 <= kept["done"] + kept["not_found"] < 600
    with pytest.raises(TmdbError, match="GB free at"):
        go(tmdb.url, tmp_path, ids=ids)
    monkeypatch.undo()
    go(tmdb.url, tmp_path, ids=ids)
    assert set(asked(tmdb).values()) == {1}


def test_no_space_for_a_segment_leaves_a_ledger_that_goes_on(tmdb, tmp_path, monkeypatch):
    small(monkeypatch)
    real, n = os.fsync, iter(range(1_000))
    with monkeypatch.context() as patch:
        patch.setattr(
            os,
            "fsync",
            lambda f: (
                real(f)
                if next(n) < 6
                else (_ for _ in ()).throw(OSError(28, "No space left on device"))
            ),
        )
        with pytest.raises(TmdbError, match="No space left on device.*nothing is lost"):
            go(tmdb.url, tmp_path, ids=FEW)
    go(tmdb.url, tmp_path, ids=FEW)
    assert len(lines(tmp_path)) == 300 and set(asked(tmdb).values()) == {1}


@pytest.mark.parametrize(
    "death",
    [MemoryError("no memory"), RecursionError("too deep"), ValueError("unheard of")],
    ids=repr,
)
def test_an_unexpected_error_fails_its_film_only(tmdb, tmp_path, monkeypatch, death):
    real = client.details

    def details(tmdb, film, refresh=False):
        if film == 5:
            raise death
        return real(tmdb, film, refresh)

    with monkeypatch.context() as patch:
        patch.setattr(client, "details", details)
        counts = go(tmdb.url, tmp_path, ids=FEW, max_failed_pct=1)
    assert counts["failed"] == 1 and counts["failures"] == {f"{type(death).__name__}: {death}": 1}
    assert go(tmdb.url, tmp_path, ids=FEW)["failed"] == 0, "a failed film is tried again"


def test_a_failed_film_is_tried_once_a_run(tmdb, tmp_path):
    tmdb.faults("500:ids=5")
    with pytest.raises(TmdbError, match="1 of 20 films failed .HTTP 500"):
        go(tmdb.url, tmp_path, ids=FEW[:20], attempts=2)
    assert asked(tmdb)[5] == 2


@pytest.mark.parametrize("fault", ["duplicate:key=title:ids=5", "header:name=X:value=y:ids=5"])
def test_json_that_not_every_parser_takes_does_not_stop_a_fetch(tmdb, tmp_path, fault):
    tmdb.faults(fault)
    assert go(tmdb.url, tmp_path, ids=FEW[:20])["done"] == 15
    assert go(tmdb.url, tmp_path, ids=FEW[:20])["done"] == 15, "the segment can be read"


def test_a_refused_secret_ends_it_and_keeps_what_was_fetched(tmdb, tmp_path):
    tmdb.faults("401:after=100")
    with pytest.raises(TmdbError, match="TMDB refused the secret"):
        go(tmdb.url, tmp_path, ids=FEW)
    tmdb.faults("")
    before = tmdb.stats()["requests"]
    assert before <= 100 + WORKERS and 100 - WORKERS <= len(lines(tmp_path)) <= 100
    assert go(tmdb.url, tmp_path, ids=FEW)["pending"] == 0
    assert tmdb.stats()["requests"] - before == 200


def test_no_thread_outlives_a_fetch(tmdb, tmp_path):
    before = set(threading.enumerate())
    go(tmdb.url, tmp_path, ids=FEW)
    tmdb.faults("401:after=100")
    with pytest.raises(TmdbError):
        go(tmdb.url, tmp_path, "b", ids=IDS[1_000:])
    assert set(threading.enumerate()) <= before
