"""An independent recomputation of the table return_drivers, for tests/test_drivers.py.

Plain Python over lists of dicts, without matrices: each coefficient is that of the part of its
column that no other column explains (Frisch and Waugh 1933; Lovell 1963). Nothing is imported from
the package under test. A film is a dict with `budget` (real, million USD), `month`, `year`,
`group`, `genres`, `cluster` and `y`, its log2 return; None means unknown.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Any

from scipy.stats import t as student

Row = dict[str, Any]
SEASON_OF = {1: "winter", 2: "winter", 3: "spring", 4: "spring", 9: "autumn", 10: "autumn"}
SEASON_OF |= {11: "holiday", 12: "holiday", **dict.fromkeys((5, 6, 7, 8), "summer")}


def tier_of(budget: float | None) -> str | None:
    """Return the budget tier."""
    if budget is None:
        return None
    if budget < 10:
        return "below $10M"
    if budget < 40:
        return "$10M to $40M"
    return "$40M to $100M" if budget < 100 else "$100M or more"


def levels(film: Row) -> Row:
    """Return the level of each fact of a film; a set for genres."""
    return {
        "budget": tier_of(film["budget"]),
        "season": SEASON_OF[film["month"]],
        "franchise": film["group"],
        "decade": f"{film['year'] // 10 * 10}s",
        "genre": frozenset(film["genres"] or ()) or None,
    }


def dot(a: list[float], b: list[float]) -> float:
    """Return the sum of the products."""
    return math.fsum(x * y for x, y in zip(a, b, strict=True))


def without(column: list[float], basis: list[list[float]]) -> list[float]:
    """Return what is left of a column when the directions of a basis are taken away, twice."""
    for _ in range(2):
        for direction in basis:
            share = dot(column, direction)
            column = [x - share * d for x, d in zip(column, direction, strict=True)]
    return column


def directions(columns: list[list[float]]) -> list[list[float]]:
    """Return orthogonal unit vectors that span the columns."""
    basis: list[list[float]] = []
    for column in columns:
        rest = without(column, basis)
        size = math.sqrt(dot(rest, rest))
        if size > 1e-8 * math.sqrt(dot(column, column)):
            basis.append([x / size for x in rest])
    return basis


def spread(clusters: list[int]) -> float:
    """Return Kish's effective number of clusters."""
    sizes = Counter(clusters).values()
    return sum(sizes) ** 2 / sum(s * s for s in sizes) if sizes else 0.0


def designed(films: list[Row], least: int) -> tuple[list[Row], dict[tuple[str, str], Row]]:
    """Return the films without an unknown fact and, by fact, its column and what it is compared
    with."""
    facts = [levels(f) for f in films]
    used = [
        k for k in ("budget", "season", "franchise", "decade", "genre") if any(f[k] for f in facts)
    ]
    chosen = [i for i, f in enumerate(facts) if all(f[k] for k in used)]
    found: dict[tuple[str, str], Row] = {}
    for factor in used:
        values = [facts[i][factor] for i in chosen]
        if factor == "genre":
            for genre in sorted({g for v in values for g in v}):
                column = [float(genre in v) for v in values]
                if min(sum(column), len(column) - sum(column)) >= least:
                    found[factor, genre] = {"column": column, "with": "films of other genres"}
            continue
        sizes = Counter(values)
        largest = min(sizes, key=lambda v: (-sizes[v], v)) if sizes else ""
        for level in sorted(sizes):
            if level != largest and sizes[level] >= least:
                column = [float(v == level) for v in values]
                found[factor, level] = {"column": column, "with": largest}
        few = {v for v in sizes if sizes[v] < least and v != largest}
        if few:
            found[factor, ""] = {"column": [float(v in few) for v in values], "with": largest}
    return [films[i] for i in chosen], found


def drivers(films: list[Row], least: int = 30, per_column: int = 10) -> Iterator[Row]:
    """Yield the rows of return_drivers."""
    films, design = designed(films, least)
    n, y, clusters = len(films), [f["y"] for f in films], [f["cluster"] for f in films]
    columns, kept = [[1.0] * n], []
    for name, each in design.items():
        if len(directions([*columns, each["column"]])) > len(columns):
            columns.append(each["column"])
            kept.append(name)
    k = len(columns)
    if n < per_column * k or spread(clusters) < 6 or k < 2 or max(y) - min(y) < 1e-12:
        return
    residuals = without(y, directions(columns))
    mean = math.fsum(y) / n
    left = dot(residuals, residuals) / math.fsum((v - mean) ** 2 for v in y)
    groups = len(set(clusters))
    factor = groups / (groups - 1) * (n - 1) / (n - k)
    rows = []
    for i, name in enumerate(kept, 1):
        own = without(columns[i], directions(columns[:i] + columns[i + 1 :]))
        size = dot(own, own)
        b = dot(own, y) / size
        scores: dict[int, float] = defaultdict(float)
        for cluster, x, u in zip(clusters, own, residuals, strict=True):
            scores[cluster] += x * u
        error = math.sqrt(factor * math.fsum(s * s for s in scores.values())) / size
        inside = [c for c, x in zip(clusters, columns[i], strict=True) if x]
        outside = [c for c, x in zip(clusters, columns[i], strict=True) if not x]
        count, low, high, p = min(spread(inside), spread(outside)), None, None, 1.0
        if count >= 6 and error > 0:
            reach = student.ppf(0.975, count - 1) * error
            low, high = 2 ** (b - reach), 2 ** (b + reach)
            p = 2 * student.sf(abs(b) / error, count - 1)
        row = {"factor": name[0], "level": name[1], "compared_with": design[name]["with"]}
        row |= {"times": 2**b, "times_low": low, "times_high": high, "films": len(inside), "p": p}
        rows.append(row | {"explained": 1 - left * (n - 1) / (n - k), "n_films": n})
    ordered = sorted(row["p"] for row in rows)
    below = [p for i, p in enumerate(ordered, 1) if p <= 0.05 * i / len(ordered)]
    limit = max(below, default=-1.0)  # Benjamini and Hochberg's largest p that still counts
    for row in sorted(rows, key=lambda r: (r["factor"], r["level"])):
        p = row.pop("p")
        if row["level"]:
            yield row | {"is_clear": p <= limit}
