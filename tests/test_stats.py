"""Statistics against published values, brute force and simulated truths; the money cohort against
plain Python."""

import csv
import math
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import median

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats

from tests import oracle, oracle_money
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.schema import COHORT, MOVIES, RAW
from tmdb_analysis.core.store import read, read_arrow
from tmdb_analysis.films.clean import earliest_day, with_day
from tmdb_analysis.films.cohort import (
    cohort_rules,
    cohort_table,
    consumer_prices,
    funnel,
    money_cohort,
    real_dollars,
)
from tmdb_analysis.kpis.groups import data_date, money_summary
from tmdb_analysis.stats import intervals as stats
from tmdb_analysis.stats import shrinkage
from tmdb_analysis.stats.intervals import Estimate
from tmdb_analysis.tmdb.sources import sample

quick = settings(
    deadline=None, derandomize=True, max_examples=60, suppress_health_check=list(HealthCheck)
)
plain = st.floats(-1e6, 1e6) | st.integers(-20, 20).map(float)
gaps = st.sampled_from([None, math.nan, pd.NA])


# --- intervals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [3, 4, 11, 12, 60])
def test_median_interval_is_that_of_drawing(n):
    """The ranks of two beta draws stand for whole resamples: scipy, which draws them, finds the
    same distribution."""
    values = np.random.default_rng(n).lognormal(size=n)
    ours = stats.median_interval(values, resamples=60_000)
    theirs = scipy_stats.bootstrap(
        (values,), np.median, method="percentile", n_resamples=60_000, batch=5000, rng=n
    )
    quantiles = np.quantile(theirs.bootstrap_distribution, [0.015, 0.035, 0.965, 0.985])
    assert quantiles[0] <= ours.low <= quantiles[1] and quantiles[2] <= ours.high <= quantiles[3]
    low, high = stats.middle_ranks(n, 60_000, 1)
    drawn = np.sort(np.random.default_rng(n).integers(n, size=(60_000, n)), axis=1)[
        :, [(n - 1) // 2, n // 2]
    ]
    for ours_ranks, theirs_ranks in (
        (low, drawn[:, 0]),
        (high, drawn[:, 1]),
        (high - low, drawn[:, 1] - drawn[:, 0]),
    ):
        shares = [np.bincount(r, minlength=n) / 60_000 for r in (ours_ranks, theirs_ranks)]
        assert np.abs(shares[0] - shares[1]).max() < 0.01


def covered(truth: float, estimates: list[Estimate]) -> float:
    "The share of intervals that hold the truth."
    return float(np.mean([e.low <= truth <= e.high for e in estimates]))


def test_median_interval_covers():
    rng = np.random.default_rng(1)
    assert (
        0.92
        < covered(1.0, [stats.median_interval(rng.lognormal(size=40)) for _ in range(1000)])
        < 0.98
    )
    assert (
        0.76
        < covered(
            1.0, [stats.median_interval(rng.lognormal(size=40), level=0.8) for _ in range(1000)]
        )
        < 0.87
    )


def test_pooled_interval_covers():
    rng = np.random.default_rng(2)
    estimates = []
    for _ in range(400):
        budget = rng.lognormal(size=80)
        estimates.append(
            stats.pooled_interval(budget * rng.lognormal(0, 0.5, 80) * 2, budget, resamples=500)
        )
    assert 0.88 < covered(2 * math.exp(0.125), estimates) < 0.98


def franchises(
    rng: np.random.Generator, k: int, each: int, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    "Values of k franchises that differ as much between as within, and their clusters."
    clusters = np.repeat(np.arange(k), each)
    return shift + rng.normal(size=k)[clusters] + rng.normal(size=k * each), clusters


def test_clusters_widen_the_interval_to_the_truth():
    rng = np.random.default_rng(3)
    together, alone = [], []
    for _ in range(200):
        values, clusters = franchises(rng, 30, 5)
        together.append(stats.clustered_interval(np.mean, (values,), clusters, resamples=300))
        alone.append(stats.clustered_interval(np.mean, (values,), np.arange(150), resamples=300))
    assert covered(0, together) > 0.88 and covered(0, alone) < 0.8


def test_effects_cover():
    rng = np.random.default_rng(4)
    deltas, shifts = [], []
    truth = (
        2 * scipy_stats.norm.cdf(0.5 / 2) - 1
    )  # the difference of two values has a variance of 2 + 2
    for _ in range(100):
        (x, cx), (y, cy) = franchises(rng, 25, 4, 0.5), franchises(rng, 40, 3)
        deltas.append(stats.delta_interval(x, y, cx, 100 + cy, resamples=200))
        shifts.append(stats.shift_interval(x, y, cx, 100 + cy, resamples=200))
    assert covered(truth, deltas) > 0.88 and covered(0.5, shifts) > 0.88


def test_fast_effects_are_those_of_whole_resamples():
    "The weighted forms give, resample by resample, what the plain ones give on the rows drawn."
    rng = np.random.default_rng(5)
    x, y = np.sort(rng.normal(0.5, 1, 40).round(1)), np.sort(rng.normal(size=70).round(1))
    clusters, step = rng.integers(30, size=110), (max(x[-1], y[-1]) - min(x[0], y[0])) / stats.STEPS
    (weights,) = stats.cluster_draws(clusters, 50, 9)
    deltas = stats.weighted_deltas(x, y, weights[:, :40], weights[:, 40:])
    shifts = stats.weighted_shifts(x, y, weights[:, :40], weights[:, 40:])
    assert all(len(set(w[clusters == c])) == 1 for w in weights for c in set(clusters)), (
        "clusters are drawn whole"
    )
    for w, delta, shift in zip(weights, deltas, shifts, strict=True):
        drawn = np.repeat(x, w[:40]), np.repeat(y, w[40:])
        assert delta == pytest.approx(stats.cliffs_delta(*drawn), abs=1e-12)
        assert shift == pytest.approx(stats.hodges_lehmann(*drawn), abs=1.5 * step), (
            "half a step for each value and for the median"
        )


def test_a_resample_without_a_group_is_left_out():
    e = stats.shift_interval([1.0, 2.0], [0.0], [1, 2], [3], resamples=200)
    d = stats.delta_interval([1.0, 2.0], [0.0], [1, 2], [3], resamples=200)
    assert (
        e.value == 1.5
        and (e.low, e.high) == pytest.approx((1, 2), abs=1e-3)
        and (d.value, d.low, d.high) == (1, 1, 1)
    )


@pytest.mark.parametrize(
    "k, n, low, high",
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_as_published(k, n, low, high):
    "Newcombe (1998), table I, method 3."
    e = stats.wilson(k, n)
    assert (e.value, e.n) == (k / n, n) and [e.low, e.high] == pytest.approx([low, high], abs=5e-5)


# --- effects -----------------------------------------------------------------------------------


@quick
@given(st.lists(plain, min_size=1, max_size=12), st.lists(plain, min_size=1, max_size=12))
def test_effects_equal_brute_force(x, y):
    differences = np.subtract.outer(np.array(x), np.array(y)).ravel()
    assert stats.cliffs_delta(x, y) == pytest.approx(np.sign(differences).mean(), abs=1e-12)
    assert stats.hodges_lehmann(x, y) == pytest.approx(median(differences), rel=1e-9, abs=1e-9)


def test_shift_of_many_films_needs_no_pairs():
    x = np.random.default_rng(6).normal(size=15_000)
    assert stats.hodges_lehmann(x + 0.75, x) == pytest.approx(0.75, abs=1e-3)


def test_the_interval_of_a_shift_takes_the_whole_sample_once(monkeypatch):
    "The exact median is costly: it is computed once, not again for each batch of resamples."
    calls, real = [], stats.kth_difference
    monkeypatch.setattr(stats, "kth_difference", lambda *pairs: calls.append(1) or real(*pairs))
    rng = np.random.default_rng(8)
    x, y = np.sort(rng.normal(0.5, 1, 201)), np.sort(rng.normal(size=401))
    clusters = np.concatenate([rng.integers(100, size=201), rng.integers(50, 300, size=401)])
    e = stats.shift_interval(x, y, clusters[:201], clusters[201:], resamples=200)
    assert len(calls) == 1 and len(list(stats.batches(200, 602))) > 4
    weights = np.concatenate([*stats.cluster_draws(clusters, 200, 1)])
    plain = [
        np.median(np.subtract.outer(np.repeat(x, w[:201]), np.repeat(y, w[201:]))) for w in weights
    ]
    step = (max(x[-1], y[-1]) - min(x[0], y[0])) / stats.STEPS
    assert e.value == pytest.approx(np.median(np.subtract.outer(x, y)), abs=1e-12)
    assert (e.low, e.high) == pytest.approx(np.quantile(plain, [0.025, 0.975]), abs=2 * step)


def test_spearman_covers_and_equals_scipy():
    rng = np.random.default_rng(7)
    rho = (
        6 / math.pi * math.asin(0.6 / 2)
    )  # Spearman's rho of normal pairs with r = 0.6 (Pearson 1907)
    pairs = rng.multivariate_normal([0, 0], [[1, 0.6], [0.6, 1]], (600, 50))
    estimates = [stats.spearman(p[:, 0], p[:, 1]) for p in pairs]
    assert 0.92 < covered(rho, estimates) < 0.98
    assert estimates[0].value == pytest.approx(scipy_stats.spearmanr(pairs[0]).statistic)


# --- shrinkage ---------------------------------------------------------------------------------


def rmse(estimate, truth) -> float:
    "Root of the mean squared error."
    return float(np.sqrt(np.mean((np.asarray(estimate) - truth) ** 2)))


def rated(rng: np.random.Generator, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Films whose true rating varies by 0.8 and single votes by 2, so that m is 6.25: the truth,
    the ratings, the votes."""
    truth, votes = rng.normal(6.5, 0.8, n), np.ceil(rng.lognormal(3, 1.6, n))
    return truth, truth + rng.normal(0, 2, n) / np.sqrt(votes), votes


def test_weights_make_m_surer():
    """Over 40 catalogues the estimates scatter around the truth, less than those of a regression
    without weights."""
    rng = np.random.default_rng(4000)
    ours, without = [], []
    for _ in range(40):
        _, rating, votes = rated(rng, 4000)
        ours.append(shrinkage.prior_votes(rating, votes).m)
        within, between = np.polyfit(1 / votes, (rating - rating.mean()) ** 2, 1)
        without.append(within / between)
    assert np.mean(ours) == pytest.approx(6.25, rel=0.05) and rmse(ours, 6.25) < 0.7 * rmse(
        without, 6.25
    )


def test_votes_that_a_film_starts_with():
    """The estimated m is near the true one, and better than no m and than the 90th percentile of
    the votes."""
    truth, rating, votes = rated(np.random.default_rng(8), 20_000)
    prior = shrinkage.prior_votes(rating, votes)
    assert (
        prior.m == pytest.approx(2**2 / 0.8**2, rel=0.1)
        and prior.mean == pytest.approx(6.5, abs=0.05)
        and prior.n == 20_000
    )
    ours = rmse(shrinkage.weighted_rating(rating, votes, prior.m, prior.mean), truth)
    usual = rmse(
        shrinkage.weighted_rating(rating, votes, np.quantile(votes, 0.9), prior.mean), truth
    )
    best = rmse(shrinkage.weighted_rating(rating, votes, 6.25, 6.5), truth)
    assert (
        ours < 0.9 * rmse(rating, truth)
        and ours < 0.7 * usual
        and ours == pytest.approx(best, rel=0.01)
    )


def test_means_of_small_groups():
    "Shrunken means err less than raw ones, their bounds hold, and so do the bounds of the ranks."
    rng = np.random.default_rng(9)
    k = 2000
    truth, n = rng.normal(1, 0.7, k), rng.integers(3, 30, k)
    films = [rng.normal(t, 1.5, m) for t, m in zip(truth, n, strict=True)]
    means, variances = [f.mean() for f in films], [f.var(ddof=1) for f in films]
    prior = shrinkage.group_prior(means, variances, n)
    assert prior.within == pytest.approx(1.5**2, rel=0.05) and prior.between == pytest.approx(
        0.7**2, rel=0.15
    )
    scores = shrinkage.shrunken_means(means, n, prior)
    assert rmse(scores.score, truth) < 0.85 * rmse(means, truth)
    assert 0.86 < ((scores.low <= truth) & (truth <= scores.high)).mean() < 0.94
    ranks, true_rank = shrinkage.rank_interval(scores), scipy_stats.rankdata(-truth)
    assert 0.86 < ((ranks.rank_low <= true_rank) & (true_rank <= ranks.rank_high)).mean() < 0.94
    assert (ranks.rank_low >= 1).all() and (ranks.rank_high <= k).all()


def test_groups_that_do_not_differ_share_all_ranks():
    scores = shrinkage.shrunken_means(
        [1.0] * 20, [5] * 20, shrinkage.group_prior([1.0] * 20, [4.0] * 20, [5] * 20)
    )
    ranks = shrinkage.rank_interval(scores)
    assert (
        set(scores.score.round(12)) == {1.0}
        and ranks.rank_low.max() <= 4
        and ranks.rank_high.min() >= 17
    )


def test_between_groups_as_by_hand():
    """DerSimonian and Laird (1986) on three groups, worked by hand: Q = 20, so tau^2 = (20 - 2) /
    (30 - 300 / 30)."""
    prior = shrinkage.group_prior([0.0, 1.0, 2.0], [1.0, 1.0, 1.0], [10, 10, 10])
    assert prior == pytest.approx((1.0, 18 / 20, 1.0))


# --- what is unknown, and what is nonsense -----------------------------------------------------

UNKNOWN = Estimate(None, None, None, 0)


def test_nothing_is_unknown():
    assert stats.median_interval([]) == stats.median_interval([None, math.nan, pd.NA]) == UNKNOWN
    assert (
        stats.pooled_interval([], [])
        == stats.pooled_interval([1.0], [None])
        == stats.wilson(0, 0)
        == UNKNOWN
    )
    assert stats.clustered_interval(np.mean, ([],), []) == stats.spearman([], []) == UNKNOWN
    assert stats.delta_interval([], [], [], []) == stats.shift_interval([], [], [], []) == UNKNOWN
    assert stats.delta_interval([], [1.0], [], [1]) == Estimate(None, None, None, 1)
    assert stats.cliffs_delta([], [1.0]) is None and stats.hodges_lehmann([1.0], []) is None
    assert (
        shrinkage.prior_votes([], []) == (None, None, 0)
        and shrinkage.group_prior([], [], []) is None
    )


def test_one_value_has_no_interval():
    assert (
        stats.median_interval([3.0])
        == stats.pooled_interval([6.0], [2.0])
        == Estimate(3.0, None, None, 1)
    )
    assert stats.clustered_interval(np.mean, ([1.0, 2.0],), [5, 5]) == Estimate(1.5, None, None, 2)
    assert stats.spearman([1, 2, 3], [1, 2, 3]) == Estimate(1.0, None, None, 3)
    assert stats.spearman([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) == Estimate(None, None, None, 5)
    assert shrinkage.group_prior([1.0, 2.0], [None, None], [1, 1]) is None
    assert shrinkage.prior_votes([6.0, 7.0, 8.0], [5, 5, 5]) == (None, 7.0, 3)
    assert shrinkage.prior_votes([7.0] * 9, range(1, 10)).m is None, "films that do not differ"


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda: stats.median_interval([1.0, math.inf]), "infinite"),
        (lambda: stats.median_interval([1.0, 2.0], level=95), "between 0 and 1"),
        (lambda: stats.spearman([1.0, 2.0], [1.0, 2.0], level=0), "between 0 and 1"),
        (lambda: stats.pooled_interval([1.0], [-1.0]), "not above 0"),
        (lambda: stats.pooled_interval([-1.0], [1.0]), "below 0"),
        (lambda: stats.pooled_interval([1.0, 2.0], [0.0, 1.0]), "not above 0"),
        (lambda: stats.pooled_interval([1.0, 2.0], [1.0]), "different lengths"),
        (lambda: stats.wilson(3, 2), "not a share"),
        (lambda: stats.wilson(1, 2, level=1), "not a share"),
        (lambda: stats.cliffs_delta(["a"], [1.0]), "could not convert"),
        (lambda: shrinkage.group_prior([1.0], [1.0], [0]), "fewer than one"),
        (lambda: shrinkage.group_prior([None, 1.0], [1.0, 1.0], [3, 3]), "no mean"),
        (lambda: shrinkage.prior_votes([7.0], [0]), "fewer than one vote"),
    ],
)
def test_nonsense_is_refused_in_one_line(call, told):
    with pytest.raises(ValueError, match=told) as error:
        call()
    assert "\n" not in str(error.value)


@quick
@given(
    st.lists(
        st.tuples(st.floats(0.001, 1e4), st.floats(0.001, 1e4), st.integers(1, 5)),
        min_size=2,
        max_size=15,
    ),
    st.randoms(),
    gaps,
)
def test_order_and_gaps_change_nothing(rows, random, gap):
    "The same rows in any order, and with a row that is unknown, give the same digits."
    mixed = [*rows, (gap, gap, gap)]
    random.shuffle(mixed)
    few = dict(resamples=40)
    for f in (
        lambda a, b, c: stats.median_interval(a, **few),
        lambda a, b, c: stats.pooled_interval(a, b, **few),
        lambda a, b, c: stats.clustered_interval(
            lambda x, y: x.mean() - y.mean(), (a, b), c, **few
        ),
        lambda a, b, c: stats.delta_interval(a, b, c, c, **few),
        lambda a, b, c: stats.shift_interval(a, b, c, c, **few),
        lambda a, b, c: stats.spearman(a, b),
    ):
        one, other = f(*zip(*rows, strict=True)), f(*zip(*mixed, strict=True))
        assert one == other
        if one.low is not None:
            assert one.low <= one.high


# --- money -------------------------------------------------------------------------------------


def test_consumer_prices_as_published():
    "Anchors of the BLS table, and the definition of its base."
    prices = consumer_prices()
    anchors = {
        1913: 9.9,
        1918: 15.1,
        1933: 13.0,
        1950: 24.1,
        1982: 96.5,
        1983: 99.6,
        1984: 103.9,
        2000: 172.2,
        2010: 218.056,
    }
    anchors |= {
        2020: 258.811,
        2021: 270.970,
        2022: 292.655,
        2023: 304.702,
        2024: 313.689,
        2025: 321.943,
    }
    assert {year: prices[year] for year in anchors} == anchors
    assert list(prices) == list(range(1913, max(prices) + 1))
    assert sum(prices[year] for year in (1982, 1983, 1984)) / 3 == pytest.approx(100, abs=0.05)
    assert all(-0.12 < prices[year] / prices[year - 1] - 1 < 0.2 for year in list(prices)[1:])


def table(contract, rows):
    "Some rows of a contract; what is not given is null."
    return session().createDataFrame(
        [tuple(r.get(c) for c in contract.columns) for r in rows], contract.spark
    )


def test_real_dollars_are_unknown_without_prices():
    years = [1900, 1950, 2025, 2026, None]
    rows = [
        {"id": i, "title": "x", "release_year": y, "budget_musd": 1.0, "seq": i, "known_columns": 9}
        for i, y in enumerate(years, 1)
    ]
    worth = (
        table(MOVIES, rows)
        .select("id", real_dollars("budget_musd", reference_year=2000).alias("real"))
        .orderBy("id")
    )
    assert [r.real for r in worth.collect()] == [
        None,
        pytest.approx(172.2 / 24.1),
        pytest.approx(172.2 / 321.943),
        None,
        None,
    ]
    with pytest.raises(ValueError, match="no consumer prices for 2026"):
        real_dollars("budget_musd", reference_year=2026)


def film(id, day="2010-06-01", budget=10.0, revenue=20.0, runtime=100):
    "A film of the MOVIES contract."
    roi = revenue / budget if budget and revenue else None
    day = day and date.fromisoformat(day)
    known = dict(
        release_date=day,
        release_year=day and day.year,
        budget_musd=budget,
        revenue_musd=revenue,
        roi=roi,
        runtime=runtime,
    )
    return {"id": id, "title": "x", "seq": id, "known_columns": 9, **known}


def with_answers(films, **times):
    "The films with the days of their answers; `f3=datetime` dates the answer for film 3."
    answers = [
        {
            "seq": f["seq"],
            "id": f["id"],
            "origin": "a",
            "fetched_at": times.get(f"f{f['id']}"),
            "status": "Released",
        }
        | {
            "release_date": f"{f['release_date'] or ''}",
            "revenue": int(1e6 * (f["revenue_musd"] or 0)),
        }
        | {kind: f.get(kind) for kind in ("adult", "video")}
        for f in films
    ]
    timed = [f | {"fetched_at": times.get(f"f{f['id']}")} for f in films]
    return with_day(table(MOVIES, timed), earliest_day(table(RAW, answers))).select(MOVIES.columns)


def test_each_rule_takes_what_it_says():
    films = [
        film(1), film(2, day=None), film(3, runtime=59), film(4, runtime=None), film(5, runtime=60),
        film(6, budget=None),
        film(7, revenue=None), film(8, budget=0.099999), film(9, budget=0.1),
        film(10, revenue=0.000999), film(11, revenue=0.001),
        film(12, "2012-01-01"), film(13, "2011-07-06"), film(14, "2011-07-05"),
        film(15, "2030-01-01", revenue=None),
        film(16) | {"adult": True}, film(17) | {"video": True}, film(18, "2999-01-01"),
    ]  # fmt: skip
    dated = with_answers(films, f13=None)
    told = funnel(dated).to_pandas()
    assert dict(zip(told.rule, told.taken, strict=True)) == {
        "released films": 0,
        "not an adult film": 1,
        "not a video": 1,
        "release date known": 1,
        "runtime of 60 minutes or more": 2,
        "budget known": 1,
        "revenue known": 2,
        "budget of $100,000 or more": 1,
        "revenue of $1,000 or more": 1,
        "released 180 days or more before the answer": 3,
    }
    kept = [r.id for r in money_cohort(dated).orderBy("id").collect()]
    assert kept == [1, 5, 9, 11, 14] and told.films.iloc[-1] == 5, (
        "2012-01-01 less 180 days is 2011-07-05"
    )
    assert data_date(dated) == (date(2012, 1, 1), "1 January 2012 or later"), (
        "a date without revenue or to come proves nothing"
    )
    assert data_date(dated.filter("id = 1"))[0] == date(2012, 1, 1), (
        "of some films it is that of all"
    )
    assert funnel(dated, mature_days=0)["films"].to_pylist()[-1] == 7
    answers = dated.select(*[r.met.alias(r.rule) for r in cohort_rules()]).toPandas()
    assert not answers.isna().any(axis=None), (
        "a rule is met or not, also where the value is unknown"
    )


def test_shares_count_the_multiple_itself():
    roi = [0.99, 1.0, 2.49, 2.5]
    told = money_summary(pd.DataFrame({"roi": roi, "revenue_musd": roi, "budget_musd": [1.0] * 4}))
    assert told["grossed_budget"].value == 3 / 4 and told["earned_back"].value == 1 / 4


def test_a_film_is_mature_by_the_day_of_its_own_answer():
    films = [
        film(1, "2025-11-01"),
        film(2, "2016-01-01"),
        film(3, "2016-12-01"),
        film(4, "2025-01-01"),
    ]
    answered = datetime(2025, 12, 9, 23, 30, tzinfo=UTC)
    dated = with_answers(films, f1=answered, f4=answered)
    assert [r.as_of.isoformat() for r in dated.orderBy("id").collect()] == [
        "2025-12-09",
        "2016-12-01",
        "2016-12-01",
        "2025-12-09",
    ]
    assert [r.id for r in money_cohort(dated).orderBy("id").collect()] == [2, 4]
    assert data_date(dated) == (date(2025, 12, 9), "9 December 2025")


def test_no_films_no_numbers():
    cohort = cohort_table(with_answers([film(1, day=None)])).to_pandas()
    assert len(cohort) == 0 and set(money_summary(cohort).values()) == {UNKNOWN}
    assert cohort.dtypes.astype(str)[["id", "cluster", "roi", "log2_return"]].tolist() == [
        "int64",
        "int64",
        "float64",
        "float64",
    ]


def expected_cohort() -> tuple[list[int], list[dict]]:
    "The funnel and the films of the sample's cohort, in plain Python."
    records = oracle.read_json([sample() / "movies.jsonl.zst"])
    left = oracle_money.steps(oracle_money.films_of(records))
    return [len(films) for films in left], left[-1]


def test_sample_equals_plain_python(demo):
    films = read(session(), MOVIES, demo)
    counts, kept = expected_cohort()
    assert funnel(films)["films"].to_pylist() == counts and counts[0] > counts[-1] > 400
    cohort = cohort_table(films).to_pandas()
    assert cohort_table(films).equals(read_arrow(COHORT, demo)), "the chain has kept the same"
    assert cohort.id.tolist() == [f["id"] for f in kept]
    roi = [f["revenue"] / f["budget"] for f in kept]
    assert cohort.roi.tolist() == pytest.approx(roi, rel=1e-12)
    assert cohort.log2_return.tolist() == pytest.approx(
        [math.log2(r) for r in roi], rel=1e-9, abs=1e-12
    )
    assert cohort.cluster.tolist() == [f["collection_id"] or -f["id"] for f in kept]
    told = money_summary(cohort)
    assert told["median_return"].value == pytest.approx(median(roi)) and told[
        "median_return"
    ].n == len(roi)
    assert told["pooled_return"].value == pytest.approx(
        sum(f["revenue"] for f in kept) / sum(f["budget"] for f in kept)
    )
    assert told["grossed_budget"].value == sum(r >= 1 for r in roi) / len(roi)
    assert told["earned_back"].value == sum(r >= 2.5 for r in roi) / len(roi)
    assert all(e.low < e.value < e.high for e in told.values())


def test_reference_table_is_as_its_readme_says():
    folder = Path(__file__).parent.parent / "data" / "reference"
    with open(folder / "us_cpi_u.csv", encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert f"{rows[0]['year']} to {rows[-1]['year']}" in readme and "CUUR0000SA0" in readme
    decimals = {int(r["year"]): len(r["cpi"].partition(".")[2]) for r in rows}
    assert all(places == (1 if year < 2007 else 3) for year, places in decimals.items())
