# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import dashboard as dashboard
from . import dictionary as dictionary
from . import digest as digest
from . import export as export
from . import films as films
from . import front as front
from . import numbers as numbers
from . import page as page
from . import reuse as reuse
from . import slides as slides
from tmdb_analysis.pages.dashboard import chart_specs as chart_specs
from tmdb_analysis.pages.export import export_run as export_run
from tmdb_analysis.pages.page import cells_html as cells_html
from tmdb_analysis.pages.page import fill_template as fill_template

__all__ = [
    "cells_html",
    "chart_specs",
    "dashboard",
    "dictionary",
    "digest",
    "export",
    "export_run",
    "fill_template",
    "films",
    "front",
    "numbers",
    "page",
    "reuse",
    "slides",
]
