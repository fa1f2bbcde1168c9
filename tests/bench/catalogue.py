"""A seeded catalogue of films that never were, in the shape of TMDB's details, for `make bench`.

Sizes, unknown values, ties and long casts follow the real catalogue: one film in ten has a budget,
four in ten films with money belong to a collection, most films have few credits and some a hundred.
"""

import random
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson

from tmdb_analysis.core.store import replace_file

GENRES = (
    "Action Adventure Animation Comedy Crime Documentary Drama Family Fantasy History Horror Music "
    "Mystery Romance Thriller War Western"
).split()
JOBS = "Director Writer Producer Editor Screenplay Casting".split()
COUNTRIES = {"US": "United States of America", "FR": "France", "IN": "India", "JP": "Japan"}
LANGUAGES = {"en": "English", "fr": "French", "hi": "Hindi", "ja": "Japanese"}
WORDS = "the of dark last night love city river king star lost blue road house winter train".split()
FIRST_DAY = date(1930, 1, 1)


def people(rng: random.Random, n: int, pool: int) -> Iterator[tuple[int, str]]:
    "Ids and names of some people; few of them work often."
    for _ in range(n):
        id = 1 + int(pool * rng.random() ** 2)
        yield id, f"Person {id}"


def film(id: int, rng: random.Random, films: int) -> dict[str, Any]:
    "The details of one film of a catalogue of so many films."
    day = FIRST_DAY + timedelta(days=int(35_000 * rng.random() ** 0.5))
    language = rng.choices(list(LANGUAGES), (70, 12, 10, 8))[0]
    country = rng.choices(list(COUNTRIES), (70, 12, 10, 8))[0]
    title = " ".join(rng.choices(WORDS, k=3)).title()
    is_known = rng.random() < 0.3  # widely seen: votes and money
    budget = int(10 ** rng.gauss(7, 0.6)) if is_known and rng.random() < 0.5 else 0
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
        "overview": " ".join(rng.choices(WORDS, k=40)).capitalize() + ".",
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
                "name": LANGUAGES[language],
            }
        ],
        "status": "Released" if rng.random() < 0.97 else "Post Production",
        "tagline": "",
        "title": title,
        "video": False,
        "vote_average": round(rng.uniform(4, 8), 1) if votes else 0.0,
        "vote_count": votes,
        "credits": {
            "cast": [
                {
                    "adult": False,
                    "gender": 1 + id % 2,
                    "id": person,
                    "known_for_department": "Acting",
                    "name": name,
                    "original_name": name,
                    "popularity": 1.5,
                    "profile_path": None,
                    "cast_id": n,
                    "character": f"Role {n}",
                    "credit_id": f"{id:012x}{n:012x}",
                    "order": n,
                }
                for n, (person, name) in enumerate(people(rng, cast, pool))
            ],
            "crew": [
                {
                    "adult": False,
                    "gender": 0,
                    "id": person,
                    "known_for_department": "Directing",
                    "name": name,
                    "original_name": name,
                    "popularity": 1.5,
                    "profile_path": None,
                    "credit_id": f"{id:012x}{n:011x}c",
                    "department": "Directing" if n == 0 else "Production",
                    "job": JOBS[n % len(JOBS)],
                }
                for n, (person, name) in enumerate(people(rng, crew, pool // 4))
            ],
        },
    }


def write_catalogue(path: Path, films: int, seed: int = 1) -> None:
    "Write films as JSON lines; the first film of the same seed and number is always the same."
    rng = random.Random(seed)
    with open(path, "wb") as f:
        for id in range(1, films + 1):
            f.write(orjson.dumps(film(id, rng, films)) + b"\n")


def cached_catalogue(cache: Path, films: int, seed: int = 1) -> Path:
    "The file of a catalogue, made once for each version of this module."
    digest = sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    path = cache / f"films-{films}-{seed}-{digest}.jsonl"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with replace_file(path) as scratch:
            write_catalogue(scratch, films, seed)
    return path
