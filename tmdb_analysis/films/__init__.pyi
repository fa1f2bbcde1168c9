# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import checks as checks
from . import clean as clean
from . import cohort as cohort
from . import comparisons as comparisons
from . import film_checks as film_checks
from . import ingest as ingest
from . import other_money as other_money
from . import rules as rules
from . import scope as scope
from . import validate as validate
from tmdb_analysis.films.clean import movies as movies
from tmdb_analysis.films.cohort import cohort_table as cohort_table
from tmdb_analysis.films.cohort import money_cohort as money_cohort
from tmdb_analysis.films.rules import Rule as Rule
from tmdb_analysis.films.rules import check as check
from tmdb_analysis.films.rules import flags as flags
from tmdb_analysis.films.validate import GateClosed as GateClosed
from tmdb_analysis.films.validate import quality as quality

__all__ = [
    "GateClosed",
    "Rule",
    "check",
    "checks",
    "clean",
    "cohort",
    "cohort_table",
    "comparisons",
    "film_checks",
    "flags",
    "ingest",
    "money_cohort",
    "movies",
    "other_money",
    "quality",
    "rules",
    "scope",
    "validate",
]
