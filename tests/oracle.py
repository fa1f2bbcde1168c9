"""An independent recomputation of every published table, for the parity tests.

Plain Python over lists of dicts; pandas only carries the results.  Nothing is imported from
the package under test.  The path of a record:

    read_json / read_csv_pair -> usable -> clean -> rule (why it is dropped, if it is) -> tables

A film is a dict of cleaned values in which None means "unknown".  Films are held in ascending
order of id, so the last film of any group is the one with the highest id.  Money is summed and
divided in whole US dollars, so totals, profits and ties are exact.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from statistics import fmean, median
from typing import Any

from pandas import DataFrame, read_csv

Row = dict[str, Any]

KNOWN_COLUMNS = (
    "id title tagline release_date genres belongs_to_collection original_language budget_musd "
    "revenue_musd production_companies production_countries vote_count vote_average popularity "
    "runtime overview spoken_languages poster_path cast cast_size director crew_size"
).split()
DERIVED_COLUMNS = (
    "release_year release_quarter release_month release_decade collection_id profit_musd roi"
).split()
CREDIT_COLUMNS = "movie_id kind order person_id name job".split()
RANKING_COLUMNS = (
    "rank id title release_date value budget_musd revenue_musd vote_count vote_average"
).split()
SEARCH_COLUMNS = [*RANKING_COLUMNS, "runtime", "director", "genres"]
PLACEHOLDERS = {
    "", "no data", "no overview found.", "no overview found", "no overview", "no tagline",
    "n/a", "none", "null", "nan", "-",
}  # fmt: skip

# ranking -> (column, descending)
RANKINGS = {
    "highest_revenue": ("revenue_musd", True),
    "highest_budget": ("budget_musd", True),
    "highest_profit": ("profit_musd", True),
    "lowest_profit": ("profit_musd", False),
    "highest_roi": ("roi", True),
    "lowest_roi": ("roi", False),
    "most_voted": ("vote_count", True),
    "highest_rated": ("vote_average", True),
    "lowest_rated": ("vote_average", False),
    "most_popular": ("popularity", True),
}

SERIES_FIELDS = (
    "first_air_date",
    "last_air_date",
    "number_of_seasons",
    "number_of_episodes",
    "seasons",
)

# column -> what a film can have at all
POSSIBLE = {
    "vote_average": (0, 10),
    "vote_count": (0, 10**9),
    "popularity": (0, 10**6),
    "release_year": (1874, 2100),  # the oldest film in TMDB is Passage de Venus of 1874
    "runtime": (1, 100_000),
    "budget": (0, 1e11),
    "revenue": (0, 1e11),
}

# aggregate -> (column, measure of its known values)
AGGREGATES: dict[str, tuple[str, Callable[[list[Any]], float]]] = {
    "films": ("id", len),
    "total_revenue_musd": ("revenue", lambda usd: sum(usd) / 1e6),
    "mean_revenue_musd": ("revenue", lambda usd: fmean(usd) / 1e6),
    "n_revenue": ("revenue", len),
    "total_budget_musd": ("budget", lambda usd: sum(usd) / 1e6),
    "mean_budget_musd": ("budget", lambda usd: fmean(usd) / 1e6),
    "n_budget": ("budget", len),
    "median_roi": ("roi", median),
    "n_roi": ("roi", len),
    "mean_rating": ("vote_average", fmean),
    "n_rating": ("vote_average", len),
    "mean_popularity": ("popularity", fmean),
    "n_popularity": ("popularity", len),
}


# --- reading ---------------------------------------------------------------------------------


def read_json(paths: Iterable[str | Path]) -> list[Any]:
    """Return the raw records of all files, in input order."""
    return [record for path in paths for record in _records(_content(Path(path)))]


def read_csv_pair(movies_csv: str | Path, credits_csv: str | Path) -> list[Row]:
    """Return the TMDB-5000 pair as API-shaped records, in the order of the movies file."""
    people: dict[str, Row] = {}
    for row in _csv_rows(credits_csv, "movie_id cast crew"):
        if row["movie_id"] not in people or _filled(row) >= _filled(people[row["movie_id"]]):
            people[row["movie_id"]] = row
    movies = _csv_rows(
        movies_csv,
        "id budget revenue runtime popularity vote_count vote_average genres keywords "
        "production_companies production_countries spoken_languages",
    )
    for movie in movies:
        if movie["id"] in people:
            movie["credits"] = {kind: people[movie["id"]][kind] for kind in ("cast", "crew")}
    return movies


def _filled(row: Row) -> int:
    """Return how many of the two lists of a row of credits hold somebody."""
    return bool(row["cast"]) + bool(row["crew"])


def _content(path: Path) -> bytes:
    """Return the bytes of a file, unpacked by its ending."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(data)
    if path.suffix == ".zst":
        import zstandard

        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
    return data


