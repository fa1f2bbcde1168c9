"""What the tests of the book need: a home, one engine, and a run to explore.

pytest-nbval starts a chapter's kernel while it collects, before any fixture, so all of this
happens in hooks.
"""

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest

collect_ignore = ["nbs/index.ipynb"]  # prose; it becomes README.md
stage = ExitStack()


def pytest_collection_modifyitems(items):
    """nbdev_clean drops execution counts; nbval takes outputs without a count for cells that were
    never run."""
    for item in items:
        cell = getattr(item, "cell", None)
        if cell is not None and cell.outputs:
            cell.execution_count = 1


def pytest_collection_finish(session):
    "A home of its own for all tests, with a demo run in it, and one engine for all chapters."
    if session.config.option.collectonly or not session.items:
        return
    from tmdb_analysis.core.engine import one_server
    from tmdb_analysis.core.settings import settings
    from tmdb_analysis.use.cli import main

    os.environ["TMDB_HOME"] = stage.enter_context(tempfile.TemporaryDirectory(prefix="tmdb-tests-"))
    os.environ["JUPYTER_PREFER_ENV_PATH"] = "1"
    if main(["demo", "--run-id", "demo"]):
        pytest.exit("tmdb demo failed, so there is nothing to test", 1)
    for folder in ("data/tables", "reports"):  # so that a chapter can be tested alone
        shutil.copytree(
            Path(os.environ["TMDB_HOME"], folder, "demo"),
            Path(os.environ["TMDB_HOME"], folder, "lab"),
        )
    stage.enter_context(one_server(settings().spark))


def pytest_sessionfinish():
    "End the engine, delete the home."
    stage.close()


@pytest.fixture(scope="session")
def home() -> Path:
    "The home of the tests."
    return Path(os.environ["TMDB_HOME"])


@pytest.fixture(scope="session")
def demo(home):
    "The demo run: its tables and its report."
    from tmdb_analysis.core.home import Run

    return Run("demo", home)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real data that is not part of the project; the tests that want it are skipped where it is
    absent."""
    place = Path(
        os.environ.get("TEST_DATA_TMDB") or Path(__file__).parent.parent / "shared" / "data"
    )
    if not place.is_dir():
        pytest.skip("no real TMDB data here: point TEST_DATA_TMDB at it")
    return place


@pytest.fixture(scope="session")
def postgres():
    "A PostgreSQL server that asks for passwords."
    from tests.postgres import running

    with running() as server:
        yield server
