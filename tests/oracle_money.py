"""An independent recomputation of the tables on money: all films, sensitivity, franchises and
directors.

Plain Python over the films of `oracle`, dicts in which None means "unknown"; nothing is imported
from the package under test. Money is in whole US dollars. A film has, beyond what `oracle` gives
it, `as_of`: the day of its answer, as text. Only values are recomputed here; what their
intervals must be is tested beside them.
"""

from __future__ import annotations

import csv
import math
from datetime import date, timedelta
from itertools import product
from pathlib import Path
from statistics import fmean, median
from typing import Any

from pandas import DataFrame

from tests import oracle
from tests.oracle_groups import estimated_day

Row = dict[str, Any]
with open(
    Path(__file__).parent.parent / "data" / "reference" / "us_cpi_u.csv",
    encoding="utf-8",
    newline="",
) as prices:
    PRICES = {int(row["year"]): float(row["cpi"]) for row in csv.DictReader(prices)}
OTHERS = {
    "roi": ("roi_min_budget_musd", [1, 5, 10, 20]),
    "vote_average": ("min_votes", [10, 100, 1000]),
}


def films_of(records: list[Any]) -> list[Row]:
    """Return the films of some records with the day of their answer."""
    films, _ = oracle._split(records, 10)
    times: dict[int, str] = {}
    kinds = {
        record["id"]: {kind: record.get(kind) for kind in ("adult", "video")}
        for record in records
        if "id" in record
    }
    for record in records:
        if record.get("fetched_at"):
            times[int(record["id"])] = max(
                times.get(int(record["id"]), ""), record["fetched_at"][:10]
            )
    untimed = [
        date.fromisoformat(f["release_date"])
        for f in films
        if f["id"] not in times and f["revenue"] and f["release_date"]
    ]
    newest = estimated_day(untimed)
    newest = newest and f"{newest}"
    return [film | kinds[film["id"]] | {"as_of": times.get(film["id"], newest)} for film in films]


# --- the cohort ------------------------------------------------------------------------------


def steps(films: list[Row]) -> list[list[Row]]:
    """Return the films left after each rule, all of them first."""

    def mature(film: Row) -> bool:
        return film["as_of"] is not None and date.fromisoformat(film["release_date"]) + timedelta(
            180
        ) <= date.fromisoformat(film["as_of"])

    left = [films]
    for rule in (
        lambda f: not f["adult"],
        lambda f: not f["video"],
        lambda f: f["release_date"],
        lambda f: (f["runtime"] or 0) >= 60,
        lambda f: f["budget"],
        lambda f: f["revenue"],
        lambda f: f["budget"] >= 100_000,
        lambda f: f["revenue"] >= 1000,
        mature,
    ):
        left.append([film for film in left[-1] if rule(film)])
    return left


def roi(film: Row) -> float:
    """Return what a film returned."""
    return film["revenue"] / film["budget"]


def real(film: Row, sum_of: str) -> float | None:
    """Return the budget or revenue in million dollars of the last year with prices."""
    year = film["release_date"] and int(film["release_date"][:4])
    return (
        film[sum_of] * PRICES[max(PRICES)] / PRICES[year] / 1e6
        if film[sum_of] and year in PRICES
        else None
    )


def middle(values: list[float | None]) -> float | None:
    """Return the median of the known values."""
    known = [v for v in values if v is not None]
    return median(known) if known else None


def share(films: list[Row], least: float) -> float | None:
    """Return the share of films that returned at least this."""
    return sum(roi(f) >= least for f in films) / len(films) if films else None


def pooled(films: list[Row]) -> float | None:
    """Return all revenues over all budgets."""
    return sum(f["revenue"] for f in films) / sum(f["budget"] for f in films) if films else None


