"""From records to films, credits, collections and a quality score."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["checks", "clean", "cohort", "drift", "ingest", "other_money", "outliers", "rules", "scope", "validate"],
    submod_attrs={
        "clean": ["movies"],
        "cohort": ["cohort_table", "money_cohort"],
        "rules": ["Rule", "check", "flags"],
        "validate": ["GateClosed", "quality"],
    },
)
