"""Equality of tables: the same rows in the same order, numbers within 1e-9, unknown equal to
unknown."""

import math
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
from pandas import DataFrame
from pytest import MonkeyPatch

from tests.bench.plain_calls import run_stage
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import settings
from tmdb_analysis.runs.stages import stages


def plain(value: Any) -> Any:
    "A value without its clothes: lists as lists, dates as text, NaN and NA as None."
    if hasattr(value, "tolist") and not isinstance(value, float):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    return value.isoformat() if isinstance(value, date) else value


def same(a: Any, b: Any) -> bool:
    "Whether two plain values are equal; numbers within 1e-9."
    if isinstance(a, int | float) and isinstance(b, int | float):
        return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-9)
    return a == b


def rows(table: DataFrame, columns: list[str]) -> list[tuple]:
    "The rows of a table as plain tuples."
    return (
        list(zip(*([plain(v) for v in table[c].astype(object)] for c in columns), strict=True))
        if len(table)
        else []
    )


def assert_same(ours: DataFrame, theirs: DataFrame, name: str) -> None:
    "Raise AssertionError at the first value that differs in the columns that both have."
    columns = [c for c in theirs.columns if c in ours.columns]
    assert list(theirs.columns) == columns, f"{name} lacks {set(theirs.columns) - set(columns)}"
    a, b = rows(ours, columns), rows(theirs, columns)
    assert len(a) == len(b), f"{name}: {len(a)} rows, not {len(b)}"
    if name == "credits":  # of credits with one place in the billing, none is first
        a, b = sorted(a, key=str), sorted(b, key=str)
    for i, (x, y) in enumerate(zip(a, b, strict=True)):
        for column, v, w in zip(columns, x, y, strict=True):
            assert same(v, w), f"{name} row {i} {column}: {v!r}, not {w!r}"


def published(run: Run) -> Mapping[str, DataFrame]:
    "All tables of a run by name: those of its generation and its KPIs."
    found = [*run.tables.glob("*.parquet"), *(run.report / "kpis").glob("*.parquet")]
    return {path.stem: pq.read_table(path).to_pandas(types_mapper=pd.ArrowDtype) for path in found}


def compute(home: Path, run_id: str, monkeypatch: MonkeyPatch, **asked: Any) -> Run:
    "A run over files whose tables are made in this process, without kernel, report and pages."
    monkeypatch.setenv("TMDB_HOME", str(home))
    chosen = settings(home=home, run_id=run_id, source="files", **asked)
    for chapter, nb in stages().items():
        if chapter not in ("54_why", "68_report"):  # which make no table of an oracle
            run_stage(nb, chosen)
    return Run(run_id, home)
