"""What the local TMDB knows: films from files, or films made from a seed. Both kinds of catalogue
answer the same questions."""

import gzip
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import orjson
import zstandard

from .reference import COUNTRIES, GENRES, LANGUAGES

SAMPLE = Path(__file__).parents[2] / "data" / "sample" / "movies.jsonl.zst"


def dicts(rows: Any) -> list[dict]:
    "The objects in what should be a list."
    return [r for r in rows if isinstance(r, dict)] if isinstance(rows, list) else []


def objects(section: Any, name: str) -> list[dict]:
    "The objects with an id in one list of a film or of a section such as credits."
    return (
        [r for r in dicts(section.get(name)) if isinstance(r.get("id"), int)]
        if isinstance(section, dict)
        else []
    )


def number(name: str) -> Callable[[dict], float]:
    "A reader of a field as a number to compare by; 0 for anything else."
    return lambda film: (
        v if isinstance(v := film.get(name), int | float) and not isinstance(v, bool) else 0
    )


def text(name: str) -> Callable[[dict], str]:
    "A reader of a field as text to compare by; empty for anything else."
    return lambda film: v if isinstance(v := film.get(name), str) else ""


# What films are chosen and sorted by, from their records.
FACTS: dict[str, Callable[[dict], Any]] = {
    **{
        name: number(name)
        for name in ("popularity", "vote_average", "vote_count", "revenue", "runtime")
    },
    **{
        name: text(name)
        for name in ("release_date", "title", "original_title", "original_language")
    },
    "adult": lambda film: film.get("adult") is True,
    "video": lambda film: film.get("video") is True,
    "genres": lambda film: [g["id"] for g in objects(film, "genres")],
    "countries": lambda film: [
        c["iso_3166_1"] for c in dicts(film.get("production_countries")) if c.get("iso_3166_1")
    ],
}
# What films name, by kind.
NAMED: dict[str, Callable[["Catalogue", dict], list[dict]]] = {
    "cast": lambda cat, film: objects(cat.section(film, "credits"), "cast"),
    "crew": lambda cat, film: objects(cat.section(film, "credits"), "crew"),
    "keywords": lambda cat, film: objects(cat.section(film, "keywords"), "keywords"),
    "companies": lambda cat, film: objects(film, "production_companies"),
    "collection": lambda cat, film: objects({"one": [film.get("belongs_to_collection")]}, "one"),
}


