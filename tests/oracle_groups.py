"""An independent recomputation of the estimates by group, for tests/test_group_kpis.py.

Plain Python over lists of dicts, with numpy for resampling only; nothing is imported from the
package under test. A film is a dict with the columns of the movies table, in which None means
unknown, and `as_of`, the day of its answer.
"""

from __future__ import annotations

import csv
import math
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations
from pathlib import Path
from statistics import fmean, median
from typing import Any

import numpy as np

Row = dict[str, Any]
PRICES = Path(__file__).parent.parent / "data" / "reference" / "us_cpi_u.csv"
SEASONS = [
    ("winter", 1, 2),
    ("spring", 3, 4),
    ("summer", 5, 8),
    ("autumn", 9, 10),
    ("holiday", 11, 12),
]


# --- films -----------------------------------------------------------------------------------


def estimated_day(days):
    """Return the newest day that other days support: half a year, or twenty median gaps, hold it
    and the two days before; else it and the one before; else it alone."""
    days = sorted(days)
    gaps = sorted((days[i] - days[i - 1]).days for i in range(1, len(days)))
    near = max([180, *[20 * gap for gap in gaps[(len(gaps) - 1) // 2 :][:1]]])
    for n in (2, 1):
        for i in range(len(days) - 1, n - 1, -1):
            if (days[i] - days[i - n]).days <= near:
                return days[i]
    return days[-1] if days else None


def dated(films: list[Row], fetched: dict[int, date]) -> list[Row]:
    """Return the films with `as_of`: when they were fetched, else the estimated day of those not
    fetched."""
    untimed = [
        f["release_date"]
        for f in films
        if f["id"] not in fetched and f["revenue_musd"] is not None and f["release_date"]
    ]
    newest = estimated_day(untimed)
    return [f | {"as_of": fetched.get(f["id"], newest)} for f in films]


def cohort(films: list[Row]) -> list[Row]:
    """Return the films with known, plausible and mature money."""

    def fits(f: Row) -> bool:
        if (
            f.get("adult")
            or f.get("video")
            or None
            in (f["release_date"], f["runtime"], f["budget_musd"], f["revenue_musd"], f["as_of"])
        ):
            return False
        mature = f["release_date"] + timedelta(days=180) <= f["as_of"]
        return (
            f["runtime"] >= 60 and f["budget_musd"] >= 0.1 and f["revenue_musd"] >= 0.001 and mature
        )

    return [f | {"r": f["revenue_musd"] / f["budget_musd"]} for f in films if fits(f)]


def members(films: Iterable[Row], column: str) -> dict[Any, list[Row]]:
    """Return the films of each value of a column; a list puts a film in several groups, no value in
    none."""
    groups: dict[Any, list[Row]] = defaultdict(list)
    for film in films:
        value = film[column]
        for key in value if isinstance(value, list) else [] if value is None else [value]:
            groups[key].append(film)
    return dict(sorted(groups.items()))


# --- numbers ---------------------------------------------------------------------------------


def quartile(values: list[float], share: float) -> float | None:
    """Return the value at a share of the way through the sorted list, on the line between
    neighbours."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def ranks(values: list[float]) -> list[float]:
    """Return the rank of each value, the mean rank for ties."""
    places: dict[float, list[int]] = defaultdict(list)
    for i, value in enumerate(sorted(values), 1):
        places[value].append(i)
    return [fmean(places[value]) for value in values]


def rank_correlation(pairs: list[tuple[Any, Any]]) -> tuple[float | None, int]:
    """Return Pearson's correlation of the ranks over the known pairs, and how many they are."""
    known = [(x, y) for x, y in pairs if x is not None and y is not None]
    if len({x for x, _ in known}) < 2 or len({y for _, y in known}) < 2:
        return None, len(known)
    a, b = ranks([x for x, _ in known]), ranks([y for _, y in known])
    ma, mb = fmean(a), fmean(b)
    covariance = sum((x - ma) * (y - mb) for x, y in zip(a, b, strict=True))
    return covariance / math.sqrt(
        sum((x - ma) ** 2 for x in a) * sum((y - mb) ** 2 for y in b)
    ), len(known)


def starting_votes(rated: list[tuple[float, int]]) -> tuple[float | None, float | None]:
    """Return m and C: the line through (R - C)^2 over 1/v, with the weights of its own
    expectations, by normal equations and halving."""
    if not rated:
        return None, None
    mean = fmean(r for r, _ in rated)
    if len(rated) < 3 or len({v for _, v in rated}) < 2 or len({r for r, _ in rated}) < 2:
        return None, mean
    x, y = [1 / v for _, v in rated], [(r - mean) ** 2 for r, _ in rated]

    def line(m: float) -> tuple[float, float]:
        w = [(1 + m * b) ** -2 for b in x]
        mx, my = (sum(a * b for a, b in zip(w, c, strict=True)) / sum(w) for c in (x, y))
        above = sum(a * (b - mx) * (c - my) for a, b, c in zip(w, x, y, strict=True))
        slope = above / sum(a * (b - mx) ** 2 for a, b in zip(w, x, strict=True))
        return slope, my - slope * mx

    def too_low(m: float) -> bool:
        slope, between = line(m)
        return slope > m * between

    low, high = 0.0, 0.0
    while too_low(high):
        low, high = high, 2 * high or 1.0
        if high > 2**40:
            return None, mean
    for _ in range(200 if high else 0):
        middle = (low + high) / 2
        low, high = (middle, high) if too_low(middle) else (low, middle)
    return (high if line(high)[1] > 0 else None), mean


def slow_bootstrap(
    values: list[Any], statistic: Callable[[list[Any]], float], resamples: int = 1000
) -> tuple[float, float]:
    """Return the 95% percentile interval from whole resamples, drawn one by one."""
    rng = random.Random(5)
    draws = [statistic(rng.choices(values, k=len(values))) for _ in range(resamples)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(low), float(high)


def shown(n: int, least: int, firm: int) -> str:
    """Return how a group of n films is shown."""
    return "hidden" if n < least else "grey" if n < firm else "firm"


def typical(films: list[Row]) -> Row:
    """Return the median return and its n."""
    return {
        "median_return": median(f["r"] for f in films) if films else None,
        "n_return": len(films),
    }


# --- tables: rows without the ends of intervals ------------------------------------------------


def genre_returns(money: list[Row], least: int = 10, firm: int = 30) -> Iterator[Row]:
    """Yield the rows of genre_returns."""
    known = [f for f in money if f["genres"]]
    for genre, films in members(known, "genres").items():
        weights = [Fraction(1, len(f["genres"])) for f in films]
        earned = sum(Fraction(f["revenue_musd"]) * w for f, w in zip(films, weights, strict=True))
        spent = sum(Fraction(f["budget_musd"]) * w for f, w in zip(films, weights, strict=True))
        yield {
            "genre": genre,
            "share": len(films) / len(known),
            **typical(films),
            "pooled_return": float(earned / spent),
            "n_pooled": float(sum(weights)),
            "earned_back": sum(f["r"] >= 2.5 for f in films) / len(films),
            "shown": shown(len(films), least, firm),
        }


def genre_risk(money: list[Row], least: int = 10, firm: int = 30) -> Iterator[Row]:
    """Yield the rows of genre_risk."""
    for genre, films in members(money, "genres").items():
        returns = [f["r"] for f in films]
        yield {
            "genre": genre,
            "below_budget": sum(r < 1 for r in returns) / len(returns),
            "below_band": sum(r < 2 for r in returns) / len(returns),
            "p10_return": quartile(returns, 0.1),
            "n_return": len(returns),
            "shown": shown(len(returns), least, firm),
        }


def in_real_dollars(film: Row, sum_of: str) -> float | None:
    """Return the budget or revenue of a film in dollars of the last year with prices."""
    with PRICES.open(encoding="utf-8", newline="") as file:
        prices = {int(row["year"]): float(row["cpi"]) for row in csv.DictReader(file)}
    year = film["release_date"].year
    if year not in prices:
        return None
    return film[f"{sum_of}_musd"] * (prices[max(prices)] / prices[year])


def tier_genres(money: list[Row], least: int = 10, firm: int = 30) -> Iterator[Row]:
    """Yield the rows of tier_genres."""
    tiers = [("below $10M", 0, 10), ("$10M to $40M", 10, 40), ("$40M to $100M", 40, 100)]
    tiers.append(("$100M or more", 100, None))
    known = [(in_real_dollars(f, "budget"), f) for f in money]
    for tier, low, high in tiers:
        films = [f for b, f in known if b is not None and b >= low and (not high or b < high)]
        cells = {"all genres": films} if films else {}
        for genre, group in sorted((cells | members(films, "genres")).items()):
            yield {
                "tier": tier,
                "genre": genre,
                "from_musd": low,
                "below_musd": high,
                **typical(group),
                "shown": shown(len(group), least, firm),
            }


def year_change(money: list[Row], day: date | None) -> Iterator[Row]:
    """Yield the rows of year_change, from all pairs of films."""
    years = {f["release_date"].year for f in money}
    full = {y for y in years if day and (day - date(y, 12, 31)).days >= 180}
    if not full:
        return
    year = max(full)
    value: dict[str, Callable[[Row], float | None]] = {
        "return": lambda f: f["r"],
        "real_revenue": lambda f: in_real_dollars(f, "revenue"),
        "real_budget": lambda f: in_real_dollars(f, "budget"),
    }
    for measure, of in sorted(value.items()):
        known = [(f["release_date"].year, of(f)) for f in money]
        now, before = (
            [v for y, v in known if y == of_year and v is not None] for of_year in (year, year - 1)
        )
        ratios = [math.log2(a / b) for a in now for b in before]
        yield {
            "measure": measure,
            "year": year,
            "year_before": year - 1,
            "median": median(now) if now else None,
            "median_before": median(before) if before else None,
            "times": 2 ** median(ratios) if ratios else None,
            "n": len(now),
            "n_before": len(before),
        }


def genre_pairs(films: list[Row], least: int = 20) -> Iterator[Row]:
    """Yield the rows of genre_pairs: sets of ids, cut and joined."""
    ids = {genre: {f["id"] for f in group} for genre, group in members(films, "genres").items()}
    n = len(set().union(*ids.values())) if ids else 0
    for a, b in combinations(sorted(ids), 2):
        if both := ids[a] & ids[b]:
            yield {
                "genre_a": a,
                "genre_b": b,
                "films": len(both),
                "films_a": len(ids[a]),
                "films_b": len(ids[b]),
                "n_films": n,
                "jaccard": len(both) / len(ids[a] | ids[b]),
                "lift": (len(both) / n) / (len(ids[a]) / n * len(ids[b]) / n),
                "shown": "hidden" if len(both) < least else "firm",
            }


def periods(films: list[Row], length: int, key: str, least: int = 20) -> Iterator[Row]:
    """Yield the rows of yearly_money (length 1) or decades (length 10)."""
    with PRICES.open(encoding="utf-8", newline="") as file:
        prices = {int(row["year"]): float(row["cpi"]) for row in csv.DictReader(file)}
    last = max((f["as_of"] for f in films if f["as_of"]), default=None)
    groups = members(
        [
            f | {"at": f["release_date"] and f["release_date"].year // length * length}
            for f in films
        ],
        "at",
    )
    for start, group in groups.items():
        money = cohort(group)
        years = [(f["revenue_musd"], f["release_date"].year) for f in money]
        real = [
            revenue / prices[year] * prices[max(prices)]
            for revenue, year in years
            if year in prices
        ]
        both = sum(f["budget_musd"] is not None and f["revenue_musd"] is not None for f in group)
        yield {
            key: start,
            "films": len(group),
            "n_money": both,
            "coverage": both / len(group),
            **typical(money),
            "median_real_revenue_musd": median(real) if real else None,
            "p25_real_revenue_musd": quartile(real, 0.25),
            "p75_real_revenue_musd": quartile(real, 0.75),
            "n_real_revenue": len(real),
            "few": len(money) < least,
            "partial": None if last is None else last < date(start + length, 1, 1),
        }


def seasons(films: list[Row], parts: list[tuple[Row, int, int]]) -> Iterator[Row]:
    """Yield a row for each part of the year that has a film."""
    known = [f for f in films if f["release_date"]]
    for row, first, last in parts:
        group = [f for f in known if first <= f["release_date"].month <= last]
        if group:
            yield row | {
                "films": len(group),
                "share": len(group) / len(known),
                **typical(cohort(group)),
            }


def ratings(films: list[Row], top_n: int = 10, min_votes: int = 10) -> dict[str, list[Row]]:
    """Return rating_prior, best_rated, rating_sensitivity and correlations."""
    rated = [f for f in films if f["vote_count"] and f["vote_average"] is not None]
    m, mean = starting_votes([(f["vote_average"], f["vote_count"]) for f in rated])

    def weight(f: Row) -> float:
        v = f["vote_count"]
        return (v * f["vote_average"] + m * mean) / (v + m)

    def best(least: int) -> list[Row]:
        among = (
            []
            if m is None
            else [f | {"weighted_rating": weight(f)} for f in rated if f["vote_count"] >= least]
        )
        return sorted(among, key=lambda f: (-round(f["weighted_rating"], 9), f["id"]))[:top_n]

    base = {f["id"] for f in best(min_votes)}
    changes = []
    for least in (10, 100, 1000):
        top = {f["id"] for f in best(least)}
        films_n = sum(f["vote_count"] >= least for f in rated)
        changes.append(
            {
                "threshold": least,
                "films": films_n,
                "kept": len(top & base),
                "entered": len(top - base),
                "left": len(base - top),
            }
        )
    voted, money = [f for f in rated if f["vote_count"] >= min_votes], cohort(films)
    of = {"budget": "budget_musd", "revenue": "revenue_musd", "return": "r", "votes": "vote_count"}
    of |= {"rating": "vote_average", "popularity": "popularity", "runtime": "runtime"}
    names = (
        "budget vs popularity, budget vs rating, budget vs return, budget vs revenue, "
        "budget vs runtime, budget vs votes, popularity vs rating, popularity vs runtime, "
        "rating vs revenue, rating vs runtime, return vs popularity, return vs rating, "
        "return vs runtime, return vs votes, revenue vs popularity, revenue vs return, "
        "revenue vs runtime, revenue vs votes, votes vs popularity, votes vs rating, "
        "votes vs runtime"
    )
    together = []
    for pair in names.split(", "):
        x, y = pair.split(" vs ")
        among, chosen = "one vote or more", rated
        if {"budget", "revenue", "return"} & {x, y}:
            among, chosen = "cohort", money
        elif "rating" in (x, y):
            among, chosen = "enough votes", voted
        r, n = rank_correlation([(f[of[x]], f[of[y]]) for f in chosen])
        row = {"pair": pair, "x": x, "y": y, "among": among, "spearman": r, "n_spearman": n}
        together.append(row)
    columns = "id title release_date weighted_rating vote_average vote_count".split()
    return {
        "rating_prior": [{"m": m, "mean_rating": mean, "n_rating": len(rated)}],
        "best_rated": [
            {"rank": i, **{c: f[c] for c in columns}} for i, f in enumerate(best(min_votes), 1)
        ],
        "rating_sensitivity": changes,
        "correlations": together,
    }


def total(usd: list[float]) -> float | None:
    """Return the sum of known sums in million, exact to the dollar."""
    return sum(round(v * 1e6) for v in usd) / 1e6 if usd else None


def origins(
    films: list[Row], column: str, name: str, least: int = 10, firm: int = 30
) -> Iterator[Row]:
    """Yield the rows of companies, countries or languages."""
    money = members(cohort(films), column)
    groups = sorted(members(films, column).items(), key=lambda group: (-len(group[1]), group[0]))
    for rank, (key, group) in enumerate([g for g in groups if len(g[1]) >= least], 1):
        known = {
            c: [f[c] for f in group if f[c] is not None]
            for c in ("revenue_musd", "budget_musd", "roi", "vote_average", "popularity")
        }
        row: Row = {"rank": rank, name: key, "films": len(group)}
        for sums in ("revenue", "budget"):
            values = known[f"{sums}_musd"]
            mean = total(values) / len(values) if values else None
            row |= {
                f"total_{sums}_musd": total(values),
                f"mean_{sums}_musd": mean,
                f"n_{sums}": len(values),
            }
        row |= {
            "median_roi": median(known["roi"]) if known["roi"] else None,
            "n_roi": len(known["roi"]),
        }
        for short, long in (("rating", "vote_average"), ("popularity", "popularity")):
            row |= {
                f"mean_{short}": fmean(known[long]) if known[long] else None,
                f"n_{short}": len(known[long]),
            }
        yield (
            row
            | typical(money.get(key, []))
            | {"shown": shown(len(money.get(key, [])), least, firm)}
        )


def tables(
    films: list[Row], least: int = 10, firm: int = 30, pair: int = 20, year: int = 20
) -> dict[str, list[Row]]:
    """Return every table of chapters 43, 44, 46 and 47 that is made of estimates, without the ends
    of intervals."""
    windows = [({"window": w, "first_month": a, "last_month": b}, a, b) for w, a, b in SEASONS]
    newest = max((f["as_of"] for f in films if f["as_of"]), default=None)
    return {
        "genre_returns": list(genre_returns(cohort(films), least, firm)),
        "genre_risk": list(genre_risk(cohort(films), least, firm)),
        "tier_genres": list(tier_genres(cohort(films), least, firm)),
        "year_change": list(year_change(cohort(films), newest)),
        "genre_pairs": list(genre_pairs(films, pair)),
        "yearly_money": list(periods(films, 1, "year", year)),
        "decades": list(periods(films, 10, "decade", year)),
        "months": list(seasons(films, [({"month": m}, m, m) for m in range(1, 13)])),
        "windows": list(seasons(films, windows)),
        **ratings(films),
        "companies": list(origins(films, "production_companies", "company", least, firm)),
        "countries": list(origins(films, "production_countries", "country", least, firm)),
        "languages": list(origins(films, "original_language", "language", least, firm)),
    }
