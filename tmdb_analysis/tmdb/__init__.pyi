# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import cache as cache
from . import client as client
from . import fetch as fetch
from . import files as files
from . import ledger as ledger
from . import selection as selection
from . import sources as sources
from . import tables as tables
from . import transport as transport
from . import values as values
from tmdb_analysis.tmdb.client import Tmdb as Tmdb
from tmdb_analysis.tmdb.fetch import fetch_films as fetch_films
from tmdb_analysis.tmdb.ledger import Ledger as Ledger
from tmdb_analysis.tmdb.sources import Source as Source
from tmdb_analysis.tmdb.transport import NoAnswer as NoAnswer
from tmdb_analysis.tmdb.transport import SecretRefused as SecretRefused

__all__ = [
    "Ledger",
    "NoAnswer",
    "SecretRefused",
    "Source",
    "Tmdb",
    "cache",
    "client",
    "fetch",
    "fetch_films",
    "files",
    "ledger",
    "selection",
    "sources",
    "tables",
    "transport",
    "values",
]
