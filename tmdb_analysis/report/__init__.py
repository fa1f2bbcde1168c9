"""From KPI tables to figures, findings and the report."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "sections": ["Finding"],
        "group_charts": ["return_by_director", "return_by_franchise", "return_by_genre"],
        "money_charts": ["revenue_vs_budget"],
        "style": ["show"],
        "year_charts": ["median_by_year"],
    },
)
