"""Genres, trends, ratings and origins: every table against plain Python, on the sample and on
generated catalogues."""

import json
import math
import os
import random
from datetime import UTC, date, datetime, timedelta
from functools import cache

import pandas as pd
import pytest
from pyspark.sql import functions as F

from tests import oracle_groups as oracle
from tests.compare import assert_same, published
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import COHORT, MOVIES, RAW
from tmdb_analysis.core.store import read, sorted_rows, to_pandas
from tmdb_analysis.films.clean import estimated_data_date, with_data_date
from tmdb_analysis.films.cohort import cohort_table
from tmdb_analysis.kpis import genres, origins, ratings, trends
from tmdb_analysis.kpis.groups import cohort_with, data_date, display_mode
from tmdb_analysis.kpis.registry import all_kpis
from tmdb_analysis.stats.shrinkage import prior_votes
from tmdb_analysis.use.cli import main

NAMES = set(oracle.tables([]))
SMALL = dict(least=2, firm=4, pair=2, year=2)


# --- the package and the oracle on the same films ----------------------------------------------


def computed(films, least=10, firm=30, pair=20, year=20) -> dict[str, pd.DataFrame]:
    "All tables of the four chapters, from a movies table."
    parts = [F.col(f"release_{part}").alias(part) for part in ("year", "month")]
    lists = ("genres", "production_companies", "production_countries")
    chosen = session().createDataFrame(cohort_table(films), COHORT.spark)
    facts = ("original_language", "vote_average", "vote_count", "popularity", "runtime")
    cohort = cohort_with(chosen, films, *lists, *facts, *parts)
    counts, (as_of, _), arrays = (
        trends.release_counts(films),
        data_date(films),
        ratings.film_ratings(films),
    )
    prior = prior_votes(arrays["vote_average"], arrays["vote_count"])
    found = {
        "genre_returns": genres.genre_returns(cohort, 2.5, least, firm),
        "genre_risk": genres.genre_risk(cohort, 2.0, least, firm),
        "tier_genres": genres.tier_genres(cohort, least, firm),
        "year_change": trends.year_change(cohort, as_of),
        "genre_pairs": genres.genre_pairs(genres.genre_sets(films), pair),
        "yearly_money": trends.yearly_money(counts, cohort, as_of, year),
        "decades": trends.decades(counts, cohort, as_of, year),
        "months": trends.months(counts, cohort),
        "windows": trends.windows(counts, cohort),
        "rating_prior": ratings.rating_prior(prior),
        "best_rated": ratings.best_rated(films, arrays, prior),
        "rating_sensitivity": ratings.rating_sensitivity(arrays, prior),
        "correlations": ratings.correlations(arrays, cohort),
        "companies": origins.companies(films, cohort, least, firm),
        "countries": origins.countries(films, cohort, least, firm),
        "languages": origins.languages(films, cohort, least, firm),
    }
    return {
        name: to_pandas(sorted_rows(table, all_kpis()[name].contract))
        for name, table in found.items()
    }


def check(ours: dict[str, pd.DataFrame], theirs: dict[str, list[dict]]) -> None:
    "Compare the tables with those of the oracle, and look that every interval holds its value."
    for name, rows in theirs.items():
        table = ours[name]
        assert len(table) == len(rows), f"{name}: {len(table)} rows, not {len(rows)}"
        if rows:
            assert_same(table, pd.DataFrame(rows, dtype=object), name)
        for low in (c for c in table.columns if c.endswith("_low")):
            value = low.removesuffix("_low")
            known = table[table[low].notna()]
            assert table[low].isna().equals(table[value + "_high"].isna())
            assert (known[low] <= known[value] + 1e-9).all() and (
                known[value] <= known[value + "_high"] + 1e-9
            ).all(), f"{name} {value}"


def plain(films: list[dict], answers: dict[int, datetime | None]) -> list[dict]:
    "Rows of a movies table for the oracle."
    return oracle.dated(films, {key: day.date() for key, day in answers.items() if day})


@cache
def sample_films(folder: Run) -> tuple[list[dict], dict]:
    "The films of a run, and when each was fetched."
    films = read(session(), MOVIES, folder).orderBy("id").toArrow().to_pylist()
    fetched = {
        row["seq"]: row["fetched_at"]
        for row in read(session(), RAW, folder).select("seq", "fetched_at").toArrow().to_pylist()
    }
    return films, {f["id"]: fetched[f["seq"]] for f in films}


# --- the sample ------------------------------------------------------------------------------


def test_sample_equals_the_oracle(demo):
    ours = published(demo)
    assert NAMES <= ours.keys()
    check({name: ours[name] for name in NAMES}, oracle.tables(plain(*sample_films(demo))))
    assert len(ours["genre_returns"]) > 15 and ours["genre_returns"].shown.nunique() == 3, (
        "the sample shows every kind of group"
    )


