"""Paths and parameters to answers: TMDB's contract as pure functions on a catalogue."""

import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from functools import partial
from typing import Any

from .catalogue import Catalogue, dicts, objects
from .reference import BLANK, CONSTANT, DEPARTMENTS, ERRORS, PROVIDER

Query = dict[str, str]
Section = Callable[[Catalogue, dict, Query], dict]
PAGES = 500  # pages above are refused, whatever total_pages says
LONG = (
    "adult backdrop_path genre_ids id original_language original_title overview popularity "
    "poster_path release_date title video"
).split()
ITEM = [*LONG, "vote_average", "vote_count"]


class ApiError(Exception):
    "An answer from TMDB's table of errors."

    def __init__(self, code: int, **more: Any) -> None:
        super().__init__(code)
        self.status, message = ERRORS[code]
        self.body = {"success": False, **more, "status_code": code, "status_message": message}


def fill(record: dict, blank: str, **more: Any) -> dict:
    """A record with every key of TMDB's answer; what is there stays as it is, unknown keys come
    last."""
    return {**BLANK[blank], **more, **record}


def only(record: dict | None, blank: str, **more: Any) -> dict:
    "A record with exactly the keys of TMDB's answer."
    return {k: (record or {}).get(k, empty) for k, empty in (BLANK[blank] | more).items()}


def each(rows: Any, show: Callable[[int, dict], dict]) -> Any:
    "The objects of a list, shown; what is no object, or no list, stays as it is."
    return (
        [show(n, row) if isinstance(row, dict) else row for n, row in enumerate(rows)]
        if isinstance(rows, list)
        else rows
    )


def today() -> date:
    "The day in UTC."
    return datetime.now(UTC).date()


def convert(value: str, to: Callable[[str], Any], code: int = 5) -> Any:
    "The value of a parameter, or an error."
    try:
        return to(value)
    except ValueError:
        raise ApiError(code) from None


# Films and pages of films


def details(cat: Catalogue, film: dict, q: Query) -> dict:
    "The answer of /movie/{id}, without what was saved along with it."
    full = fill(
        film,
        "film",
        original_title=film.get("title"),
        origin_country=cat.fact("countries", film["id"])[:1],
    )
    full["production_companies"] = each(
        full["production_companies"], lambda n, company: fill(company, "company")
    )
    full["belongs_to_collection"] = each(
        [full["belongs_to_collection"]], lambda n, group: fill(group, "collection")
    )[0]
    full = in_language(full, cat.section(film, "translations"), q.get("language", ""))
    return {k: v for k, v in full.items() if k not in MOVIE and k != "fetched_at"}


TEXTS = ("title", "overview", "tagline", "homepage")


def in_language(film: dict, saved: Any, wanted: str) -> dict:
    """A film with the texts of another language: the saved translation, or else the original title
    in its own language; without a translation there is no overview. English is always there."""
    language = wanted[:2]
    if language in ("", "en"):
        return film
    rows = dicts(saved.get("translations")) if isinstance(saved, dict) else []
    texts = next((row.get("data") or {} for row in rows if row.get("iso_639_1") == language), None)
    if texts is None:
        own = film["original_language"] == language
        texts = {"title": film["original_title"] if own else film["title"]}
    return film | {k: texts.get(k) or (film[k] if k == "title" else "") for k in TEXTS if k in film}


def items(cat: Catalogue, keys: Iterable[int], language: str = "", **more: Any) -> list[dict]:
    "Films as items of a list: no money, runtime or status."
    full = (
        in_language(
            fill(
                film,
                "film",
                original_title=film.get("title"),
                genre_ids=cat.fact("genres", film["id"]),
            ),
            cat.section(film, "translations"),
            language,
        )
        for film in map(cat.film, keys)
    )
    return [{k: film[k] for k in ITEM} | more for film in full]


