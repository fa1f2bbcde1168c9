"""Make the embedded sample from saved answers of the API: facts and figures only, chosen so that
every number has something to show.

    python data/sample/make_sample.py ANSWERS... [--collections CSV] [--films 1000] [--out FILE]
    python data/sample/make_sample.py --renew      # what `make sample` calls

ANSWERS are files or folders in any form that `tmdb run --source files` reads, older ones first.
`--renew` fetches the films of the present sample from TMDB instead, with the token in `.env`.
`--collections` adds franchises (columns movie_id, collection_id, collection_name) to answers
that came without them. The choice depends on the answers alone: the same answers give the same
bytes.
"""

import argparse
import csv
import hashlib
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path

import orjson
import zstandard

from tmdb_analysis.core.settings import TmdbError, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import film_id, raw_row
from tmdb_analysis.tmdb.fetch import fetch_films
from tmdb_analysis.tmdb.files import BadRecord
from tmdb_analysis.tmdb.ledger import fetched_records
from tmdb_analysis.tmdb.sources import records

HERE = Path(__file__).parent
SAMPLE = HERE / "movies.jsonl.zst"
NAMED = ("id", "name")
LISTS = {
    "genres": NAMED,
    "production_companies": NAMED,
    "production_countries": ("iso_3166_1", "name"),
    "spoken_languages": ("iso_639_1", "name", "english_name"),
}
FACTS = (
    "id title original_title status release_date original_language adult video imdb_id budget "
    "revenue runtime "
    "popularity vote_average vote_count belongs_to_collection"
).split()
ERROR = {
    "success": False,
    "status_code": 34,
    "status_message": "The resource you requested could not be found.",
}  # id 0 is no film


def slim(entry: dict, names: tuple[str, ...]) -> dict:
    "Some fields of an object, without those that hold nothing."
    return {n: entry[n] for n in names if entry.get(n) is not None}


def facts(film: dict) -> dict:
    "What the sample keeps of an answer: no overview, tagline, homepage or picture."
    kept = {n: film[n] for n in FACTS if film.get(n) is not None}
    if film.get("fetched_at"):
        kept["fetched_at"] = film["fetched_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    kept |= {
        n: [slim(x, names) for x in film[n]] for n, names in LISTS.items() if film[n] is not None
    }
    credits = film["credits"] or {}
    jobs = {"cast": ("id", "name", "order"), "crew": ("id", "name", "job")}
    return kept | {
        "credits": {
            k: [slim(x, names) for x in credits[k]]
            for k, names in jobs.items()
            if credits.get(k) is not None
        }
    }


def names(film: dict, kind: str, job: str | None = None) -> set[str]:
    "Names in the cast or crew of a film, of one job if given."
    people = (film["credits"] or {}).get(kind) or []
    return {p["name"] for p in people if job is None or p["job"] == job}


def breaks(film: dict) -> dict[str, bool]:
    "Which flaws a film has; the sample holds some films with each."
    return {
        "budget unknown": not film["budget"],
        "revenue unknown": not film["revenue"],
        "runtime unknown": not film["runtime"],
        "rating unknown": not film["vote_count"],
        "date unknown": not film["release_date"],
        "genre unknown": not film["genres"],
        "country unknown": not film["production_countries"],
        "company unknown": not film["production_companies"],
        "spoken language unknown": not film["spoken_languages"],
        "cast unknown": not names(film, "cast"),
        "director unknown": not names(film, "crew", "Director"),
        "several directors": len(names(film, "crew", "Director")) > 1,
        "not released": film["status"] != "Released",
        "budget below 1,000": 0 < (film["budget"] or 0) < 1_000,
        "revenue below 1,000": 0 < (film["revenue"] or 0) < 1_000,
        "ROI above 100": bool(film["budget"]) and (film["revenue"] or 0) > 100 * film["budget"],
        "ROI below 0.01": 0 < (film["revenue"] or 0) < 0.01 * (film["budget"] or 0),
        "few votes": 0 < (film["vote_count"] or 0) < 10,
        "extreme rating": film["vote_average"] in (0.0, 10.0),
        "very long": (film["runtime"] or 0) > 240,
        "very short": 0 < (film["runtime"] or 0) < 40,
        "code of no country": film["original_language"] in ("cn", "xx"),
    }