def money(cohort: list[Row]) -> DataFrame:
    """Return value and n of each measure, by name."""
    worth = {name: [real(f, name) for f in cohort] for name in ("budget", "revenue")}
    rows = [
        ("earned_back", share(cohort, 2.5), len(cohort)),
        ("grossed_budget", share(cohort, 1), len(cohort)),
        *(
            (f"median_real_{name}", middle(values), sum(v is not None for v in values))
            for name, values in worth.items()
        ),
        ("median_return", middle([roi(f) for f in cohort]), len(cohort)),
        ("pooled_return", pooled(cohort), len(cohort)),
    ]
    return DataFrame(rows, columns=["measure", "value", "n"])


# --- sensitivity -----------------------------------------------------------------------------


def sensitivity(
    films: list[Row], top_n: int = 10, min_votes: float = 10, roi_min_budget_musd: float = 10.0
) -> DataFrame:
    """Return what stays of each ranking at each threshold."""
    published = {"min_votes": min_votes, "roi_min_budget_musd": roi_min_budget_musd}
    rows = []
    for name, (column, descending) in sorted(oracle.RANKINGS.items()):
        parameter, others = OTHERS.get(column, (None, []))
        known = sorted(
            (f for f in films if f[column] is not None),
            key=lambda f: (-f[column] if descending else f[column], f["id"]),
        )

        def pool(
            threshold: float | None, known: list[Row] = known, parameter: str | None = parameter
        ) -> list[Row]:
            by = {"min_votes": "vote_count", "roi_min_budget_musd": "budget_musd"}.get(parameter)
            return [f for f in known if by is None or (f[by] is not None and f[by] >= threshold)]

        before = pool(published.get(parameter))[:top_n]
        for threshold in sorted({*others, published[parameter]}) if parameter else [None]:
            among = pool(threshold)
            now = among[:top_n]
            rows.append({
                "ranking": name, "parameter": parameter, "threshold": threshold,
                "films": len(among),
                "kept": len([f for f in now if f in before]),
                "entered": [f["title"] for f in now if f not in before],
                "left": [f["title"] for f in before if f not in now],
                "first": now[0]["title"] if now else None,
            })  # fmt: skip
    return DataFrame(rows)


# --- franchises ------------------------------------------------------------------------------


def numbers(films: list[Row]) -> dict[int, int]:
    """Return the instalment of each film that has one, by its id."""
    found, last = {}, {}
    for film in sorted(
        (f for f in films if f["collection_id"] and f["release_date"]),
        key=lambda f: (f["release_date"], f["id"]),
    ):
        found[film["id"]] = last[film["collection_id"]] = last.get(film["collection_id"], 0) + 1
    return found


LATER = {str(n) for n in range(2, 21)} | set("II III IV V VI VII VIII IX X".split())
PART_WORDS = {"Part", "Chapter", "Episode", "Volume", "Vol."}


def is_later(film: Row) -> bool:
    """Tell whether a title says that other films of its collection came before, word by word."""
    words = film["title"].replace(" – ", " : ").replace(" - ", " : ").split(" ")
    name = film["belongs_to_collection"].split(" ")
    for i, word in enumerate(words):
        bare = word.rstrip(":,").removesuffix("½")
        ends = i == len(words) - 1 or word[-1:] in (":", ",") or words[i + 1] == ":"
        part = i > 0 and words[i - 1] in PART_WORDS
        if bare in LATER and (ends or part) and bare not in name:
            return True
        if part and bare in ("Two", "Three", "Four", "Five", "Six") and bare not in name:
            return True
    start = words[1:3] if words[0] == "The" else words[:2]
    if start in (["Return", "of"], ["Return", "to"], ["Revenge", "of"]) and start[0] not in name:
        return True
    if (
        words[-1] in ("Back", "Again")
        and words[-2:-1]
        and words[-2].rstrip("s") in ("Kick", "Strike")
    ):
        return True
    return words[-1] == "Returns" or film["title"].endswith(": The Return")


def known_starts() -> dict[int, str]:
    """Return the day or year of the oldest bundled part of each collection."""
    path = Path(__file__).parents[1] / "data" / "reference" / "collection_parts.csv"
    found: dict[int, str] = {}
    with path.open(encoding="utf-8") as lines:
        for row in csv.DictReader(lines):
            id, day = int(row["collection_id"]), row["release_date"]
            found[id] = min(found.get(id, day), day)
    return found


