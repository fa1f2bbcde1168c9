"""From executed notebooks to HTML pages."""

from pkgutil import iter_modules

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "dashboard": ["chart_specs"],
        "page": ["fill_template", "cells_html"],
    },
)
