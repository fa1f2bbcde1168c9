# Written by tests/make_stubs.py: what type checkers and editors see of this package.
from . import cli as cli
from . import database as database
from . import each as each
from . import keeping as keeping
from . import loading as loading
from . import machine as machine
from . import publish as publish
from . import running as running
from . import steps as steps
from . import verbs as verbs
from tmdb_analysis.use.cli import main as main
from tmdb_analysis.use.machine import doctor as doctor
from tmdb_analysis.use.publish import publish_run as publish_run
from tmdb_analysis.use.steps import finish as finish
from tmdb_analysis.use.steps import prepare as prepare

__all__ = [
    "cli",
    "database",
    "doctor",
    "each",
    "finish",
    "keeping",
    "loading",
    "machine",
    "main",
    "prepare",
    "publish",
    "publish_run",
    "running",
    "steps",
    "verbs",
]
