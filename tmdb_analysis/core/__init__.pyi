# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import display as display
from . import engine as engine
from . import home as home
from . import processes as processes
from . import reach as reach
from . import records as records
from . import schema as schema
from . import servers as servers
from . import settings as settings
from . import store as store
from tmdb_analysis.core.engine import session as session
from tmdb_analysis.core.home import published as published
from tmdb_analysis.core.settings import TmdbError as TmdbError
from tmdb_analysis.core.settings import TryLater as TryLater
from tmdb_analysis.core.settings import UsageError as UsageError
from tmdb_analysis.core.store import load as load
from tmdb_analysis.core.store import read_kpi as read_kpi
from tmdb_analysis.core.store import to_pandas as to_pandas

__all__ = [
    "TmdbError",
    "TryLater",
    "UsageError",
    "display",
    "engine",
    "home",
    "load",
    "processes",
    "published",
    "reach",
    "read_kpi",
    "records",
    "schema",
    "servers",
    "session",
    "settings",
    "store",
    "to_pandas",
]
