"""The figures of a report, one function each. `help` names the table that it takes."""

from importlib import import_module
from typing import Any

from tmdb_analysis._help import attach

_offered, __dir__, __all__ = attach(
    "tmdb_analysis.report",
    submodules=[],
    submod_attrs={
        "group_charts": [
            *("measures_by_franchise", "path_of_franchises", "return_by_director"),
            *("return_by_franchise", "return_by_genre", "return_in_order"),
            *("risk_by_genre", "roi_by_genre"),
        ],
        "money_charts": ["return_distribution", "revenue_vs_budget"],
        "pair_charts": ["genre_lift", "popularity_vs_rating"],
        "relation_charts": ["correlation_matrix", "pair_plot", "what_goes_with_return"],
        "style": ["show"],
        "year_charts": ["known_money_by_year", "median_by_year", "yearly_box_office"],
    },
)


def __getattr__(name: str) -> Any:
    "A function that draws a figure; or a name of `report.style`, as in earlier versions."
    if name in __all__ or name.startswith("__"):
        return _offered(name)
    return getattr(import_module("tmdb_analysis.report.style"), name)