class Catalogue:
    """Films by id, with edits on top. A subclass says what lies below the edits: the methods whose
    names begin with `made`."""

    def __init__(self) -> None:
        self.edits: dict[int, dict | None] = {}  # None: deleted
        self.log: list[tuple[str, int, dict]] = []  # day, film, {field: (old, new)}
        self.cache: dict = {}

    def once(self, key: Any, make: Callable[[], Any]) -> Any:
        "A value that is worked out once between two edits."
        if key not in self.cache:
            self.cache[key] = make()
        return self.cache[key]

    def film(self, key: int) -> dict | None:
        "The record of a film, with whatever was saved with it."
        return self.edits[key] if key in self.edits else self.made_film(key)

    def section(self, film: dict, name: str) -> Any:
        "A saved or made section of a film, such as credits."
        return film[name] if name in film else self.made_section(film["id"], name)

    @property
    def ids(self) -> list[int]:
        "All ids, ascending."
        return self.once(
            "ids",
            lambda: sorted(
                {*self.made_ids(), *self.edits} - {i for i, film in self.edits.items() if not film}
            ),
        )

    def fact(self, name: str, key: int) -> Any:
        "One of FACTS for one film."
        return (
            FACTS[name](self.edits[key] or {}) if key in self.edits else self.made_fact(name, key)
        )

    def column(self, name: str) -> list:
        "One of FACTS for every film, in the order of ids."
        fact = self.fact if self.edits else self.made_fact
        return self.once(("column", name), lambda: [fact(name, key) for key in self.ids])

    def order(self, name: str, down: bool) -> list[int]:
        "Positions in ids, sorted by a column; ties by id."
        column = self.column(name)
        return self.once(
            ("order", name, down),
            lambda: sorted(range(len(column)), key=column.__getitem__, reverse=down),
        )

    def linked(self, kind: str, key: int) -> list[int]:
        "Ids of the films that name a person, company, keyword or collection."
        edited = [
            i
            for i, film in self.edits.items()
            if film and any(x["id"] == key for x in NAMED[kind](self, film))
        ]
        return sorted({i for i in self.made_links(kind, key) if i not in self.edits}.union(edited))

    def named(self, kind: str, key: int) -> dict | None:
        "A person, company, keyword or collection, as far as films tell."
        edited = (
            thing
            for film in self.edits.values()
            if film
            for thing in NAMED[kind](self, film)
            if thing["id"] == key
        )
        return next(edited, None) or self.made_named(kind, key)

    def changed(self, first: str, last: str) -> list[int]:
        "Ids of the films that changed from one day to another, both included, newest first."
        start, end = date.fromisoformat(first), date.fromisoformat(last)
        days = [end - timedelta(n) for n in range((end - start).days + 1)]
        logged = [
            key
            for day, key, _ in sorted(self.log[::-1], key=lambda entry: entry[0], reverse=True)
            if first <= day <= last
        ]
        return list(dict.fromkeys(logged + [key for day in days for key in self.made_changes(day)]))

    def edit(
        self, op: str, day: str, id: int = 0, fields: dict | None = None, film: dict | None = None
    ) -> None:
        """Change fields of a film, delete a film or add one; the feed of changes has it under that
        day."""
        key = film["id"] if film else id
        old, day = self.film(key) or {}, date.fromisoformat(day).isoformat()
        if op != "add" and not old:
            raise ValueError(f"no film {key}")
        new = {"change": {**old, **(fields or {})}, "delete": None, "add": film}[op]
        after = new or {}
        self.log.append(
            (
                day,
                key,
                {
                    k: (old.get(k), after.get(k))
                    for k in {**old, **after}
                    if old.get(k) != after.get(k)
                },
            )
        )
        self.edits[key] = new
        self.cache.clear()

    def undo(self) -> None:
        "Forget all edits."
        for memory in (self.edits, self.log, self.cache):
            memory.clear()


def records(path: Path) -> Iterator[Any]:
    "The records of a file or folder: a JSON array, one object, or JSON lines; plain, gzip or zstd."
    for file in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        data = file.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
        elif data[:4] == b"\x28\xb5\x2f\xfd":
            data = zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read()
        try:
            document = orjson.loads(data)
            yield from document if isinstance(document, list) else [document]
        except ValueError:
            yield from filter(None, map(record, data.splitlines()))


def record(line: bytes) -> Any:
    "One line of JSON, or None for a line that is none: nothing to serve."
    try:
        return orjson.loads(line)
    except ValueError:
        return None


class Saved(Catalogue):
    "Films that someone saved. Of several answers for one film the newest is served."

    def __init__(self, path: Path) -> None:
        super().__init__()
        found: dict[int, dict] = {}
        for film in records(path):
            if isinstance(film, dict) and isinstance(film.get("id"), int) and "title" in film:
                if text("fetched_at")(film) >= text("fetched_at")(found.get(film["id"], {})):
                    found[film["id"]] = film
        self.films = dict(sorted(found.items()))
        self.things: dict[str, dict[int, tuple[dict, list[int]]]] = {}

    def made_ids(self) -> Iterable[int]:
        return self.films

    def made_film(self, key: int) -> dict | None:
        return self.films.get(key)

    def made_section(self, key: int, name: str) -> dict | None:
        "Keywords where none were saved: one for each genre. All else is not known."
        if name != "keywords":
            return None
        genres = objects(self.films.get(key), "genres") or [{"id": 0, "name": "Any"}]
        words = ({"id": 900_000 + g["id"], "name": f"{g.get('name')} film".lower()} for g in genres)
        return {"keywords": list(words)}

    def made_fact(self, name: str, key: int) -> Any:
        return FACTS[name](self.films[key]) if key in self.films else FACTS[name]({})

    def table(self, kind: str) -> dict[int, tuple[dict, list[int]]]:
        "What the films name, with the ids of the films, read the first time someone asks."
        if kind not in self.things:
            table: dict[int, tuple[dict, list[int]]] = {}
            for key, film in self.films.items():
                for thing in NAMED[kind](self, film):
                    table.setdefault(thing["id"], (thing, []))[1].append(key)
            self.things[kind] = table
        return self.things[kind]

    def made_links(self, kind: str, key: int) -> list[int]:
        return self.table(kind).get(key, ({}, []))[1]

    def made_named(self, kind: str, key: int) -> dict | None:
        return self.table(kind).get(key, (None, []))[0]

    def names(self, kind: str) -> Iterator[tuple[int, str]]:
        "Ids and names of all things of a kind."
        return ((key, text("name")(thing)) for key, (thing, _) in self.table(kind).items())

    def by_imdb(self, key: str) -> int | None:
        "The film with an id of IMDb."
        return self.once(
            "imdb", lambda: {(self.film(i) or {}).get("imdb_id"): i for i in self.ids}
        ).get(key)

    def made_changes(self, day: date) -> list[int]:
        return []  # saved films change only when a test says so


