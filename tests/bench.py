"""Both engines and plain Python side by side, as ratios of one run.

    python -m tests.bench [COPIES]

COPIES says how often the sample's films are repeated under new ids; 10 by default.

What is timed: from the typed raw table to all published tables. The films beyond the sample are
copies of it with other ids, so the sizes are real and the numbers are not; they are thrown away.
"""

import copy
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table as Grid

from tests import oracle
from tmdb_analysis.core import schema as s
from tmdb_analysis.core.engine import java_version, one_server, session
from tmdb_analysis.core.settings import settings
from tmdb_analysis.core.store import Run, open_run, read, save, save_kpi
from tmdb_analysis.films import clean
from tmdb_analysis.films.ingest import ingest
from tmdb_analysis.kpis import directors, franchises, genres, trends
from tmdb_analysis.kpis import rankings as kpis
from tmdb_analysis.search import search
from tmdb_analysis.tmdb.sources import sample


def copies(n: int) -> list[dict]:
    "The films of the sample n times, each copy under ids of its own."
    films = oracle.read_json([sample() / "movies.jsonl.zst"])
    many = []
    for i in range(n):
        for film in copy.deepcopy(films):
            film["id"] = film.get("id", 0) and film["id"] + i * 10_000_000
            many.append(film)
    return many


def publish_all(run: Run) -> None:
    "All tables of the chain, from raw, without the notebooks."
    spark = session()
    raw = read(spark, s.RAW, run)
    judged = clean.with_verdicts(raw)
    save(clean.movies(judged), s.MOVIES, run)
    save(clean.dropped(judged), s.DROPPED, run)
    films = read(spark, s.MOVIES, run)
    save(clean.credits(raw, films), s.CREDITS, run)
    save(clean.collections(films), s.COLLECTIONS, run)
    staff = read(spark, s.CREDITS, run)
    for name in kpis.RANKINGS:
        save_kpi(kpis.ranking(films, name), kpis.RANKING, run, name)
    save_kpi(franchises.franchise_vs_standalone(films), franchises.FRANCHISE_VS_STANDALONE, run)
    save_kpi(
        franchises.franchises(films, read(spark, s.COLLECTIONS, run)), franchises.FRANCHISES, run
    )
    save_kpi(directors.directors(films, staff), directors.DIRECTORS, run)
    save_kpi(genres.genres(films), genres.GENRES, run)
    save_kpi(trends.yearly(films), trends.YEARLY, run)
    for name, query in search.SAVED_SEARCHES.items():
        save_kpi(search.search_films(films, staff, query), search.SEARCH, run, name)


def seconds(work: Callable[[], object], times: int = 2) -> float:
    "The best time of some calls."
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def main(n: int) -> None:
    "Time everything and print the ratios."
    films = copies(n)
    found = {"plain Python (tests/oracle.py)": seconds(lambda: oracle.tables(films), 1)}
    with tempfile.TemporaryDirectory() as home:
        run = open_run("bench", Path(home))
        landing = seconds(lambda: ingest((("copy", film) for film in films), run), 1)
        for engine in ("sail", "spark") if java_version() in (17, 21) else ("sail",):
            with one_server(settings(engine=engine).spark):
                found[engine] = seconds(lambda: publish_all(run))
    grid = Grid(
        "way",
        "seconds",
        "ratio to sail",
        title=f"{len(films):,} records, raw to all tables (landing them took {landing:.1f} s)",
    )
    for way, taken in found.items():
        grid.add_row(way, f"{taken:.2f}", f"{taken / found['sail']:.2f}")
    Console().print(grid)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
