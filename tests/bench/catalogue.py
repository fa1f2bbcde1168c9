"""A seeded catalogue of films that never were, in the shape of TMDB's details, for `make bench`.

Sizes, unknown values, ties and long casts follow the real catalogue: three films in twenty have a
budget, one in ten belongs to a collection, most films have few credits and some a hundred. One
record in a hundred is there twice. A few have what cleaning is for: blank titles, days that do not
exist, impossible values, tiny budgets, people without an id or twice in a list.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from tmdb_analysis.core.home import replace_file

GENRES = (
    "Action Adventure Animation Comedy Crime Documentary Drama Family Fantasy History Horror Music "
    "Mystery Romance Thriller War Western"
).split()
JOBS = "Director Writer Producer Editor Screenplay Casting".split()
COUNTRIES = {"US": "United States of America", "FR": "France", "IN": "India", "JP": "Japan"}
LANGUAGES = {"en": "English", "fr": "French", "hi": "Hindi", "ja": "Japanese"}
WORDS = "the of dark last night love city river king star lost blue road house winter train".split()
FIRST_DAY = date(1930, 1, 1)
NO_TEXTS = ("No overview found.", "N/A", " ", "")


def people(rng: random.Random, n: int, pool: int) -> Iterator[tuple[int, str]]:
    "Ids and names of some people; few of them work often."
    for _ in range(n):
        id = 1 + int(pool * rng.random() ** 2)
        yield id, f"Person {id}"


def cast_member(id: int, name: str, film: int, place: int, rng: random.Random) -> dict[str, Any]:
    "A member of the cast; a few have no id, no place or no role."
    return {
        "adult": False,
        "gender": 1 + id % 2,
        "id": id if rng.random() < 0.999 else None,
        "known_for_department": "Acting",
        "name": name,
        "original_name": name,
        "popularity": 1.5,
        "profile_path": None,
        "cast_id": place,
        "character": f"Role {place}" if rng.random() < 0.9 else "",
        "credit_id": f"{film:012x}{place:012x}",
        "order": place if rng.random() < 0.999 else None,
    }


def crew_member(id: int, name: str, film: int, place: int, rng: random.Random) -> dict[str, Any]:
    "A member of the crew; a few have no id."
    return {
        "adult": False,
        "gender": 0,
        "id": id if rng.random() < 0.999 else None,
        "known_for_department": "Directing",
        "name": name,
        "original_name": name,
        "popularity": 1.5,
        "profile_path": None,
        "credit_id": f"{film:012x}{place:011x}c",
        "department": "Directing" if place == 0 else "Production",
        "job": JOBS[place % len(JOBS)],
    }


def spoil(details: dict[str, Any], rng: random.Random, faulty: float) -> None:
    "Put one of the values that cleaning is for into a film, with the probability `faulty`."
    faults: list[dict[str, Any]] = [
        *({"title": title} for title in ("", " \u00a0", None)),
        *({"release_date": day} for day in ("2001-02-30", "soon", None, "1850-06-01")),
        *({"runtime": minutes} for minutes in (None, -5, 200_000)),
        *({"vote_average": value} for value in (11.5, -1.0)),
        *({"status": status} for status in (None, "Rumored")),
        *({"genres": genres} for genres in ([], None)),
        *({"credits": people} for people in (None, {"cast": [], "crew": []})),
        {"revenue": -1},
        {"vote_count": None},
        {"production_countries": []},
        {"release_date": "", "runtime": 0, "genres": [], "production_companies": [],
         "spoken_languages": [], "poster_path": None, "overview": "", "credits": None},
    ]  # fmt: skip
    if rng.random() < faulty:
        details.update(rng.choice(faults))


def film(id: int, rng: random.Random, films: int) -> dict[str, Any]:
    "The details of one film of a catalogue of so many films."
    day = FIRST_DAY + timedelta(days=int(35_000 * rng.random() ** 0.5))
    language = rng.choices(list(LANGUAGES), (70, 12, 10, 8))[0]
    country = rng.choices(list(COUNTRIES), (70, 12, 10, 8))[0]
    title = " ".join(rng.choices(WORDS, k=3)).title()
    is_known = rng.random() < 0.3  # widely seen: votes and money
    budget = round(10 ** rng.gauss(7, 0.6), -5) if is_known and rng.random() < 0.5 else 0
    budget = rng.randrange(1, 2_000) if budget and rng.random() < 0.02 else int(budget)
    revenue = int(budget * rng.lognormvariate(0.6, 1)) if budget and rng.random() < 0.8 else 0
    votes = int(rng.lognormvariate(5, 1.5)) if is_known else int(rng.random() * 10)
    pool, cast = max(1_000, films // 2), min(120, int(rng.lognormvariate(2.3, 0.8)))
    crew = min(60, 1 + int(rng.lognormvariate(1.2, 0.7)))
    part = rng.randrange(1, max(2, films // 40)) if rng.random() < 0.1 else 0
    collection = {"id": part, "name": f"Saga {part} Collection", "poster_path": None}
    return {
        "adult": False,
        "backdrop_path": f"/{id:032x}.jpg",
        "belongs_to_collection": collection if part else None,
        "budget": budget,
        "genres": [{"id": GENRES.index(g), "name": g} for g in sorted({*rng.choices(GENRES, k=2)})],
        "homepage": "",
        "id": id,
        "imdb_id": f"tt{id:08}",
        "original_language": language,
        "original_title": title,
        "overview": " ".join(rng.choices(WORDS, k=40)).capitalize() + "."
        if rng.random() < 0.97
        else rng.choice(NO_TEXTS),
        "popularity": round(rng.lognormvariate(1, 1), 3),
        "poster_path": f"/{id:032x}.jpg",
        "production_companies": [
            {"id": n, "logo_path": None, "name": f"Studio {n}", "origin_country": country}
            for n in sorted({int(2_000 * rng.random() ** 3) + 1 for _ in range(2)})
        ],
        "production_countries": [{"iso_3166_1": country, "name": COUNTRIES[country]}],
        "release_date": f"{day}" if rng.random() < 0.98 else "",
        "revenue": revenue,
        "runtime": rng.choice((0, *range(61, 180))),
        "spoken_languages": [
            {
                "english_name": LANGUAGES[language],
                "iso_639_1": language,
                "name": LANGUAGES[language] if rng.random() < 0.95 else "",
            }
        ],
        "status": "Released" if rng.random() < 0.97 else "Post Production",
        "tagline": title if is_known else "",
        "title": title,
        "video": False,
        "vote_average": round(rng.uniform(4, 8), 1) if votes else 0.0,
        "vote_count": votes,
        "credits": {
            "cast": [
                cast_member(*person, id, place, rng)
                for place, person in enumerate(people(rng, cast, pool))
            ],
            "crew": [
                crew_member(*person, id, place, rng)
                for place, person in enumerate(people(rng, crew, pool // 4))
            ],
        },
    }


def write_catalogue(
    path: Path, films: int, seed: int = 1, copied: float = 0.01, faulty: float = 0.02
) -> None:
    """Write films as JSON lines, a share of them twice, and a share of all records with a fault.

    The same arguments give the same films."""
    rng = random.Random(seed)
    with open(path, "wb") as f:
        for id in range(1, films + 1):
            details = film(id, rng, films)
            copies = (
                [details, details | {"popularity": 0.5}] if rng.random() < copied else [details]
            )
            for record in copies:
                spoil(record, rng, faulty)
                f.write(orjson.dumps(record) + b"\n")


def cached_catalogue(cache: Path, films: int, seed: int = 1) -> Path:
    "The file of a catalogue, made once for each version of this module; older ones are deleted."
    digest = sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = cache / f"films-{films}-{seed}-{digest}.jsonl"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        for older in cache.glob(f"films-{films}-{seed}-*.jsonl"):
            older.unlink()
        with replace_file(path) as scratch:
            write_catalogue(scratch, films, seed)
    return path