MASK, STRIDE = 2**64 - 1, 2**31 - 1  # STRIDE: a prime above every pool
PLACE = [
    place
    for place, weight in {"en US": 46, "en GB": 8, "fr FR": 8, "ja JP": 7, "de DE": 6}.items()
    for _ in range(weight)
]
PLACE += (
    "es ES,es ES,es MX,zh CN,zh CN,zh TW,hi IN,hi IN,hi IN,pt BR,pt BR,ko KR,ko KR,it IT,it IT"
).split(",")
CREW = [
    "Director",
    "Producer",
    "Screenplay",
    "Editor",
    "Original Music Composer",
    "Director of Photography",
    "Director",
]
SLOTS = {"cast": 16, "crew": len(CREW), "companies": 3, "keywords": 5}
KIND = {
    "cast": "Person",
    "crew": "Person",
    "companies": "Company",
    "keywords": "Keyword",
    "collection": "Collection",
}
MIX = [18, 18, 18, 35, 35, 53, 28, 99, 27, 10749, *GENRES]  # dramas and comedies are common


def released(s: "Synthetic", key: int) -> str:
    "Most films are recent, some come next year, some have no date."
    u, year = s.u(key, 6), 2026 - int(115 * s.u(key, 7) ** 1.8)
    return (
        ""
        if u < 0.03
        else f"{2027 if u > 0.98 else year}-{int(s.u(key, 8) * 12) + 1:02}-{int(u * 28) + 1:02}"
    )


def status(s: "Synthetic", key: int) -> str:
    "Released, but for films that are undated or yet to come."
    day, u = released(s, key), s.u(key, 25)
    some = (
        ["Rumored", "Planned", "Released"]
        if not day
        else ["Planned", "In Production", "Post Production"]
    )
    return (
        some[int(u * 3)] if not day or day > "2026-11" else "Released" if u < 0.995 else "Canceled"
    )


