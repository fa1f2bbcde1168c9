"""From executed notebooks to HTML pages."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["dashboard", "hover", "linking", "page", "shell"],
    submod_attrs={
        "hover": ["hover_charts"],
        "page": ["embedded", "rendered"],
    },
)
