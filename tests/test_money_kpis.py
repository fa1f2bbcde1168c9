"""The tables on money: against plain Python on the sample and on generated catalogues, and what
their intervals must be."""

import json
import math
import os
import random
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import functions as F

from tests import oracle, oracle_money
from tests.compare import assert_same, compute, published
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import COHORT, COLLECTIONS, CREDITS, MOVIES
from tmdb_analysis.core.store import read, read_arrow, to_pandas
from tmdb_analysis.films import clean
from tmdb_analysis.films.cohort import cohort_table, funnel, money_cohort
from tmdb_analysis.kpis import directors, franchises, groups
from tmdb_analysis.kpis import rankings as kpis
from tmdb_analysis.kpis.registry import definition
from tmdb_analysis.report.group_charts import return_by_franchise
from tmdb_analysis.tmdb.sources import sample
from tmdb_analysis.use.cli import main

CATALOGUES = int(os.environ.get("TEST_CATALOGUES", 50))


@pytest.fixture(scope="module")
def films() -> list[dict]:
    "The films of the sample, in plain Python."
    return oracle_money.films_of(oracle.read_json([sample() / "movies.jsonl.zst"]))


@pytest.fixture(scope="module")
def cohort(demo) -> pd.DataFrame:
    "The cohort of the demo run, with its groups."
    return read_arrow(COHORT, demo).to_pandas()


# --- the sample --------------------------------------------------------------------------------


def test_sample_equals_plain_python(demo, films):
    ours = published(demo)
    for name, theirs in oracle_money.tables(films).items():
        assert len(theirs), f"the sample has something to say about {name}"
        assert_same(ours[name], theirs, name)


def test_every_value_lies_in_its_interval(demo):
    tables = published(demo)
    found = 0
    for name in ("money", "franchise_groups", "franchise_effect", "instalments", "director_scores"):
        table = tables[name].rename(columns={"score": "value"})
        for low in [c for c in table.columns if c.endswith("low") and c != "rank_low"]:
            value, high = (
                low.removesuffix("_low") if low != "low" else "value",
                low.removesuffix("low") + "high",
            )
            known = table.dropna(subset=[low])
            assert (known[low] <= known[value] + 1e-9).all() and (
                known[value] <= known[high] + 1e-9
            ).all(), f"{name} {value}"
            found += len(known)
    assert found > 40
    ranks = tables["director_scores"]
    assert (
        (ranks.rank_low >= 1).all()
        and (ranks.rank_low <= ranks.rank_high).all()
        and (ranks.rank_high <= len(ranks)).all()
    )


def test_rows_in_any_order_give_the_same_digits(cohort, demo):
    made = directors.director_films(read(session(), COHORT, demo), read(session(), CREDITS, demo))
    for table, frame in (
        (franchises.franchise_groups, cohort),
        (franchises.franchise_effect, cohort),
    ):
        assert table(frame).equals(table(frame.sample(frac=1, random_state=3)))
    assert directors.director_scores(made).equals(directors.director_scores(made.copy()))


# --- intervals against slow, plain resampling --------------------------------------------------


def drawn(frame: pd.DataFrame, statistic, times: int = 500) -> tuple[float, float]:
    "The interval of a statistic over whole franchises, by drawing them one by one."
    rng = random.Random(5)
    columns = {
        name: frame[name].to_numpy()
        for name in ("roi", "log2_return", "revenue_musd", "budget_musd", "group")
    }
    places = [
        np.flatnonzero(frame["cluster"].to_numpy() == cluster)
        for cluster in frame["cluster"].unique()
    ]
    values = []
    for _ in range(times):
        rows = np.concatenate(rng.choices(places, k=len(places)))
        values.append(statistic({name: column[rows] for name, column in columns.items()}))
    return tuple(np.quantile(values, [0.025, 0.975]))


def assert_near(row: dict, name: str, interval: tuple[float, float], share: float = 0.25) -> None:
    """An interval is that of the drawing, up to a share of its width: the ends of 500 draws are
    not sharper."""
    width = interval[1] - interval[0]
    assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(
        interval, abs=share * width
    ), name


