"""From KPI tables to figures, findings and the report."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["findings", "group_charts", "money_charts", "pair_charts", "style", "year_charts"],
    submod_attrs={
        "findings": ["Finding"],
        "group_charts": ["return_by_director", "return_by_franchise", "return_by_genre"],
        "money_charts": ["revenue_vs_budget"],
        "style": ["show"],
        "year_charts": ["median_by_year"],
    },
)
