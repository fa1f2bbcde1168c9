"""From arrays to estimates with confidence intervals; no Spark."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "intervals": ["Estimate", "median_interval", "pooled_interval", "two_groups", "wilson"],
        "shrinkage": ["group_prior", "rank_interval", "weighted_rating"],
    },
)
