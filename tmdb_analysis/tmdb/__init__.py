"""The only door to TMDB: requests, the cache, and answers on disk."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "client": ["Tmdb"],
        "fetch": ["fetch_films"],
        "ledger": ["Ledger"],
        "sources": ["Source"],
        "transport": ["NoAnswer", "SecretRefused"],
    },
)
