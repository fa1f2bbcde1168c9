"""The only door to TMDB: requests, the cache, and answers on disk."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cache", "client", "fetch", "files", "ledger", "selection", "sources", "transport"],
    submod_attrs={
        "client": ["Tmdb"],
        "fetch": ["fetch_films"],
        "ledger": ["Ledger"],
        "sources": ["Source"],
        "transport": ["NoAnswer", "SecretRefused"],
    },
)
