"The tour, followed word by word in an empty home; a stand-in answers for TMDB."

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN
from tests.test_docs import blocks

TOUR = ROOT / "docs/tour.md"
CHANGES_THE_BOOK = ("make book", "make format")  # `make test` and test_registry cover these
pytestmark = [pytest.mark.nightly, pytest.mark.integration]


def lines() -> list[str]:
    "The commands of the tour, in order."
    found = [line for block in blocks(TOUR) for line in block.splitlines() if line.strip()]
    return [line for line in found if not line.startswith(CHANGES_THE_BOOK)]


def status(home: Path, run: str) -> str:
    "How a run ended."
    facts = json.loads((home / "reports" / run / "run.json").read_text(encoding="utf-8"))
    return facts["status"]


def test_each_command_of_the_tour_works(tmp_path):
    (tmp_path / ".venv").symlink_to(ROOT / ".venv")
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "MAKE"))}
    env |= {"TMDB_HOME": str(tmp_path), "TMDB_READ_TOKEN": TOKEN, "TMDB_RATE_PER_SECOND": "0"}
    said = {}
    with fake_tmdb("sample") as server:
        env["TMDB_BASE_URL"] = server.url
        for line in lines():
            command = line.replace("make ", f"make -C {ROOT} ")
            done = subprocess.run(
                ["bash", "-ec", command],
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                timeout=600,
                check=False,
            )
            assert not done.returncode, (line, done.stdout[-500:], done.stderr[-1500:])
            said[line] = done.stdout
    assert len(said) >= 10
    assert status(tmp_path, "horror") == status(tmp_path, "mine") == "ok"
    assert (tmp_path / "reports/mine/index.html").is_file()
    (listed,) = (text for line, text in said.items() if line.endswith("tmdb runs"))
    assert "horror" in listed
    (rows,) = (text for line, text in said.items() if "tmdb sql" in line)
    assert "Horror" in rows and "5 rows" in rows
