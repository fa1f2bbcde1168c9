"""The chain of stages, the runs it leaves, and how to compare and share them."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cards", "catalog", "chain", "changes", "history", "metrics", "share", "site", "stages"],
    submod_attrs={
        "catalog": ["all_runs", "run_named"],
        "chain": ["run_chain"],
        "metrics": ["write_metrics"],
        "share": ["export_run"],
    },
)
