"""Write `collection_parts.csv`: the known parts of TMDB's collections, from saved answers.

    python data/reference/make_collection_parts.py FOLDER...

Reads the films of `data/sample` and every JSON file of the folders (.json, .jsonl, also .gz or
.zst), also recorded requests that hold an answer as text, and takes films that name their
collection and collections that list their parts. A description of the API (openapi*) holds
examples, not answers, and is left out. The day of an answer is its `fetched_at`, else
the day in the path of its file, else UNDATED. The newest answer counts.
"""

import csv
import gzip
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import zstandard

HERE = Path(__file__).parent
SAMPLE = HERE.parent / "sample"
UNDATED = "2017-09"  # the answers of the sample without a time: the "TMDB 5000" set

# Well-known first films that no answer names, where the title of the sequel may not tell:
# year of the first film, by collection.
WELL_KNOWN = {
    937: 1963,  # The Pink Panther
    1709: 1968,  # Planet of the Apes
    12203: 1978,  # Drunken Master
    34055: 1998,  # Pokémon: The First Movie
    55422: 1953,  # Peter Pan
    71458: 1992,  # 3 Ninjas
    124916: 1996,  # 101 Dalmatians
    366826: 1961,  # The Guns of Navarone
}


def values(path: Path) -> Iterator[object]:
    "The JSON values of a file: the whole text, or one a line."
    data = path.read_bytes()
    if path.suffix == ".gz":
        data = gzip.decompress(data)
    if path.suffix == ".zst":
        data = zstandard.ZstdDecompressor().decompressobj().decompress(data)
    text = data.decode("utf-8")
    try:
        yield json.loads(text)
    except ValueError:
        yield from map(json.loads, filter(str.strip, text.splitlines()))


def parts(value: object, day: str) -> Iterator[tuple[int, int, str, int, str]]:
    "The facts in a value: ids of collection and film, release date, complete, day of the answer."
    if isinstance(value, str) and value.startswith(("{", "[")):
        try:
            value = json.loads(value)
        except ValueError:
            return
    if isinstance(value, list):
        for item in value:
            yield from parts(item, day)
    if not isinstance(value, dict):
        return
    day = (value.get("fetched_at") or day)[:10] if isinstance(value.get("id"), int) else day
    collection, released = value.get("belongs_to_collection"), value.get("release_date")
    if isinstance(collection, dict) and isinstance(collection.get("id"), int) and released:
        yield collection["id"], value["id"], released, 0, day
    films = value.get("parts") or []
    for film in films if isinstance(films, list) else []:
        if isinstance(film, dict) and film.get("release_date"):
            yield value["id"], film["id"], film["release_date"], 1, day
    for item in value.values():
        yield from parts(item, day)


def main(*folders: str) -> None:
    "Write the table."
    found: dict[tuple[int, int], tuple] = {}
    paths = sorted(p for f in [SAMPLE, *map(Path, folders)] for p in f.rglob("*.json*"))
    for path in [p for p in paths if not p.name.startswith("openapi")]:
        named = re.search(r"\d{4}-\d\d-\d\d", str(path))
        for value in values(path):
            for c, film, *fact in parts(value, named[0] if named else UNDATED):
                key, fact = (c, film), tuple(fact)
                found[key] = max(fact, found.get(key, fact), key=lambda f: (f[1], f[2]))
    rows = [(c, film, *fact) for (c, film), fact in found.items()]
    rows += [(c, "", str(year), 0, "") for c, year in WELL_KNOWN.items()]
    with (HERE / "collection_parts.csv").open("w", encoding="utf-8", newline="") as f:
        writer = csv.writer(f, lineterminator="\n")
        writer.writerow(["collection_id", "movie_id", "release_date", "complete", "as_of"])
        writer.writerows(sorted(rows, key=lambda row: (row[0], row[2])))


if __name__ == "__main__":
    main(*sys.argv[1:])
