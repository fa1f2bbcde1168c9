"""Write `collection_parts.csv`: the known parts of TMDB's collections, from saved answers.

    python data/reference/make_collection_parts.py 2025-12-24 ANSWERS...

The first argument is the day of the newest answer. ANSWERS are files of records as TMDB sends them: films with
`belongs_to_collection`, or collections with `parts` (JSON, JSON lines, plain, .gz or .zst).
"""

import csv
import json
import sys
from pathlib import Path

from tmdb_analysis.tmdb.files import records

OUT = Path(__file__).with_name("collection_parts.csv")


def parts(value):
    "The (collection id, film id, release date, complete) facts of a record."
    if isinstance(value, dict) and isinstance(value.get("response"), dict):  # a recorded request
        body = value["response"].get("body")
        value = json.loads(body) if isinstance(body, str) else body
    if not isinstance(value, dict):
        return
    for film in value.get("parts") or []:
        if film.get("release_date"):
            yield value["id"], film["id"], film["release_date"], 1
    collection = value.get("belongs_to_collection")
    if isinstance(collection, dict) and collection.get("id") and value.get("release_date"):
        yield collection["id"], value["id"], value["release_date"], 0


def main(day: str, *paths: str) -> None:
    "Write the table."
    found = {}
    for _, value in records([*paths]):
        for collection, film, date, complete in parts(value):
            key = collection, film
            if key not in found or complete > found[key][1]:
                found[key] = date, complete
    with OUT.open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["collection_id", "movie_id", "release_date", "complete", "as_of"])
        for (collection, film), (date, complete) in sorted(found.items()):
            writer.writerow([collection, film, date, complete, day])


if __name__ == "__main__":
    main(*sys.argv[1:])
