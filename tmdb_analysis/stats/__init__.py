"""From arrays to estimates with confidence intervals; no Spark."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["intervals", "shrinkage"],
    submod_attrs={
        "intervals": ["Estimate", "median_interval", "pooled_interval", "two_groups", "wilson"],
        "shrinkage": ["group_prior", "rank_interval", "weighted_rating"],
    },
)
