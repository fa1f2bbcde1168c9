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
from tmdb_analysis.films.clean import estimated_data_date, with_data_date
from tmdb_analysis.films.cohort import (
    COHORT_PARAMETERS,
    cohort_rules,
    cohort_table,
    consumer_prices,
    funnel,
    money_cohort,
    real_dollars,
)
from tmdb_analysis.kpis.groups import data_date, money_summary
from tmdb_analysis.runs.stages import stages
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


def covered(truth: float, estimates: list[Estimate]) -> float:
    "The share of intervals that hold the truth, among those that exist."
    return float(np.mean([e.low <= truth <= e.high for e in estimates if e.low is not None]))


@pytest.mark.parametrize("n", [6, 7, 8, 12, 25, 70])
def test_median_interval_is_that_of_the_sign_test(n):
    "The same values as scipy's inversion of the sign test, which is exact."
    values = np.random.default_rng(n).lognormal(size=n)
    for level in (0.9, 0.95):
        theirs = scipy_stats.quantile_test(values, p=0.5).confidence_interval(level)
        ours = stats.median_interval(values, range(n), level)
        assert (ours.low, ours.high) == (theirs.low, theirs.high)


@pytest.mark.parametrize("n", [6, 9, 20, 100])
def test_median_interval_covers(n):
    "At least its level for every n, and not much more: no n costs more than one rank."
    rng = np.random.default_rng(n)
    samples = rng.lognormal(0, 1.5, (500, n))
    share = covered(1.0, [stats.median_interval(values, range(n)) for values in samples])
    assert 0.94 < share < 0.995
    exact = 1 - 2 * scipy_stats.binom.cdf(stats.sign_test_rank(n, n) - 1, n, 0.5)
    assert exact >= 0.95 and share == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("n", [0, 1, 2, 5])
def test_five_values_have_no_interval(n):
    values = np.arange(1.0, n + 1)
    for e in (
        stats.median_interval(values, range(n)),
        stats.pooled_interval(values, values**2, range(n)),
        stats.shift_interval(values, range(50), range(n), range(10, 60)),
        stats.delta_interval(values, range(50), range(n), range(10, 60)),
    ):
        assert e.low is e.high is None and (n == 0) == (e.value is None)


def lognormal_money(rng: np.random.Generator, n: int, spread: float) -> tuple:
    "Revenues and budgets with lognormal returns, whose true pooled return is exp(spread**2 / 2)."
    budget = rng.lognormal(3, 1.2, n)
    return budget * rng.lognormal(0, spread, n), budget, range(n)


@pytest.mark.parametrize(
    "n, spread, least",
    [
        *((6, 1.0, 0.9), (6, 1.5, 0.86), (6, 2.5, 0.81), (10, 1.5, 0.88)),
        *((20, 1.0, 0.9), (20, 1.5, 0.89), (20, 2.5, 0.87), (50, 1.5, 0.91)),
    ],
)
def test_pooled_interval_covers_heavy_tails(monkeypatch, n, spread, least):
    "Nearly its level; the chapter and the guide to a report say by how much it falls short."
    monkeypatch.setattr(stats, "DRAWN_NUMBERS", 1000 * n)  # 1,000 draws suffice here
    rng = np.random.default_rng(2)
    money = [lognormal_money(rng, n, spread) for _ in range(300)]
    share = covered(math.exp(spread**2 / 2), [stats.pooled_interval(*m) for m in money])
    assert least < share < 0.985


@pytest.mark.parametrize("n", [6, 20, 100])
def test_intervals_of_real_returns_cover(monkeypatch, demo, n):
    "Films drawn from the cohort of the sample: its median and its pooled return are the truth."
    monkeypatch.setattr(stats, "DRAWN_NUMBERS", 1000 * n)
    cohort = read_arrow(COHORT, demo).to_pandas()
    revenue, budget = (cohort[f"{name}_musd"].to_numpy() for name in ("revenue", "budget"))
    rng = np.random.default_rng(n)
    pooled, medians = [], []
    for _ in range(300):
        i = rng.integers(len(cohort), size=n)
        pooled.append(stats.pooled_interval(revenue[i], budget[i], range(n)))
        medians.append(stats.median_interval(revenue[i] / budget[i], range(n)))
    assert 0.93 < covered(revenue.sum() / budget.sum(), pooled) < 0.995
    assert 0.93 < covered(np.median(revenue / budget), medians)


