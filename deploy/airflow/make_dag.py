"""Write dags/tmdb.json: the stages of this version, what they can be asked, and the tables they
make. Run it in the environment of the package after a stage or a setting has changed:
python deploy/airflow/make_dag.py"""

import json
from pathlib import Path

from tmdb_analysis.core.schema import TABLES
from tmdb_analysis.pages.page import heading
from tmdb_analysis.runs.stages import stages
from tmdb_analysis.use.steps import scheduler_form

TARGET = Path(__file__).parent / "dags" / "tmdb.json"


def known() -> dict:
    "What the DAG has to know of the package, which is not there when Airflow reads the DAG."
    return {
        "stages": {name: ". ".join(heading(nb, name)) for name, nb in stages().items()},
        "tables": list(TABLES),
        "params": scheduler_form(),
    }


def text() -> str:
    "The content of dags/tmdb.json."
    return json.dumps(known(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
