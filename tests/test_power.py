"""Power cuts and disks that fail: the writes, renames and syncs of a writer are recorded; then each
beginning of them is laid out as a disk may hold it, without what was not synced. And: the n-th call
of a writer fails, until none does."""

import errno
import os
import random
import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import orjson
import pyarrow as pa
import pytest

from tmdb_analysis.core.home import (
    Run,
    point_readers_to,
    published,
    read_counts,
    replace_file,
    save_counts,
    write_text,
)
from tmdb_analysis.core.records import RunRecord, new_record, record_path, write_record
from tmdb_analysis.core.schema import QUARANTINE
from tmdb_analysis.core.settings import TmdbError
from tmdb_analysis.core.store import open_writer, save, write_csv, write_parquet
from tmdb_analysis.tmdb.ledger import Ledger, Segments, recover_segments, segment_lines

pytestmark = pytest.mark.faults

SEED = int(os.environ.get("TEST_SEED", "11"))
CUTS = int(os.environ.get("TEST_CUTS", "1"))  # layouts of the disk for each beginning

Content = bytes | None  # of a file; None for a folder


@dataclass
class Disk:
    "What programs see of a tree, and what of it would survive a power cut."

    root: Path
    seen: dict[str, tuple[int, Content]] = field(default_factory=dict)  # path -> inode, content
    synced: dict[int, bytes] = field(default_factory=dict)  # inode -> content that survives
    names: dict[str, dict[str, int]] = field(default_factory=dict)  # folder -> names that survive
    # folder -> changes of its names since its last sync
    pending: dict[str, list[tuple[str, int | None]]] = field(default_factory=dict)
    folders: set[int] = field(default_factory=set)  # inodes of folders

    def look(self) -> None:
        "Take note of what changed in the tree."
        now: dict[str, tuple[int, Content]] = {}
        for path in sorted(self.root.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            if "ledger.sqlite" not in name:  # SQLite keeps its own promise
                now[name] = (path.stat().st_ino, None if path.is_dir() else path.read_bytes())
        for name in self.seen.keys() - now.keys():
            self.change(name, None)
        for name, (inode, content) in now.items():
            if content is None:
                self.folders.add(inode)
            if self.seen.get(name, (None,))[0] != inode:
                self.change(name, inode)
        self.seen = now

    def change(self, name: str, inode: int | None) -> None:
        "A name that appeared, vanished or means another file."
        folder, _, last = name.rpartition("/")
        self.pending.setdefault(folder, []).append((last, inode))

    def sync(self, handle: int) -> None:
        "What fsync promises for a file or a folder."
        self.look()
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        if path != self.root and self.root not in path.parents:
            return
        name = "" if path == self.root else path.relative_to(self.root).as_posix()
        if path.is_dir():
            for last, inode in self.pending.pop(name, []):
                self.names.setdefault(name, {})[last] = inode or 0
        else:
            self.synced[path.stat().st_ino] = path.read_bytes()

    def layout(self, dice: random.Random, target: Path) -> None:
        "A disk after a power cut: some of what was not synced is lost, in each folder on its own."
        contents = {inode: content for inode, content in self.seen.values() if content is not None}

        def fill(folder: str, place: Path) -> None:
            place.mkdir(parents=True, exist_ok=True)
            names = dict(self.names.get(folder, {}))
            pending = self.pending.get(folder, [])
            names.update({last: i or 0 for last, i in pending[: dice.randint(0, len(pending))]})
            for last, inode in names.items():
                if inode in self.folders:
                    fill(f"{folder}/{last}".lstrip("/"), place / last)
                elif inode:
                    whole = contents.get(inode, b"")
                    kept = self.synced.get(inode, whole[: dice.choice([0, len(whole) // 2])])
                    (place / last).write_bytes(kept)

        fill("", target)


@contextmanager
def recorded(root: Path, at_each: Callable[[Disk], None]) -> Iterator[Disk]:
    "Record what a block does to a tree; `at_each` is called before and after each step of it."
    disk, patch = Disk(root), pytest.MonkeyPatch()
    pausing = False  # what `at_each` does is not recorded

    def pause() -> None:
        nonlocal pausing
        disk.look()
        pausing = True
        at_each(disk)
        pausing = False

    def step(name: str) -> Callable:
        original = getattr(os, name)

        def wrapped(*args, **options):
            if pausing:
                return original(*args, **options)
            pause()
            result = disk.sync(*args) if name == "fsync" else original(*args, **options)
            pause()
            return result

        return wrapped

    for name in ("fsync", "replace", "rename", "unlink", "mkdir"):
        patch.setattr(os, name, step(name))
    try:
        yield disk
    finally:
        patch.undo()


def film_line(film: int) -> bytes:
    "A line of a segment."
    head = {"id": film, "status": 200, "source": "live", "fetched_at": "2026-11-22T18:00:00Z"}
    return orjson.dumps(head | {"body": {"id": film, "title": f"Film {film}"}})


FILMS = range(1, 31)


def fetch_rest(folder: Path, pause: Callable[[], None] = lambda: None) -> None:
    "What a fetch does to ledger and segments, from wherever it stands."
    with closing(Ledger(folder)) as ledger:
        recover_segments(ledger)
        ledger.want(FILMS)
        segments = Segments(ledger, size=7)
        for film in ledger.ids("pending", "failed"):
            segments.add(film_line(film))
            pause()
        segments.flush()


def found_lines(folder: Path) -> list[bytes]:
    "The lines of all segments, sorted by film. None may be there twice."
    lines = [line for path in folder.glob("[0-9]*.jsonl.zst") for line in segment_lines(path)]
    ids = sorted(line["id"] for line in lines)
    assert len(ids) == len(set(ids)), f"a film is there twice: {ids}"
    return sorted(map(orjson.dumps, lines), key=lambda text: orjson.loads(text)["id"])


def copy_ledger(source: Path, target: Path) -> None:
    "What SQLite made durable: with synchronous=FULL all that was committed."
    with (
        closing(sqlite3.connect(source / "ledger.sqlite")) as one,
        closing(sqlite3.connect(target / "ledger.sqlite")) as two,
    ):
        one.backup(two)


@pytest.mark.parametrize("keeps_ledger", [True, False])
def test_a_power_cut_in_a_fetch_costs_only_what_was_not_written(keeps_ledger, tmp_path):
    """Before and after each step; with the ledger as it was committed, or with none. What a
    committed transaction says was done is never asked for again."""
    root, dice, tries = tmp_path / "disk", random.Random(SEED), count()
    folder = root / "data" / "raw" / "a"
    root.mkdir()
    wanted = [film_line(film) for film in FILMS]

    def cut(disk: Disk) -> None:
        for _ in range(CUTS):
            again = tmp_path / f"cut{next(tries)}"
            disk.layout(dice, again)
            place = again / "data" / "raw" / "a"
            done = set()
            if keeps_ledger and (folder / "ledger.sqlite").exists():
                place.mkdir(parents=True, exist_ok=True)
                copy_ledger(folder, place)
                with closing(Ledger(place)) as ledger:
                    done = set(ledger.ids("done"))
                    recover_segments(ledger)
                    assert done <= set(ledger.ids("done")), f"TEST_SEED={SEED}: films lost"
            fetch_rest(place)
            assert found_lines(place) == wanted, f"TEST_SEED={SEED}"
            shutil.rmtree(again)

    with recorded(root, cut):
        fetch_rest(folder)
    assert found_lines(folder) == wanted and next(tries) > 40 * CUTS


def test_a_fetch_that_has_ended_survives_a_power_cut(tmp_path):
    "With all its segments: the folders above them are synced as well."
    root, dice = tmp_path / "disk", random.Random(SEED)
    root.mkdir()
    with recorded(root, lambda _: None) as disk:
        fetch_rest(root / "data" / "raw" / "a")
    for i in range(20):
        disk.layout(dice, tmp_path / str(i))
        assert len(found_lines(tmp_path / str(i) / "data" / "raw" / "a")) == len(FILMS)


def content_of(run: Run) -> dict[str, bytes]:
    "The files of a run."
    places = (run.tables, run.report)
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {path.relative_to(run.home).as_posix(): path.read_bytes() for path in files}


def make_run(name: str, home: Path) -> Run:
    "A run as its stages leave it: some files are synced, others are not."
    run, record = Run(name, home), new_record("20_ingest")
    for folder in (run.tables, run.report / "kpis"):
        folder.mkdir(parents=True)
    write_record(record_path(run, "20_ingest"), record)
    save_counts(run, "ingest", {"landed": 3})
    write_parquet(run.tables / "movies.parquet", pa.table({"id": [1, 2, 3]}))
    (run.report / "20_ingest.ipynb").write_text('{"cells": []}')  # as papermill writes it
    facts = RunRecord(run_id=name, status="ok", finished=f"2026-11-2{name[-1]}T00:00:00Z")
    write_record(run.report / "run.json", facts)
    return run


def test_after_a_power_cut_readers_see_one_whole_run(tmp_path):
    "The run that the pointer names has all its files, whatever else was lost."
    home, dice, tries = tmp_path / "home", random.Random(SEED), count()
    home.mkdir()
    whole: dict[str, dict[str, bytes]] = {}  # content by run
    moved: list[str] = []

    def cut(disk: Disk) -> None:
        for _ in range(2 * CUTS):
            again = tmp_path / f"cut{next(tries)}"
            disk.layout(dice, again)
            pointer = again / "data" / "tables" / "CURRENT"
            if pointer.is_file():
                named = pointer.read_text().strip()
                assert named in whole, f"TEST_SEED={SEED}: the pointer is {named!r}"
                run = Run(named, again)
                assert content_of(run) == whole[named], f"TEST_SEED={SEED}: {named} is damaged"
                assert published(again) == run
                moved.append(named)
            shutil.rmtree(again)

    with recorded(home, cut) as disk:
        for name in ("run1", "run2"):
            run = make_run(name, home)
            whole[name] = content_of(run)
            point_readers_to(run)
        ended = len(moved)
        cut(disk)
    assert {"run1", "run2"} == set(moved) and next(tries) > 40
    assert set(moved[ended:]) == {"run2"}, "a run that was published stays published"


# The n-th call fails


def rows_of(n: int) -> pa.Table:
    "Rows of quarantine."
    rows = [
        {"seq": i, "origin": f"a:{i}", "id": i, "reason": "no id", "record": "{}" * 50}
        for i in range(n)
    ]
    return pa.Table.from_pylist(rows, QUARANTINE.schema)


def write_rows(run: Run, n: int) -> None:
    "A table in two parts."
    with open_writer(QUARANTINE, run) as write:
        write(rows_of(n))
        write(rows_of(n))


def write_bytes(run: Run, n: int) -> None:
    "A file of any kind."
    with replace_file(run.report / "any") as scratch:
        scratch.write_bytes(b"x" * n)


WRITERS: dict[str, tuple[Callable[[Run, int], object], Callable[[Run], object]]] = {
    "text": (
        lambda run, n: write_text(run.report / "a.txt", "x" * n),
        lambda run: (run.report / "a.txt").read_text(),
    ),
    "bytes": (write_bytes, lambda run: (run.report / "any").read_bytes()),
    "counts": (
        lambda run, n: save_counts(run, "clean", {"a": "x" * n}),
        lambda run: read_counts(run)["clean"],
    ),
    "record": (
        lambda run, n: write_record(run.report / "run.json", RunRecord(status="ok", error="x" * n)),
        lambda run: (run.report / "run.json").read_text(),
    ),
    "parquet": (
        lambda run, n: write_parquet(run.tables / "a.parquet", rows_of(n)),
        lambda run: (run.tables / "a.parquet").read_bytes(),
    ),
    "table": (
        lambda run, n: save(rows_of(n), QUARANTINE, run),
        lambda run: run.path(QUARANTINE).read_bytes(),
    ),
    "parts": (write_rows, lambda run: run.path(QUARANTINE).read_bytes()),
    "csv": (
        lambda run, n: write_csv(run.report / "a.csv", rows_of(n)),
        lambda run: (run.report / "a.csv").read_bytes(),
    ),
    "pointer": (
        lambda run, n: point_readers_to(Run(f"run{n}", run.home)),
        lambda run: (run.home / "data" / "tables" / "CURRENT").read_text(),
    ),
}


@pytest.fixture
def home(tmp_path) -> Path:
    "A home with the folders of some runs."
    for name in ("a", "run10", "run700"):
        Run(name, tmp_path).tables.mkdir(parents=True)
        (Run(name, tmp_path).report / "kpis").mkdir(parents=True)
    return tmp_path


def check_old_or_new(write, read, run: Run, failing: Callable[[int], Iterator[None]]) -> int:
    """Break a writer at its first, second, n-th place until it ends well; the number of places.
    Each time the file is the old one or the new one, and nothing else is left."""
    write(run, 700)
    new = read(run)
    write(run, 10)
    old, names = read(run), {path.name for path in run.home.rglob("*")}
    assert old != new
    for n in count():
        try:
            with failing(n):
                write(run, 700)
        except (OSError, TmdbError, pa.ArrowException):
            assert read(run) in (old, new), f"broken at {n}"
            assert {path.name for path in run.home.rglob("*")} == names, f"left over at {n}"
            if read(run) == new:
                write(run, 10)
            continue
        assert read(run) == new
        return n
    raise AssertionError


@contextmanager
def nth_call_fails(n: int, code: int = errno.EIO) -> Iterator[None]:
    "The n-th call that changes the disk fails, from 0."
    calls, patch = count(), pytest.MonkeyPatch()

    def broken(original: Callable) -> Callable:
        def wrapped(*args, **options):
            if next(calls) == n:
                raise OSError(code, os.strerror(code))
            return original(*args, **options)

        return wrapped

    for name in ("fsync", "replace", "rename"):
        patch.setattr(os, name, broken(getattr(os, name)))
    try:
        yield
    finally:
        patch.undo()


@contextmanager
def disk_full_after(size: int) -> Iterator[None]:
    "No file can grow beyond so many bytes; the same for Python, Arrow and SQLite."
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_whose_nth_call_fails_leaves_the_old_file_or_the_new_one(name, home):
    write, read = WRITERS[name]
    assert check_old_or_new(write, read, Run("a", home), nth_call_fails) >= 2


@pytest.mark.parametrize("name", WRITERS)
def test_a_writer_on_a_full_disk_leaves_the_old_file_or_the_new_one(name, home):
    write, read = WRITERS[name]
    run = Run("a", home)
    write(run, 700)
    step = max(1, max(p.stat().st_size for p in home.rglob("*") if p.is_file()) // 40)
    places = check_old_or_new(write, read, run, lambda n: disk_full_after(n * step))
    assert places >= 2


@pytest.mark.parametrize("how", ["call", "size"])
def test_a_fetch_whose_nth_write_fails_goes_on_later(how, tmp_path):
    "Until none fails: the next start has every film once."
    wanted = [film_line(film) for film in FILMS]
    for n in count():
        folder = tmp_path / str(n) / "a"
        try:
            with nth_call_fails(n) if how == "call" else disk_full_after(n * 2_000):
                fetch_rest(folder)
        except (OSError, TmdbError, sqlite3.Error):
            fetch_rest(folder)
            assert found_lines(folder) == wanted, f"broken at {n}"
            continue
        break
    assert found_lines(folder) == wanted and n > 5
