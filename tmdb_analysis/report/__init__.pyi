# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import findings as findings
from . import group_charts as group_charts
from . import money_charts as money_charts
from . import pair_charts as pair_charts
from . import relation_charts as relation_charts
from . import sections as sections
from . import style as style
from . import year_charts as year_charts
from tmdb_analysis.report.group_charts import return_by_director as return_by_director
from tmdb_analysis.report.group_charts import return_by_franchise as return_by_franchise
from tmdb_analysis.report.group_charts import return_by_genre as return_by_genre
from tmdb_analysis.report.money_charts import revenue_vs_budget as revenue_vs_budget
from tmdb_analysis.report.sections import Finding as Finding
from tmdb_analysis.report.style import show as show
from tmdb_analysis.report.year_charts import median_by_year as median_by_year

__all__ = [
    "Finding",
    "findings",
    "group_charts",
    "median_by_year",
    "money_charts",
    "pair_charts",
    "relation_charts",
    "return_by_director",
    "return_by_franchise",
    "return_by_genre",
    "revenue_vs_budget",
    "sections",
    "show",
    "style",
    "year_charts",
]