def searched(film: dict) -> bool:
    "Whether one of the two searches of the brief finds the film, or would by one word less."
    genres = {g["name"] for g in film["genres"] or []}
    willis = "Bruce Willis" in names(film, "cast") and bool(genres & {"Science Fiction", "Action"})
    return (
        willis
        or "Uma Thurman" in names(film, "cast")
        or "Quentin Tarantino" in names(film, "crew", "Director")
    )


def choose(films: list[dict], size: int) -> set[int]:
    """The ids of the sample: franchises, searches, both ends of every ranking, every flaw, then
    films by decade in a fixed shuffle."""
    answers = [f["id"] for f in films]
    ids = {i for i in answers if answers.count(i) > 1} | {
        f["id"] for f in films if searched(f) or f["belongs_to_collection"]
    }
    for value in ("revenue", "budget", "vote_count", "vote_average", "popularity"):
        ids |= {f["id"] for f in sorted(films, key=lambda f: -(f[value] or 0))[:15]}
    for flaw in breaks(films[0]):
        ids |= {f["id"] for f in islice((f for f in films if breaks(f)[flaw]), 5)}
    decades: dict[str, list[dict]] = {}
    for film in sorted(films, key=lambda f: hashlib.sha256(str(f["id"]).encode()).digest()):
        decades.setdefault((film["release_date"] or "")[:3], []).append(film)
    while len(ids) < size and any(decades.values()):
        for decade in decades.values():
            if decade and len(ids) < size:
                ids.add(decade.pop(0)["id"])
    return ids


def films_in(paths: Iterable[str]) -> Iterator[tuple[str, dict]]:
    "Origin and record of each film in files and folders; errors and other records are left out."
    for origin, record in records(paths):
        with suppress(BadRecord):
            film_id(record)
            yield origin, record


def fetch_sample(
    home: Path,  # an empty folder
) -> list[str]:
    """Fetch the films of the present sample; returns the files to choose from, older ones first.
    The films that are twice in it keep their older answer."""
    present = [film for _, film in films_in([str(SAMPLE)])]
    times = Counter(film["id"] for film in present)
    older = {film["id"]: film for film in reversed(present) if times[film["id"]] > 1}
    ids = ",".join(map(str, sorted(times)))
    chosen = settings(source="api", ids=ids, home=str(home), run_id="sample")
    fetch_films(open_run("sample", home), chosen)
    newer = {film["id"]: film for _, film in fetched_records(home / "data/raw/sample")}
    found = {"older": older.values(), "newer": (newer[i] for i in times if i in newer)}
    for name, films in found.items():
        (home / f"{name}.jsonl").write_bytes(b"".join(orjson.dumps(f) + b"\n" for f in films))
    return [str(home / f"{name}.jsonl") for name in found]


def main() -> None:
    "Read, choose, write."
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("answers", nargs="*")
    parser.add_argument("--renew", action="store_true")
    parser.add_argument("--collections", type=Path)
    parser.add_argument("--films", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=SAMPLE)
    args = parser.parse_args()
    if args.renew == bool(args.answers):
        parser.error("name saved answers, or --renew to fetch them")
    with tempfile.TemporaryDirectory() as home:
        try:
            write_sample(args, fetch_sample(Path(home)) if args.renew else args.answers)
        except TmdbError as problem:
            sys.exit(f"make_sample.py: {problem}")


def write_sample(args: argparse.Namespace, answers: list[str]) -> None:
    "Choose films from the answers and write the sample."
    franchise = {}
    if args.collections:
        with open(args.collections, encoding="utf-8", newline="") as f:
            franchise = {
                int(r["movie_id"]): {"id": int(r["collection_id"]), "name": r["collection_name"]}
                for r in csv.DictReader(f)
            }
    films = []
    for seq, (origin, record) in enumerate(films_in(answers), 1):
        film = raw_row(record, seq, origin)
        film["belongs_to_collection"] = film["belongs_to_collection"] or franchise.get(film["id"])
        films.append(film)
    ids = choose(films, args.films)
    lines = [orjson.dumps(ERROR)] + [orjson.dumps(facts(f)) for f in films if f["id"] in ids]
    packed = zstandard.compress(b"\n".join(lines) + b"\n", level=19)
    args.out.write_bytes(packed)
    print(f"{len(ids)} films in {len(lines) - 1} answers, {len(packed) / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