def test_weights_add_up_and_shares_do_not(demo):
    returned = published(demo)["genre_returns"]
    with_genre = [f for f in oracle.cohort(plain(*sample_films(demo))) if f["genres"]]
    assert returned.n_pooled.sum() == pytest.approx(len(with_genre)) and returned.share.sum() > 2


def sign_test(values: list[float]) -> tuple[float, float]:
    "The exact 95% interval of a median, by counting heads and tails."
    values, n, rank, tail = sorted(values), len(values), 0, 0.5 ** len(values)
    while tail <= 0.025:
        rank += 1
        tail += math.comb(n, rank) / 2**n
    return values[rank - 1], values[n - rank]


def assert_median(row, returns: list[float]) -> None:
    "Franchises widen the interval of independent films, but not without limit."
    low, high = sign_test(returns)
    assert row.median_return_low <= low + 1e-9 and high <= row.median_return_high + 1e-9, row
    assert row.median_return_high / row.median_return_low < (high / low) ** 2, row


def test_intervals_are_those_of_plain_python(demo):
    ours = published(demo)
    money = oracle.cohort(plain(*sample_films(demo)))
    groups = oracle.members(money, "genres")
    for row in ours["genre_returns"].query("n_return >= 40").itertuples():
        films = groups[row.genre]
        assert_median(row, [f["r"] for f in films])
        pairs = [
            (f["revenue_musd"] / len(f["genres"]), f["budget_musd"] / len(f["genres"]))
            for f in films
        ]
        low, high = oracle.slow_bootstrap(
            pairs, lambda rows: sum(r for r, _ in rows) / sum(b for _, b in rows)
        )
        assert row.pooled_return_high > 0.97 * high, "the bootstrap knows of no larger returns"
        assert abs(row.pooled_return_low - low) < 0.5 * (high - low), row.genre
        p, n, z = row.earned_back, row.n_return, 1.959963984540054
        middle, half = (
            (p + z * z / 2 / n) / (1 + z * z / n),
            z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / 4 / n / n),
        )
        assert (row.earned_back_low, row.earned_back_high) == pytest.approx(
            (middle - half, middle + half)
        )
    for row in ours["windows"].itertuples():
        months = range(row.first_month, row.last_month + 1)
        assert_median(row, [f["r"] for f in money if f["release_date"].month in months])


@pytest.mark.parametrize("name, n", [("yearly_money", "n_return"), ("genre_returns", "n_return")])
def test_fewer_than_six_films_have_no_interval(demo, name, n):
    rows = published(demo)[name]
    few = rows[rows[n] < 6]
    assert len(few) and few["median_return_low"].isna().all()
    assert rows.loc[rows[n] >= 20, "median_return_low"].notna().all()


def test_same_films_in_another_order_give_the_same_digits(demo):
    ours = computed(read(session(), MOVIES, demo).orderBy(F.desc("title")))
    for name in NAMES - {"genre_pairs", "correlations"}:
        pd.testing.assert_frame_equal(ours[name], published(demo)[name], check_exact=True)


# --- generated catalogues --------------------------------------------------------------------


def catalogue(seed: int) -> tuple[list[dict], dict[int, datetime | None]]:
    "Some films full of ties, gaps, empty lists and groups of one, and when they were fetched."
    rng = random.Random(seed)
    gap = rng.choice([0.0, 0.1, 0.5, 1.0])
    films, answers = [], {}
    for key in rng.sample(range(1, 200), rng.choice([0, 1, 2, 5, 20, 40])):
        day = (
            date(
                rng.choice([1899, 1950, 1999, 2000, 2009, 2010]),
                rng.randint(1, 12),
                rng.randint(1, 28),
            )
            if rng.random() >= gap / 4
            else None
        )
        budget, revenue = (
            rng.choice([0.00002, 0.1, 1.0, 3.0, 12.5, 200.0]) if rng.random() >= gap else None
            for _ in range(2)
        )
        votes = rng.choice([None, 0, 1, 2, 9, 10, 11, 99, 100, 1000, 5000])
        films.append(
            dict.fromkeys(MOVIES.columns)
            | {
                "id": key,
                "seq": key,
                "title": rng.choice(["Alien", "Alien 2"]),
                "known_columns": 10,
                "release_date": day,
                "release_year": day and day.year,
                "release_month": day and day.month,
                "genres": rng.choice(
                    [
                        None,
                        [],
                        ["Drama"],
                        ["Comedy", "Drama"],
                        ["Drama", "Comedy"],
                        ["War", "Drama", "Crime"],
                    ]
                ),
                "production_companies": rng.choice(
                    [None, ["Fox"], ["Fox", "Acme"], ["Solo", "Fox"]]
                ),
                "production_countries": rng.choice([None, ["France"], ["Chile", "France"]]),
                "original_language": rng.choice([None, "en", "fr"]),
                "budget_musd": budget,
                "revenue_musd": revenue,
                "roi": budget and revenue and revenue / budget,
                "vote_count": votes,
                "vote_average": rng.choice([None, 1.0, 4.5, 7.0, 7.0, 9.9]) if votes else None,
                "popularity": rng.choice([None, 0.5, 0.5, 3.25]),
                "runtime": rng.choice([None, 59, 60, 100, 100]),
                "adult": rng.choice([None, False, False, False, True]),
                "video": rng.choice([None, False, False, False, True]),
            }
        )
        answers[key] = (
            datetime(2010, rng.randint(1, 12), 1, 12, tzinfo=UTC) if rng.random() < 0.3 else None
        )
    return sorted(films, key=lambda f: f["id"]), answers


