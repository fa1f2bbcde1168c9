"Which record of a film counts, which records are no films, and what of the input is not read."

import gzip
import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.compare import published
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import QUARANTINE, RAW
from tmdb_analysis.core.store import open_run, read
from tmdb_analysis.films import clean
from tmdb_analysis.films.checks import answer_rules, answers
from tmdb_analysis.films.ingest import ingest, raw_row
from tmdb_analysis.films.rules import evaluate, flags
from tmdb_analysis.tmdb.files import BadRecord, files, skipped_files
from tmdb_analysis.tmdb.sources import records, sample
from tmdb_analysis.tmdb.tables import film_table, table_records
from tmdb_analysis.use.cli import main

LISTED = (
    "id title original_title overview release_date popularity vote_average vote_count adult "
    "video genre_ids"
).split()


def detail(id: int, **given) -> dict:
    "A film as details answer."
    known = dict(
        title=f"Film {id}",
        status="Released",
        release_date="2001-02-03",
        budget=10,
        revenue=30,
        runtime=90,
    )
    rest = dict(
        popularity=1.5,
        vote_average=7.0,
        vote_count=50,
        overview="Words.",
        original_language="en",
        poster_path="/a.jpg",
    )
    return {
        "id": id,
        "original_title": "",
        "adult": False,
        "video": False,
        "genre_ids": [1],
        **known,
        **rest,
        **given,
    }


def item(film: dict) -> dict:
    "The same film as lists have it."
    return {name: film.get(name) for name in LISTED}


def made(
    values: list, folder: Path, least: int = 8
) -> tuple[dict[int, dict], dict[str, int], dict]:
    "The films by id, how many records each rule took, and the counts of ingest."
    run = open_run("records", folder)
    path = folder / "input.jsonl"
    path.write_text("".join(json.dumps(value) + "\n" for value in values))
    return judged(records([path]), run, least)


def judged(stream, run, least: int = 8) -> tuple[dict[int, dict], dict[str, int], dict]:
    "The same of a stream."
    counts = ingest(stream, run)
    verdicts = clean.with_verdicts(read(session(), RAW, run), least)
    rows = [r.asDict(recursive=True) for r in verdicts.collect()]
    taken: dict[str, int] = {}
    for r in rows:
        taken[r["rule"]] = taken.get(r["rule"], 0) + 1
    films = {r["id"]: r for r in rows if r["rule"] is None}
    assert counts["records"] == counts["quarantined"] + sum(taken.values()) and taken.get(
        None, 0
    ) == len(films)
    return films, taken, counts


BROKEN = {
    "item": dict.fromkeys(
        ["status", "budget", "revenue", "runtime", "original_language", "poster_path"]
    ),
    "no title": {"title": None},
    "no status": {"status": None},
    "little known": dict.fromkeys(
        ["overview", "poster_path", "runtime", "budget", "revenue", "vote_count", "popularity"]
    ),
    "an impossible value": {"runtime": 10**9},
    "a value below zero": {"runtime": -90},
}


@pytest.mark.parametrize("order", [1, -1], ids=["worse last", "worse first"])
def test_details_and_sound_records_count_before_others_whatever_comes_later(order, tmp_path):
    values = [
        detail(i) | more for i, fault in enumerate(BROKEN.values(), 1) for more in ({}, fault)
    ]
    values += [
        detail(9, fetched_at="2024-01-01T00:00:00Z"),
        item(detail(9)) | {"fetched_at": "2026-01-01T00:00:00Z"},
    ]
    films, taken, _ = made(values[::order], tmp_path)
    assert {id: film["runtime"] for id, film in films.items()} == dict.fromkeys(
        [1, 2, 3, 4, 5, 6, 9], 90
    )
    assert taken == {None: 7, "duplicate": 7}


def test_among_equals_the_later_one_counts(tmp_path):
    new, old = (detail(2, vote_count=n, fetched_at=f"202{n}-01-01T00:00:00Z") for n in (6, 5))
    films, _, _ = made([detail(1, vote_count=7), detail(1, vote_count=8), new, old], tmp_path)
    assert [films[1]["vote_count"], films[2]["vote_count"]] == [8, 6]


