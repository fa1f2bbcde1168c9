"A second source of money: what is refused, what is compared; TMDB's values stay everywhere."

import hashlib
import json

import pandas as pd
import pytest

from tests.compare import assert_same, published
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import MOVIES, RAW
from tmdb_analysis.core.settings import UsageError
from tmdb_analysis.core.store import read
from tmdb_analysis.films.other_money import other_money, read_other_money
from tmdb_analysis.use.cli import main

HEAD = "id,budget,revenue\n"
WRONG = {
    "film,budget,revenue\n1,2,3\n": r"other.csv: column id or imdb_id is missing; add it",
    "id,revenue\n1,2\n": r"other.csv: column budget is missing; add it",
    "": r"other.csv: column id or imdb_id is missing; add it",
    HEAD: r"other.csv: the file has no rows",
    f"{HEAD}1,2,3\n2,2,3\n01,5,6\n": r"other.csv lines 2 and 4: id 1 appears twice; delete one",
    f"{HEAD}1,-2,3\n": r"other.csv line 2: budget -2 is negative; leave it empty",
    f"{HEAD}1,2,x\n": r"other.csv line 2: revenue 'x' is not a number",
    f"{HEAD}1,inf,3\n": r"other.csv line 2: budget 'inf' is not a number",
    f"{HEAD}tt1,2,3\n": r"other.csv line 2: id 'tt1' is not a TMDB id",
    f"{HEAD},2,3\n": r"other.csv line 2: id '' is not a TMDB id",
    "imdb_id,budget,revenue\n7,2,3\n": r"other.csv line 2: imdb_id '7' is not an IMDb id",
}


@pytest.mark.parametrize("text, message", WRONG.items())
def test_a_wrong_file_is_refused_in_one_line_before_anything_starts(
    text, message, tmp_path, capsys
):
    path = tmp_path / "other.csv"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        read_other_money(path)
    options = ["--home", str(tmp_path), "--money-from", str(path)]
    assert main(["run", "--source", "sample", *options]) == 2
    error = capsys.readouterr().err.strip()
    assert error.count("\n") == 0 and "other.csv" in error
    assert not (tmp_path / "reports").exists()


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path):
    with pytest.raises(UsageError, match="absent.csv: cannot be read as CSV"):
        read_other_money(tmp_path / "absent.csv")
    (tmp_path / "other.csv").write_bytes(b"id,budget,revenue\n\xff,1,2\n")
    with pytest.raises(UsageError, match="cannot be read as CSV"):
        read_other_money(tmp_path / "other.csv")


def test_short_rows_blanks_and_a_byte_order_mark_are_read(tmp_path):
    path = tmp_path / "other.csv"
    path.write_text("\ufeff Id , Budget,name,revenue\n5,1e6\n6, 0 ,x, 2500000 \n", "utf-8")
    rows = read_other_money(path)
    assert rows["id"].tolist() == [5, 6]
    assert rows["other_budget_musd"].fillna(-1).tolist() == [1, -1]
    assert rows["other_revenue_musd"].fillna(-1).tolist() == [-1, 2.5]


@pytest.fixture(scope="module")
def second(demo, home, tmp_path_factory):
    "A run of the sample with a second source, its file, and the run's films with both."
    films = pd.read_parquet(demo.tables / "movies.parquet").sort_values("id", ignore_index=True)
    at = films.index.to_series()
    budget = films["budget_musd"].fillna(30) * at.map(lambda i: [1, 1.005, 2, 0.5][i % 4]) * 1e6
    revenue = films["revenue_musd"].where(at % 3 == 0) * 1e6
    lines = films.assign(budget=budget.round(), revenue=revenue.round())
    lines = lines[at % 5 > 0].reset_index(drop=True)
    path = tmp_path_factory.mktemp("second") / "other.csv"
    unmatched = pd.DataFrame({"id": [999_999_999], "budget": [5.0]})
    file = pd.concat([lines, unmatched])[["id", "budget", "revenue"]]
    file.to_csv(path, index=False)
    options = ["--home", str(home), "--run-id", "second", "--money-from", str(path)]
    assert main(["run", "--source", "sample", *options]) == 0
    return Run("second", home), path, lines