def frames(films: list[dict], answers: dict[int, datetime | None]):
    "The same as a movies table."
    spark = session()
    raw = [
        {
            "origin": "a",
            "status": "Released",
            "fetched_at": answers[f["id"]],
            "release_date": f"{f['release_date'] or ''}",
        }
        | {
            "revenue": int(1e6 * (f["revenue_musd"] or 0)),
            **{name: f[name] for name in ("seq", "id", "adult", "video")},
        }
        for f in films
    ]
    timed = [f | {"fetched_at": answers[f["id"]]} for f in films]
    movies, records = (
        spark.createDataFrame(
            [tuple(row.get(c) for c in contract.columns) for row in rows], contract.spark
        )
        for contract, rows in ((MOVIES, timed), (RAW, raw))
    )
    return with_data_date(movies, estimated_data_date(records)).select(MOVIES.columns)


@pytest.mark.parametrize("seed", range(int(os.environ.get("TEST_CATALOGUES", 50))))
def test_generated_catalogues_equal_the_oracle(seed):
    films, answers = catalogue(seed)
    check(computed(frames(films, answers), **SMALL), oracle.tables(plain(films, answers), **SMALL))


def test_a_later_answer_makes_a_film_mature():
    films, answers = catalogue(3)
    later = {key: day and day + timedelta(days=4000) for key, day in answers.items()}
    n = [len(oracle.cohort(plain(films, told))) for told in (answers, later)]
    assert n[1] >= n[0]


@pytest.mark.parametrize(
    ("n", "shown"), [(0, "hidden"), (9, "hidden"), (10, "grey"), (29, "grey"), (30, "firm")]
)
def test_few_films_are_marked(n, shown):
    assert display_mode(n) == shown
    assert display_mode(n, 31, 20) == "hidden", (
        "the minimum holds even where the other bound is below it"
    )


# --- whole runs ------------------------------------------------------------------------------


def records(films: list[dict], answers: dict[int, datetime | None]) -> list[dict]:
    "Films as the API would send them."

    def named(values):
        return [{"id": i, "name": v} for i, v in enumerate(values or [], 1)]

    return [
        {
            "id": f["id"],
            "title": f["title"],
            "status": "Released",
            "release_date": str(f["release_date"] or ""),
            "genres": named(f["genres"]),
            "production_companies": named(f["production_companies"]),
            "production_countries": [
                {"iso_3166_1": v[:2].upper(), "name": v} for v in f["production_countries"] or []
            ],
            "original_language": f["original_language"],
            "budget": round((f["budget_musd"] or 0) * 1e6),
            "revenue": round((f["revenue_musd"] or 0) * 1e6),
            "vote_count": f["vote_count"] or 0,
            "vote_average": f["vote_average"] or 0,
            "popularity": f["popularity"],
            "runtime": f["runtime"] or 0,
        }
        | ({"fetched_at": answers[f["id"]].isoformat()} if answers[f["id"]] else {})
        for f in films
    ]


def run(folder, name: str, told: list[dict], *options: str) -> Run:
    "A run of the command on some records, which must succeed."
    path = folder / "answers.json"
    path.write_text(json.dumps(told), encoding="utf-8")
    command = [
        "run",
        "--source",
        "files",
        "--input",
        str(path),
        "--home",
        str(folder),
        "--run-id",
        name,
        "-p",
        "min_known_columns=0",
    ]
    assert main([*command, *options]) == 0
    return Run(name, folder)


BARE = {"id": 7, "title": "Alone", "status": "Released", "release_date": ""}


@pytest.mark.integration
def test_a_film_of_which_nothing_is_known(tmp_path):
    folder = run(tmp_path, "bare", [BARE])
    ours = published(folder)
    check({name: ours[name] for name in NAMES}, oracle.tables(plain(*sample_films(folder))))
    pages = {
        name: (folder.report / f"{name}.html").read_text(encoding="utf-8")
        for name in ("44_directors", "45_genres", "46_trends", "47_ratings", "48_origins")
    }
    assert "Not measured: the data carry no credits." in pages["44_directors"]
    assert "Not measured: the data carry no genres." in pages["45_genres"]
    assert (
        "m cannot be estimated from 0 rated films" in pages["47_ratings"]
        and "From 0 films with usable budget and revenue" in pages["45_genres"]
    )
    assert (
        "the date of the data is unknown" in pages["46_trends"]
        and "Not measured: the data carry no companies." in pages["48_origins"]
    )
