"""Write dags/tmdb.json: the stages of this version, which stages each one waits for, the tables
that each one makes, and what a run can be asked. It runs the sample, which takes half a minute,
because the records of a run name the files that each stage read and wrote. Run it in the
environment of the package after a stage or a setting has changed:
python deploy/airflow/make_dag.py"""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from tmdb_analysis.core.home import Run
from tmdb_analysis.core.records import StageRecord, stage_records
from tmdb_analysis.core.schema import TABLES
from tmdb_analysis.core.settings import settings
from tmdb_analysis.pages.page import heading
from tmdb_analysis.runs.chain import run_chain
from tmdb_analysis.runs.stages import stages
from tmdb_analysis.use.steps import scheduler_form

TARGET = Path(__file__).parent / "dags" / "tmdb.json"
GATE = "27_validate"  # all later stages wait for it: no number comes from data that fail


def upstream(records: Sequence[StageRecord]) -> dict[str, list[str]]:
    """The stages that each stage waits for: those whose files it may read, and the gate. A stage
    that another one of them waits for is left out."""
    writers: dict[str, str] = {}
    all_before: dict[str, set[str]] = {}
    direct = {}
    for record in records:
        name = record.chapter
        before = {writers[file] for file in record.proof["reads"]}
        before |= {GATE} if name > GATE else set()
        earlier = set().union(*(all_before[one] for one in before))
        direct[name], all_before[name] = sorted(before - earlier), before | earlier
        writers |= dict.fromkeys(record.wrote, name)
    return direct


def known(records: Sequence[StageRecord]) -> dict:
    "What the DAG has to know of the package, which is not there when Airflow reads the DAG."
    before = upstream(records)
    wrote = {record.chapter: record.wrote for record in records}
    return {
        "stages": {
            name: {
                "about": ". ".join(heading(nb, name)),
                "after": before[name],
                "tables": [t for t in TABLES if f"tables/{t}.parquet" in wrote[name]],
            }
            for name, nb in stages().items()
        },
        "params": scheduler_form(),
    }


def text(records: Sequence[StageRecord]) -> str:
    "The content of dags/tmdb.json, from the records of a run on the sample."
    return json.dumps(known(records), indent=1, ensure_ascii=False) + "\n"


def sample_records() -> list[StageRecord]:
    "The records of the stages of a new run on the sample."
    with TemporaryDirectory() as home:
        run_chain(settings(source="sample", run_id="sample", home=home))
        return stage_records(Run("sample", Path(home)))


if __name__ == "__main__":
    TARGET.write_text(text(sample_records()), encoding="utf-8")
