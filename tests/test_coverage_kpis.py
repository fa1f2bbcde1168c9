"Films with unknown money: tables against pandas, and weights where the truth is known."

from functools import partial

import numpy as np
import pandas as pd
import pytest

from tests import oracle_coverage as oracle
from tests.compare import assert_same, compute, published
from tmdb_analysis.core.home import Run
from tmdb_analysis.kpis.coverage import money_reweighted
from tmdb_analysis.stats.known_money import headline_statistics, headline_weights
from tmdb_analysis.stats.weighting import (
    inverse_weights,
    known_chance,
    logistic_coefficients,
    resample_coefficients,
    resample_counts,
    reweight,
    share_bounds,
    standard_columns,
    weighted_median,
    weighted_share,
)
from tmdb_analysis.use.cli import main


def tables_of(run: Run) -> tuple[pd.DataFrame, pd.DataFrame]:
    "The movies and the cohort of a run, in plain pandas."
    return tuple(pd.read_parquet(run.tables / f"{name}.parquet") for name in ("movies", "cohort"))


def assert_equals_pandas(run: Run) -> None:
    "The tables of a run are those that pandas and scipy compute."
    ours, (movies, cohort) = published(run), tables_of(run)
    assert_same(ours["money_coverage"], oracle.coverage(movies), "money_coverage")
    assert_same(ours["cohort_profile"], oracle.profile(movies, cohort), "cohort_profile")
    assert_same(ours["money_bounds"], oracle.bounds(movies, cohort), "money_bounds")
    weighted = ours["money_reweighted"].set_index("measure")
    for measure, value in oracle.weighted(movies, cohort).items():
        mine = weighted["n_effective"].iloc[0]
        mine = mine if measure == "n_effective" else weighted["weighted"][measure]
        assert mine == pytest.approx(value, rel=1e-4), measure
    plain = weighted["plain"]
    films = oracle.target(movies)
    roi = cohort[cohort["id"].isin(films["id"])]["roi"]
    assert plain["median_return"] == pytest.approx(roi.median())
    assert plain["share_above_2.5"] == pytest.approx((roi >= 2.5).mean())
    shares = ours["break_even_shares"]
    for row in shares.itertuples():
        mine = cohort
        if row.kind == "genre":
            has = movies["genres"].map(lambda g: g is not None and row.group in g)  # noqa: B023
            mine = cohort[cohort["id"].isin(movies["id"][has])]
        elif row.kind == "franchise":
            mine = cohort[cohort["group"] == row.group]
        assert row.n == len(mine) and row.share == (mine["roi"] >= row.multiple).mean()
    assert set(shares["multiple"]) == {2.0, 2.5, 3.0}


def test_sample_equals_pandas(demo):
    assert_equals_pandas(demo)


def test_the_pair_equals_pandas(shared, tmp_path, monkeypatch):
    files = [str(shared / f"tmdb5000_{name}.csv.gz") for name in ("movies", "credits")]
    run = compute(tmp_path, "pair", monkeypatch, input=files)
    assert_equals_pandas(run)
    weighted = published(run)["money_reweighted"].set_index("measure")
    assert "sequels_vs_standalone" not in weighted.index, "these data have no collections"
    assert weighted["weighted_high"]["median_return"] < weighted["plain_low"]["median_return"]


def test_weights_bring_known_films_near_all_films(demo):
    balance = published(demo)["money_balance"]
    assert balance["difference_before"].abs().max() > 0.2
    assert balance["difference_after"].abs().max() < 0.1


def test_parameters_set_the_band(demo, home):
    options = ["-p", "break_even_low=1.8", "-p", "earned_back=4", "--home", str(home)]
    assert main(["demo", "--run-id", "band", *options]) == 0
    tables = published(Run("band", home))
    assert set(tables["break_even_shares"]["multiple"]) == {1.8, 3.0, 4.0}
    assert tables["money_bounds"]["multiple"].tolist() == [1, 1.8, 3, 4]
    page = Run("band", home).report / "index.html"
    assert "reached 1.8×" in page.read_text(encoding="utf-8")


# --- a population in which the truth is known ----------------------------------------------------


