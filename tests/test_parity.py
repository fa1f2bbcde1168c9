"The tables are those of an independent recomputation."

import gzip
import json
from pathlib import Path

import pytest

from tests import oracle, oracle_groups, oracle_money, test_group_kpis
from tests.compare import assert_same, compute, published
from tmdb_analysis.core.home import Run
from tmdb_analysis.tmdb.sources import sample
from tmdb_analysis.use.cli import main

pytestmark = pytest.mark.integration


def run(home: Path, run_id: str, *options: str) -> Run:
    "A run of the command, which must succeed."
    assert main(["run", "--home", str(home), "--run-id", run_id, *options]) == 0
    return Run(run_id, home)


def check(run: Run, expected: dict) -> None:
    "Compare every table of a run with the recomputation."
    ours = published(run)
    for name, theirs in expected.items():
        assert_same(ours[name], theirs, name)


def check_estimates(run: Run, records: list) -> None:
    "The same for the tables of estimates, of money and of groups."
    collections = oracle.carries_collections(records)
    check(run, oracle_money.tables(oracle_money.films_of(records), collections=collections))
    test_group_kpis.check(
        published(run),
        oracle_groups.tables(test_group_kpis.plain(*test_group_kpis.sample_films(run))),
    )


def test_sample_equals_the_oracle(demo):
    check(demo, oracle.tables(oracle.read_json([sample() / "movies.jsonl.zst"])))


def test_parameters_reach_the_numbers(tmp_path):
    ours = run(
        tmp_path,
        "narrow",
        "-p",
        "top_n=3",
        "-p",
        "min_votes=1000",
        "-p",
        "roi_min_budget_musd=50",
        "-p",
        "min_known_columns=18",
    )
    check(ours, oracle.tables(oracle.read_json([sample() / "movies.jsonl.zst"]), 3, 1000, 50.0, 18))


def test_tmdb_5000_equals_the_oracle(shared, tmp_path):
    movies, credits = shared / "tmdb5000_movies.csv.gz", shared / "tmdb5000_credits.csv.gz"
    ours = run(tmp_path, "pair", "--source", "files", "--input", str(credits), str(movies))
    records = oracle.read_csv_pair(movies, credits)
    check(ours, oracle.tables(records))
    check_estimates(ours, records)
    tables = published(ours)
    assert len(tables["movies"]) + len(tables["dropped"]) + len(tables["quarantine"]) == 4803
    assert (tables["raw"].budget == 0).sum() == 1037
    empty = (
        "franchise_vs_standalone",
        "franchise_groups",
        "franchise_effect",
        "franchises",
        "franchise_path",
        "instalments",
    )
    assert [len(tables[name]) for name in empty] == [0] * 6, (
        "no collections in these data: nothing of this was measured"
    )
    said = (ours.report / "index.html").read_text()
    assert (
        said.count("franchises and standalone films cannot be told apart") == 1
        and "tandalone films" in said
    )
    board = (ours.report / "dashboard.html").read_text()
    assert 'value="no">Standalone films' not in board and "cannot be told apart" in board
    assert (
        tables["lowest_roi"].budget_musd.min() >= 10 and tables["lowest_profit"].value.notna().all()
    )


def test_exercise_of_eighteen_films(shared, tmp_path, monkeypatch):
    dumps = sorted((shared / "exercise18").glob("*.json.gz"))
    tables = []
    for i, dump in enumerate(dumps):
        day, records = dump.name[:10], oracle.read_json([dump])
        dated = {"fetched_on": day} if i == 0 else {}
        ours = compute(tmp_path, f"dump{i}", monkeypatch, input=[str(dump)], **dated)
        check(ours, oracle.tables(records))
        check_estimates(
            ours, [record | {"fetched_at": day} for record in records] if i == 0 else records
        )
        tables.append(published(ours))
    first = tables[0]
    assert [table["money_funnel"].films.iloc[-1] for table in tables] == [18, 16, 16], (
        "undated, the two newest may be too young"
    )
    groups = first["franchise_vs_standalone"].set_index("group")
    assert groups.films.to_dict() == {"franchise": 16, "standalone": 2}
    assert groups.median_roi["standalone"] == pytest.approx(9.62, abs=0.005), (
        "the exact median; the lower of the two is 7.91"
    )
    assert first["highest_roi"].title[0] == "Avatar" and first["highest_roi"].value[
        0
    ] == pytest.approx(12.3, abs=0.05)
    assert first["lowest_roi"].title[0] == "Star Wars: The Last Jedi" and first["lowest_roi"].value[
        0
    ] == pytest.approx(4.4, abs=0.05)
    assert {"Anthony Russo", "Joe Russo"} <= set(first["directors"].director)
    money = [
        "highest_revenue",
        "highest_budget",
        "highest_profit",
        "lowest_profit",
        "highest_roi",
        "lowest_roi",
    ]
    for other in tables[1:]:
        for name in money:
            assert_same(
                other[name][["rank", "id", "title", "value"]],
                first[name][["rank", "id", "title", "value"]],
                name,
            )


def test_form_of_the_input_does_not_matter(demo, tmp_path, monkeypatch):
    records = oracle.read_json([sample() / "movies.jsonl.zst"])
    folder = tmp_path / "answers"
    folder.mkdir()
    half = len(records) // 2
    (folder / "a.json").write_text(json.dumps(records[:half], indent=2))
    with gzip.open(folder / "b.jsonl.gz", "wt") as f:
        f.writelines(json.dumps(r) + "\n" for r in records[half:-1])
    (folder / "c.json").write_text(json.dumps(records[-1]))
    forms = compute(tmp_path, "forms", monkeypatch, input=[str(folder)])
    theirs, ours = published(forms), published(demo)
    for name in ours.keys() - {"raw", "dropped", "quarantine"}:
        assert_same(theirs[name], ours[name], name)