def test_sequels_are_drawn_by_franchise(cohort):
    told = {row["group"]: row for row in franchises.franchise_groups(cohort).to_pylist()}
    for group in ("first", "sequel"):
        mine = cohort[cohort["group"] == group]
        median = drawn(mine, lambda f: np.median(f["roi"]))
        assert_near(told[group], "median_return", median, 0.4)
        pooled = drawn(mine, lambda f: f["revenue_musd"].sum() / f["budget_musd"].sum())
        assert_near(told[group], "pooled_return", pooled, 0.6)
        assert told[group]["pooled_return_high"] > pooled[1], "drawing misses the largest returns"


def differences(films: dict, a: str, b: str) -> np.ndarray:
    "All differences of log2 returns between two groups."
    return np.subtract.outer(
        films["log2_return"][films["group"] == a], films["log2_return"][films["group"] == b]
    )


def test_effects_are_drawn_by_franchise(cohort):
    for row in franchises.franchise_effect(cohort).to_pylist():
        a, b = row["comparison"].split(" vs ")
        pair = cohort[cohort["group"].isin([a, b])]
        assert_near(
            row,
            "cliffs_delta",
            drawn(pair, lambda f, a=a, b=b: np.sign(differences(f, a, b)).mean()),
        )
        assert_near(
            row, "times", drawn(pair, lambda f, a=a, b=b: 2 ** np.median(differences(f, a, b)))
        )


def test_rank_intervals_are_those_of_simulated_scores(demo, films):
    ours = published(demo)["director_scores"].astype({"rank_low": int, "rank_high": int})
    theirs = oracle_money.director_scores(films, oracle_money.steps(films)[-1])
    rng = random.Random(8)
    ranks = [[] for _ in range(len(theirs))]
    for _ in range(4000):
        scores = [
            rng.gauss(math.log2(s), sd) for s, sd in zip(theirs["score"], theirs["sd"], strict=True)
        ]
        for rank, i in enumerate(sorted(range(len(scores)), key=lambda i: -scores[i]), 1):
            ranks[i].append(rank)
    limits = np.quantile(np.array(ranks), [0.05, 0.95], axis=1)
    assert (
        np.abs(ours["rank_low"] - limits[0]).max() <= 1
        and np.abs(ours["rank_high"] - limits[1]).max() <= 1
    )


# --- generated catalogues ----------------------------------------------------------------------


DAYS = [
    None,
    "1908-05-01",
    "1950-01-01",
    "1950-01-01",
    "1999-07-01",
    "2003-07-01",
    "2003-07-01",
    "2016-07-05",
    "2016-12-01",
]
BUDGETS = [None, 50_000, 100_000, 3_000_000, 10_000_000, 10_000_000, 20_000_000, 40_000_000]
REVENUES = [None, 500, 1_000, 10_000_000, 25_000_000, 50_000_000, 100_000_000, 123_456_789]


def catalogue(seed: int) -> list[dict]:
    """A small catalogue with ties, unknown values, several directors and franchises of one film;
    the first five are special."""
    rng = random.Random(seed)
    people, collections = (
        [101] if seed == 3 else [101, 102, 103, 104],
        [None, 7] if seed == 4 else [None, None, 7, 8, 9],
    )
    found = []
    for id in rng.sample(range(1, 90), 0 if seed == 0 else 1 if seed == 1 else rng.randint(2, 30)):
        day, votes, collection = (
            rng.choice(DAYS),
            rng.choice([0, 9, 10, 99, 100, 1000, 5000]),
            rng.choice(collections),
        )
        budget, revenue = (None, None) if seed == 2 else (rng.choice(BUDGETS), rng.choice(REVENUES))
        both = budget and revenue
        found.append({
            "id": id, "title": rng.choice(["Alien", "A *star*", "<b>", f"Film {id}"]),
            "release_date": day, "as_of": "2017-01-01",
            "release_year": day and int(day[:4]),
            "runtime": rng.choice([None, 59, 60, 100, 100, 100]),
            "budget": budget, "revenue": revenue, "budget_musd": budget and budget / 1e6,
            "revenue_musd": revenue and revenue / 1e6,
            "profit_musd": (revenue - budget) / 1e6 if both else None,
            "roi": revenue / budget if both else None,
            "vote_count": votes,
            "vote_average": rng.choice([5.0, 6.0, 7.5, 7.5]) if votes else None,
            "popularity": rng.choice([None, 1.0, 2.0]),
            "adult": rng.choice([None, *4 * [False], True]),
            "video": rng.choice([None, *4 * [False], True]),
            "collection_id": collection,
            "belongs_to_collection": collection and f"Saga {collection}",
            "director_ids": {
                p: f"Person {p}"
                for p in rng.sample(people, min(len(people), rng.choice([0, 1, 1, 1, 2, 3])))
            },
        })  # fmt: skip
    return sorted(found, key=lambda f: f["id"])


