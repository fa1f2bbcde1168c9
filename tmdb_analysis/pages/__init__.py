"""From executed notebooks to HTML pages."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "dashboard": ["chart_specs"],
        "export": ["export_run"],
        "page": ["fill_template", "cells_html"],
    },
)
