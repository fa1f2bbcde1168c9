"""An independent recomputation of the tables on films with unknown money, with pandas and scipy.

It reads the movies and cohort tables of a run and imports nothing from the package under test.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame
from scipy import optimize, stats

BANDS = [(0, "no votes"), (1, "1 to 9 votes"), (10, "10 to 99 votes"), (100, "100 to 999 votes")]
BANDS += [(1_000, "1,000 to 9,999 votes"), (10_000, "10,000 votes or more")]


def wilson(k: int, n: int) -> tuple[float, float]:
    """Return Wilson's 95% interval, by its formula."""
    z = stats.norm.ppf(0.975)
    p, centre = k / n, (k / n + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def coverage(movies: DataFrame, least: int = 10) -> DataFrame:
    """Return the share of films with known money of each group."""
    votes = movies["vote_count"].fillna(0)
    band = pd.Series([[name for low, name in BANDS if v >= low][-1] for v in votes])
    year = movies["release_year"]
    span = year.map(lambda y: None if pd.isna(y) else f"{int(y) // 5 * 5} to {int(y) // 5 * 5 + 4}")
    known = DataFrame({w: movies[f"{w}_musd"].notna() for w in ("budget", "revenue")})
    known["both"] = known["budget"] & known["revenue"]
    genres = movies["genres"].map(lambda g: [] if g is None else list(g)).explode().dropna()
    groups = {
        "all": pd.Series("all films", index=movies.index),
        "years": span,
        "votes": band,
        "language": movies["original_language"],
        "genre": genres,
    }
    rows = []
    for kind, names in groups.items():
        sizes = names.dropna().value_counts()
        if kind in ("language", "genre"):
            sizes = sizes[sizes >= least]
        order = sorted(sizes.index, key=lambda g: (-sizes[g], g))  # noqa: B023
        if kind == "years":
            order = sorted(sizes.index)
        if kind == "votes":
            order = [name for _, name in BANDS if name in sizes.index]
        for place, group in enumerate(order, 1):
            mine = known.loc[names.index[names == group]]
            row: dict[str, Any] = dict(kind=kind, place=place, group=group, films=len(mine))
            for what in known:
                k, n = int(mine[what].sum()), len(mine)
                low, high = wilson(k, n)
                row |= {
                    f"n_{what}": k,
                    what: k / n,
                    f"{what}_low": low,
                    f"{what}_high": high,
                }
            rows.append(row)
    return DataFrame(rows).sort_values(["kind", "place"], ignore_index=True)


def profile(movies: DataFrame, cohort: DataFrame) -> DataFrame:
    """Return medians and shares of the cohort beside those of all films."""
    sides = {"cohort": movies[movies["id"].isin(cohort["id"])], "all_films": movies}
    rows: list[dict[str, Any]] = []
    names = ["vote_count", "popularity", "runtime", "vote_average", "release_year"]
    for place, name in enumerate(names, 1):
        row: dict[str, Any] = dict(kind="median", place=place, measure=name)
        for side, part in sides.items():
            row |= {side: part[name].median(), f"n_{side}": int(part[name].notna().sum())}
        rows.append(row)
    for kind, name in (("language", "original_language"), ("country", "production_countries")):
        lists = {
            side: part[name].dropna().map(lambda v: {v} if isinstance(v, str) else set(v))
            for side, part in sides.items()
        }
        sizes = lists["all_films"].map(list).explode().value_counts()
        top = sorted(sizes.index, key=lambda g: (-sizes[g], g))[:5]  # noqa: B023
        for place, value in enumerate(top, 1):
            row = dict(kind=kind, place=place, measure=value)
            for side, sets in lists.items():
                share = sets.map(lambda s: value in s).mean()  # noqa: B023
                row |= {side: share, f"n_{side}": len(sets)}
            rows.append(row)
    return DataFrame(rows).sort_values(["kind", "place"], ignore_index=True)


def target(movies: DataFrame) -> DataFrame:
    """Return the films with votes that meet the rules not on money, sorted by id."""
    day, as_of = pd.to_datetime(movies["release_date"]), pd.to_datetime(movies["as_of"])
    met = (movies["vote_count"] > 0) & (movies["runtime"] >= 60) & day.notna()
    met &= ~(movies["adult"].eq(True) | movies["video"].eq(True))
    met &= day + pd.Timedelta(days=180) <= as_of
    return movies[met.fillna(False).astype(bool)].sort_values("id", ignore_index=True)


def bounds(movies: DataFrame, cohort: DataFrame) -> DataFrame:
    """Return the worst and the best case of each share."""
    films = target(movies)
    roi = cohort.set_index("id")["roi"].reindex(films["id"]).dropna()
    unknown = len(films) - len(roi)
    rows = []
    for multiple in (1.0, 2.0, 2.5, 3.0):
        k = int((roi >= multiple).sum())
        row = dict(multiple=multiple, share=k / len(roi), lowest=k / len(films))
        rows.append(
            row | dict(highest=(k + unknown) / len(films), n_known=len(roi), n_unknown=unknown)
        )
    return DataFrame(rows)


def weighted(movies: DataFrame, cohort: DataFrame) -> dict[str, float]:
    """Return the weighted headline numbers, with a model fitted by a general optimiser."""
    films = target(movies)
    rows = cohort.set_index("id").reindex(films["id"])
    known = rows["roi"].notna().to_numpy()
    votes = np.log10(films["vote_count"].to_numpy(float))
    facts = [votes, votes**2, films["release_year"].to_numpy(float)]
    facts.append((films["original_language"] == "en").to_numpy(float))
    facts.append(np.log10(films["runtime"].to_numpy(float)))
    sets = films["genres"].map(lambda g: set() if g is None else set(g))
    sizes = sets.map(list).explode().value_counts()
    facts += [sets.map(lambda s: g in s).to_numpy(float) for g in sizes.index[sizes >= 30]]  # noqa: B023
    x = np.column_stack(facts)
    deviation = x.std(axis=0)
    x = (x - x.mean(axis=0))[:, deviation > 0] / deviation[deviation > 0]

    def loss(beta: np.ndarray) -> tuple[float, np.ndarray]:
        z = beta[0] + x @ beta[1:]
        wrong = 1 / (1 + np.exp(-z)) - known
        value = np.logaddexp(0, z).sum() - z[known].sum() + (beta[1:] ** 2).sum() / 2
        return value, np.append(wrong.sum(), x.T @ wrong + beta[1:])

    beta = optimize.minimize(
        loss, np.zeros(x.shape[1] + 1), jac=True, method="BFGS", options={"gtol": 1e-7}
    ).x
    w = 1 + np.exp(-(beta[0] + x[known] @ beta[1:]))
    w = np.minimum(w, np.quantile(w, 0.995))
    roi, group = rows["roi"].to_numpy()[known], rows["group"].to_numpy()[known]

    def median(values: np.ndarray, weights: np.ndarray) -> float:
        order = np.argsort(values)
        return float(values[order][np.searchsorted(np.cumsum(weights[order]), weights.sum() / 2)])

    found = {f"share_above_{m:g}": float(w[roi >= m].sum() / w.sum()) for m in (1, 2, 2.5, 3)}
    found["median_return"] = median(roi, w)
    sequel, alone = group == "sequel", group == "standalone"
    if sequel.any():
        found["sequels_vs_standalone"] = median(roi[sequel], w[sequel]) / median(
            roi[alone], w[alone]
        )
    return found | {"n_effective": float(w.sum() ** 2 / (w**2).sum())}
