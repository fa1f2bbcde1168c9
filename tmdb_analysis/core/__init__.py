"""Settings, engines, tables on disk, and how values read to people."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["display", "engine", "isolation", "records", "schema", "settings", "stopping", "store"],
    submod_attrs={
        "engine": ["session"],
        "settings": ["TmdbError", "TryLater", "UsageError"],
        "store": ["load", "published", "read_kpi", "to_pandas"],
    },
)