def population(seed: int, n: int = 3000) -> pd.DataFrame:
    "Made-up films: votes drive the return and whether money is known; `true_roi` of all."
    rng = np.random.default_rng(seed)
    votes = np.round(10 ** rng.normal(2, 0.7, n)).clip(1)
    english, year = rng.random(n) < 0.6, rng.integers(1980, 2020, n)
    film = pd.DataFrame({"id": np.arange(n), "vote_count": votes, "release_year": year})
    film["original_language"] = np.where(english, "en", "fr")
    film["runtime"] = rng.integers(70, 180, n)
    film["genres"] = [["Drama"] if g else ["Comedy", "Action"] for g in rng.random(n) < 0.5]
    film["cluster"] = np.where(rng.random(n) < 0.2, rng.integers(0, n // 10, n), -film["id"] - 1)
    film["group"] = np.where(film["cluster"] >= 0, "sequel", "standalone")
    film["true_roi"] = 2 ** (0.9 * (np.log10(votes) - 2) + rng.normal(0.6, 1.5, n))
    logit = 1.6 * (np.log10(votes) - 2) + 0.8 * english - 1.2
    film["known"] = rng.random(n) < 1 / (1 + np.exp(-logit))
    film["roi"] = film["true_roi"].where(film["known"])
    film["stands_for"] = 1.0
    return film


def test_weights_find_the_truth_where_plain_numbers_miss_it():
    hits = {"median_return": 0, "share_above_2.5": 0}
    for seed in range(8):
        films = population(seed)
        statistics = headline_statistics(films[films["known"]], [2.0, 2.5, 3.0])
        model = headline_weights(films, statistics, resamples=100)
        table = money_reweighted(films, statistics, model).to_pandas().set_index("measure")
        truth = {
            "median_return": films["true_roi"].median(),
            "share_above_2.5": (films["true_roi"] >= 2.5).mean(),
        }
        for measure, value in truth.items():
            row = table.loc[measure]
            assert row.plain_low > value, "the plain number is biased upwards"
            assert abs(row.weighted - value) < abs(row.plain - value)
            hits[measure] += row.weighted_low <= value <= row.weighted_high
            assert row.n_effective < row.n_known < row.n_all_films == 3000
    assert min(hits.values()) >= 6 and sum(hits.values()) >= 14, f"of 8 intervals each: {hits}"


def test_a_sample_of_unknown_films_gives_nearly_the_same_weights():
    films = population(3)
    part = films[films["known"] | (films["id"] % 4 == 0)].reset_index(drop=True)
    unknown = (~films["known"]).sum() / (~part["known"]).sum()
    part["stands_for"] = np.where(part["known"], 1.0, unknown)
    found = []
    for rows in (films, part):
        statistics = headline_statistics(rows[rows["known"]], [2.5])
        found.append(headline_weights(rows, statistics, resamples=20).weighted[0].value)
    assert found[0] == pytest.approx(found[1], rel=0.06)


def test_the_bootstrap_fits_the_model_anew():
    films = population(1, 400)
    known, facts = films["known"].to_numpy(), np.log10(films[["vote_count"]].to_numpy())
    facts, roi = standard_columns(facts), films["roi"].to_numpy()[known]
    clusters = films["cluster"].to_numpy()
    ours = reweight(facts, known, clusters, [partial(weighted_share, roi >= 2)], resamples=60)
    draws = []
    for counts in resample_counts(clusters, 60, 1):
        rows = np.repeat(np.arange(400), counts)  # each film as often as it was drawn
        beta = logistic_coefficients(facts[rows], known[rows])
        mine = rows[known[rows]]
        w = 1 / known_chance(facts[mine], beta)
        distinct = np.unique(mine)
        cut = np.quantile(1 / known_chance(facts[distinct], beta), 0.995)
        w = np.minimum(w, cut)
        draws.append((w * (films["roi"].to_numpy()[mine] >= 2)).sum() / w.sum())
    low, high = np.quantile(draws, [0.025, 0.975])
    assert (ours.weighted[0].low, ours.weighted[0].high) == pytest.approx((low, high), abs=1e-6)


def test_resamples_without_known_films_are_left_out():
    facts, known = np.arange(4.0)[:, None], np.array([True, False, False, False])
    films = np.arange(4)  # about one resample in three has no known film
    found = reweight(standard_columns(facts), known, films, [partial(weighted_median, np.ones(1))])
    assert found.plain == found.weighted and found.plain[0] == (1, 1, 1, 1)


@pytest.mark.parametrize("films", [12, 40, 400, 4000])
def test_all_resamples_together_get_the_coefficients_that_each_gets_alone(films):
    rng = np.random.default_rng(films)
    facts = standard_columns(rng.normal(size=(films, 3)) ** 3)  # far outliers
    known = rng.random(films) < known_chance(facts, np.array([-1.0, 3.0, -2.0, 0.0]))
    drawn = np.stack(list(resample_counts(np.arange(films), 60, 1)), axis=1)
    mixed = [0 < known[counts > 0].mean() < 1 for counts in drawn.T]
    weights = np.where(known, 1.0, 7.5)[:, None] * drawn
    start = logistic_coefficients(facts, known)
    together = resample_coefficients(facts, known, weights, start)
    alone = [logistic_coefficients(facts, known, w, start) for w in weights.T[mixed]]
    assert np.allclose(together.T[mixed], alone, rtol=0, atol=1e-8)


def test_weights_are_cut_and_have_mean_one():
    chance = np.append(np.full(400, 0.5), 0.001)
    weights = inverse_weights(chance)
    assert weights.mean() == pytest.approx(1) and weights.max() / weights.min() < 1.01
    assert inverse_weights(chance, trim=1).max() > 50


def test_without_unknown_films_the_weighted_number_is_the_plain_one():
    facts, known = np.ones((5, 1)), np.ones(5, dtype=bool)
    values = np.arange(5.0)
    found = reweight(facts, known, np.arange(5), [partial(weighted_median, values)], resamples=50)
    assert found.plain == found.weighted and found.plain[0].value == 2
    with pytest.raises(ValueError, match="known of no film"):
        reweight(facts, ~known, np.arange(5), [], resamples=1)


@pytest.mark.parametrize(
    "k, n, unknown, expected",
    [(1, 2, 2, (0.25, 0.75)), (0, 0, 5, (0.0, 1.0)), (3, 4, 0, (0.75, 0.75))],
)
def test_bounds(k, n, unknown, expected):
    assert share_bounds(k, n, unknown) == expected
    with pytest.raises(ValueError, match="not a share"):
        share_bounds(n + 1, n, unknown)