def _parse(data: str | bytes) -> Any:
    """Parse JSON, with the literals NaN and Infinity as null."""
    return json.loads(data, parse_constant=lambda _: None)


def _values(data: bytes) -> list[Any]:
    """Return the values of an array, of one value, or of JSON lines without the bad lines."""
    try:
        document = _parse(data)
    except ValueError:
        lines = []
        for line in data.split(b"\n"):
            with suppress(ValueError):
                lines.append(_parse(line))
        return lines
    return document if isinstance(document, list) else [document]


def _records(data: bytes) -> Iterator[Any]:
    """Yield the records of a file; a results page stands for its items."""
    for value in _values(data):
        page = value.get("results") if isinstance(value, dict) else None
        yield from page if isinstance(page, list) else [value]


def _csv_rows(path: str | Path, json_columns: str) -> list[Row]:
    """Return the rows of a CSV file: the named columns parsed as JSON, the others as text."""
    rows = read_csv(path, dtype=str, keep_default_na=False).to_dict("records")
    for row in rows:
        row.update({c: _parse(row[c]) if row[c] else None for c in json_columns.split()})
    return rows


# --- values ----------------------------------------------------------------------------------


def _number(value: Any) -> int | float | None:
    """Return a finite number, also from text; a bool is no number."""
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (OverflowError, TypeError, ValueError):
        return None
    return int(number) if number.is_integer() else number if math.isfinite(number) else None


def _positive(value: Any) -> int | float | None:
    """Return a number above zero."""
    number = _number(value)
    return number if number is not None and number > 0 else None


def _integer(value: Any) -> int | None:
    """Return a whole number."""
    number = _number(value)
    return number if isinstance(number, int) else None


def _text(value: Any) -> str | None:
    """Return a text that is not blank, as it is."""
    return value if isinstance(value, str) and value.strip() else None


def _prose(value: Any) -> str | None:
    """Return a text that is not a placeholder, as it is."""
    text = _text(value)
    return None if text is None or text.strip().casefold() in PLACEHOLDERS else text


def _date(value: Any) -> date | None:
    """Return the date of a text: year, month and day, with dashes, slashes or points and perhaps a
    time, or another order that only one day fits."""
    if not isinstance(value, str):
        return None
    text = re.sub("^([0-9]{4}-[0-9]{2}-[0-9]{2})[T ][0-9]{2}:[0-9]{2}.*$", r"\1", value.strip())
    first = re.fullmatch("([0-9]{4})([-/.])([0-9]{1,2})\\2([0-9]{1,2})", text)
    last = re.fullmatch("([0-9]{1,2})([/.])([0-9]{1,2})\\2([0-9]{4})", text)
    orders = [(1, 3, 4)] if first else [(4, 3, 1), (4, 1, 3)][: 1 + (last and last[2] == "/" or 0)]
    days = set()
    for order in orders if first or last else ():
        with suppress(ValueError):
            days.add(date(*(int((first or last)[i]) for i in order)))
    return days.pop() if len(days) == 1 else None


def _distinct(values: Iterable[Any]) -> list[Any] | None:
    """Return the known values, each once at its first place; unknown when there are none."""
    return list(dict.fromkeys(v for v in values if v is not None)) or None