def spark_tables(films: list[dict]) -> tuple:
    "The films of a catalogue as the tables of a run: movies, credits, collections."
    spark = session()
    days = [f["release_date"] and date.fromisoformat(f["release_date"]) for f in films]
    more = {"known_columns": 10, "as_of": date(2017, 1, 1)}
    known = [
        f | more | {"seq": f["id"], "release_date": day} for f, day in zip(films, days, strict=True)
    ]
    movies = spark.createDataFrame(
        [tuple(f.get(c) for c in MOVIES.columns) for f in known], MOVIES.spark
    )
    crew = [
        (f["id"], "crew", i, p, name, "Director", None)
        for f in films
        for i, (p, name) in enumerate(f["director_ids"].items())
    ]
    names = {f["collection_id"]: f["belongs_to_collection"] for f in films if f["collection_id"]}
    counts = [(c, name, sum(f["collection_id"] == c for f in films)) for c, name in names.items()]
    return (
        movies.withColumn("instalment", clean.instalment()),
        spark.createDataFrame(crew, CREDITS.spark),
        spark.createDataFrame(counts, COLLECTIONS.spark),
    )


@pytest.mark.parametrize("seed", range(CATALOGUES))
def test_catalogues_equal_plain_python(seed):
    plain = catalogue(seed)
    top_n, min_votes, least_musd, least = (
        1 + seed % 4,
        (10, 100, 50)[seed % 3],
        (10.0, 3.0)[seed % 2],
        1 + seed % 3,
    )
    dated, credits, collections = spark_tables(plain)
    chosen = cohort_table(dated)
    cohort, limits = chosen.to_pandas(), dict(min_votes=min_votes, roi_min_budget_musd=least_musd)
    rankings = {
        name: to_pandas(kpis.ranking(dated, name, top_n, **limits).orderBy("rank"))
        for name in kpis.RANKINGS
        if seed < 10
    }
    ours = {
        "money": groups.money_kpis(cohort),
        "money_funnel": groups.money_funnel(funnel(dated)),
        "franchise_groups": franchises.franchise_groups(cohort),
        "instalments": franchises.instalments(cohort, franchises.instalment_counts(dated)),
        "franchise_path": franchises.franchise_path(dated, collections)
        .orderBy("collection_id", F.asc_nulls_last("instalment"), "id")
        .toArrow(),
        "director_scores": directors.director_scores(
            directors.director_films(session().createDataFrame(chosen, COHORT.spark), credits),
            least,
        ),
    }
    if seed < 10:  # these ask for more
        ours["sensitivity"] = kpis.sensitivity(dated, rankings, top_n, **limits).sort_by(
            [("ranking", "ascending"), ("threshold", "ascending")]
        )
        ours["franchise_effect"] = franchises.franchise_effect(cohort)
    theirs = oracle_money.tables(plain, top_n, min_votes, least_musd, least)
    for name, table in ours.items():
        frame = to_pandas(table)
        keys = {
            "money": ["measure"],
            "franchise_groups": ["group"],
            "franchise_effect": ["comparison"],
        }.get(name)
        assert_same(
            frame.sort_values(keys) if keys else frame, theirs[name], f"catalogue {seed}: {name}"
        )


def test_catalogues_are_hard_enough():
    """The generator makes what it says: ties, gaps, co-directors, lone and undated films of
    franchises, years without prices."""
    catalogues = [catalogue(seed) for seed in range(50)]
    films = [film for some in catalogues for film in some]
    cohorts = [oracle_money.steps(some)[-1] for some in catalogues]
    assert (
        [len(catalogue(seed)) for seed in (0, 1)] == [0, 1]
        and not cohorts[2]
        and sum(map(bool, cohorts)) > 30
    )
    assert any(len(f["director_ids"]) > 1 for c in cohorts for f in c) and any(
        not f["director_ids"] for c in cohorts for f in c
    )
    assert any(f["release_year"] == 1908 for c in cohorts for f in c) and any(
        f["collection_id"] and not f["release_date"] for f in films
    )
    ties = [
        (f["collection_id"], f["release_date"])
        for f in catalogue(6)
        if f["collection_id"] and f["release_date"]
    ]
    assert len(ties) > len(set(ties)), "two films of a franchise on one day"
    assert (
        sum(
            len(oracle_money.director_scores(catalogue(s), c, 2)) > 1 for s, c in enumerate(cohorts)
        )
        > 10
    ), "if a new rule leaves too few films to rank directors, make `catalogue` larger"


