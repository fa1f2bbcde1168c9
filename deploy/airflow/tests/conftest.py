"""An Airflow of its own for the tests: a temporary home, a metadata database in it, the DAG, and a
key that must not be seen."""

import os
import secrets
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[3]
PLACE = Path(tempfile.mkdtemp(prefix="tmdb-airflow-"))
HOME = PLACE / "tmdb"
KEY = f"canary.{secrets.token_hex(12)}"
PYTHON = os.environ.setdefault("AIRFLOW_VAR_TMDB_PYTHON", str(ROOT / ".venv" / "bin" / "python"))
for name in [name for name in os.environ if name.startswith(("TMDB_", "SPARK_"))]:
    del os.environ[name]
os.environ |= {
    "AIRFLOW_HOME": str(PLACE / "airflow"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "deploy" / "airflow" / "dags"),
    "AIRFLOW_VAR_TMDB_HOME": str(HOME),
    "AIRFLOW_VAR_TMDB_PARAMS": '{"min_votes": 20}',
    "AIRFLOW_CONN_TMDB": f'{{"conn_type": "http", "password": "{KEY}"}}',
}  # all of it before the first import of Airflow

import shutil  # noqa: E402

import pytest  # noqa: E402
from airflow.dag_processing.dagbag import DagBag  # noqa: E402
from airflow.utils.db import initdb  # noqa: E402


@pytest.fixture(scope="session")
def bag():
    "The DAGs, read by a real Airflow."
    initdb()
    yield DagBag(os.environ["AIRFLOW__CORE__DAGS_FOLDER"])
    shutil.rmtree(PLACE)


@pytest.fixture(scope="session")
def dag(bag):
    "The DAG."
    assert bag.import_errors == {}
    return bag.dags["tmdb"]


@pytest.fixture
def tmdb(monkeypatch):
    "A local TMDB that the stages call, and that does not know our key."
    server = subprocess.Popen(
        [PYTHON, "-m", "tests.fake_tmdb"], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    url = server.stdout.readline().strip()
    monkeypatch.setenv("TMDB_BASE_URL", url)
    yield url
    server.terminate()
    server.wait()
