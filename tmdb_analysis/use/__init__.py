"""The command, PostgreSQL, and the stages one by one for a scheduler."""

from pkgutil import iter_modules

from tmdb_analysis._help import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "cli": ["main"],
        "machine": ["doctor"],
        "publish": ["publish_run"],
        "steps": ["finish", "prepare"],
    },
)
