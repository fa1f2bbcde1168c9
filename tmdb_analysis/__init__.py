"""Film data from TMDB, from raw answers to numbers that can be quoted.

    import tmdb_analysis as tmdb

    tmdb.load("movies")      a table of the last run, as a Spark DataFrame
    tmdb.load("movies", as_="pandas")      the same, or arrow, polars, duckdb; starts no engine
    tmdb.kpi("directors")    a published KPI table of the last run, as pandas
    tmdb.find("genre:Horror year:1990-1999 sort:-rating")      films that meet conditions, as pandas
    tmdb.sql("select count(*) from movies")      rows of a query on the last run, as pandas
    tmdb.charts.risk_by_genre(tmdb.kpi("genre_risk"))      a figure of the report
    tmdb.to_pandas(frame)    a small Spark result as pandas
    tmdb.session()           the Spark session
    tmdb.published()         the last run and its folders
    tmdb.run("20261128-1200-ab12")      the run with this id, for `load`, `kpi`, `find` and `sql`

The parts, in the order in which data passes through them; each lists its own functions:

    tmdb.core      settings, engines, tables on disk, how values read to people
    tmdb.tmdb      the client of TMDB
    tmdb.films     records become films, credits, collections and a quality score
    tmdb.stats     arrays become estimates with intervals
    tmdb.kpis      films become KPI tables
    tmdb.search    films that meet conditions; the films behind a number
    tmdb.report    KPI tables become figures and sentences
    tmdb.pages     notebooks become HTML pages
    tmdb.runs      the chain of stages, and the runs it leaves
    tmdb.use       the command, PostgreSQL, schedulers
"""

__version__ = "0.1.0"

import gc
from importlib import import_module
from pkgutil import resolve_name
from types import FunctionType
from typing import Any

from tmdb_analysis._help import attach, complete_help, explain_misuse

_offered, _, __all__ = attach(
    __name__,
    submodules=[
        *("core", "tmdb", "films", "stats", "kpis", "search", "report", "pages", "runs", "use"),
        "charts",
    ],
    submod_attrs={
        "core.engine": ["session"],
        "core.home": ["published"],
        "core.store": ["load", "read_kpi", "to_pandas"],
        "search.lookup": ["find"],
        "search.sql": ["sql"],
    },
)
# Short names, and names of earlier versions, which notebooks may still use.
_EARLIER = {
    "kpi": "core.store:read_kpi",
    "run": "runs.catalog:run_named",
    "settings": "core.settings",
    "spark": "core.engine",
    "schema": "core.schema",
    "tables": "core.store",
    "rules": "films.rules",
    "validate": "films.validate",
    "franchises": "kpis.franchises",
    "directors": "kpis.directors",
    "genres": "kpis.genres",
    "trends": "kpis.trends",
    "ratings": "kpis.ratings",
    "origins": "kpis.origins",
    "money_charts": "report.money_charts",
    "group_charts": "report.group_charts",
    "year_charts": "report.year_charts",
    "pair_charts": "report.pair_charts",
}
__all__ += ["kpi", "run"]


def command() -> int:
    "The command `tmdb` as a process of its own; gives its exit code."
    from tmdb_analysis.core.processes import STOP, end_now, set_handler

    set_handler(end_now)  # before the imports, which take seconds
    code = int(import_module("tmdb_analysis.use.cli").main())
    if STOP.is_set():  # libraries may wait long for their threads at the end of a process
        end_now(code=code)
    gc.freeze()  # without a last search for garbage cycles, which takes up to half a second
    return code


def __getattr__(name: str) -> Any:
    "A part, a function or a chapter, imported when it is first used: the import takes no time."
    if name in _EARLIER:
        found = resolve_name(f"{__name__}.{_EARLIER[name]}")
        complete_help()
        return explain_misuse(found, name) if isinstance(found, FunctionType) else found
    return _offered(name)


def __dir__() -> list[str]:
    "What a user may use, for completion."
    return sorted(__all__)
