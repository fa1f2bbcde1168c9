# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import lookup as lookup
from . import query as query
from . import search as search
from . import sql as sql
from . import why as why
from tmdb_analysis.search.lookup import answer_csv as answer_csv
from tmdb_analysis.search.lookup import answer_json as answer_json
from tmdb_analysis.search.lookup import answer_table as answer_table
from tmdb_analysis.search.lookup import find as find
from tmdb_analysis.search.search import films_by_person as films_by_person
from tmdb_analysis.search.search import name_only_notes as name_only_notes
from tmdb_analysis.search.search import search_films as search_films

__all__ = [
    "answer_csv",
    "answer_json",
    "answer_table",
    "films_by_person",
    "find",
    "lookup",
    "name_only_notes",
    "query",
    "search",
    "search_films",
    "sql",
    "why",
]
