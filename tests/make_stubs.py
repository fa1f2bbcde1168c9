"""Write the `__init__.pyi` of the package and of its parts: what they offer, for editors and type
checkers. At run time the parts import a name when it is first used, which no checker can follow.
`make book` calls this."""

from importlib import import_module
from pathlib import Path
from types import ModuleType

import tmdb_analysis

PACKAGE = Path(tmdb_analysis.__file__).parent
HEAD = "# Written by tests/make_stubs.py: what type checkers and editors see of this package.\n"


def line(package: ModuleType, name: str) -> str:
    "The import that offers a name."
    found = getattr(package, name)
    if isinstance(found, ModuleType):
        parent, _, own = found.__name__.rpartition(".")
        source = "." if parent == package.__name__ else parent
        return f"from {source} import {own} as {name}"
    return f"from {found.__module__} import {found.__name__} as {name}"


def stub(package: ModuleType) -> str:
    "The text of a stub."
    names = sorted(package.__all__)
    lines = sorted(line(package, name) for name in names)
    lines += ["", "__all__ = [", *(f'    "{name}",' for name in names), "]"]
    if package is tmdb_analysis:
        lines += ["", "__version__: str", "", "def command() -> int: ..."]
    return HEAD + "\n".join(lines) + "\n"


def stubs() -> dict[Path, str]:
    "All stubs of the package."
    parts = [path.parent.name for path in sorted(PACKAGE.glob("*/__init__.py"))]
    packages = [tmdb_analysis]
    packages += [import_module(f"tmdb_analysis.{part}") for part in ("charts", *parts)]
    return {Path(str(p.__file__)).with_suffix(".pyi"): stub(p) for p in packages}


if __name__ == "__main__":
    for path, text in stubs().items():
        path.write_text(text, encoding="utf-8")
