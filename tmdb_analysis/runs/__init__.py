"""The chain of stages, the runs it leaves, and how to compare and share them."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "catalog": ["all_runs", "run_named"],
        "chain": ["run_chain"],
        "metrics": ["write_metrics"],
        "share": ["export_run"],
    },
)
