"""Films, rankings and tables of groups in plain pandas, as analysts write them in a notebook.

    python -m tests.bench.pandas_script chain INPUT FOLDER

It makes neither credits nor dropped records, and of the films only the columns FILM_COLUMNS.
"""

import sys
from hashlib import md5
from pathlib import Path
from typing import Any

import pandas as pd

from tests.bench import CSV_COLUMNS, NO_TEXT, RELEASE_YEARS

FILM_COLUMNS = (
    "id title release_date release_year genres collection_id belongs_to_collection budget_musd "
    "revenue_musd profit_musd roi vote_count vote_average popularity runtime cast cast_size "
    "director crew_size known_columns seq"
).split()
RANKINGS = {  # column, whether the lowest comes first, column and lowest value of a condition
    "highest_revenue": ("revenue_musd", False, None),
    "highest_budget": ("budget_musd", False, None),
    "highest_profit": ("profit_musd", False, None),
    "lowest_profit": ("profit_musd", True, None),
    "highest_roi": ("roi", False, "budget_musd"),
    "lowest_roi": ("roi", True, "budget_musd"),
    "most_voted": ("vote_count", False, None),
    "highest_rated": ("vote_average", False, "vote_count"),
    "lowest_rated": ("vote_average", True, "vote_count"),
    "most_popular": ("popularity", False, None),
}


def known(text: Any) -> Any:
    "A text; None if it is blank or no text."
    return text if isinstance(text, str) and text.strip() else None


def says(text: Any) -> Any:
    "A text; None if it says nothing."
    return known(text) if str(text).strip().lower() not in NO_TEXT else None


def entries(value: Any) -> list[dict[str, Any]]:
    "A list of objects; empty for anything else."
    return value if isinstance(value, list) else []


def names(objects: Any, *fields: str) -> list[str] | None:
    "The names in a list of objects, each once; None without any."
    texts = [
        next(filter(None, (known(item.get(field)) for field in fields or ("name",))), None)
        for item in entries(objects)
    ]
    return list(dict.fromkeys(filter(None, texts))) or None


def person_id(person: dict[str, Any]) -> int:
    "The id of a person, or one made from the name."
    made = -(2**52) - 1 - int(md5(person["name"].encode()).hexdigest()[:13], 16)
    return made if person["id"] is None else person["id"]


def billed(cast: list[dict[str, Any]]) -> list[str] | None:
    "The names of the cast in billing order, each person once."
    places = [i if p["order"] is None else p["order"] for i, p in enumerate(cast)]
    ordered = [cast[i] for i in sorted(range(len(cast)), key=lambda i: (places[i], i))]
    people = dict.fromkeys((person["id"], known(person["name"])) for person in ordered)
    return [name for _, name in people if name] or None


def directing(crew: list[dict[str, Any]]) -> dict[int, str]:
    "The directors in crew order: name by id."
    found: dict[int, str] = {}
    for person in crew:
        if person["job"] == "Director" and known(person["name"]):
            found.setdefault(person_id(person), person["name"])
    return found


def read_films(path: Path) -> pd.DataFrame:
    "The records of a file of JSON lines, with values that are None or NaN where unknown."
    raw = pd.read_json(path, lines=True, convert_dates=False, dtype=False)
    raw["seq"] = range(1, len(raw) + 1)
    people = raw["credits"].map(lambda c: c if isinstance(c, dict) else {})
    cast, crew = (
        people.map(lambda c, kind=kind: entries(c.get(kind))) for kind in ("cast", "crew")
    )
    has_credits = people.map(len) > 0
    collection = raw["belongs_to_collection"].map(lambda c: c if isinstance(c, dict) else {})
    films = raw[["id", "seq", "status", "popularity"]].copy()
    films["vote_count"] = raw["vote_count"].astype("Int64")
    for column in ("title", "original_language", "poster_path"):
        films[column] = raw[column].map(known)
    for column in ("tagline", "overview"):
        films[column] = raw[column].map(says)
    for column in ("genres", "production_companies", "production_countries"):
        films[column] = raw[column].map(names)
    films["spoken_languages"] = raw["spoken_languages"].map(
        lambda x: names(x, "name", "english_name")
    )
    films["release_date"] = pd.to_datetime(raw["release_date"], format="%Y-%m-%d", errors="coerce")
    money = {
        name: raw[name].where(raw[name] > 0).astype("float64") for name in ("budget", "revenue")
    }
    films["budget_musd"], films["revenue_musd"] = money["budget"] / 1e6, money["revenue"] / 1e6
    films["profit_musd"] = (money["revenue"] - money["budget"]) / 1e6
    films["roi"] = money["revenue"] / money["budget"]
    films["runtime"] = raw["runtime"].where(raw["runtime"] > 0).astype("Int64")
    films["vote_average"] = raw["vote_average"].where(raw["vote_count"].fillna(0) != 0)
    films["collection_id"] = collection.map(lambda c: c.get("id")).astype("Int64")
    films["belongs_to_collection"] = collection.map(lambda c: c.get("name"))
    films["cast"], films["directors"] = cast.map(billed), crew.map(directing)
    films["director"] = films["directors"].map(lambda found: list(found.values()) or None)
    films["cast_size"] = cast.map(len).where(has_credits).astype("Int64")
    films["crew_size"] = crew.map(len).where(has_credits).astype("Int64")
    films["known_columns"] = films[CSV_COLUMNS].notna().sum(axis=1)
    films["below_zero"] = (raw[["budget", "revenue", "runtime"]] < 0).any(axis=1)
    lists = ["genres", "production_companies", "production_countries", "spoken_languages"]
    has_people = (cast.map(len) + crew.map(len)) > 0
    films["parts"] = (
        has_credits.astype(int)
        + raw[lists].notna().any(axis=1)
        + (has_people | films["genres"].notna()).astype(int)
    )
    return films