@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.randoms(use_true_random=False),
    st.lists(st.sampled_from(sorted(BROKEN)), min_size=1, max_size=4),
)
def test_order_of_the_records_never_changes_the_films(tmp_path_factory, chance, worse):
    good = [detail(i) for i in range(1, 7)]
    bad = [f | BROKEN[kind] for f in good for kind in worse]
    values = [*good, *bad, item(detail(7))]
    chance.shuffle(values)
    films, taken, _ = made(values, tmp_path_factory.mktemp("order"))
    assert {id: film["runtime"] for id, film in films.items()} == dict.fromkeys(range(1, 7), 90)
    assert taken["duplicate"] == len(bad)


SERIES = {
    "id": 1,
    "name": "A series",
    "first_air_date": "2011-04-17",
    "number_of_seasons": 8,
    "popularity": 9.0,
    "vote_count": 9,
}


def test_a_series_is_no_film(tmp_path):
    others = [
        SERIES,
        {"id": 1, "title": "T", "media_type": "tv"},
        {"id": 1, "name": "P", "media_type": "person"},
    ]
    films, taken, counts = made([detail(1), *others], tmp_path)
    assert films[1]["title"] == "Film 1" and taken == {None: 1} and counts["quarantined"] == 3
    assert counts["reasons"] == {"not a film but of another kind": 3}
    aside = pq.read_table(open_run("records", tmp_path).path(QUARANTINE)).to_pylist()
    assert [(r["id"], r["reason"].split(": ")[1]) for r in aside] == [
        (1, "tv"),
        (1, "tv"),
        (1, "person"),
    ]


def test_empty_fields_of_series_make_no_series():
    film = raw_row(
        detail(1, first_air_date=None, number_of_seasons=None, media_type="movie"), 1, "test"
    )
    assert film["title"] == "Film 1" and raw_row(detail(1, first_air_date=""), 1, "test")["id"] == 1


@pytest.mark.parametrize(("names", "at"), [("ab", 0), ("ba", 1)], ids=["lists last", "lists first"])
def test_lists_beside_details_change_nothing(names, at, shared, tmp_path):
    """A dump of the exercise and saved pages of lists, in both orders of the files; the second
    dump was written without null keys. The items of one page carry budgets, but neither genres
    nor credits."""
    dump = sorted((shared / "exercise18").glob("*.json.gz"))[at]
    known = [
        film["id"]
        for film in oracle.read_json([dump])
        if isinstance(film, dict) and film.get("title")
    ]
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / f"{names[0]}_details.json.gz").write_bytes(dump.read_bytes())
    saved = [
        *(shared / "raw_api").rglob("*discover_movie*.json"),
        *(shared / "raw_api").rglob("*movie_popular*.json"),
    ]
    pages = [json.loads(page.read_text())["response"]["body"] for page in saved]
    pages += [{"results": [item(detail(id)) for id in known]}]
    pages += [
        {
            "results": json.loads(
                gzip.decompress((shared / "bugraayt_popular400.json.gz").read_bytes())
            )
        }
    ]
    for n, page in enumerate(pages):
        (folder / f"{names[1]}_{n}.json").write_text(json.dumps(page))
    films, taken, _ = judged(records([folder]), open_run("lists", tmp_path), 10)
    assert len(known) == 18 and films.keys() >= set(known) and taken["duplicate"] >= 18
    assert all(
        films[id]["director"] and films[id]["genres"] and films[id]["revenue_musd"] for id in known
    )


HEAD = "id,title,budget,genres,release_date,status\n"
FILMS = [
    '348,Alien,11000000,"[{""id"": 27, ""name"": ""Horror""}]",1979-05-25,Released\n',
    "679,Aliens,18500000,[],1986-07-18,Released\n",
]
CREW = '"[{""id"": 578, ""name"": ""Ridley Scott"", ""job"": ""Director""}]"'
FULL, EMPTY, TORN = f"348,Alien,[],{CREW}\n", "348,Alien,[],[]\n", '348,Alien,"[{",[]\n'


def pair(folder: Path, films: list[str], credits: list[str]) -> list[Path]:
    "The two files of the TMDB 5000 pair."
    (folder / "movies.csv").write_text(HEAD + "".join(films))
    (folder / "credits.csv").write_text("movie_id,title,cast,crew\n" + "".join(credits))
    return [folder / "movies.csv", folder / "credits.csv"]


