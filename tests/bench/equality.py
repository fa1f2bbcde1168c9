"""Whether two contestants wrote the same tables: cell by cell, numbers within TOLERANCE."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

TOLERANCE = 1e-9  # largest difference of two fractions, as a share of their size
RANKINGS = (
    "highest_revenue highest_budget highest_profit lowest_profit highest_roi lowest_roi "
    "most_voted highest_rated lowest_rated most_popular"
).split()
GROUPS = "franchise_vs_standalone franchises directors genres yearly".split()
TABLES = ["movies", "dropped", "credits", "collections", *RANKINGS, *GROUPS]
RESULTS = {"ingest": ["raw"], "tables": TABLES, "chain": ["raw", *TABLES]}  # part: its tables


def table_path(folder: Path, name: str) -> Path:
    "The file of a table below a folder."
    paths = list(folder.rglob(f"{name}.parquet"))
    assert len(paths) == 1, f"table {name} is {'missing' if not paths else 'there twice'}"
    return paths[0]


def differs(ours: pa.ChunkedArray, theirs: pa.ChunkedArray) -> np.ndarray:
    "Where two columns of equal length differ: an array of true and false."
    if pa.types.is_floating(theirs.type):
        a, b = (x.cast(pa.float64()).to_numpy() for x in (ours, theirs))
        return ~np.isclose(a, b, rtol=TOLERANCE, atol=0, equal_nan=True)
    if ours.combine_chunks().equals(theirs.combine_chunks()):
        return np.zeros(len(ours), bool)
    if pa.types.is_nested(theirs.type):
        pairs = zip(ours.to_pylist(), theirs.to_pylist(), strict=True)
        return np.array([a != b for a, b in pairs], bool)
    same = pc.or_kleene(pc.equal(ours, theirs), pc.and_(pc.is_null(ours), pc.is_null(theirs)))
    return ~pc.fill_null(same, False).to_numpy()


def assert_equal_table(ours: Path, theirs: Path, name: str, complete: bool = True) -> None:
    "Raise AssertionError at the first column that differs; all must be in both, if complete."
    a, b = pq.ParquetFile(ours), pq.ParquetFile(theirs)
    n, m = a.metadata.num_rows, b.metadata.num_rows
    assert n == m, f"{name}: {n:,} rows, not {m:,}"
    mine, other = a.schema_arrow.names, b.schema_arrow.names
    columns = mine if complete else other
    assert columns == other if complete else {*other} <= {*mine}, f"{name}: {other}, not {mine}"
    for column in columns:
        x, y = (f.read([column])[column] for f in (a, b))
        wrong = np.flatnonzero(differs(x, y.cast(x.type)))
        if len(wrong):
            row = int(wrong[0])
            pair = f"{x[row].as_py()!r}, not {y[row].as_py()!r}"
            raise AssertionError(
                f"{name}.{column} differs in {len(wrong):,} rows; the first, {row}, is {pair}"
            )


def assert_equal(ours: Path, theirs: Path, tables: list[str], complete: bool = True) -> None:
    "Raise AssertionError unless both folders hold equal tables; some are enough if not complete."
    for name in tables:
        if complete or list(theirs.rglob(f"{name}.parquet")):
            paths = (table_path(folder, name) for folder in (ours, theirs))
            assert_equal_table(*paths, name, complete)
