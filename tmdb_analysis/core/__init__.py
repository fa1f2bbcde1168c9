"""Settings, engines, tables on disk, and how values read to people."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "engine": ["session"],
        "home": ["published"],
        "settings": ["TmdbError", "TryLater", "UsageError"],
        "store": ["load", "read_kpi", "to_pandas"],
    },
)