def choose_films(films: pd.DataFrame) -> pd.DataFrame:
    "The best record of each film, without films that are unreleased, unknown or impossible."
    year = films["release_date"].dt.year
    impossible = (
        ~films["vote_average"].fillna(5).between(0, 10)
        | ~year.fillna(2000).between(*RELEASE_YEARS)
        | (films["runtime"].fillna(90) > 100_000)
    )
    poor = films["title"].isna() | (films["known_columns"] < 10)
    films["sound"] = ~(poor | impossible | films["status"].isna() | films["below_zero"])
    films["fit"] = ~(poor | impossible)
    films["released"] = films["status"] == "Released"
    best = ["id", "sound", "parts", "released", "seq"]
    first = films.sort_values(best, ascending=[True, False, False, False, False])
    first = first.drop_duplicates("id")
    chosen = first[first["released"] & first["fit"]]
    return chosen.assign(release_year=chosen["release_date"].dt.year.astype("Int64"))


def summary(films: pd.DataFrame, key: str) -> pd.DataFrame:
    "The columns that every table of groups has."
    table = films.groupby(key).agg(
        films=("id", "size"),
        total_revenue_musd=("revenue_musd", lambda x: x.sum(min_count=1)),
        mean_revenue_musd=("revenue_musd", "mean"),
        n_revenue=("revenue_musd", "count"),
        total_budget_musd=("budget_musd", lambda x: x.sum(min_count=1)),
        mean_budget_musd=("budget_musd", "mean"),
        n_budget=("budget_musd", "count"),
        median_roi=("roi", "median"),
        n_roi=("roi", "count"),
        mean_rating=("vote_average", "mean"),
        n_rating=("vote_average", "count"),
        mean_popularity=("popularity", "mean"),
        n_popularity=("popularity", "count"),
    )
    return table.reset_index()


def ranked(table: pd.DataFrame, by: str, key: str) -> pd.DataFrame:
    "The rows by a column, highest first, with their rank."
    order = table[by].round(6)  # sums of fractions differ in the last digits
    table = table.assign(order=order).sort_values(["order", key], ascending=[False, True])
    return table.drop(columns="order").assign(rank=range(1, len(table) + 1))


def ranking(films: pd.DataFrame, by: str, ascending: bool, among: str | None) -> pd.DataFrame:
    "The ten films with the highest or lowest values."
    known = films[films[by].notna() & (films[among] >= 10 if among else True)]
    top = known.sort_values([by, "id"], ascending=[ascending, True]).head(10)
    top = top.assign(rank=range(1, len(top) + 1), value=top[by])
    money = ["budget_musd", "revenue_musd", "vote_count", "vote_average"]
    return top[["rank", "id", "title", "release_date", "value", *money]]


def directors(films: pd.DataFrame) -> pd.DataFrame:
    "The films of each director."
    each = films.assign(
        together=films["directors"].map(len), person=films["directors"].map(lambda d: [*d.items()])
    )
    each = each.explode("person").dropna(subset=["person"])
    each["person_id"], each["who"] = each["person"].str[0].astype("int64"), each["person"].str[1]
    groups = each.sort_values("id").groupby("person_id")
    named = pd.DataFrame(
        {
            "director": groups["who"].last(),
            "co_directed": groups["together"].agg(lambda n: (n > 1).sum()),
        }
    )
    table = summary(each, "person_id").merge(named, on="person_id")
    return ranked(table, "total_revenue_musd", "person_id")


def tables_of(films: pd.DataFrame) -> dict[str, pd.DataFrame]:
    "All tables by name."
    collections = films.dropna(subset=["collection_id"]).sort_values("id")
    names = collections.groupby("collection_id")["belongs_to_collection"].last()
    names = names.rename("collection").reset_index()
    sizes = collections.groupby("collection_id").size().rename("films").reset_index()
    franchises = summary(collections, "collection_id").merge(names, on="collection_id")
    is_part = films["collection_id"].notna().map({True: "franchise", False: "standalone"})
    genres = films.explode("genres").rename(columns={"genres": "genre"})
    return {
        "movies": films[FILM_COLUMNS].sort_values("id"),
        "collections": names.merge(sizes, on="collection_id"),
        **{name: ranking(films, *how) for name, how in RANKINGS.items()},
        "franchises": ranked(franchises, "total_revenue_musd", "collection_id"),
        "franchise_vs_standalone": summary(films.assign(group=is_part), "group"),
        "directors": directors(films),
        "genres": ranked(summary(genres, "genre"), "films", "genre"),
        "yearly": summary(films, "release_year").rename(columns={"release_year": "year"}),
    }


def main(part: str, source: str, target: str) -> None:
    "Make all tables."
    assert part == "chain"
    for name, table in tables_of(choose_films(read_films(Path(source)))).items():
        table.to_parquet(Path(target) / f"{name}.parquet", compression="zstd", index=False)


if __name__ == "__main__":
    main(*sys.argv[1:])
