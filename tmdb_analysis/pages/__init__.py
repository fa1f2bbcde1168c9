"""From executed notebooks to HTML pages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["dashboard", "page"],
    submod_attrs={
        "dashboard": ["chart_specs"],
        "page": ["fill_template", "cells_html"],
    },
)
