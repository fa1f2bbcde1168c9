"""From films to KPI tables, one family a chapter."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "directors": ["director_scores"],
        "franchises": ["franchise_effect"],
        "genres": ["genre_returns"],
        "rankings": ["ranking"],
        "ratings": ["best_rated"],
        "registry": ["all_kpis", "kpi"],
        "trends": ["yearly_money"],
    },
)
