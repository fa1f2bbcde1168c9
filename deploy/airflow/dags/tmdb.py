"""The chain of tmdb_analysis: one task a stage, from records of TMDB to a published report.

`prepare` checks the parameters and creates the run. Each stage is a chapter of the book, which the
package runs in its own environment as `tmdb run` does. It waits for the stages whose files it
reads, so stages that need nothing of each other run side by side. `finish` writes the pages, also
of a failed run, and publishes a run that succeeded.

Connection `tmdb`: its password is the read access token of TMDB. The stages get it as an
environment variable, never as a parameter. Variables, all optional: `tmdb_home` (folder for
data/ and reports/), `tmdb_python` (the Python of the package), `tmdb_schedule` (@daily),
`tmdb_params` (JSON: other defaults for the parameters), `tmdb_reports_url` (where a web server
shows the folder reports/), `tmdb_parallel_stages` (2).
"""

import json
import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.operators.python import ExternalPythonOperator
from airflow.sdk import DAG, Asset, Connection, Param, TriggerRule, Variable
from airflow.sdk.exceptions import (
    AirflowException,
    AirflowFailException,
    AirflowNotFoundException,
    AirflowSkipException,
)

HERE = Path(__file__).resolve().parent
CHECKOUT = (HERE / "../../..").resolve()  # for the defaults below; an image sets both variables
KNOWN = json.loads((HERE / "tmdb.json").read_text(encoding="utf-8"))  # made by make_dag.py

HOME = Variable.get("tmdb_home", default=str(CHECKOUT))
PYTHON = Variable.get("tmdb_python", default=str(CHECKOUT / ".venv" / "bin" / "python"))
REPORTS = Variable.get("tmdb_reports_url", default=f"{Path(HOME).absolute().as_uri()}/reports")
PARALLEL_STAGES = int(Variable.get("tmdb_parallel_stages", default=2))
DEFAULTS = Variable.get("tmdb_params", default={}, deserialize_json=True)

RUN = (
    "{{ dag_run.logical_date | ts_nodash if dag_run.logical_date else "
    "dag_run.run_after.strftime('%Y%m%dT%H%M%S-%f') }}"
)
FINISHED = 99  # what prepare exits with when the run of this date is there already
STEP = (
    "import sys; from tmdb_analysis.use.steps import step_command; "
    "sys.exit(step_command(*sys.argv[1:]))"
)
FATAL = {
    "UsageError",
    "SecretRefused",
    "GateClosed",
}  # wrong usage, a key that TMDB refuses, data that are not good enough: no retry helps


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    "Environment variables, with the token, for the processes that start inside the `with` block."
    try:
        token = Connection.get("tmdb").password
    except AirflowNotFoundException:
        token = None
    before = dict(os.environ)
    os.environ.update({**values, **({"TMDB_READ_TOKEN": token} if token else {})})
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class Step(ExternalPythonOperator):
    "A function that runs in the environment of the package."

    def execute(self, context):
        try:
            with environment({"TMDB_HOME": HOME}):
                return super().execute(context)
        except AirflowSkipException:
            raise
        except AirflowException as e:  # its last line is our error
            raise AirflowException(str(e).strip().splitlines()[-1]) from None

    def _is_pendulum_installed_in_target_env(self) -> bool:
        "It is not; the question of the base class would put a traceback into every log."
        return False


