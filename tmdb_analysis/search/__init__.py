"""From a question to films, and from a KPI row to the films behind it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["lookup", "query", "search", "why"],
    submod_attrs={
        "lookup": ["as_csv", "as_json", "as_table", "find"],
        "search": ["by_name", "films_of"],
    },
)