def groups(films: list[Row], cohort: list[Row]) -> dict[str, list[Row]]:
    """Return the films of the cohort that are first, sequels, or alone."""
    at = numbers(films)
    start = known_starts()
    later = {
        f["id"]
        for f in cohort
        if at.get(f["id"], 0) > 1
        or (f["id"] in at and start.get(f["collection_id"], "9") < str(f["release_date"]))
    }
    unclear = {f["id"] for f in cohort if at.get(f["id"]) == 1 and is_later(f)}
    return {
        "first": [f for f in cohort if at.get(f["id"]) == 1 and f["id"] not in unclear | later],
        "sequel": [f for f in cohort if f["id"] in later],
        "standalone": [f for f in cohort if not f["collection_id"]],
    }


def franchise_groups(films: list[Row], cohort: list[Row]) -> DataFrame:
    """Return the values of each group."""
    rows = []
    for group, mine in groups(films, cohort).items():
        values = {
            "median_return": middle([roi(f) for f in mine]),
            "pooled_return": pooled(mine),
            "earned_back": share(mine, 2.5),
        }
        rows.append({"group": group, "films": len(mine)})
        for name, value in values.items():
            rows[-1] |= {name: value, f"n_{name}": len(mine)}
    return DataFrame(rows)


def franchise_effect(films: list[Row], cohort: list[Row]) -> DataFrame:
    """Return the effects, from all pairs of films."""
    rows = []
    for a, b in (("first", "standalone"), ("sequel", "first"), ("sequel", "standalone")):
        x, y = ([roi(f) for f in groups(films, cohort)[group]] for group in (a, b))
        delta = [(p > q) - (p < q) for p, q in product(x, y)]
        steps_of = [math.log2(p) - math.log2(q) for p, q in product(x, y)]
        row = {"comparison": f"{a} vs {b}", "cliffs_delta": fmean(delta) if delta else None}
        rows.append(
            row | {"times": 2 ** median(steps_of) if delta else None, "n_a": len(x), "n_b": len(y)}
        )
    return DataFrame(rows)


def instalments(films: list[Row], cohort: list[Row]) -> DataFrame:
    """Return the values of each instalment."""
    at = numbers(films)
    first = {f["collection_id"]: real(f, "revenue") for f in groups(films, cohort)["first"]}
    rows = []
    for number in sorted(set(at.values())):
        mine = [f for f in cohort if at.get(f["id"]) == number]
        worth = [(real(f, "revenue"), first.get(f["collection_id"])) for f in mine]
        relative = [a / b for a, b in worth if a is not None and b is not None]
        row = {
            "instalment": number,
            "films": sum(n == number for n in at.values()),
            "median_return": middle([roi(f) for f in mine]),
        }
        rows.append(
            row
            | {
                "n_median_return": len(mine),
                "revenue_vs_first": middle(relative),
                "n_revenue_vs_first": len(relative),
            }
        )
    return DataFrame(
        rows,
        columns=(
            "instalment films median_return n_median_return revenue_vs_first n_revenue_vs_first"
        ).split(),
    )


def franchise_path(films: list[Row]) -> DataFrame:
    """Return the films of each franchise with two or more, undated ones last."""
    at, columns = (
        numbers(films),
        "collection_id collection instalment id title release_date real_revenue_musd roi".split(),
    )
    names = {f["collection_id"]: f["belongs_to_collection"] for f in films}
    several = [
        f
        for f in films
        if f["collection_id"] and sum(f["collection_id"] == o["collection_id"] for o in films) > 1
    ]
    rows = [
        f
        | {
            "instalment": at.get(f["id"]),
            "collection": names[f["collection_id"]],
            "real_revenue_musd": real(f, "revenue"),
        }
        for f in several
    ]
    return DataFrame(
        sorted(rows, key=lambda f: (f["collection_id"], f["instalment"] or 10**9, f["id"])),
        columns=columns,
    )


