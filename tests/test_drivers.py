"What goes with a high return: the regression against plain Python, and whether its intervals hold."

import os
import random

import numpy as np
import pandas as pd
import pytest

from tests import oracle_drivers as oracle
from tests.compare import assert_same, published
from tests.oracle_groups import in_real_dollars
from tmdb_analysis.core.schema import COHORT, MOVIES
from tmdb_analysis.core.store import read_arrow, sorted_rows, to_pandas
from tmdb_analysis.kpis.ratings import RETURN_DRIVERS, return_drivers
from tmdb_analysis.stats.regression import clustered_fit, multiple_of, regress


def catalogue(seed: int) -> list[dict]:
    "Some films with franchises, gaps, rare facts, and facts that say the same."
    rng = random.Random(seed)
    n, gap = rng.choice([0, 1, 7, 30, 80, 200, 300]), rng.choice([0.0, 0.02, 0.3, 1.0])
    genres = [["Drama"], ["Comedy", "Drama"], ["War", "Crime"], ["Crime", "War"], ["Horror"]]
    months, years = rng.sample(range(1, 13), rng.randint(1, 12)), [1950, 1968, 1994, 1999, 2004]
    luck = {c: rng.gauss(0, 1) for c in range(60)}
    films = []
    for i in range(n):
        cluster = rng.randrange(60) if rng.random() < 0.5 else -i - 1
        film = {
            "budget": rng.choice([0.5, 9.99, 10.0, 39.0, 40.0, 100.0, 250.0]),
            "month": rng.choice(months),
            "year": rng.choice(years[: rng.randint(1, 5)]),
            "group": rng.choice(["first", "sequel"]) if cluster >= 0 else "standalone",
            "genres": rng.choice(genres),
            "cluster": cluster,
        }
        for name, nothing in (
            ("budget", None),
            ("group", None),
            ("genres", rng.choice([None, []])),
        ):
            if rng.random() < gap:
                film[name] = nothing
        y = 1.5 + luck.get(cluster, 0) + rng.gauss(0, 1) + ("Horror" in (film["genres"] or []))
        films.append(film | {"y": y})
    return films


def table(films: list[dict], **limits) -> pd.DataFrame:
    "The table of the package, from films as the oracle takes them."
    names = ["budget", "month", "year", "group", "genres", "cluster", "y"]
    cohort = pd.DataFrame(films, columns=names, dtype=object)
    cohort = cohort.rename(columns={"budget": "real_budget_musd", "y": "log2_return"})
    cohort = cohort.astype({"month": int, "year": int, "cluster": int})
    return to_pandas(sorted_rows(return_drivers(cohort, **limits), RETURN_DRIVERS))


@pytest.mark.parametrize("seed", range(int(os.environ.get("TEST_CATALOGUES", 50))))
def test_generated_catalogues_equal_the_oracle(seed):
    films = catalogue(seed)
    for least, per_column in ((30, 10), (4, 3)):
        rows = list(oracle.drivers(films, least, per_column))
        ours = table(films, firm_group=least, per_column=per_column)
        assert len(ours) == len(rows)
        if rows:
            assert_same(ours, pd.DataFrame(rows, dtype=object), "return_drivers")


def test_some_catalogues_have_rows_and_some_have_none():
    "The comparison above would also hold for empty tables."
    sizes = [len(list(oracle.drivers(catalogue(seed), 4, 3))) for seed in range(20)]
    assert min(sizes) == 0 and max(sizes) > 8


def test_sample_equals_the_oracle(demo):
    cohort = read_arrow(COHORT, demo).to_pandas().set_index("id")
    films = []
    for film in read_arrow(MOVIES, demo).to_pylist():
        if film["id"] in cohort.index:
            row = cohort.loc[film["id"]]
            release = film["release_date"]
            films.append(
                {
                    "budget": in_real_dollars(film, "budget"),
                    "month": release.month,
                    "year": release.year,
                    "group": row["group"],
                    "genres": film["genres"],
                    "cluster": row["cluster"],
                    "y": np.log2(film["revenue_musd"] / film["budget_musd"]),
                }
            )
    ours = published(demo)["return_drivers"]
    assert len(ours) > 20 and ours["is_clear"].any() and not ours["is_clear"].all()
    assert_same(ours, pd.DataFrame(list(oracle.drivers(films)), dtype=object), "return_drivers")


def test_the_interval_covers_the_truth_where_franchises_share_luck():
    """A fact of the franchise, 60 franchises of one to nine films: 95 of 100 intervals hold it; of
    intervals that take the films as independent, far fewer do."""
    rng = np.random.default_rng(17)
    sizes = rng.integers(1, 10, 60)
    clusters = np.repeat(np.arange(60), sizes)
    held, naive = 0, 0
    for _ in range(600):
        has = (rng.random(60) < 0.4).astype(float)[clusters]
        y = 0.7 * has + rng.normal(size=60)[clusters] + rng.normal(size=len(clusters))
        x = np.column_stack([np.ones(len(y)), has])
        for members, count in ((clusters, 1), (np.arange(len(y)), 0)):
            fit = clustered_fit(x, y, members)
            times, _ = multiple_of(fit.coefficients[1], fit.errors[1], has, members)
            inside = times.low <= 2**0.7 <= times.high
            held, naive = held + inside * count, naive + inside * (1 - count)
    assert 0.93 < held / 600 < 0.985 and naive / 600 < 0.85


def test_few_differences_are_called_clear_by_chance():
    "Of twenty facts without any effect, one is called clear in about one table of twenty."
    rng, tables = np.random.default_rng(23), 300
    called = 0
    for _ in range(tables):
        facts = (rng.random((400, 20)) < 0.3).astype(float)
        columns = {("fact", str(i)): column for i, column in enumerate(facts.T)}
        answer = regress(columns, rng.normal(size=400), np.arange(400))
        called += any(answer.is_clear.values())
    assert called / tables < 0.09


def test_a_confounded_fact_is_told_from_its_cause():
    "Horror films return more here only because they are cheap, and the table says so."
    rng = random.Random(4)
    films = []
    for i in range(600):
        is_cheap = rng.random() < 0.5
        is_horror = rng.random() < (0.7 if is_cheap else 0.1)
        films.append(
            {
                "budget": 5.0 if is_cheap else 60.0,
                "month": 6,
                "year": 1999,
                "group": "standalone",
                "genres": ["Horror"] if is_horror else ["Drama"],
                "cluster": i,
                "y": 2.0 * is_cheap + rng.gauss(0, 1),
            }
        )
    rows = table(films).set_index("level")
    assert rows.is_clear["below $10M"] or rows.is_clear["$40M to $100M"]
    genre = rows[rows.factor == "genre"].iloc[0]
    assert not genre.is_clear and genre.times_low < 1 < genre.times_high


def test_data_without_collections_or_genres_leave_these_facts_out():
    large = next(films for films in map(catalogue, range(99)) if len(films) == 300)
    films = [f | {"group": None, "genres": None, "budget": 20.0} for f in large]
    rows = table(films, firm_group=4, per_column=3)
    assert set(rows["factor"]) <= {"season", "decade"} and len(rows)
