"""Film data from TMDB, from raw answers to numbers that can be quoted.

    import tmdb_analysis as tmdb

    tmdb.load("movies")      a table of the last run, as a Spark DataFrame
    tmdb.kpi("directors")    a published number of the last run, as pandas
    tmdb.find("genre:Horror year:1990-1999 sort:-rating")      films of the last run by conditions, as pandas
    tmdb.to_pandas(frame)    a small Spark result as pandas
    tmdb.session()           the Spark session
    tmdb.published()         the last run and its folders
    tmdb.rules, validate    rules of your own, asked of any table
    tmdb.kpis, franchises, directors, genres, trends, search, ratings, origins      the chapters
    tmdb.charts, money_charts, group_charts, year_charts, pair_charts      the figures
"""

__version__ = "0.1.0"

from importlib import import_module
from typing import Any

_FROM = {
    "session": ("core.engine", "session"),
    "published": ("core.store", "published"),
    "load": ("core.store", "load"),
    "kpi": ("core.store", "read_kpi"),
    "to_pandas": ("core.store", "to_pandas"),
    "find": ("search.lookup", "find"),
}
_CHAPTERS = {
    "settings": "core.settings",
    "spark": "core.engine",
    "schema": "core.schema",
    "tables": "core.store",
    "rules": "films.rules",
    "validate": "films.validate",
    "kpis": "kpis.rankings",
    "franchises": "kpis.franchises",
    "directors": "kpis.directors",
    "genres": "kpis.genres",
    "trends": "kpis.trends",
    "ratings": "kpis.ratings",
    "origins": "kpis.origins",
    "search": "search.search",
    "charts": "report.style",
    "money_charts": "report.money_charts",
    "group_charts": "report.group_charts",
    "year_charts": "report.year_charts",
    "pair_charts": "report.pair_charts",
}

__all__ = [*_FROM, *_CHAPTERS]


def command() -> int:
    "The command `tmdb` as a process of its own; gives its exit code."
    from threading import Event

    from tmdb_analysis.core.stopping import catch_signals

    catch_signals(Event())  # before the imports, which take seconds
    return import_module("tmdb_analysis.use.cli").main()


def __getattr__(name: str) -> Any:
    "Import a chapter when it is first asked for, so that `import tmdb_analysis` stays instant."
    if name in _FROM:
        chapter, function = _FROM[name]
        return getattr(import_module(f"tmdb_analysis.{chapter}"), function)
    if name in _CHAPTERS:
        return import_module(f"tmdb_analysis.{_CHAPTERS[name]}")
    raise AttributeError(f"module 'tmdb_analysis' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
