"""From executed notebooks to HTML pages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["dashboard", "page"],
    submod_attrs={
        "dashboard": ["hover_charts"],
        "page": ["fill", "rendered"],
    },
)
