"""The chain of stages, the runs it leaves, and how to compare and share them."""

import sys
from pkgutil import iter_modules

from tmdb_analysis._help import attach

# nbformat imports jsonschema, which would build a grammar for checks of addresses: a second of
# processor time for each command. For checks of durations it would import a library of dates. No
# check of a notebook uses them; jsonschema works without them.
if "jsonschema" not in sys.modules:
    for _unused in ("rfc3987_syntax", "isoduration"):
        sys.modules.setdefault(_unused, None)  # type: ignore[arg-type]

__getattr__, __dir__, __all__ = attach(
    __name__,
    submodules=[chapter.name for chapter in iter_modules(__path__)],
    submod_attrs={
        "catalog": ["all_runs", "run_named"],
        "chain": ["run_chain"],
        "metrics": ["write_metrics"],
        "share": ["write_pack"],
    },
)
