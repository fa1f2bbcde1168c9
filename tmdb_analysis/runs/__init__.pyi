# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import cards as cards
from . import catalog as catalog
from . import chain as chain
from . import changes as changes
from . import history as history
from . import metrics as metrics
from . import plan as plan
from . import share as share
from . import site as site
from . import stages as stages
from tmdb_analysis.runs.catalog import all_runs as all_runs
from tmdb_analysis.runs.catalog import run_named as run_named
from tmdb_analysis.runs.chain import run_chain as run_chain
from tmdb_analysis.runs.metrics import write_metrics as write_metrics
from tmdb_analysis.runs.share import write_pack as write_pack

__all__ = [
    "all_runs",
    "cards",
    "catalog",
    "chain",
    "changes",
    "history",
    "metrics",
    "plan",
    "run_chain",
    "run_named",
    "share",
    "site",
    "stages",
    "write_metrics",
    "write_pack",
]