# --- directors -------------------------------------------------------------------------------


def prior(groups: list[list[float]]) -> tuple[float, float, float] | None:
    """Return mean, variance between and variance within of some groups of values."""
    n, means = sum(map(len, groups)), [fmean(g) for g in groups]
    if len(groups) < 2 or n == len(groups):
        return None
    within = sum((v - m) ** 2 for g, m in zip(groups, means, strict=True) for v in g) / (
        n - len(groups)
    )
    if not within:
        mean = fmean(means)
        return mean, sum((m - mean) ** 2 for m in means) / (len(groups) - 1), 0.0
    weights = [len(g) / within for g in groups]
    centre = sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights)
    q = sum(w * (m - centre) ** 2 for w, m in zip(weights, means, strict=True))
    between = max(
        0.0, (q - (len(groups) - 1)) / (sum(weights) - sum(w * w for w in weights) / sum(weights))
    )
    weights = [1 / (between + within / len(g)) for g in groups]
    return sum(w * m for w, m in zip(weights, means, strict=True)) / sum(weights), between, within


def director_scores(films: list[Row], cohort: list[Row], least: int = 5) -> DataFrame:
    """Return the ranked directors, with `sd` on the scale of log2."""
    columns = "rank person_id director films co_directed median_return score low high".split()
    made: dict[int, list[Row]] = {}
    for film in cohort:
        for person in film["director_ids"]:
            made.setdefault(person, []).append(film)
    known = prior([[math.log2(roi(f)) for f in mine] for mine in made.values()])
    if known is None:
        return DataFrame(columns=[*columns, "sd"])
    mean, between, within = known
    totals = {p: between + within / len(mine) for p, mine in made.items()}
    of_mean = 1 / sum(1 / t for t in totals.values()) if all(totals.values()) else 0.0
    rows = []
    for person, mine in made.items():
        kept = between / totals[person] if totals[person] else 1.0
        score = mean + kept * (fmean(math.log2(roi(f)) for f in mine) - mean)
        sd = math.sqrt(kept * within / len(mine) + (1 - kept) ** 2 * of_mean)
        name = [f["director_ids"][person] for f in films if person in f["director_ids"]][-1]
        shared = sum(len(f["director_ids"]) > 1 for f in mine)
        row = {
            "person_id": person,
            "director": name,
            "films": len(mine),
            "co_directed": shared,
            "sd": sd,
        }
        row |= {"median_return": median(roi(f) for f in mine), "score": 2**score}
        rows.append(
            row
            | {
                "low": 2 ** (score - 1.6448536269514722 * sd),
                "high": 2 ** (score + 1.6448536269514722 * sd),
            }
        )
    ranked = sorted(
        (r for r in rows if r["films"] >= least),
        key=lambda r: (-round(math.log2(r["low"]), 9), r["person_id"]),
    )
    return DataFrame([r | {"rank": i} for i, r in enumerate(ranked, 1)], columns=[*columns, "sd"])


# --- all tables ------------------------------------------------------------------------------


def tables(
    films: list[Row],
    top_n: int = 10,
    min_votes: float = 10,
    least_musd: float = 10.0,
    least: int = 5,
    collections: bool = True,
) -> dict[str, DataFrame]:
    """Return every table on money of these films; without collections in the data there is nothing
    to compare."""
    left = steps(films)
    cohort = left[-1]
    counts = [len(f) for f in left]
    taken = [0] + [a - b for a, b in zip(counts, counts[1:], strict=False)]
    return {
        "money": money(cohort),
        "money_funnel": DataFrame({"step": range(len(left)), "films": counts, "taken": taken}),
        "sensitivity": sensitivity(films, top_n, min_votes, least_musd),
        "franchise_groups": franchise_groups(films, cohort)[: None if collections else 0],
        "franchise_effect": franchise_effect(films, cohort)[: None if collections else 0],
        "instalments": instalments(films, cohort),
        "franchise_path": franchise_path(films),
        "director_scores": director_scores(films, cohort, least).drop(columns="sd"),
    }