@pytest.mark.parametrize(
    "credits", [[FULL], [FULL, EMPTY], [EMPTY, FULL], [TORN, FULL], [FULL, TORN], [FULL, FULL]]
)
def test_a_film_that_comes_twice_keeps_its_credits(credits, tmp_path):
    paths = pair(tmp_path, [FILMS[0], FILMS[1], FILMS[0]], [*credits, "7,Gone,[],[]\n"])
    told = [record for _, _, record in table_records(list(map(film_table, paths)))]
    people = [film.get("credits") for film in told[:3]]
    assert [found and found["crew"][0]["name"] for found in people] == [
        "Ridley Scott",
        None,
        "Ridley Scott",
    ]
    more = ["more credits of a film that has others: movie_id 348"] * (len(credits) - 1)
    assert [str(bad) for bad in told[3:]] == [
        *more,
        "credits of a film that is not in the movies file: movie_id 7",
    ]


def test_credits_that_come_twice_are_counted(tmp_path):
    paths = pair(tmp_path, [FILMS[0], FILMS[1], FILMS[0]], [FULL, EMPTY, "7,Gone,[],[]\n"])
    films, taken, counts = judged(records(paths), open_run("pair", tmp_path), 4)
    assert (
        films[348]["director"] == ["Ridley Scott"]
        and taken == {None: 2, "duplicate": 1}
        and counts["records"] == 5
    )
    reasons = (
        "more credits of a film that has others",
        "credits of a film that is not in the movies file",
    )
    assert counts["reasons"] == dict.fromkeys(reasons, 1)


def test_the_letters_of_an_ending_do_not_matter(tmp_path):
    (tmp_path / "B.JSON").write_text(json.dumps(detail(1)))
    (tmp_path / "C.Json.GZ").write_bytes(gzip.compress(json.dumps(detail(2)).encode()))
    for path in pair(tmp_path, FILMS, [FULL]):
        path.rename(path.with_suffix(".CSV"))
    assert len(files([tmp_path])) == 4
    assert {str(record["id"]) for _, record in records([tmp_path])} == {"1", "2", "348", "679"}


def test_files_that_are_not_read_are_named(tmp_path):
    (tmp_path / "more").mkdir()
    for name in ("a.json", "_x.json", ".hidden", "notes.txt", "more/README.md"):
        (tmp_path / name).write_text(json.dumps(detail(1)))
    assert skipped_files([tmp_path, tmp_path / "a.json"]) == [
        ".hidden",
        "_x.json",
        "more/README.md",
        "notes.txt",
    ]
    run = open_run("skipped", tmp_path / "home")
    assert (
        ingest(records([tmp_path]), run, skipped=lambda: skipped_files([tmp_path]))["skipped"][1]
        == "_x.json"
    )


# values that a file may hold: the first of each name are impossible, the last are the largest or
# smallest that count
EXTREME = {
    "popularity": [1e308, 1e15, -1, 1e6, 0],
    "budget": [10**12, -5, 10**11, 1],
    "revenue": [9 * 10**18, 10**11, 1],
    "vote_count": [2**62, 10**9],
    "runtime": [10**9, 100_000, 1],
    "vote_average": [11, 10.0, 0.1],
    "release_date": ["1873-12-31", "1874-12-09", "2100-12-31"],
}
IMPOSSIBLE = {
    "popularity": 3,
    "budget": 1,
    "revenue": 1,
    "vote_count": 1,
    "runtime": 1,
    "vote_average": 1,
    "release_date": 1,
}


