"""The calls of the stages in one plain process: no kernel, no notebooks, no pages.

    python -m tests.bench.plain_calls chain INPUT FOLDER

It runs what each stage has below `# Run`, with the functions of the package. The time of `tmdb run`
beyond it is what kernel, executed notebooks and pages cost. It also counts the rows that each stage
fetches from the engine: tables of films and credits must not be among them.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql.connect.client.core import SparkConnectClient

from tmdb_analysis.core.engine import fresh_session, one_server
from tmdb_analysis.core.home import write_text
from tmdb_analysis.core.settings import Settings, settings
from tmdb_analysis.runs.stages import (
    has_tag,
    kernel_environment,
    stage_parameters,
    stages,
    without_lessons,
)

if TYPE_CHECKING:
    from nbformat import NotebookNode  # else before our package, which makes its import quick


def run_stage(nb: "NotebookNode", chosen: Settings) -> None:
    "Make the tables and figures of a stage, without the forms in which a page shows them."
    names: dict[str, Any] = {"__name__": "plain_calls", **stage_parameters(nb, chosen)}
    for cell in without_lessons(nb).cells:
        if cell.cell_type == "code" and not has_tag(cell, "parameters"):
            exec(cell.source, names)


def count_fetched_rows() -> list[int]:
    "A list that from now on gets the number of rows of each batch that the engine sends here."
    sizes, fetch = [], SparkConnectClient._execute_and_fetch_as_iterator

    def counted(*args: Any, **options: Any) -> Iterator[Any]:
        for answer in fetch(*args, **options):
            if isinstance(answer, pa.RecordBatch):
                sizes.append(answer.num_rows)
            yield answer

    SparkConnectClient._execute_and_fetch_as_iterator = counted  # type: ignore[method-assign]
    return sizes


def main(part: str, source: str, folder: str) -> None:
    "Run all stages, and say what each took; `fetched.json` gets the rows that each fetched."
    chosen = settings(source="files", input=[source], home=folder, run_id="bench")
    os.environ.update(kernel_environment(chosen))  # the stages find their home there
    sizes, fetched = count_fetched_rows(), {}
    with one_server(chosen.spark):
        for chapter, nb in stages().items():
            start = time.perf_counter(), time.process_time()
            sizes.clear()
            fresh_session()
            with redirect_stdout(StringIO()):
                run_stage(nb, chosen)
            wall, cpu = time.perf_counter() - start[0], time.process_time() - start[1]
            fetched[chapter] = sum(sizes)
            used = f"{wall:6.2f} s, {cpu:5.2f} s of processor"
            print(f"{chapter:15} {used}, {fetched[chapter]:9,} rows fetched")
    write_text(Path(folder) / "fetched.json", json.dumps(fetched))


if __name__ == "__main__":
    main(*sys.argv[1:])