def test_a_director_who_made_the_same_films_ties():
    made = pd.DataFrame(
        {
            "id": [1, 2, 3, 1, 2, 3, 4, 5],
            "person_id": [9, 9, 9, 2, 2, 2, 5, 5],
            "together": [2] * 6 + [1] * 2,
        }
    )
    made = made.assign(director="x", roi=made["id"].map({1: 3.0, 2: 5.0, 3: 4.0, 4: 1.0, 5: 2.0}))
    made["log2_return"] = np.log2(made["roi"])
    scores = directors.director_scores(made, 2).to_pylist()
    assert (
        [s["person_id"] for s in scores] == [2, 9, 5]
        and scores[0]["low"] == scores[1]["low"]
        and scores[0]["co_directed"] == 3
    )


# --- words -------------------------------------------------------------------------------------


def row(**more) -> dict:
    "A row of the SENSITIVITY contract."
    base = {
        "ranking": "highest_roi",
        "parameter": "roi_min_budget_musd",
        "threshold": 20.0,
        "films": 9,
        "kept": 2,
        "entered": [],
        "left": [],
    }
    return base | {"first": "Alien"} | more


@pytest.mark.parametrize(
    "row, told",
    [
        (row(), "At a minimum budget of 20 million USD it is the same."),
        (row(entered=["X"]), "At a minimum budget of 20 million USD all 2 stay."),
        (
            row(left=["A*"], kept=7),
            (
                r"At a minimum budget of 20 million USD 7 of the 8 stay; "
                r"A\* is the highest ranked film to drop out."
            ),
        ),
        (
            row(parameter="min_votes", threshold=1000.0, left=["King's"], first="New"),
            (
                "At a minimum of 1,000 votes 2 of the 3 stay; King's is the highest ranked "
                "film to drop out, and New comes first."
            ),
        ),
        (
            row(left=["A"], first=None),
            (
                "At a minimum budget of 20 million USD 2 of the 3 stay; "
                "A is the highest ranked film to drop out."
            ),
        ),
        (
            row(kept=0, entered=["A", "B"], first="A"),
            "At a minimum budget of 20 million USD it would list 2.",
        ),
    ],
)
def test_a_change_in_words(row, told):
    assert kpis.threshold_sentence(row, "Alien") == told


def test_every_ranking_says_how_it_changes(demo):
    page = (demo.report / "42_rankings.html").read_text(encoding="utf-8")
    assert (
        page.count("It has no threshold") == 6
        and page.count("At a minimum budget of") == 6
        and page.count("At a minimum of") == 4
    )
    rows = published(demo)["sensitivity"]
    gone = rows[(rows.ranking == "highest_rated") & (rows.threshold == 1000)].iloc[0]
    assert (
        f"{gone.kept} of the {gone.kept + len(gone.left)} stay; "
        f"{gone.left[0]} is the highest ranked film to drop out"
    ) in page
    assert "&amp;#" not in page, "quotes in titles stay quotes"


def test_pages_say_in_words_that_nothing_is_known(tmp_path):
    """A run of one film with unknown money and one director has all tables and says why they are
    empty."""
    film = {
        "id": 5,
        "title": "Alone",
        "status": "Released",
        "release_date": "2001-02-03",
        "runtime": 90,
        "vote_count": 20,
        "vote_average": 7,
    }
    film |= {
        "genres": [{"id": 1, "name": "Drama"}],
        "original_language": "en",
        "overview": "A film.",
        "popularity": 1.0,
        "poster_path": "/a",
    }
    film |= {
        "credits": {"cast": [], "crew": [{"id": 3, "name": "One", "job": "Director"}]},
        "spoken_languages": [{"iso_639_1": "en", "name": "E"}],
    }
    path = tmp_path / "one.json"
    path.write_text(pd.Series(film).to_json())
    assert (
        main(
            [
                "run",
                "--home",
                str(tmp_path),
                "--run-id",
                "one",
                "--source",
                "files",
                "--input",
                str(path),
                "-p",
                "max_quarantined_pct=100",
            ]
        )
        == 0
    )
    run = Run("one", tmp_path)
    tables = published(run)
    assert (
        tables["money"].value.isna().all()
        and (tables["money"].n == 0).all()
        and tables["director_scores"].empty
    )
    assert (
        (tables["franchise_groups"].films == 0).all()
        and tables["instalments"].empty
        and tables["franchise_path"].empty
    )
    page = {
        name: (run.report / f"{name}.html").read_text(encoding="utf-8")
        for name in ("42_rankings", "43_franchises", "44_directors")
    }
    assert (
        "No film meets every rule" in page["42_rankings"]
        and "no film meets every rule" in page["43_franchises"]
    )
    assert "too few to rank anybody" in page["44_directors"]