# The fields of a synthetic film, each from the seed and the id alone. Few films are popular; votes
# and money go to those.
MADE: dict[str, Callable[["Synthetic", int], Any]] = {
    "popularity": lambda s, i: round(0.6 * ((1 - s.u(i, 1)) ** -0.55 - 0.98), 4),
    "vote_count": lambda s, i: int(25 * MADE["popularity"](s, i) ** 1.2 * (0.2 + 2 * s.u(i, 2))),
    "vote_average": lambda s, i: (
        round(min(10, max(1, 6.2 + 3.2 * (s.u(i, 3) + s.u(i, 4) + s.u(i, 5) - 1.5))), 3)
        if MADE["vote_count"](s, i)
        else 0.0
    ),
    "release_date": released,
    "status": status,
    "runtime": lambda s, i: (
        0
        if (u := s.u(i, 9)) < 0.1
        else int(5 + 200 * (u - 0.1))
        if u < 0.27
        else int(70 + 40 * (u + s.u(i, 10)))
    ),
    "budget": lambda s, i: (
        int(10 ** (4.5 + 1.8 * s.u(i, 12) + min(2, p / 10)))
        if s.u(i, 11) < 0.1 + (p := MADE["popularity"](s, i)) / 20
        else 0
    ),
    "revenue": lambda s, i: (
        int(max(MADE["budget"](s, i), 90_000) * 10 ** (1.9 * s.u(i, 13) - 0.8))
        if s.u(i, 14) < MADE["popularity"](s, i) / 15
        else 0
    ),
    "genres": lambda s, i: list(
        {MIX[int(s.u(i, 16 + k) * len(MIX))]: 0 for k in range(int(s.u(i, 15) * 4.3))}
    ),
    "place": lambda s, i: PLACE[int(s.u(i, 21) * len(PLACE))],
    "original_language": lambda s, i: MADE["place"](s, i)[:2],
    "countries": lambda s, i: [MADE["place"](s, i)[3:]] if s.u(i, 22) > 0.15 else [],
    "title": lambda s, i: f"Synthetic Film {i}",
    "original_title": lambda s, i: (
        f"Synthetic Film {i}"
        + ("" if (place := MADE["place"](s, i))[:2] == "en" else f" ({place[:2]})")
    ),
    "adult": lambda s, i: s.u(i, 23) < 0.02,
    "video": lambda s, i: s.u(i, 24) < 0.01,
    "poster_path": lambda s, i: f"/synthetic-poster-{i}.jpg" if s.u(i, 26) < 0.8 else None,
    "backdrop_path": lambda s, i: f"/synthetic-backdrop-{i}.jpg" if s.u(i, 26) < 0.6 else None,
    "imdb_id": lambda s, i: f"tt9{i:08}" if s.u(i, 27) < 0.7 else None,
    "overview": lambda s, i: f"What happens in synthetic film {i}. " * int(1 + 9 * s.u(i, 28)),
    "tagline": lambda s, i: f"Synthetic film {i}, seen nowhere." if s.u(i, 29) < 0.4 else "",
}
PLAIN = [name for name in MADE if name not in ("genres", "place", "countries")]


def next_prime(n: int) -> int:
    "The first prime above n."
    n += 1
    while any(n % d == 0 for d in range(2, int(n**0.5) + 1)):
        n += 1
    return n