def test_imdb_ids_find_the_same_films(demo):
    spark, films = session(), pd.read_parquet(demo.tables / "movies.parquet")
    raw = pd.read_parquet(demo.tables / "raw.parquet", columns=["seq", "imdb_id"])
    known = films.merge(raw.dropna(), on="seq")
    assert len(known) > 10
    amounts = {"other_budget_musd": 1.0, "other_revenue_musd": 2.0}
    tables = read(spark, MOVIES, demo), read(spark, RAW, demo)
    by_id, by_imdb = (
        other_money(*tables, known[[key]].assign(**amounts)) for key in ("id", "imdb_id")
    )
    assert by_id.equals(by_imdb) and by_id["id"].tolist() == sorted(known["id"])


def test_disagreements_equal_pandas(second):
    run, _, lines = second
    theirs = []
    for field in ("budget", "revenue"):
        rows = lines[["id", "title"]].assign(
            field=field, tmdb_musd=lines[f"{field}_musd"], other_musd=lines[field] / 1e6
        )
        rows = rows[(rows["other_musd"] > 0) & rows["tmdb_musd"].notna()]
        rows["ratio"] = rows["other_musd"] / rows["tmdb_musd"]
        rows["larger"] = rows["ratio"].map(lambda r: "other" if r > 1 else "TMDB")
        theirs.append(rows[(rows["ratio"] - 1).abs() > 0.01])
    expected = pd.concat(theirs).sort_values(["id", "field"], ignore_index=True)
    ours = published(run)["money_disagreements"]
    assert len(ours) > 100 and set(ours["larger"]) == {"TMDB", "other"}
    assert_same(ours, expected, "money_disagreements")


def test_counts_of_both_sources_equal_pandas(second):
    run, _, lines = second
    ours = published(run)["money_sources"].set_index("field")
    films = pd.read_parquet(run.tables / "movies.parquet")
    for field in ("budget", "revenue"):
        mine, other = lines[f"{field}_musd"], lines[field] / 1e6
        row, ratio = ours.loc[field], (other / mine)[mine.notna() & (other > 0)]
        assert row["films"] == len(films) and row["n_tmdb"] == films[f"{field}_musd"].notna().sum()
        assert row["n_compared"] == len(ratio) and row["n_other"] == (other > 0).sum()
        assert row["n_equal"] == ((ratio - 1).abs() <= 0.01).sum()
        assert row["n_tmdb_larger"] == (ratio < 0.99).sum()
        assert row["n_gained"] == (mine.isna() & (other > 0)).sum()
        assert row["together"] == (row["n_tmdb"] + row["n_gained"]) / row["films"]
        assert row["together_low"] < row["together"] < row["together_high"]
    assert ours["n_gained"]["budget"] > 50 and ours["n_gained"]["both"] > 0
    counts = json.loads((run.tables / "coverage.counts.json").read_text())
    assert counts["of_other_source"] == counts["of_other_source_found"] + 1


def test_no_other_table_changes(second, demo):
    ours, theirs = published(second[0]), published(demo)
    for name in theirs.keys() - {"money_disagreements", "money_sources"}:
        if name in ours and "seq" not in ours[name].columns:
            assert_same(ours[name], theirs[name], name)
    assert theirs["money_disagreements"].empty and theirs["money_sources"].empty


def test_the_file_is_recorded_by_its_digest_and_not_its_path(second):
    run, path, _ = second
    text = (run.report / "run.json").read_text()
    facts = json.loads(text)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert facts["inputs"]["money_from"]["sha256"] == digest
    assert str(path.parent) not in text
    recorded = facts["definitions"]["money_sources"]["parameters"]["money_from"]
    assert recorded == f"SHA-256 {digest[:12]}"


def test_the_parameter_can_be_given_with_p(tmp_path, capsys):
    assert main(["run", "--home", str(tmp_path), "-p", "money_from=absent.csv"]) == 2
    assert "absent.csv: cannot be read as CSV" in capsys.readouterr().err