def test_definitions_on_the_pages_are_the_docstrings(demo):
    shown = {
        "42_rankings": [groups.money_summary, groups.money_kpis, groups.money_funnel],
        "44_directors": [directors.director_scores],
    }
    shown["43_franchises"] = [
        franchises.franchise_groups,
        franchises.franchise_effect,
        clean.instalment,
        franchises.instalments,
    ]
    for name, functions in shown.items():
        page = (
            (demo.report / f"{name}.html")
            .read_text(encoding="utf-8")
            .replace("<code>", "`")
            .replace("</code>", "`")
        )
        for function in functions:
            assert definition(function).split(". ")[0].replace(">", "&gt;") in page, (
                f"{name}: {function.__name__}"
            )


def test_a_film_is_mature_on_the_day():
    plain = [
        f | {"release_date": (date(2017, 1, 1) - timedelta(180 - i)).isoformat()}
        for i, f in enumerate(catalogue(9)[:2])
    ]
    for film in plain:
        film |= {
            "runtime": 100,
            "budget": 10**7,
            "revenue": 10**7,
            "budget_musd": 10.0,
            "revenue_musd": 10.0,
            "roi": 1.0,
        }
    dated, *_ = spark_tables(plain)
    assert (
        [r.id for r in money_cohort(dated).collect()]
        == [plain[0]["id"]]
        == [f["id"] for f in oracle_money.steps(plain)[-1]]
    )


# --- a run on some films -----------------------------------------------------------------------


def action(id: int, day: str, **more) -> dict:
    "A saved record of an action film."
    known = {
        "id": id,
        "title": f"Film {id}",
        "status": "Released",
        "release_date": day,
        "runtime": 100,
        "overview": "A film.",
    }
    known |= {
        "fetched_at": "2020-01-01T00:00:00Z",
        "budget": 10**7,
        "revenue": (id % 4 + 1) * 10**7,
        "vote_count": 20,
        "vote_average": 7,
        "original_language": "en",
    }
    return known | {"genres": [{"id": 28, "name": "Action"}], "belongs_to_collection": None} | more


@pytest.mark.integration
def test_a_sequel_stays_one_where_its_first_film_is_out_of_scope(tmp_path, monkeypatch):
    "In a run on one genre the figure draws each film in the group in which the table counts it."
    saga = {"belongs_to_collection": {"id": 8091, "name": "Alien Collection"}}
    alien = action(348, "1979-05-25", **saga) | {"genres": [{"id": 27, "name": "Horror"}]}
    films = [
        alien,
        action(679, "1986-07-18", **saga),
        *(action(i, "2000-01-01") for i in (1, 2, 3)),
    ]
    path = tmp_path / "films.json"
    path.write_text(json.dumps(films), encoding="utf-8")
    scope = {"genre": "Action", "min_known_columns": 0}
    run = compute(tmp_path, "action", monkeypatch, input=[str(path)], **scope)
    table = published(run)["franchise_groups"]
    counted = dict(zip(table["group"], table["films"], strict=True))
    assert counted == {"first": 0, "sequel": 1, "standalone": 3}
    axes = return_by_franchise(table, read_arrow(COHORT, run).to_pandas()).axes[0]
    labels = [label.get_text().split(" (")[0].lower() for label in axes.get_yticklabels()]
    strips = axes.collections[2:]  # after the intervals and the dots
    assert dict(zip(labels, (len(s.get_offsets()) for s in strips), strict=True)) == {
        "sequel": 1,
        "standalone": 3,
    }
