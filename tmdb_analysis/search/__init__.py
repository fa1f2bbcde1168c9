"""From a question to films, and from a KPI row to the films behind it."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "lookup": ["answer_csv", "answer_json", "answer_table", "find"],
        "search": ["name_only_notes", "films_by_person", "search_films"],
    },
)
