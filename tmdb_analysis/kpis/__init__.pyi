# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import coverage as coverage
from . import directors as directors
from . import franchises as franchises
from . import genres as genres
from . import groups as groups
from . import origins as origins
from . import rankings as rankings
from . import ratings as ratings
from . import registry as registry
from . import trends as trends
from tmdb_analysis.kpis.directors import director_scores as director_scores
from tmdb_analysis.kpis.franchises import franchise_effect as franchise_effect
from tmdb_analysis.kpis.genres import genre_returns as genre_returns
from tmdb_analysis.kpis.rankings import ranking as ranking
from tmdb_analysis.kpis.ratings import best_rated as best_rated
from tmdb_analysis.kpis.registry import all_kpis as all_kpis
from tmdb_analysis.kpis.registry import kpi as kpi
from tmdb_analysis.kpis.trends import yearly_money as yearly_money

__all__ = [
    "all_kpis",
    "best_rated",
    "coverage",
    "director_scores",
    "directors",
    "franchise_effect",
    "franchises",
    "genre_returns",
    "genres",
    "groups",
    "kpi",
    "origins",
    "ranking",
    "rankings",
    "ratings",
    "registry",
    "trends",
    "yearly_money",
]
