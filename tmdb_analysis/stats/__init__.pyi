# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import intervals as intervals
from . import known_money as known_money
from . import regression as regression
from . import shrinkage as shrinkage
from . import weighting as weighting
from tmdb_analysis.stats.intervals import Estimate as Estimate
from tmdb_analysis.stats.intervals import median_interval as median_interval
from tmdb_analysis.stats.intervals import pooled_interval as pooled_interval
from tmdb_analysis.stats.intervals import two_groups as two_groups
from tmdb_analysis.stats.intervals import wilson as wilson
from tmdb_analysis.stats.shrinkage import group_prior as group_prior
from tmdb_analysis.stats.shrinkage import rank_interval as rank_interval
from tmdb_analysis.stats.shrinkage import weighted_rating as weighted_rating

__all__ = [
    "Estimate",
    "group_prior",
    "intervals",
    "known_money",
    "median_interval",
    "pooled_interval",
    "rank_interval",
    "regression",
    "shrinkage",
    "two_groups",
    "weighted_rating",
    "weighting",
    "wilson",
]
