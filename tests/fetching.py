"""What the tests of the fetcher share: settings against the local TMDB, one fetch, and what it left
on disk."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import zstandard

from tests.fake_tmdb.server import TOKEN
from tmdb_analysis.core.settings import Settings, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.tmdb import fetch, ledger
from tmdb_analysis.tmdb.cache import SqliteRows
from tmdb_analysis.tmdb.ledger import Ledger

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(["tests.fetching"])


def chosen(url: str, home: Path, **more: Any) -> Settings:
    "Settings for the local TMDB, without a limit of the rate."
    return settings(
        **{
            "base_url": url,
            "read_token": TOKEN,
            "rate_per_second": 0,
            "home": str(home),
            "max_failed_pct": 0,
        }
        | more
    )


def go(url: str, home: Path, run_id: str = "a", **more: Any) -> dict[str, Any]:
    "One fetch; gives its counts."
    return fetch.fetch_films(open_run(run_id, home), chosen(url, home, **more))


def raw(home: Path, run_id: str = "a") -> Path:
    "The folder of segments and ledger of a run."
    return home / "data" / "raw" / run_id


def segments(home: Path, run_id: str = "a") -> list[Path]:
    "The segments of a run, in order."
    return sorted(raw(home, run_id).glob("[0-9]*.jsonl.zst"))


def lines(home: Path, run_id: str = "a") -> dict[int, dict]:
    "The lines of all segments by id. None may be there twice."
    found: dict[int, dict] = {}
    for path in segments(home, run_id):
        for text in zstandard.decompress(path.read_bytes()).splitlines():
            line = orjson.loads(text)
            assert line["id"] not in found, f"film {line['id']} is there twice"
            found[line["id"]] = line | {"bytes": text.partition(b',"body":')[2]}
    return found


def bodies(home: Path, run_id: str = "a") -> dict[int, bytes]:
    "The bodies of all films as they came, by id."
    return {film: line["bytes"] for film, line in sorted(lines(home, run_id).items())}


def states(home: Path, run_id: str = "a") -> dict[str, int]:
    "How many films are in each state, without the states that no film is in."
    with closing(Ledger(raw(home, run_id))) as found:
        return {state: n for state, n in found.counts().items() if n}


def asked(tmdb) -> dict[int, int]:
    "How often the server was asked for each film."
    paths = tmdb.stats(paths=True)["paths"]
    return {
        int(path.rpartition("/")[2]): n
        for path, n in paths.items()
        if path.rpartition("/")[2].isdecimal() and "/movie/" in path
    }


def fatal(owner: Any, name: str, n: int, after: bool) -> None:
    "Make the n-th call of a function the last thing that this process does."
    original: Callable = getattr(owner, name)
    calls = count(1)

    def wrapped(*args, **kwargs):
        last = next(calls) == n
        if last and not after:
            os.kill(os.getpid(), signal.SIGKILL)
        result = original(*args, **kwargs)
        if last:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, wrapped)


BOUNDARIES = {
    "compress": zstandard,
    "fsync": os,
    "rename": Path,
    "sync_folder": ledger,
    "enter": Ledger,
    "once": Ledger,
    "want": Ledger,
}


def child(
    url: str, home: Path, size: int, end: tuple[str, int, bool] | None, more: dict[str, Any]
) -> None:
    "A fetch with small segments, in a process of its own, which ends itself at a boundary."
    fetch.Segments = partial(ledger.Segments, size=size)
    if end:
        fatal(BOUNDARIES[end[0]], *end)
    go(url, home, **more)


def started(
    url: str, home: Path, size: int = 200, end: tuple[str, int, bool] | None = None, **more: Any
):
    "A fetch in a process of its own that runs already."
    process = processes.Process(target=child, args=(url, home, size, end, more))
    process.start()
    return process


def write_for_ever(path: Path, ready) -> None:
    "Write rows of the cache until somebody ends it."
    rows, n = SqliteRows(path), 0
    while True:
        rows.put(f"{n % 500}", n.to_bytes(4, "big") * 500)
        n += 1
        if n == 20:
            ready.set()


def ended(process, seconds: float = 60) -> int:
    "The exit code of such a process."
    process.join(seconds)
    return process.exitcode
