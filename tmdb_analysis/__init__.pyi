# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import charts as charts
from . import core as core
from . import films as films
from . import kpis as kpis
from . import pages as pages
from . import report as report
from . import runs as runs
from . import search as search
from . import stats as stats
from . import tmdb as tmdb
from . import use as use
from tmdb_analysis.core.engine import session as session
from tmdb_analysis.core.home import published as published
from tmdb_analysis.core.store import load as load
from tmdb_analysis.core.store import read_kpi as kpi
from tmdb_analysis.core.store import read_kpi as read_kpi
from tmdb_analysis.core.store import to_pandas as to_pandas
from tmdb_analysis.runs.catalog import run_named as run
from tmdb_analysis.search.lookup import find as find
from tmdb_analysis.search.sql import sql as sql

__all__ = [
    "charts",
    "core",
    "films",
    "find",
    "kpi",
    "kpis",
    "load",
    "pages",
    "published",
    "read_kpi",
    "report",
    "run",
    "runs",
    "search",
    "session",
    "sql",
    "stats",
    "tmdb",
    "to_pandas",
    "use",
]

__version__: str

def command() -> int: ...