class Chapter(BashOperator):
    "A stage, which is a chapter of the book. Its record says what came of it."

    template_fields = (*BashOperator.template_fields, "record", "page")

    def __init__(self, *, record, page, **options):
        super().__init__(**options)
        self.record = record
        self.page = page

    def execute(self, context):
        Path(self.record).unlink(missing_ok=True)  # of an earlier try
        try:
            with environment({"TMDB_HOME": HOME}):
                super().execute(context)
        except AirflowException:
            raised, reason = self.failure()
            self.log.error("%s failed with %s: %s", self.task_id, raised, reason)
            self.log.error("its page, when the run is finished: %s", self.page)
            raise (AirflowFailException if raised in FATAL else AirflowException)(
                f"{raised}: {reason}"
            ) from None

    def failure(self) -> tuple[str, str]:
        "Why the stage failed: the class of the error, and the error in one line."
        try:
            record = json.loads(Path(self.record).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            record = {}
        return record.get("raised") or "Error", record.get(
            "error"
        ) or "its process ended without a record; see the lines above"


def prepare(given: str, run_id: str, stages: list, finished: int) -> None:
    import json
    import sys

    sys.tracebacklimit = 0  # our errors are one line
    sys.modules.setdefault(
        "rfc3987_syntax", None
    )  # three seconds, for a check of addresses that no notebook needs
    from tmdb_analysis.use.steps import prepare, scheduled_settings

    if not prepare(scheduled_settings(json.loads(given), run_id), stages):
        print(f"run {run_id} is finished already and stays as it is")
        sys.exit(finished)


def finish(run_id: str, reports: str) -> dict:
    import sys

    sys.tracebacklimit = 0
    sys.modules.setdefault("rfc3987_syntax", None)
    from tmdb_analysis.core.settings import TmdbError
    from tmdb_analysis.use.steps import finish

    told = finish(run_id)
    page = f"{reports}/{run_id}/index.html"
    print(f"report {page}")
    if told.status != "ok":
        raise TmdbError(f"{told.status} in {told.failed_stage}: {told.error}")
    return {"films": told.films, "score": told.score, "report": page}


def params() -> dict[str, Param]:
    "The parameters of a run. Raises `KeyError` for an unknown one in the variable `tmdb_params`."
    if unknown := DEFAULTS.keys() - KNOWN["params"].keys():
        raise KeyError(
            f"Variable tmdb_params names {', '.join(sorted(unknown))}: no such parameter"
        )
    return {
        name: Param(**(schema | ({"default": DEFAULTS[name]} if name in DEFAULTS else {})))
        for name, schema in KNOWN["params"].items()
    }


with DAG(
    "tmdb",
    description="Films from TMDB, from raw answers to a published report",
    doc_md=f"{__doc__}\n[The reports]({REPORTS}/index.html)",
    schedule=Variable.get("tmdb_schedule", default="@daily"),
    start_date=datetime(2026, 1, 1),
    catchup=False,
    max_active_runs=1,
    max_active_tasks=PARALLEL_STAGES,
    params=params(),
    tags=["tmdb"],
    default_args={"retries": 0, "execution_timeout": timedelta(minutes=30)},
) as dag:
    prepared = Step(
        task_id="prepare",
        python=PYTHON,
        python_callable=prepare,
        op_kwargs={
            "given": "{{ params | tojson }}",
            "run_id": RUN,
            "stages": list(KNOWN["stages"]),
            "finished": FINISHED,
        },
        expect_airflow=False,
        skip_on_exit_code=FINISHED,
        doc="Check the parameters, make the folder of the run.",
    )
    chapters = {
        name: Chapter(
            task_id=name,
            bash_command=f"exec {shlex.join([PYTHON, '-c', STEP, name])} {RUN}",
            record=f"{HOME}/reports/{RUN}/stages/{name.partition('_')[2]}.json",
            page=f"{REPORTS}/{RUN}/{name}.html",
            do_xcom_push=False,
            retries=2,
            retry_delay=timedelta(minutes=5),
            retry_exponential_backoff=True,
            execution_timeout=timedelta(hours=12),  # the whole catalogue takes nine and a half
            outlets=[Asset(f"x-tmdb://tables/{table}") for table in stage["tables"]],
            doc=stage["about"],
        )
        for name, stage in KNOWN["stages"].items()
    }
    finished = Step(
        task_id="finish",
        python=PYTHON,
        python_callable=finish,
        op_kwargs={"run_id": RUN, "reports": REPORTS},
        expect_airflow=False,
        # whatever became of the stages, if the run was prepared
        trigger_rule=TriggerRule.ALL_DONE_MIN_ONE_SUCCESS,
        outlets=[Asset("x-tmdb://reports")],
        doc="Write the pages and run.json; publish the run if every stage came to its end.",
    )
    for name, stage in KNOWN["stages"].items():
        chapters[name] << ([chapters[before] for before in stage["after"]] or [prepared])
    # all of them, because a stage may still run when another one has failed
    finished << [prepared, *chapters.values()]
