# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from tmdb_analysis.report.group_charts import measures_by_franchise as measures_by_franchise
from tmdb_analysis.report.group_charts import path_of_franchises as path_of_franchises
from tmdb_analysis.report.group_charts import return_by_director as return_by_director
from tmdb_analysis.report.group_charts import return_by_franchise as return_by_franchise
from tmdb_analysis.report.group_charts import return_by_genre as return_by_genre
from tmdb_analysis.report.group_charts import return_in_order as return_in_order
from tmdb_analysis.report.group_charts import risk_by_genre as risk_by_genre
from tmdb_analysis.report.group_charts import roi_by_genre as roi_by_genre
from tmdb_analysis.report.money_charts import return_distribution as return_distribution
from tmdb_analysis.report.money_charts import revenue_vs_budget as revenue_vs_budget
from tmdb_analysis.report.pair_charts import genre_lift as genre_lift
from tmdb_analysis.report.pair_charts import popularity_vs_rating as popularity_vs_rating
from tmdb_analysis.report.relation_charts import correlation_matrix as correlation_matrix
from tmdb_analysis.report.relation_charts import pair_plot as pair_plot
from tmdb_analysis.report.relation_charts import what_goes_with_return as what_goes_with_return
from tmdb_analysis.report.style import show as show
from tmdb_analysis.report.year_charts import known_money_by_year as known_money_by_year
from tmdb_analysis.report.year_charts import median_by_year as median_by_year
from tmdb_analysis.report.year_charts import yearly_box_office as yearly_box_office

__all__ = [
    "correlation_matrix",
    "genre_lift",
    "known_money_by_year",
    "measures_by_franchise",
    "median_by_year",
    "pair_plot",
    "path_of_franchises",
    "popularity_vs_rating",
    "return_by_director",
    "return_by_franchise",
    "return_by_genre",
    "return_distribution",
    "return_in_order",
    "revenue_vs_budget",
    "risk_by_genre",
    "roi_by_genre",
    "show",
    "what_goes_with_return",
    "yearly_box_office",
]
