"Write environment.yml, the conda way in, with the pins of requirements.lock."

import re
import shlex
from configparser import ConfigParser, SectionProxy
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
HEAD = """\
# The conda way in: conda env create -f environment.yml && conda activate tmdb_analysis
# Made by `make lock` from settings.ini and requirements.lock; a test holds the three together.
name: tmdb_analysis
channels:
  - conda-forge
dependencies:
  - python=3.11
  - openjdk=17
  - make
  - pip
  - pip:
"""


def ini() -> SectionProxy:
    "What settings.ini says."
    parser = ConfigParser(delimiters=["="])
    parser.read(ROOT / "settings.ini", encoding="utf-8")
    return parser["DEFAULT"]


def required() -> list[str]:
    "The names (with extras) that settings.ini asks for."
    lines = shlex.split(ini()["requirements"]) + shlex.split(ini()["dev_requirements"])
    return [re.match(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?", line)[0] for line in lines]


def locked(python: str = "3.11.0") -> dict[str, str]:
    "The version of each package in requirements.lock for a version of Python."
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    pins = [
        Requirement(line.rstrip(" \\")) for line in lock.splitlines() if re.match(r"[a-z0-9]", line)
    ]
    here = {"python_version": python.rpartition(".")[0], "python_full_version": python}
    return {
        pin.name: str(pin.specifier)[2:]
        for pin in pins
        if not pin.marker or pin.marker.evaluate(here)
    }


def environment() -> str:
    "The text of environment.yml."
    versions = locked()
    pins = [f"      - {name}=={versions[name.split('[')[0]]}\n" for name in required()]
    return HEAD + "".join(pins) + "      - -e .\n"


if __name__ == "__main__":
    (ROOT / "environment.yml").write_text(environment(), encoding="utf-8")