class Synthetic(Catalogue):
    """Films made from a seed, each when it is asked for, so that a million of them cost nothing to
    start.

    Who plays in a film is a multiplication modulo a prime, one prime a slot; so the films of a
    person come from the inverse, without a look through the catalogue.
    """

    def __init__(self, n: int, seed: int = 1) -> None:
        super().__init__()
        self.n = n
        self.salts = [(salt * 1021 + seed) * 0xBF58476D1CE4E5B9 % 2**64 for salt in range(50)]
        self.primes: dict[str, list[int]] = {}
        for kind, pool in {
            "cast": 2 * n + 60,
            "crew": n // 3 + 30,
            "companies": n // 25 + 10,
            "keywords": n // 50 + 30,
        }.items():
            self.primes[kind] = [pool := next_prime(pool) for _ in range(SLOTS[kind])]

    def u(self, key: int, salt: int) -> float:
        "A number from 0 to 1 that depends on the seed, the film and the purpose only."
        x = (key * 0x9E3779B97F4A7C15 + self.salts[salt]) & MASK
        x = ((x ^ (x >> 32)) * 0xD6E8FEB86659FD93) & MASK
        return (x ^ (x >> 32)) / 2**64

    def id(self, place: int) -> int:
        "The id of the film at a place: every fourth number is left out."
        return place + place // 3 + 1

    def place(self, key: int) -> int | None:
        "The place of a film, or None for an id that no film has."
        place = key - key // 4 - 1
        return place if key > 0 and key % 4 and place < self.n else None

    def count(self, kind: str, key: int) -> int:
        "How many slots of a kind a film fills."
        return int(self.u(key, 30 + [*SLOTS].index(kind)) * (SLOTS[kind] + 0.99))

    def holders(self, kind: str, key: int, place: int) -> list[dict]:
        "The people, companies or keywords of a film, in order."
        ids = [
            (place * STRIDE + k * 7919) % p + 1
            for k, p in enumerate(self.primes[kind][: self.count(kind, key)])
        ]
        return [{"id": i, "name": f"Synthetic {KIND[kind]} {i}"} for i in ids]

    def collection(self, key: int) -> int:
        "The collection of a film, or 0: some dozens of neighbours begin with a series."
        block, rest = divmod(self.place(key) or 0, 12)
        return block + 1 if self.u(block, 40) < 0.4 and rest < 2 + self.u(block, 41) * 5 else 0

    def made_ids(self) -> Iterable[int]:
        return map(self.id, range(self.n))

    def made_fact(self, name: str, key: int) -> Any:
        return MADE[name](self, key)

    def made_film(self, key: int) -> dict | None:
        if (place := self.place(key)) is None:
            return None
        spot, c = MADE["place"](self, key), self.collection(key)
        language, country = spot.split()
        film = {"id": key} | {name: MADE[name](self, key) for name in PLAIN}
        film["belongs_to_collection"] = (
            {"id": c, "name": f"Synthetic Collection {c}"} if c else None
        )
        film["genres"] = [{"id": g, "name": GENRES[g]} for g in MADE["genres"](self, key)]
        film["origin_country"] = [country]
        film["production_companies"] = [
            company | {"origin_country": country}
            for company in self.holders("companies", key, place)
        ]
        film["production_countries"] = [
            {"iso_3166_1": c, "name": COUNTRIES[c]} for c in MADE["countries"](self, key)
        ]
        film["spoken_languages"] = [
            {
                "english_name": LANGUAGES[language],
                "iso_639_1": language,
                "name": LANGUAGES[language],
            }
        ]
        return film

    def made_section(self, key: int, name: str) -> dict | None:
        place = self.place(key)
        if place is None or name not in ("credits", "keywords"):
            return None
        if name == "keywords":
            return {"keywords": self.holders("keywords", key, place)}
        cast, crew = self.holders("cast", key, place), self.holders("crew", key, place)
        return {
            "cast": [
                person | {"character": f"Character {k}", "order": k}
                for k, person in enumerate(cast)
            ],
            "crew": [person | {"job": job} for person, job in zip(crew, CREW, strict=False)],
        }

    def made_links(self, kind: str, key: int) -> list[int]:
        if kind == "collection":
            keys = map(self.id, range(max(0, 12 * (key - 1)), min(12 * key, self.n)))
            return [i for i in keys if self.collection(i)]
        found = []
        for k, p in enumerate(self.primes[kind]):
            if 0 < key <= p:
                first = (key - 1 - k * 7919) * pow(STRIDE, -1, p) % p
                found += [
                    i for i in map(self.id, range(first, self.n, p)) if self.count(kind, i) > k
                ]
        return found

    def made_named(self, kind: str, key: int) -> dict | None:
        known = (
            self.made_links(kind, key) if kind == "collection" else 0 < key <= self.primes[kind][-1]
        )
        return {"id": key, "name": f"Synthetic {KIND[kind]} {key}"} if known else None

    def names(self, kind: str) -> Iterator[tuple[int, str]]:
        "Ids and names of all things of a kind."
        last = self.n // 12 + 1 if kind == "collection" else self.primes[kind][-1]
        keys = (
            key for key in range(1, last + 1) if kind != "collection" or self.made_links(kind, key)
        )
        return ((key, f"Synthetic {KIND[kind]} {key}") for key in keys)

    def by_imdb(self, key: str) -> int | None:
        "The film with an id of IMDb."
        number = int(key[3:]) if key.startswith("tt9") and key[3:].isdecimal() else 0
        return number if (self.film(number) or {}).get("imdb_id") == key else None

    def made_changes(self, day: date) -> list[int]:
        return [
            self.id(place) for place in range(day.toordinal() * 89 % 199, self.n, 199)
        ]  # half a percent of the films a day


def catalogue(spec: str) -> Catalogue:
    "The catalogue of `sample`, `synthetic:N[:SEED]` or a path."
    kind, *rest = spec.split(":")
    if kind == "synthetic" and rest and all(x.isdecimal() for x in rest) and len(rest) < 3:
        return Synthetic(*map(int, rest))
    path = SAMPLE if spec == "sample" else Path(spec)
    if not path.exists():
        raise FileNotFoundError(f"{spec} is neither `sample`, `synthetic:N` nor a file or folder")
    return Saved(path)
