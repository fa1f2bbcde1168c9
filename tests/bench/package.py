"""This package as a contestant of `make bench`, in parts; the whole chain is `tmdb run`.

python -m tests.bench.package ingest|tables INPUT FOLDER [ENGINE]
"""

import os
import sys

from tmdb_analysis.core import schema as s
from tmdb_analysis.core.engine import one_server, session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import settings
from tmdb_analysis.core.store import open_run, read, save, save_kpi


def land(source: str, run: Run) -> None:
    "Write the typed table `raw` of a file."
    from tmdb_analysis.films.ingest import ingest
    from tmdb_analysis.tmdb.sources import input_records, inventory

    ingest(input_records(inventory([source])), run)


def write_tables(run: Run) -> None:
    "Write the tables that all contestants write, from the table `raw`, without the notebooks."
    from tmdb_analysis.films import clean
    from tmdb_analysis.kpis import directors, franchises, genres, rankings, trends

    spark = session()
    raw = read(spark, s.RAW, run)
    judged = clean.with_verdicts(raw)
    save(clean.movies(judged), s.MOVIES, run)
    save(clean.dropped_records(judged), s.DROPPED, run)
    films = read(spark, s.MOVIES, run)
    save(clean.credits(raw, films), s.CREDITS, run)
    save(clean.collections(films), s.COLLECTIONS, run)
    staff, collections = read(spark, s.CREDITS, run), read(spark, s.COLLECTIONS, run)
    for name in rankings.RANKINGS:
        save_kpi(rankings.ranking(films, name), rankings.RANKING, run, name)
    save_kpi(franchises.franchise_vs_standalone(films), franchises.FRANCHISE_VS_STANDALONE, run)
    save_kpi(franchises.franchises(films, collections), franchises.FRANCHISES, run)
    save_kpi(directors.directors(films, staff), directors.DIRECTORS, run)
    save_kpi(genres.genres(films), genres.GENRES, run)
    save_kpi(trends.yearly(films), trends.YEARLY, run)


def main(part: str, source: str, target: str, engine: str = "sail") -> None:
    "Do one part."
    run = open_run("bench", target)
    if part == "ingest":
        land(source, run)
        return
    os.link(source, run.path(s.RAW))
    with one_server(settings(engine=engine).spark):
        write_tables(run)


if __name__ == "__main__":
    main(*sys.argv[1:])
