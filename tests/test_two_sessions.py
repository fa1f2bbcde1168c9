"A user's own Spark session and ours work in one process, whichever is made first."

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tmdb_analysis.core.servers import java_version, new_server
from tmdb_analysis.core.settings import Spark

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parent.parent


def check(home: Path, *words: str) -> None:
    "Run `tests.two_sessions` in a process without a session."
    hidden = ("SPARK_REMOTE", "SPARK_CONNECT_MODE_ENABLED")
    env = {k: v for k, v in os.environ.items() if k not in hidden} | {"TMDB_HOME": str(home)}
    command = [sys.executable, "-m", "tests.two_sessions", *words]
    done = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("when", ["first", "closed"])
def test_a_classic_session(when, demo):
    if java_version() not in (17, 21):
        pytest.skip("Spark needs Java 17 or 21")
    check(demo.home, when)


@pytest.mark.parametrize("when", ["first", "later"])
def test_a_connect_session(when, demo):
    with new_server(Spark()) as address:
        check(demo.home, when, address)
