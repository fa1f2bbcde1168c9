"""The command, PostgreSQL, and the stages one by one for a scheduler."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submodules=["cli", "database", "loading", "publish", "steps", "verbs"],
    submod_attrs={
        "cli": ["doctor", "main"],
        "publish": ["publish_run"],
        "steps": ["finish", "prepare"],
    },
)
