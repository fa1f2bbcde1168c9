"""The contestants of `make bench` write equal tables, and its page says what was measured."""

import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest

from tests.bench import contest, page
from tests.bench.catalogue import write_catalogue
from tests.bench.equality import RESULTS, TABLES, assert_equal, table_path
from tests.bench.measure import Usage, measure
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import COHORT, CREDITS


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    "2,000 films of another seed than the benchmark's, and the tables of all contestants."
    place = tmp_path_factory.mktemp("bench")
    lines, home = place / "films.jsonl", place / contest.PACKAGE
    write_catalogue(lines, 2_000, seed=7, copied=0.2, faulty=0.2)
    home.mkdir()
    run = contest.script("package")
    subprocess.run(run("ingest", lines, home), check=True)
    table_path(home, "raw").rename(place / "raw.parquet")
    subprocess.run(run("tables", place / "raw.parquet", home), check=True)
    others = [one for one in contest.CONTESTANTS if not one.name.startswith("package")]
    for one in others:
        (place / one.name).mkdir()
        subprocess.run(one.command("chain", lines, place / one.name), check=True)
    return place


@pytest.mark.parametrize(
    "one",
    [one for one in contest.CONTESTANTS if not one.name.startswith("package")],
    ids=lambda one: one.name,
)
def test_contestants_write_equal_tables(one, found):
    assert_equal(found / contest.PACKAGE, found / one.name, RESULTS["chain"], one.complete)


def test_no_stage_fetches_tables_of_films_or_credits_from_the_engine(found):
    """Samples of returns cross, because the intervals are computed here: a few rows for each film
    with usable money. The rest is tables that people read."""
    place = found / "plain calls"
    fetched = json.loads((place / "fetched.json").read_text())
    run = Run("bench", place)
    n_money = pq.read_metadata(run.path(COHORT)).num_rows
    n_credits = pq.read_metadata(run.path(CREDITS)).num_rows
    most = 3 * n_money + 2_000
    assert sum(fetched.values()) > n_money and n_credits > 2 * most, "the test can fail"
    assert {stage: n for stage, n in fetched.items() if n > most} == {}


def test_every_table_has_rows_and_a_changed_cell_is_found(found, tmp_path):
    ours = found / contest.PACKAGE
    tables = {name: pq.read_table(table_path(ours, name)) for name in TABLES}
    assert all(table.num_rows for table in tables.values())
    movies = tables["movies"]
    for name in ("title", "roi", "genres", "release_date"):
        place = movies.schema.get_field_index(name)
        column = movies[name].combine_chunks()
        pq.write_table(
            movies.set_column(place, name, column.take([1, 0, *range(2, len(column))])),
            tmp_path / "movies.parquet",
        )
        if column[0] != column[1]:
            with pytest.raises(AssertionError, match=f"movies.{name} differs"):
                assert_equal(ours, tmp_path, ["movies"])


def test_a_measure_counts_the_processes_below(tmp_path):
    code = (
        "import subprocess, sys, time; x = bytearray(50_000_000); "
        "subprocess.run([sys.executable, '-c', "
        "'import time; x = bytearray(150_000_000); end = time.process_time() + 0.3\\n"
        "while time.process_time() < end: pass'])"
    )
    used = measure([sys.executable, "-c", code], tmp_path / "log")
    assert used.cpu >= 0.3 and used.seconds >= 0.3
    assert used.memory > 150_000_000
    with pytest.raises(RuntimeError, match="no such film"):
        measure([sys.executable, "-c", "raise SystemExit('no such film')"], tmp_path / "log")


def test_the_page_has_all_numbers_and_loads_nothing():
    runs = {"DuckDB": (2.0, 4.0, 3.0), contest.PACKAGE: (8.0, 8.0, 15.0)}
    results = [
        contest.Result(films, "chain", name, [Usage(s * scale, 9.0, 10**9, 5, 7) for s in seconds])
        for films, scale in ((20_000, 1), (80_000, 4))
        for name, seconds in runs.items()
    ]
    assert results[1].ratio(results[0]) == 4.0  # of 4, 2 and 5
    results.append(contest.Result(80_000, "chain", "Polars", error="out of memory"))
    html = page.bench_page(results, page.facts([0.5, 0.7]), "make bench")
    for text in ("20,000", "80,000", "67%", "1,000", "<svg", "2.00", "make bench", "failed"):
        assert text in html, text
    assert "://" not in html.replace("http://www.w3.org/", "")


def test_a_contestant_that_fails_has_no_numbers_and_other_tables_stop_the_benchmark(
    tmp_path, monkeypatch
):
    lines = tmp_path / "films.jsonl"
    write_catalogue(lines, 50)
    choice = contest.Choice(rounds=2, parts=("ingest",), without=("polars",))
    code = "raise SystemExit('out of memory')"
    broken = contest.Contestant("broken", ("ingest",), lambda *_: [sys.executable, "-c", code])
    monkeypatch.setattr(contest, "CONTESTANTS", (*contest.CONTESTANTS, broken))
    (tmp_path / "first").mkdir()
    results = list(contest.compete(lines, 50, choice, tmp_path / "first"))
    assert [r.contestant for r in results] == [contest.YARDSTICK, contest.PACKAGE, "broken"]
    assert [len(r.runs) for r in results] == [2, 2, 0] and "out of memory" in results[2].error

    def command(part, source, folder):
        write_catalogue(tmp_path / "other.jsonl", 50, seed=2)
        return contest.script("duckdb_script")(part, tmp_path / "other.jsonl", folder)

    other = contest.Contestant("other", ("ingest",), command)
    monkeypatch.setattr(contest, "CONTESTANTS", (*contest.CONTESTANTS[:-1], other))
    (tmp_path / "second").mkdir()
    with pytest.raises(AssertionError, match="package, sail and other: raw"):
        list(contest.compete(lines, 50, choice, tmp_path / "second"))