@pytest.mark.integration
def test_one_extreme_value_does_not_end_a_run(demo, tmp_path):
    """Each extreme value in a film of its own, and ids near 2^63; the report has all its figures,
    and flags name what was left out."""
    given = [
        film
        for film in oracle.read_json([sample() / "movies.jsonl.zst"])
        if isinstance(film, dict) and film.get("budget")
    ]
    base, big, films = given[0], 2**63 - 1, []
    for name, values in EXTREME.items():
        films += [
            base | {"id": 9_000_000 + len(films) + i, "title": f"{name} {v}", name: v}
            for i, v in enumerate(values)
        ]
    person = {"id": big, "name": "Big", "job": "Director", "order": 2**62}
    huge = {
        "belongs_to_collection": {"id": big, "name": "Big Collection"},
        "credits": {"cast": [person], "crew": [person]},
    }
    films += [
        base | huge | {"id": big - i, "title": f"id {i}", "genres": [{"id": big, "name": "Drama"}]}
        for i in range(3)
    ]
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "films.jsonl").write_text("".join(json.dumps(film) + "\n" for film in given + films))
    (folder / "notes.txt").write_text("not read")
    assert (
        main(
            [
                "run",
                "--home",
                str(tmp_path),
                "--run-id",
                "odd",
                "--source",
                "files",
                "--input",
                str(folder),
            ]
        )
        == 0
    )

    run = Run("odd", tmp_path)
    figures = [
        (r.report / "index.html").read_text().count('<figure class="chart">') for r in (run, demo)
    ]
    assert figures[0] == figures[1] > 5
    tables = published(run)
    out = tables["dropped"][tables["dropped"].rule == "breaks a rule"]
    flagged = tables["flags"][tables["flags"].movie_id.isin(out.id)]
    assert len(out) == sum(IMPOSSIBLE.values()) and set(out.id) <= set(flagged.movie_id)
    told = json.loads((run.report / "run.json").read_text())
    assert (
        told["skipped"] == ["notes.txt"]
        and "1 file skipped: notes.txt" in told["stages"][0]["summary"]
    )
    assert (run.report / "20_ingest.html").read_text().count("notes.txt") >= 1


def test_the_newer_detail_record_counts_even_if_it_says_that_the_film_is_canceled(tmp_path):
    old = detail(1, fetched_at="2024-01-01T00:00:00Z")
    new = detail(1, fetched_at="2026-01-01T00:00:00Z", status="Canceled")
    for order in ([old, new], [new, old]):
        films, taken, _ = made(order, tmp_path)
        assert films == {} and taken == {"duplicate": 1, "not released": 1}


def test_without_times_a_released_record_counts(tmp_path):
    "No film becomes unreleased again, so the order of the files says less than the status."
    for order in (["Released", "Post Production"], ["Post Production", "Released"]):
        films, _, _ = made([detail(1, status=status) for status in order], tmp_path)
        assert films[1]["runtime"] == 90


def test_a_newer_record_with_an_unreadable_value_never_replaces_a_readable_one(tmp_path):
    old = detail(1, fetched_at="2024-01-01T00:00:00Z")
    new = detail(1, fetched_at="2026-01-01T00:00:00Z", vote_count="many")
    films, taken, _ = made([old, new], tmp_path)
    assert films[1]["vote_count"] == 50 and taken == {None: 1, "duplicate": 1}
    alone, _, _ = made([new], tmp_path)
    assert alone[1]["vote_count"] is None and alone[1]["budget_musd"] == 1e-5


def test_a_record_with_names_only_never_replaces_one_with_ids(tmp_path):
    crew = {"id": 578, "name": "Ridley Scott", "job": "Director"}
    full = detail(1, genres=[{"id": 18, "name": "Drama"}], credits={"cast": [], "crew": [crew]})
    names = full | {"genres": ["Drama"], "credits": {"cast": [], "crew": [crew | {"id": None}]}}
    films, _, _ = made([full, names], tmp_path)
    assert films[1]["seq"] == 1


def test_a_series_with_a_title_is_no_film():
    series = SERIES | {"title": "A series"}
    with pytest.raises(BadRecord, match="another kind: tv"):
        raw_row(series, 1, "test")
    for person in ({"id": 1, "name": "P", "known_for_department": "Acting"},):
        with pytest.raises(BadRecord, match="another kind: person"):
            raw_row(person, 1, "test")
    empty = dict(first_air_date=float("nan"), number_of_seasons=0, seasons=[])
    assert raw_row(detail(1, **empty), 1, "test")["id"] == 1


def test_records_of_a_film_that_differ_are_named_by_a_rule(tmp_path):
    values = [
        detail(1, revenue=30),
        detail(1, revenue=40, title="Film one"),
        detail(2),
        detail(2, vote_count=99),
        detail(3),
        item(detail(3)),
    ]
    run = open_run("differ", tmp_path)
    judged(((f"test:{i}", v) for i, v in enumerate(values)), run)
    raw = read(session(), RAW, run)
    seen = answers(raw, clean.dropped_records(clean.with_verdicts(raw, 8)))
    rules = [rule for rule in answer_rules() if rule.id == "records_agree"]
    (outcome,) = evaluate(seen, rules)
    assert (outcome.evaluated, outcome.failed) == (3, 1)
    assert [(r.movie_id, r.value) for r in flags(seen, rules).collect()] == [(1, "title, revenue")]
