"""From records to films, credits, collections and a quality score."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "clean": ["movies"],
        "cohort": ["cohort_table", "money_cohort"],
        "rules": ["Rule", "check", "flags"],
        "validate": ["GateClosed", "quality"],
    },
)