def paged(q: Query, rows: list, show: Callable[[list], list], size: int = 20, **head: Any) -> dict:
    """One page of rows. `_repeat` comes from a fault: so many items of a page stand on the next one
    again."""
    page, again = convert(q.get("page") or "1", int, 22), min(int(q.get("_repeat", 0)), size - 1)
    if not 1 <= page <= PAGES:
        raise ApiError(22)
    start, total = (page - 1) * (size - again), max(1, -(-(len(rows) - again) // (size - again)))
    return head | {
        "page": page,
        "results": show(rows[start : start + size]),
        "total_pages": total,
        "total_results": len(rows),
    }


def films(cat: Catalogue, q: Query, keys: list[int], head: dict | None = None, **more: Any) -> dict:
    "One page of films."
    show = partial(items, cat, language=q.get("language", ""), **more)
    return paged(q, keys, show, **(head or {}))


# Discover and the lists

DATES = dict.fromkeys(["primary_release_date", "release_date"], "release_date")
BOUNDS = DATES | {
    "with_runtime": "runtime",
    "vote_average": "vote_average",
    "vote_count": "vote_count",
}
SORTS = DATES | {
    name: name
    for name in ("popularity", "revenue", "vote_average", "vote_count", "title", "original_title")
}
CHOICES = {
    "genres": ("genres", float),
    "origin_country": ("countries", str),
    "original_language": ("original_language", str),
}
LINKS = {
    "cast": ["cast"],
    "crew": ["crew"],
    "people": ["cast", "crew"],
    "companies": ["companies"],
    "keywords": ["keywords"],
}


def bound(column: str, side: str, value: str) -> Callable[[Any], bool]:
    "A test for x.gte or x.lte; films without a date pass neither."
    limit = (
        convert(value[:10], lambda day: date.fromisoformat(day).isoformat())
        if column == "release_date"
        else convert(value, float)
    )
    return (lambda v: v >= limit) if side == "gte" else (lambda v: v != "" and v <= limit)


def chosen(value: str, to: Callable[[str], Any]) -> tuple[Callable, list]:
    "What to choose, separated by commas (all of them) or pipes (any of them)."
    return any if "|" in value else all, [
        convert(x.strip(), to) for x in re.split("[,|]", value) if x.strip()
    ]


def choice(value: str, to: Callable[[str], Any], wanted: bool) -> Callable[[Any], bool]:
    "A test for with_x or without_x, of a value or a list of values."
    how, some = chosen(value, to)
    how = how if wanted else any
    return lambda v: how(x in v if isinstance(v, list) else x == v for x in some) is wanted


def tests(q: Query) -> Iterator[tuple[str, Callable[[Any], bool]]]:
    "Columns and what their values must pass, from the parameters of a discover call."
    for name, value in ((k, v) for k, v in q.items() if v):
        (base, _, side), (verb, _, what) = name.rpartition("."), name.partition("_")
        if side in ("gte", "lte") and base in BOUNDS:
            yield BOUNDS[base], bound(BOUNDS[base], side, value)
        elif name in ("year", "primary_release_year"):
            yield "release_date", partial(re.match, f"{convert(value, int):04}-")
        elif verb in ("with", "without") and what in CHOICES:
            yield CHOICES[what][0], choice(value, CHOICES[what][1], verb == "with")
    yield from (
        (flag, lambda v: not v)
        for flag in ("adult", "video")
        if q.get(f"include_{flag}", "").lower() not in ("true", "1")
    )


def linked(cat: Catalogue, q: Query) -> Iterator[tuple[bool, set[int]]]:
    "Sets of ids that a discover call wants or not: films of people, companies and keywords."
    for name, value in q.items():
        verb, _, what = name.partition("_")
        if verb in ("with", "without") and what in LINKS and value:
            how, some = chosen(value, int)
            sets = [{i for kind in LINKS[what] for i in cat.linked(kind, key)} for key in some] or [
                set()
            ]
            yield (
                verb == "with",
                set.intersection(*sets) if how is all and verb == "with" else set.union(*sets),
            )


MARKETS = ("US", "GB", "DE", "FR", "JP")  # each film comes out in the first, and in most others


def is_released_in(cat: Catalogue, key: int, region: str) -> bool:
    "Whether a film comes out in a country: its own, the first market, or one by its number."
    if region in (MARKETS[0], *cat.fact("countries", key)[:1]):
        return True
    return region in MARKETS and (key // 4 + MARKETS.index(region)) % 4 > 0


def regional(q: Query) -> Query:
    "The region of a call; a region that is no code in capitals is ignored, as by TMDB."
    region = q.get("region", "")
    return {"region": region} if re.fullmatch("[A-Z]{2}", region) else {}


def select(cat: Catalogue, q: Query) -> list[int]:
    "Ids of the films that pass, in the order wanted; unknown parameters and orders are ignored."
    name, _, side = q.get("sort_by", "").partition(".")
    rows: Iterable[int] = cat.order(
        SORTS.get(name, "popularity"), name not in SORTS or side != "asc"
    )
    for column, passes in tests(q):
        values = cat.column(column)
        rows = [i for i in rows if passes(values[i])]
    keys = [cat.ids[i] for i in rows]
    if region := regional(q).get("region"):
        keys = [key for key in keys if is_released_in(cat, key, region)]
    for keep, some in linked(cat, q):
        keys = [key for key in keys if (key in some) is keep]
    return keys


def discover(cat: Catalogue, q: Query) -> list[int]:
    "The same, remembered from page to page."
    wanted = {k: v for k, v in q.items() if k not in ("page", "language", "_repeat")}
    return cat.once(frozenset(wanted.items()), partial(select, cat, wanted))


def is_day(text: str) -> bool:
    "Whether a text is a date."
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def window(first: int, last: int, cat: Catalogue, q: Query) -> dict:
    """A list of films that came out between two days, counted from today. In a catalogue that ends
    sooner, its newest 20 films are the ones to come, and the 40 before them are in the cinemas."""
    days, real = sorted(d for d in cat.column("release_date") if is_day(d)), today()
    low, high = ((real + timedelta(n)).isoformat() for n in (first, last))
    if days and days[-1] < real.isoformat():
        low, high = (days[max(-n, -len(days))] for n in ((61, 21) if first < 0 else (21, 1)))
    keys = discover(cat, {"release_date.gte": low, "release_date.lte": high} | regional(q))
    return films(cat, q, keys, {"dates": {"maximum": high, "minimum": low}})


def trending(cat: Catalogue, q: Query) -> dict:
    "The list of /trending/movie, which ends at 10,000 films."
    return films(cat, q, discover(cat, {})[: 20 * PAGES], media_type="movie")


# Changes


def span(q: Query) -> tuple[str, str]:
    """First and last day of a changes call, at most 14 days apart; a day and the one before unless
    both are given."""
    start, end = (
        convert(q[k][:10], date.fromisoformat, 23) if q.get(k) else None
        for k in ("start_date", "end_date")
    )
    end = end or (min(today(), start + timedelta(1)) if start else today())
    start = start or end - timedelta(1)
    if (end - start).days > 14:
        raise ApiError(20)
    return start.isoformat(), end.isoformat()


def changes(cat: Catalogue, q: Query) -> dict:
    "The feed of /movie/changes; `adult` is null for a film that is gone."

    def shown(keys: list[int]) -> list[dict]:
        return [
            {"id": key, "adult": film.get("adult", False) if (film := cat.film(key)) else None}
            for key in keys
        ]

    return paged(q, cat.changed(*span(q)), shown, 100)


def film_changes(cat: Catalogue, film: dict, q: Query) -> dict:
    "What edits changed in one film."
    found, (first, last) = {}, span(q)
    for n, (day, key, fields) in enumerate(cat.log):
        for name, (old, new) in (
            fields.items() if key == film["id"] and first <= day <= last else ()
        ):
            entry = {
                "id": f"{n:024x}",
                "action": "updated",
                "time": f"{day} 12:00:00 UTC",
                "iso_639_1": "",
                "iso_3166_1": "",
            }
            found.setdefault(name, []).append(entry | {"value": new, "original_value": old})
    return {"changes": [{"key": name, "items": entries} for name, entries in found.items()]}


# Sections of a film: the saved one, or one made from the film


def credits(cat: Catalogue, film: dict, q: Query) -> dict:
    "Cast and crew of a film, as saved, with what is missing filled in."

    def actor(n: int, who: dict) -> dict:
        return fill(
            who,
            "cast",
            original_name=who.get("name"),
            credit_id=f"{film['id']:016x}0{n:07x}",
            cast_id=n + 1,
            order=n,
        )

    def worker(n: int, who: dict) -> dict:
        branch = who.get("department") or DEPARTMENTS.get(who.get("job"), "Crew")
        more = {
            "known_for_department": branch,
            "department": branch,
            "original_name": who.get("name"),
        }
        return fill(who, "crew", credit_id=f"{film['id']:016x}1{n:07x}", **more)

    saved = cat.section(film, "credits")
    saved = saved if isinstance(saved, dict) else {}
    return {"cast": each(saved.get("cast", []), actor), "crew": each(saved.get("crew", []), worker)}


def picture(path: str | None, width: int, height: int) -> list[dict]:
    "A list of one picture, or of none."
    size = {"aspect_ratio": round(width / height, 3), "height": height, "width": width}
    return [BLANK["picture"] | size | {"file_path": path}] if path else []


def images(cat: Catalogue, thing: dict, q: Query) -> dict:
    "The pictures that a film or collection names."
    return {
        "backdrops": picture(thing.get("backdrop_path"), 1920, 1080),
        "posters": picture(thing.get("poster_path"), 2000, 3000),
    }


def country(film: dict) -> str:
    "The country that a film is from."
    return next(
        (c["iso_3166_1"] for c in dicts(film.get("production_countries")) if c.get("iso_3166_1")),
        "US",
    )


def release_dates(cat: Catalogue, film: dict, q: Query) -> dict:
    "One release in each country where the film comes out, its own first."
    one = BLANK["release"] | {"release_date": f"{film.get('release_date')}T00:00:00.000Z"}
    places = dict.fromkeys((country(film), *MARKETS)) if film.get("release_date") else {}
    return {
        "results": [
            {"iso_3166_1": place, "release_dates": [one]}
            for place in places
            if is_released_in(cat, film["id"], place) or place == country(film)
        ]
    }


def releases(cat: Catalogue, film: dict, q: Query) -> dict:
    "The same in the older form."
    one = {
        "certification": "",
        "descriptors": [],
        "iso_3166_1": country(film),
        "primary": False,
        "release_date": film.get("release_date"),
    }
    return {"countries": [one] if film.get("release_date") else []}


def alternative_titles(cat: Catalogue, film: dict, q: Query) -> dict:
    "The original title where it differs, and the title as festivals print it, with its year."
    year = str(film.get("release_date") or "")[:4] or "undated"
    titles = [
        {"iso_3166_1": place, "title": title, "type": kind}
        for place, title, kind in (
            (country(film), film.get("original_title"), ""),
            ("US", f"{film.get('title')} ({year})", "festival title"),
        )
        if title not in (None, film.get("title")) and q.get("country") in (None, "", place)
    ]
    return {"titles": titles}


def translations(cat: Catalogue, thing: dict, q: Query, blank: str = "translation") -> dict:
    "One: the text itself."
    name = {"iso_3166_1": "US", "iso_639_1": "en", "name": "English", "english_name": "English"}
    return {
        "translations": [name | {"data": only({"title": thing.get("name", "")} | thing, blank)}]
    }


def near(first: int, last: int, cat: Catalogue, film: dict, q: Query, **more: Any) -> dict:
    """Recommendations and similar films: neighbours by id that share a genre, or else the first
    films."""
    genres = set(cat.fact("genres", film["id"]))
    keys = [
        key
        for step in range(first, last)
        for key in (film["id"] + step, film["id"] - step)
        if cat.film(key)
    ]
    keys = keys or [key for key in cat.ids[first:last] if key != film["id"]]
    return films(cat, q, [key for key in keys if genres & set(cat.fact("genres", key))], **more)


def nothing(**body: Any) -> Section:
    "A section that is always empty here."
    return lambda cat, thing, q: body


def no_pages(cat: Catalogue, thing: dict, q: Query) -> dict:
    "A paged section that is always empty here."
    return paged(q, [], list)


def videos(cat: Catalogue, film: dict, q: Query) -> dict:
    "One trailer."
    one = {
        "iso_639_1": "en",
        "iso_3166_1": "US",
        "name": f"Trailer of {film.get('title')}",
        "key": f"fake{film['id']:07}",
        "site": "YouTube",
        "size": 1080,
        "type": "Trailer",
        "official": True,
        "published_at": f"{film.get('release_date') or '2000-01-01'}T00:00:00.000Z",
        "id": f"{film['id']:024x}",
    }
    return {"results": [one]}


def reviews(cat: Catalogue, film: dict, q: Query) -> dict:
    "One review."
    key, day = f"{film['id']:024x}", "2020-01-01T00:00:00.000Z"
    one = {
        "author": "A viewer",
        "author_details": {"name": "", "username": "viewer", "avatar_path": "", "rating": 7},
        "content": f"I have seen {film.get('title')}.",
        "created_at": day,
        "id": key,
        "updated_at": day,
        "url": f"https://www.themoviedb.org/review/{key}",
    }
    return paged(q, [one], list)


def film_lists(cat: Catalogue, film: dict, q: Query) -> dict:
    "One list that has the film."
    one = {
        "description": "",
        "favorite_count": 0,
        "id": film["id"],
        "item_count": 1,
        "iso_639_1": "en",
        "list_type": "movie",
        "name": "Seen",
        "poster_path": None,
    }
    return paged(q, [one], list)


def watch_providers(cat: Catalogue, film: dict, q: Query) -> dict:
    "One provider, in each market where the film came out."
    link = f"https://www.themoviedb.org/movie/{film['id']}/watch?locale="
    return {
        "results": {
            place: {
                "link": link + place,
                "flatrate": [PROVIDER],
                "rent": [PROVIDER],
                "buy": [PROVIDER],
            }
            for place in MARKETS
            if is_released_in(cat, film["id"], place)
        }
    }


def deny(code: int, **more: Any) -> None:
    "An error as an answer."
    raise ApiError(code, **more)


IDS = ["wikidata_id", "facebook_id", "instagram_id", "twitter_id"]
MOVIE: dict[str, Section] = {
    "account_states": lambda cat, film, q: deny(3),
    "alternative_titles": alternative_titles,
    "changes": film_changes,
    "credits": credits,
    "external_ids": lambda cat, film, q: {"imdb_id": film.get("imdb_id")} | dict.fromkeys(IDS),
    "images": lambda cat, film, q: images(cat, film, q) | {"logos": []},
    "keywords": nothing(keywords=[]),
    "lists": film_lists,
    "recommendations": partial(near, 1, 40, media_type="movie"),
    "release_dates": release_dates,
    "releases": releases,
    "reviews": reviews,
    "similar": partial(near, 2, 60),
    "similar_movies": partial(near, 2, 60),  # its older name
    "translations": translations,
    "videos": videos,
    "watch/providers": watch_providers,
}


def movie_section(name: str, cat: Catalogue, film: dict, q: Query) -> dict:
    "A section of a film."
    saved = None if name in ("account_states", "changes", "credits") else cat.section(film, name)
    return (
        {k: v for k, v in saved.items() if k != "id"}
        if isinstance(saved, dict)
        else MOVIE[name](cat, film, q)
    )


# People, collections, companies, keywords

PARTS = {"cast": ("character", "credit_id", "order"), "crew": ("credit_id", "department", "job")}


def movie_credits(cat: Catalogue, who: dict, q: Query, **more: Any) -> dict:
    "The films of a person, with the part in each."
    out: dict[str, list] = {kind: [] for kind in PARTS}
    for kind, fields in PARTS.items():
        for key in cat.linked(kind, who["id"]):
            parts = [
                part
                for part in objects(credits(cat, cat.film(key), q), kind)
                if part["id"] == who["id"]
            ]
            out[kind] += [
                one | {k: part[k] for k in fields}
                for part in parts
                for one in items(cat, [key], **more)
            ]
    return out


def people(cat: Catalogue) -> dict[int, str]:
    "Names of all people by id."
    return cat.once("people", lambda: dict(cat.names("crew")) | dict(cat.names("cast")))


def listed_person(cat: Catalogue, key: int, **more: Any) -> dict:
    "A person as an item of a list, with the most popular films."
    who = find(cat, "person", str(key))
    best = sorted(
        {i for kind in PARTS for i in cat.linked(kind, key)},
        key=lambda i: -cat.fact("popularity", i),
    )[:3]
    return (
        only({"original_name": who.get("name")} | who, "listed_person")
        | more
        | {"known_for": items(cat, best, media_type="movie")}
    )


def popular_people(cat: Catalogue, q: Query, **more: Any) -> dict:
    "A list of people, at most 10,000."
    return paged(
        q,
        list(people(cat))[: 20 * PAGES],
        lambda keys: [listed_person(cat, key, **more) for key in keys],
    )


def listed_collection(cat: Catalogue, key: int) -> dict:
    "A collection as an item of a list."
    group = cat.named("collection", key) or {}
    return only({"original_name": group.get("name")} | group, "listed_collection")


def collection(cat: Catalogue, group: dict, q: Query) -> dict:
    "The answer of /collection/{id}."
    keys = sorted(
        cat.linked("collection", group["id"]), key=lambda i: cat.fact("release_date", i) or "9"
    )
    about = {k: v for k, v in listed_collection(cat, group["id"]).items() if k != "adult"}
    return about | {"parts": items(cat, keys, media_type="movie")}


def of_thing(kind: str, cat: Catalogue, thing: dict, q: Query) -> dict:
    "The films of a company or keyword, the most popular first."
    return films(
        cat,
        q,
        discover(
            cat, {f"with_{kind}": str(thing["id"]), "include_adult": q.get("include_adult", "")}
        ),
    )


PERSON_IDS = [
    "freebase_mid",
    "freebase_id",
    "imdb_id",
    "tvrage_id",
    *IDS,
    "tiktok_id",
    "youtube_id",
]
SECTIONS: dict[str, dict[str, Section]] = {
    "movie": {name: partial(movie_section, name) for name in MOVIE},
    "person": {
        "changes": nothing(changes=[]),
        "combined_credits": partial(movie_credits, media_type="movie"),
        "external_ids": nothing(**dict.fromkeys(PERSON_IDS)),
        "images": nothing(profiles=[]),
        "movie_credits": movie_credits,
        "tagged_images": no_pages,
        "translations": partial(translations, blank="about_person"),
        "tv_credits": nothing(cast=[], crew=[]),
    },
    "collection": {"images": images, "translations": translations},
    "company": {
        "alternative_names": nothing(results=[]),
        "images": nothing(logos=[]),
        "movies": partial(of_thing, "companies"),
    },
    "keyword": {"movies": partial(of_thing, "keywords")},
}
SHOW: dict[str, Section] = {
    "movie": details,
    "person": lambda cat, who, q: only(who, "person"),
    "collection": collection,
    "company": lambda cat, company, q: only(company, "about_company"),
    "keyword": lambda cat, keyword, q: only(keyword, "keyword"),
}
KINDS = {
    "person": ["cast", "crew"],
    "collection": ["collection"],
    "company": ["companies"],
    "keyword": ["keywords"],
}


def find(cat: Catalogue, kind: str, key: str) -> dict:
    """A film, person, collection, company or keyword by the id in a path; `550-fight-club` and ids
    of IMDb are ids too."""
    if kind == "movie" and re.fullmatch(r"tt\d+", key):
        key = str(cat.by_imdb(key) or 999_999_999)
    digits = re.match(r"\d{1,18}(?=-|$)", key)
    if not digits or not int(digits[0]):
        raise ApiError(6)
    things = (
        [cat.film(int(digits[0]))]
        if kind == "movie"
        else (cat.named(k, int(digits[0])) for k in KINDS[kind])
    )
    return next(filter(None, things), None) or deny(34)


def thing(cat: Catalogue, q: Query, kind: str, key: str, section: str = "") -> dict:
    "One thing, with what is to be appended, or one of its sections."
    if section and section not in SECTIONS[kind]:
        raise ApiError(34)
    found, names = (
        find(cat, kind, key),
        [name for name in q.get("append_to_response", "").split(",") if name],
    )
    if section:
        head = (
            {}
            if section in ("changes", "recommendations", "similar", "similar_movies")
            else {"id": found["id"]}
        )
        return head | SECTIONS[kind][section](cat, found, q)
    if len(names) > 20:
        raise ApiError(27)
    return SHOW[kind](cat, found, q) | {
        name: SECTIONS[kind][name](cat, found, q)
        for name in names
        if name in SECTIONS[kind] and name != "account_states"
    }


# Search and find


def matches(q: Query, names: Iterable[tuple[int, str]]) -> list[int]:
    """Ids whose name holds every word of the query; the very name first, then names that begin with
    it."""
    query = q.get("query", "").casefold().strip()
    words = query.split()
    found = (
        (name, key)
        for name, key in ((name.casefold(), key) for key, name in names)
        if words and all(w in name for w in words)
    )
    return [
        key
        for *_, key in sorted(
            (name != query, not name.startswith(query), key) for name, key in found
        )
    ]


def search_movie(cat: Catalogue, q: Query) -> dict:
    "Films by title or original title: the very title first, then the most popular."
    narrowed = {
        k: v for k, v in q.items() if k in ("year", "primary_release_year", "include_adult")
    } | {"include_video": "true"}
    names = (
        (key, name)
        for column in ("title", "original_title")
        for key, name in zip(cat.ids, cat.column(column), strict=True)
    )
    found, exact = set(matches(q, names)), q.get("query", "").casefold().strip()
    keys = [key for key in discover(cat, narrowed) if key in found]
    return films(cat, q, sorted(keys, key=lambda i: cat.fact("title", i).casefold() != exact))


def search_person(cat: Catalogue, q: Query) -> dict:
    "People by name."
    return paged(
        q, matches(q, people(cat).items()), lambda keys: [listed_person(cat, key) for key in keys]
    )


def search_multi(cat: Catalogue, q: Query) -> dict:
    "Films, then people."
    both = [("movie", key) for key in matches(q, zip(cat.ids, cat.column("title"), strict=True))]
    both += [("person", key) for key in matches(q, people(cat).items())]
    show = {
        "movie": lambda key: items(cat, [key], media_type="movie")[0],
        "person": partial(listed_person, cat, media_type="person"),
    }
    return paged(q, both, lambda some: [show[kind](key) for kind, key in some])


def search_named(
    kind: str, show: Callable[[Catalogue, int], dict], cat: Catalogue, q: Query
) -> dict:
    "Collections, companies or keywords by name."
    return paged(q, matches(q, cat.names(kind)), lambda keys: [show(cat, key) for key in keys])


def find_external(cat: Catalogue, q: Query, key: str) -> dict:
    "Films by the id of another site; only IMDb's are known here."
    if not q.get("external_source"):
        raise ApiError(5)
    film = cat.by_imdb(key) if q["external_source"] == "imdb_id" else None
    empty = {f"{kind}_results": [] for kind in ("movie", "person", "tv", "tv_episode", "tv_season")}
    return empty | {"movie_results": items(cat, [film] if film else [], media_type="movie")}


# Routes

LISTS: dict[str, Callable[[Catalogue, Query], Any]] = {
    "authentication/session/new": lambda cat, q: deny(17, failure=True),
    "authentication/token/validate_with_login": lambda cat, q: deny(30),
    "discover/movie": lambda cat, q: films(cat, q, discover(cat, q)),
    "movie/changes": changes,
    "movie/latest": lambda cat, q: details(cat, cat.film(cat.ids[-1]), q),
    "movie/now_playing": partial(window, -35, 7),
    "movie/popular": lambda cat, q: films(cat, q, discover(cat, regional(q))),
    "movie/top_rated": lambda cat, q: films(
        cat,
        q,
        discover(cat, {"sort_by": "vote_average.desc", "vote_count.gte": "200"} | regional(q)),
    ),
    "movie/upcoming": partial(window, 7, 28),
    "person/latest": lambda cat, q: only(find(cat, "person", str(max(people(cat)))), "person"),
    "person/popular": popular_people,
    "search/collection": partial(search_named, "collection", listed_collection),
    "search/company": partial(
        search_named, "companies", lambda cat, key: only(cat.named("companies", key), "company")
    ),
    "search/keyword": partial(
        search_named, "keywords", lambda cat, key: only(cat.named("keywords", key), "keyword")
    ),
    "search/movie": search_movie,
    "search/multi": search_multi,
    "search/person": search_person,
    **{
        f"trending/{kind}/{time}": trending for kind in ("all", "movie") for time in ("day", "week")
    },
    **dict.fromkeys(
        ["person/changes", "discover/tv", "search/tv", "trending/tv/day", "trending/tv/week"],
        lambda cat, q: paged(q, [], list),
    ),
    **{
        f"trending/person/{time}": partial(popular_people, media_type="person")
        for time in ("day", "week")
    },
}


def kind_of(path: str) -> str:
    "A path with its id left out, for the statistics."
    first, *rest = path.split("/", 2)
    known = path in CONSTANT or path in LISTS
    return (
        path
        if known
        else "/".join([first, "{id}", *rest[1:]])
        if rest and first in (*SECTIONS, "find")
        else "other"
    )


def answer(cat: Catalogue, method: str, path: str, q: Query) -> Any:
    "The body of an answer to a path below /3/; raises ApiError."
    parts = path.split("/", 2)
    if method != "GET":
        raise ApiError(
            {"rating": 3, "session/new": 17}.get(parts[-1] if len(parts) > 2 else "", 42)
        )
    if path in CONSTANT:
        return CONSTANT[path]
    if path in LISTS:
        return LISTS[path](cat, q)
    if parts[0] == "account":
        raise ApiError(3)
    if parts[0] == "find" and len(parts) == 2:
        return find_external(cat, q, parts[1])
    if parts[0] in SECTIONS and len(parts) > 1:
        return thing(cat, q, *parts)
    raise ApiError(34)


EXPORTS = {
    "person": "cast",
    "collection": "collection",
    "keyword": "keywords",
    "production_company": "companies",
}


def export_rows(cat: Catalogue, kind: str) -> Iterator[dict]:
    """The lines of a daily export: films (adult ones in a file of their own), people, collections,
    keywords or companies."""
    if kind in ("movie", "adult_movie"):
        fields = ("original_title", "popularity", "video")
        keys = (key for key in cat.ids if cat.fact("adult", key) is (kind == "adult_movie"))
        yield from (
            {"adult": kind == "adult_movie", "id": key}
            | {name: cat.fact(name, key) for name in fields}
            for key in keys
        )
    else:
        rows = people(cat).items() if kind == "person" else cat.names(EXPORTS.get(kind) or deny(34))
        more = {"adult": False, "popularity": 0.0} if kind == "person" else {}
        yield from ({"id": key, "name": name} | more for key, name in rows)
