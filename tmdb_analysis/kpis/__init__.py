"""From films to KPI tables, one family a chapter."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["coverage", "directors", "franchises", "genres", "groups", "origins", "rankings", "ratings", "registry", "trends"],
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
