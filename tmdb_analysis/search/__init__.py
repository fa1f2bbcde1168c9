"""From a question to films, and from a KPI row to the films behind it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["lookup", "query", "search", "why"],
    submod_attrs={
        "lookup": ["answer_csv", "answer_json", "answer_table", "find"],
        "search": ["name_only_notes", "films_by_person"],
    },
)
