"""How fast films are fetched, and what a crash costs, as ratios of one run.

    make bench ARGS="--fetch [FILMS [KILLS]]"

FILMS says how many are fetched where a fetch is killed, KILLS how often; 20,000 and 10 by default.

The server is the local TMDB in a process of its own on the same machine, so rates without a
limit say more about that machine than about TMDB; the ratios stay.
"""

import random
import signal
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import requests
from rich.console import Console
from rich.table import Table as Grid

from tests.fake_tmdb import FakeTmdb, fake_tmdb
from tests.fake_tmdb.catalogue import Synthetic
from tests.fake_tmdb.server import TOKEN
from tests.fetching import bodies, ended, go, started
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import ingest
from tmdb_analysis.tmdb import ledger
from tmdb_analysis.tmdb.sources import fetched_lines

PER_SECOND, WORKERS = 36, 12  # what the settings allow


def timed(work: Callable[[], Any]) -> float:
    "The seconds of a call."
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def plainly(url: str, films: list[str], threads: int) -> None:
    "The same films with requests alone: sessions, no cache, no ledger, nothing kept."

    def some(mine: list[str]) -> None:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {TOKEN}"
            for film in mine:
                session.get(
                    f"{url}/3/movie/{film}",
                    params={"append_to_response": "credits", "language": "en-US"},
                    timeout=30,
                ).json()

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(some, (films[n::threads] for n in range(threads))))


def paces(films: list[str], home: Path) -> None:
    "Against 100 ms of latency: with the limit, without it, and without the package."
    with fake_tmdb("synthetic:20000", latency_ms=100) as tmdb:
        limited = timed(
            lambda: go(tmdb.url, home / "limited", ids=films, rate_per_second=PER_SECOND)
        )
        busiest = tmdb.stats()["busiest_second"]
        ways = {
            "fetch, limiter off": timed(lambda: go(tmdb.url, home / "free", ids=films)),
            f"requests, {WORKERS} threads": timed(lambda: plainly(tmdb.url, films, WORKERS)),
            "requests, one session": 10
            * timed(lambda: plainly(tmdb.url, films[: len(films) // 10], 1)),
        }
    grid = Grid(
        "way", "films a second", "ratio to fetch", title=f"{len(films):,} films, 100 ms of latency"
    )
    for way, taken in ways.items():
        grid.add_row(way, f"{len(films) / taken:.1f}", f"{ways['fetch, limiter off'] / taken:.2f}")
    grid.add_section()
    rate = len(films) / limited
    grid.add_row(
        "fetch, limiter on", f"{rate:.1f}", f"{rate / PER_SECOND:.1%} of the {PER_SECOND} allowed"
    )
    grid.add_row("busiest second", str(busiest), "at most 40")
    Console().print(grid)
    assert busiest <= 40


def fetched(
    tmdb: FakeTmdb, home: Path, films: list[str], kills: Sequence[int] = ()
) -> tuple[float, int]:
    "Seconds and requests of a fetch that is killed when the server has seen so many requests."
    tmdb.reset()
    start = time.perf_counter()
    for at in kills:
        process = started(tmdb.url, home, 1_000, ids=films)
        while process.is_alive() and tmdb.stats()["requests"] < at:
            process.join(0.02)
        process.kill()
        assert ended(process) == -signal.SIGKILL
    assert ended(started(tmdb.url, home, 1_000, ids=films), 36_000) == 0
    return time.perf_counter() - start, tmdb.stats()["requests"]


def crash(films: list[str], kills: int, home: Path) -> None:
    """What kills cost, at half and at random, with a cache and without; and how fast the segments
    are landed."""
    n, dice = len(films), random.Random(44)
    often = sorted(dice.randrange(n * 9 // 10) for _ in range(kills))
    (home / "bare" / "data" / "cache" / "http.sqlite").mkdir(
        parents=True
    )  # a folder: no cache can be opened there
    with fake_tmdb(f"synthetic:{n}") as tmdb:
        found = {
            "undisturbed": fetched(tmdb, home / "quiet", films),
            "killed at half": fetched(tmdb, home / "killed", films, [n // 2]),
            f"killed {kills} times": fetched(tmdb, home / "often", films, often),
            f"killed {kills} times, no cache": fetched(tmdb, home / "bare", films, often),
        }
    quiet = bodies(home / "quiet")
    assert all(bodies(home / name) == quiet for name in ("killed", "often", "bare")), (
        "nothing lost, nothing double"
    )
    run = open_run("a", home / "quiet")
    segments = ledger.segment_files(ledger.raw_folder(run))
    landing = timed(lambda: ingest(map(fetched_lines, segments), run))
    grid = Grid(
        "fetch",
        "seconds",
        "requests",
        "films a second",
        "ratio",
        title=f"{len(films):,} films, no latency, no limit",
    )
    for name, (taken, n) in found.items():
        grid.add_row(
            name,
            f"{taken:.1f}",
            f"{n:,}",
            f"{len(films) / taken:,.0f}",
            f"{taken / found['undisturbed'][0]:.2f}",
        )
    grid.add_row(
        "landed again from segments", f"{landing:.1f}", "0", f"{len(films) / landing:,.0f}", ""
    )
    Console().print(grid)


def main(n: int = 20_000, kills: int = 10) -> None:
    "Time everything and print the ratios."
    ids = [str(Synthetic(n).id(place)) for place in range(n)]
    with tempfile.TemporaryDirectory() as home:
        paces(ids[:600], Path(home))
        crash(ids, kills, Path(home))