def _names(values: Any, *keys: str) -> list[str] | None:
    """Return the distinct names of a list, each under the first of the keys that is not blank."""
    entries = [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []
    texts = [[_text(entry.get(key)) for key in keys] for entry in entries]
    return _distinct(next(filter(None, names), None) for names in texts)


# --- cleaning --------------------------------------------------------------------------------


def _usable(record: Any) -> bool:
    """Tell whether a record is an object with an id above zero and no API error answer."""
    if not isinstance(record, dict) or record.get("success") is False:
        return False
    if record.get("media_type") not in (None, "", "movie"):
        return False
    if any(record.get(k) for k in SERIES_FIELDS):
        return False
    key = record.get("id")
    if isinstance(key, str) and not re.fullmatch("[0-9]+", key):
        return False
    return (_integer(key) or 0) > 0


def _fetched(record: Row) -> datetime:
    """Return when a record was fetched; a record that does not say is older than any."""
    try:
        moment = datetime.fromisoformat(record["fetched_at"])
    except (KeyError, TypeError, ValueError):
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _credits(movie_id: int, kind: str, people: Any) -> list[Row]:
    """Return the credits of one kind in the order of the film."""
    rows = []
    for position, person in enumerate(people if isinstance(people, list) else []):
        if isinstance(person, dict):
            order = _integer(person.get("order")) if kind == "cast" else position
            rows.append({
                "movie_id": movie_id,
                "kind": kind,
                "order": position if order is None else order,
                "person_id": _integer(person.get("id")),
                "name": _text(person.get("name")),
                "job": "Actor" if kind == "cast" else _text(person.get("job")),
            })  # fmt: skip
    return sorted(rows, key=lambda row: row["order"])  # stable: position breaks ties


def _id(known: Any, name: str | None) -> int | None:
    """Return an id, or a number made from the name of what has none."""
    number = _integer(known)
    if number is not None or name is None:
        return number
    return -(2**52) - 1 - int(hashlib.md5(name.encode()).hexdigest()[:13], 16)


def _first_names(directing: list[Row]) -> dict[int, str | None]:
    """Return the first name under each id."""
    people = [(_id(credit["person_id"], credit["name"]), credit["name"]) for credit in directing]
    return {key: name for key, name in people[::-1] if key is not None}


def _director_names(directing: list[Row]) -> list[str] | None:
    """Return the directors' names, each person once: by id, or by name where the id is missing."""
    people: dict[Any, str] = {}
    for credit in directing:
        if credit["name"] is not None:
            key = credit["name"] if credit["person_id"] is None else credit["person_id"]
            people.setdefault(key, credit["name"])
    return list(people.values()) or None


def _clean(record: Row) -> Row:
    """Return the film of a record: all published columns, its credits, dollars and status."""
    budget, revenue = _positive(record.get("budget")), _positive(record.get("revenue"))
    day = _date(record.get("release_date"))
    votes = _integer(record.get("vote_count"))
    collection = record.get("belongs_to_collection") or {}
    people = record.get("credits") or {}
    cast, crew = people.get("cast"), people.get("crew")
    movie_id = int(record["id"])
    acting, working = _credits(movie_id, "cast", cast), _credits(movie_id, "crew", crew)
    directing = [c for c in working if c["job"] == "Director"]
    return {
        "id": movie_id,
        "title": _text(record.get("title")),
        "tagline": _prose(record.get("tagline")),
        "overview": _prose(record.get("overview")),
        "original_language": _text(record.get("original_language")),
        "poster_path": _text(record.get("poster_path")),
        "status": record.get("status"),
        "release_date": day and day.isoformat(),
        "release_year": day and day.year,
        "release_quarter": day and (day.month + 2) // 3,
        "release_month": day and day.month,
        "release_decade": day and day.year // 10 * 10,
        "genres": _names(record.get("genres"), "name"),
        "production_companies": _names(record.get("production_companies"), "name"),
        "production_countries": _names(record.get("production_countries"), "name"),
        "spoken_languages": _names(record.get("spoken_languages"), "name", "english_name"),
        "belongs_to_collection": _text(collection.get("name")),
        "collection_id": _id(collection.get("id"), _text(collection.get("name"))),
        "budget": budget,
        "revenue": revenue,
        "budget_musd": budget and budget / 1e6,
        "revenue_musd": revenue and revenue / 1e6,
        "profit_musd": (revenue - budget) / 1e6 if budget and revenue else None,
        "roi": revenue / budget if budget and revenue else None,
        "vote_count": votes,
        "vote_average": _number(record.get("vote_average")) if votes else None,
        "popularity": _number(record.get("popularity")),
        "runtime": _positive(record.get("runtime")),
        "cast_size": len(cast) if isinstance(cast, list) else None,
        "crew_size": len(crew) if isinstance(crew, list) else None,
        "cast": [
            name
            for _, name in dict.fromkeys((c["person_id"], c["name"]) for c in acting)
            if name is not None
        ]
        or None,
        "director": _director_names(directing),
        "credits": acting + working,
        # the first name under each id, or under the name where there is none
        "director_ids": _first_names(directing),
    }


def _worth(record: Row, sound: bool) -> tuple[bool, bool, int, datetime, bool]:
    """Return what a record counts among those of its film: details before list items, sound
    before broken, with names, credits and ids before without, new before old, released before
    not released."""

    def there(*names: str) -> bool:
        return any(record.get(name) not in (None, "") for name in names)

    detailed = there("status", "budget", "revenue", "runtime", "credits", "belongs_to_collection")
    lists = there("genres", "production_companies", "production_countries", "spoken_languages")
    credits = record.get("credits") or {}
    people = (record.get("genres"), credits.get("cast"), credits.get("crew"))
    entries = [entry for people_list in people for entry in people_list or [] if entry]
    ids = any(entry.get("id") is not None for entry in entries)
    parts = lists + there("credits") + ids
    return detailed, sound, parts, _fetched(record), record.get("status") == "Released"


def _fewest_columns(records: Iterable[Any], least: int) -> int:
    """Return the fewest known columns of a film: as many of those that one record in a hundred has
    as `least` is of all."""
    films = [record for record in records if isinstance(record, dict)]
    field = {"budget_musd": "budget", "revenue_musd": "revenue"}
    field |= dict.fromkeys(("cast", "cast_size", "director", "crew_size"), "credits")
    carried = [
        column
        for column in KNOWN_COLUMNS
        if 100 * sum(field.get(column, column) in film for film in films) >= max(100, len(films))
    ]
    return math.ceil(least * len(carried) / len(KNOWN_COLUMNS))


def _rule(film: Row, min_known_columns: int) -> str | None:
    """Return the first rule that drops a film other than as a duplicate, None for a film that
    stays."""
    if film["title"] is None:
        return "no title"
    if sum(film[column] is not None for column in KNOWN_COLUMNS) < min_known_columns:
        return "too few known columns"
    if film["status"] != "Released":
        return "not released"
    beyond = [
        film[c]
        for c, (low, high) in POSSIBLE.items()
        if film[c] is not None and not low <= film[c] <= high
    ]
    return "breaks a rule" if beyond else None


def _sound(film: Row, min_known_columns: int) -> bool:
    """Tell whether nothing but its status drops a film, and it has a status."""
    released = film | {"status": "Released"}
    return film["status"] is not None and _rule(released, min_known_columns) is None


def _below_zero(record: Row) -> bool:
    """Tell whether an amount that cannot be below zero is."""
    return any((_number(record.get(name)) or 0) < 0 for name in ("budget", "revenue", "runtime"))


def _split(records: Iterable[Any], min_known_columns: int) -> tuple[list[Row], list[Row]]:
    """Return the films that stay, by id, and the dropped ones with their rule, in input order."""
    usable = [record for record in records if _usable(record)]
    films = [_clean(record) for record in usable]
    best: dict[int, int] = {}
    for film in films:
        film["rule"] = _rule(film, min_known_columns)
    for position in sorted(
        range(len(usable)),
        key=lambda p: (
            _worth(usable[p], _sound(films[p], min_known_columns) and not _below_zero(usable[p])),
            p,
        ),
    ):
        best[films[position]["id"]] = position
    for position, film in enumerate(films):
        if best[film["id"]] != position:
            film["rule"] = "duplicate"
    kept = sorted((f for f in films if f["rule"] is None), key=lambda f: f["id"])
    return kept, [f for f in films if f["rule"]]


# --- rankings and groups ---------------------------------------------------------------------


def _ranked(rows: Iterable[Row], column: str, descending: bool, tie: str = "id") -> list[Row]:
    """Return the rows ranked by a column, unknown values last, ties by the smaller key."""

    def key(row: Row) -> tuple[bool, float, Any]:
        value = row[column]
        return value is None, 0 if value is None else -value if descending else value, row[tie]

    ordered = enumerate(sorted(rows, key=key), 1)
    return [{**row, "rank": rank, "value": row[column]} for rank, row in ordered]


def _aggregate(films: list[Row]) -> Row:
    """Return the aggregates of a group; of no known values everything but the count is unknown."""
    row = {}
    for name, (column, measure) in AGGREGATES.items():
        values = [film[column] for film in films if film[column] is not None]
        row[name] = measure(values) if values or measure is len else None
    return row


def _group_by(
    films: list[Row], name: str, keys: Callable[[Row], Iterable[Any] | None]
) -> list[Row]:
    """Return the aggregates of the films of each known key, by key; a film may have many keys."""
    groups: dict[Any, list[Row]] = {}
    for film in films:
        for key in keys(film) or ():
            groups.setdefault(key, []).append(film)
    groups.pop(None, None)
    return [
        {name: key, "members": groups[key], **_aggregate(groups[key])} for key in sorted(groups)
    ]


def carries_collections(records: Iterable[Any]) -> bool:
    """Tell whether any usable record has the field at all."""
    return any("belongs_to_collection" in record for record in records if _usable(record))


def _kind(film: Row) -> list[str]:
    """Return the group of a film: in a franchise or standalone."""
    return ["standalone" if film["collection_id"] is None else "franchise"]


def _franchises(films: list[Row]) -> list[Row]:
    """Aggregate the films of each collection, named as its last film names it."""
    rows = _group_by(films, "collection_id", lambda film: [film["collection_id"]])
    return [{**row, "collection": row["members"][-1]["belongs_to_collection"]} for row in rows]


def _directors(films: list[Row]) -> list[Row]:
    """Aggregate the films of each director, named as the last film credits the person."""
    rows = _group_by(films, "person_id", lambda film: film["director_ids"])
    for row in rows:
        credited = [film["director_ids"] for film in row["members"]]
        row["director"] = credited[-1][row["person_id"]]
        row["co_directed"] = sum(len(people) > 1 for people in credited)
    return rows


def _credited(films: list[Row], name: str, job: str) -> set[int]:
    """Return the films with a credit in this job for a person ever credited by this name."""
    credits = [credit for film in films for credit in film["credits"]]
    people = {c["person_id"] for c in credits if c["name"] == name} - {None}
    kind = "cast" if job == "Actor" else "crew"
    return {
        c["movie_id"]
        for c in credits
        if c["person_id"] in people and c["kind"] == kind and c["job"] == job
    }


# --- all tables ------------------------------------------------------------------------------


def tables(
    records: Iterable[Any],
    top_n: int = 10,
    min_votes: int = 10,
    roi_min_budget_musd: float = 10.0,
    min_known_columns: int = 10,
) -> dict[str, DataFrame]:
    """Return every published table of these records."""
    records = list(records)
    films, dropped = _split(records, _fewest_columns(records, min_known_columns))
    floors = {
        "roi": ("budget_musd", roi_min_budget_musd),
        "vote_average": ("vote_count", min_votes),
    }

    def top(column: str, descending: bool) -> list[Row]:
        by, least = floors.get(column, (column, -math.inf))
        eligible = [f for f in films if f[column] is not None and f[by] >= least]
        return _ranked(eligible, column, descending)[:top_n]

    def search(ids: set[int], column: str, descending: bool) -> list[Row]:
        return _ranked([film for film in films if film["id"] in ids], column, descending)

    scifi_action = {
        f["id"] for f in films if {"Science Fiction", "Action"} <= {*(f["genres"] or ())}
    }
    willis = scifi_action & _credited(films, "Bruce Willis", "Actor")
    uma = _credited(films, "Uma Thurman", "Actor")
    thurman = uma & _credited(films, "Quentin Tarantino", "Director")
    credits = [credit for film in films for credit in film["credits"]]
    kinds = _group_by(films, "group", _kind) if carries_collections(records) else []
    franchises, directors = _franchises(films), _directors(films)
    genres = _group_by(films, "genre", lambda film: film["genres"])
    yearly = _group_by(films, "year", lambda film: [film["release_year"]])
    best_paid = "total_revenue_musd", True
    published = {
        "movies": (films, KNOWN_COLUMNS + DERIVED_COLUMNS),
        "dropped": (dropped, ["id", "title", "rule"]),
        "credits": (credits, CREDIT_COLUMNS),
        "collections": (franchises, ["collection_id", "collection", "films"]),
        **{name: (top(*how), RANKING_COLUMNS) for name, how in RANKINGS.items()},
        "franchise_vs_standalone": (kinds, ["group", *AGGREGATES]),
        "franchises": (
            _ranked(franchises, *best_paid, "collection_id"),
            ["rank", "collection_id", "collection", *AGGREGATES],
        ),
        "directors": (
            _ranked(directors, *best_paid, "person_id"),
            ["rank", "person_id", "director", *AGGREGATES, "co_directed"],
        ),
        "genres": (_ranked(genres, "films", True, "genre"), ["rank", "genre", *AGGREGATES]),
        "yearly": (yearly, ["year", *AGGREGATES]),
        "search_scifi_action_willis": (search(willis, "vote_average", True), SEARCH_COLUMNS),
        "search_thurman_tarantino": (search(thurman, "runtime", False), SEARCH_COLUMNS),
    }
    return {name: DataFrame(rows, columns=columns) for name, (rows, columns) in published.items()}