def franchises(
    rng: np.random.Generator, k: int, each: int, shift: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    "Values of k franchises that differ as much between as within, and their clusters."
    clusters = np.repeat(np.arange(k), each)
    return shift + rng.normal(size=k)[clusters] + rng.normal(size=k * each), clusters


@pytest.mark.parametrize("k, each", [(8, 4), (30, 5), (40, 4)])
def test_clusters_widen_the_interval_to_the_truth(monkeypatch, k, each):
    "Franchises that share luck: with clusters the intervals hold, film by film they do not."
    monkeypatch.setattr(stats, "DRAWN_NUMBERS", 1000 * k)
    rng = np.random.default_rng(3)
    found: dict[str, list[Estimate]] = {name: [] for name in ("median", "one", "ratio", "one by")}
    for _ in range(200):
        values, clusters = franchises(rng, k, each)
        budget = np.exp(rng.normal(size=k)[clusters])
        money, alone = (budget * np.exp(values), budget), np.arange(k * each)
        found["median"].append(stats.median_interval(values, clusters))
        found["one"].append(stats.median_interval(values, alone))
        found["ratio"].append(stats.pooled_interval(*money, clusters))
        found["one by"].append(stats.pooled_interval(*money, alone))
    truth = {"median": 0, "one": 0, "ratio": math.e, "one by": math.e}
    shares = {name: covered(truth[name], estimates) for name, estimates in found.items()}
    assert 0.92 < shares["median"] < 0.99 and shares["one"] < shares["median"] - 0.04
    assert 0.9 < shares["ratio"] < 0.985 and shares["one by"] < shares["ratio"] - 0.02


def test_clusters_of_very_different_size_count_as_few():
    "One franchise with half of the films leaves fewer than six clusters in effect."
    clusters = np.concatenate([np.zeros(50, int), np.arange(1, 51)])
    assert stats.effective_clusters(clusters) == pytest.approx(100**2 / (50**2 + 50))
    assert stats.median_interval(np.arange(100.0), clusters).low is None
    assert stats.effective_clusters(np.arange(100)) == 100


@pytest.mark.parametrize("k, each, others", [(8, 3, 40), (25, 4, 40)])
def test_effects_cover(k, each, others):
    rng = np.random.default_rng(4)
    deltas, shifts = [], []
    truth = (
        2 * scipy_stats.norm.cdf(0.5 / 2) - 1
    )  # the difference of two values has a variance of 2 + 2
    for _ in range(300):
        (x, cx), (y, cy) = franchises(rng, k, each, 0.5), franchises(rng, others, 3)
        deltas.append(stats.delta_interval(x, y, cx, 100 + cy))
        shifts.append(stats.shift_interval(x, y, cx, 100 + cy))
    assert 0.92 < covered(truth, deltas) < 0.985 and 0.92 < covered(0.5, shifts) < 0.985


def test_a_franchise_in_both_groups_counts_once():
    "Pairs of equal luck: what they share is no difference, so the interval is narrower than alone."
    rng = np.random.default_rng(5)
    luck = 3 * rng.normal(size=60)
    x, y = luck + 0.3 * rng.normal(size=60) + 0.5, luck + 0.3 * rng.normal(size=60)
    paired = stats.shift_interval(x, y, range(60), range(60))
    alone = stats.shift_interval(x, y, range(60), range(60, 120))
    assert paired.value == alone.value
    assert paired.high - paired.low < 0.5 * (alone.high - alone.low)


def test_the_ends_of_a_shift_are_where_the_groups_no_longer_differ():
    "The rank test of the shifted groups is at its level just at the ends of the interval."
    rng = np.random.default_rng(6)
    x, y = np.sort(rng.normal(0.7, 1, 80)), np.sort(rng.normal(size=150))
    e = stats.shift_interval(x, y, range(80), range(80, 230))
    ends = [scipy_stats.mannwhitneyu(x - end, y).pvalue for end in (e.low, e.high)]
    assert ends == pytest.approx([0.05, 0.05], abs=0.015)


def test_groups_that_do_not_overlap_have_no_interval_of_delta():
    x, y = np.arange(10.0), np.arange(20.0, 40.0)
    assert stats.delta_interval(x, y, range(10), range(10, 30)) == Estimate(-1.0, None, None, 30)
    shift = stats.shift_interval(x, y, range(10), range(10, 30))
    assert shift.low < shift.value < shift.high < 0


@pytest.mark.parametrize("groups, equal", [(2, 2), (16, 2), (16, 16)])
def test_a_leader_is_rarely_named_by_chance(groups, equal):
    """Of the best groups, some are equal: to name one of them alone is false, and so is to leave
    one out. Both are rare."""
    rng, alone, left_out, reach = np.random.default_rng(7), 0, 0, scipy_stats.norm.ppf(0.975)
    for _ in range(400):
        logs = rng.normal(size=groups) - 9 * (np.arange(groups) >= equal)
        leads = stats.is_leader(np.exp(logs), np.exp(logs - reach), np.exp(logs + reach))
        alone += leads.sum() == 1
        left_out += not leads[:equal].all()
    assert alone / 400 < 0.08 and left_out / 400 < 0.08


def test_a_leader_is_named_where_the_lead_is_clear():
    leads = stats.is_leader([9.0, 2.0, 1.9, 1.0], [8.0, 1.8, 1.7, 0.9], [10.0, 2.2, 2.1, 1.1])
    assert leads.tolist() == [True, False, False, False]
    assert stats.is_leader([2.0, 2.0], [1.9, 1.9], [2.1, 2.1]).tolist() == [True, True]
    assert stats.is_leader([1.0], [0.9], [1.1]).tolist() == [True]
    values = np.array([1.30, *[1.10] * 4, 1.0])
    both = [stats.is_leader(v, v / 1.1, v * 1.1) for v in (values[:2], values)]
    assert both[0].sum() == 1 and both[1].sum() > 1, "more comparisons need a clearer lead"


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
    gone = [None, math.nan, pd.NA]
    assert stats.median_interval([], []) == stats.median_interval(gone, range(3)) == UNKNOWN
    assert (
        stats.pooled_interval([], [], [])
        == stats.pooled_interval([1.0], [None], [1])
        == stats.wilson(0, 0)
        == stats.spearman([], [])
        == UNKNOWN
    )
    assert stats.delta_interval([], [], [], []) == stats.shift_interval([], [], [], []) == UNKNOWN
    assert stats.delta_interval([], [1.0], [], [1]) == Estimate(None, None, None, 1)
    assert stats.cliffs_delta([], [1.0]) is None and stats.hodges_lehmann([1.0], []) is None
    assert (
        shrinkage.prior_votes([], []) == (None, None, 0)
        and shrinkage.group_prior([], [], []) is None
    )


def test_one_value_has_no_interval():
    assert (
        stats.median_interval([3.0], [1])
        == stats.pooled_interval([6.0], [2.0], [1])
        == Estimate(3.0, None, None, 1)
    )
    one_franchise = [5] * 20
    assert stats.median_interval([1.0, 2.0] * 10, one_franchise) == Estimate(1.5, None, None, 20)
    assert stats.spearman([1, 2, 3], [1, 2, 3]) == Estimate(1.0, None, None, 3)
    assert stats.spearman([1, 1, 1, 1, 1], [1, 2, 3, 4, 5]) == Estimate(None, None, None, 5)
    assert shrinkage.group_prior([1.0, 2.0], [None, None], [1, 1]) is None
    assert shrinkage.prior_votes([6.0, 7.0, 8.0], [5, 5, 5]) == (None, 7.0, 3)
    assert shrinkage.prior_votes([7.0] * 9, range(1, 10)).m is None, "films that do not differ"


@pytest.mark.parametrize(
    "call, told",
    [
        (lambda: stats.median_interval([1.0, math.inf], [1, 2]), "infinite"),
        (lambda: stats.median_interval([1.0, 2.0], [1, 2], level=95), "between 0 and 1"),
        (lambda: stats.spearman([1.0, 2.0], [1.0, 2.0], level=0), "between 0 and 1"),
        (lambda: stats.pooled_interval([1.0], [-1.0], [1]), "not above 0"),
        (lambda: stats.pooled_interval([0.0], [1.0], [1]), "not above 0"),
        (lambda: stats.pooled_interval([1.0, 2.0], [0.0, 1.0], [1, 2]), "not above 0"),
        (lambda: stats.pooled_interval([1.0, 2.0], [1.0], [1, 2]), "different lengths"),
        (lambda: stats.pooled_interval([1.0], [1.0], [1], level=2), "between 0 and 1"),
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
        st.tuples(st.floats(0.001, 1e4), st.floats(0.001, 1e4), st.integers(1, 20)),
        min_size=2,
        max_size=25,
    ),
    st.randoms(),
    gaps,
)
def test_order_and_gaps_change_nothing(rows, random, gap):
    "The same rows in any order, and with a row that is unknown, give the same digits."
    mixed = [*rows, (gap, gap, gap)]
    random.shuffle(mixed)
    for f in (
        lambda a, b, c: stats.median_interval(a, c),
        lambda a, b, c: stats.pooled_interval(a, b, c),
        lambda a, b, c: stats.delta_interval(a, b, c, c),
        lambda a, b, c: stats.shift_interval(a, b, c, c),
        lambda a, b, c: stats.spearman(a, b),
    ):
        one, other = f(*zip(*rows, strict=True)), f(*zip(*mixed, strict=True))
        assert one == other
        if one.low is not None:
            assert one.low <= one.value <= one.high


def test_a_pooled_interval_holds_its_ratio_or_is_none():
    "One return far above five others has ends beyond the ratio; one beyond all floats has none."
    budgets, clusters = [1, 1, 1, 4, 37, 1], [1, 2, 5, 3, 6, 4]
    wide = stats.pooled_interval([1, 1, 1, 1, 1, 4820], budgets, clusters)
    assert wide.low == wide.value < wide.high
    beyond = stats.pooled_interval([1, 1, 1, 1, 1, 1e280], budgets, clusters)
    assert beyond.value > 1e278 and (beyond.low, beyond.high) == (None, None)


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
    return with_data_date(table(MOVIES, timed), estimated_data_date(table(RAW, answers))).select(
        MOVIES.columns
    )


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
        "released 180 days or more before the data date": 3,
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


def test_the_stage_of_the_cohort_passes_every_limit_on():
    cells = stages()["28_cohort"].cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    missing = [name for name in COHORT_PARAMETERS if f"    {name}={name},\n" not in code]
    assert not missing, f"add {missing} to the parameters cell of 28_cohort and to its rules"


def test_shares_count_the_multiple_itself():
    roi = [0.99, 1.0, 2.49, 2.5]
    money = {"roi": roi, "revenue_musd": roi, "budget_musd": [1.0] * 4, "cluster": range(4)}
    told = money_summary(pd.DataFrame(money))
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
