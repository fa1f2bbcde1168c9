"""Searching: the grammar reads what it writes, the films are those of plain Python, and an empty
answer is explained."""

import csv
import io
import json
import os
import re
import subprocess
import sys
import unicodedata
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import oracle
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.home import terminal_text
from tmdb_analysis.core.schema import CREDITS, MOVIES
from tmdb_analysis.core.servers import java_version
from tmdb_analysis.core.settings import UsageError
from tmdb_analysis.core.store import load
from tmdb_analysis.films.scope import is_in_scope
from tmdb_analysis.search.lookup import answer_query, find, search_run, similar_names
from tmdb_analysis.search.query import (
    FIELD_ALIASES,
    FIELDS,
    SORT_COLUMNS,
    AnyOf,
    Query,
    QueryCondition,
    fold,
    fold_words,
    number_bounds,
    query,
)
from tmdb_analysis.search.search import SAVED_SEARCHES, folded_name, folded_words, search_films
from tmdb_analysis.tmdb.sources import sample
from tmdb_analysis.use.cli import main

ROOT = Path(__file__).parent.parent
TMDB = [str(Path(sys.executable).parent / "tmdb")]
quick = settings(
    deadline=None,
    derandomize=True,
    max_examples=40,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)

# --- a catalogue, and a search of it in plain Python

NAMES = [
    "Bruce Willis",
    "BRUCE WILLIS",
    "Bruce Willis Jr.",
    "Penélope Cruz",
    "Penelope Cruz",
    "Pene\u0301lope Cruz",
    "Straße",
    "Strasse",
    "山田",
    "Æ",
]
GENRES = ["Action", "Science Fiction", "Drama", "Dráma"]
TITLES = ["Alien", "Aliens", "The Álien Planet", "[REC]", "alien: planet", "Éa", "eb", "ça", "山田"]


def plain(text: str) -> str:
    "A name without case and accents, another way than the package has."
    text = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return text.casefold().replace("æ", "ae")


films_made = st.fixed_dictionaries(
    {
        "id": st.integers(1, 40),
        "title": st.sampled_from(TITLES),
        "tagline": st.none() | st.sampled_from(TITLES),
        "genres": st.none() | st.lists(st.sampled_from(GENRES), min_size=1, max_size=3,
                                       unique=True),
        "production_companies": st.none() | st.just(["A|B", "Ünïted"]),
        "original_language": st.none() | st.sampled_from(["en", "fr"]),
        "belongs_to_collection": st.none() | st.just("Alien Collection"),
        "release_year": st.none() | st.integers(1978, 1982),
        "vote_average": st.none() | st.sampled_from([5.0, 7.0, 7.5]),
        "vote_count": st.none() | st.integers(0, 3),
        "credits": st.lists(
            st.tuples(
                st.sampled_from(["cast", "crew"]), st.none() | st.integers(1, 4),
                st.none() | st.sampled_from(NAMES),
                st.sampled_from(["Director", "Screenplay", "Gaffer"]),
            ), max_size=5,
        ),
    }
)  # fmt: skip
catalogues = st.lists(films_made, max_size=8, unique_by=lambda film: film["id"])
names_asked = st.sampled_from(NAMES) | st.sampled_from(["#1", "#3", "bruce willis", "nobody"])
conditions_made = st.one_of(
    st.builds(
        QueryCondition,
        st.sampled_from(["cast", "director", "writer", "crew", "person"]),
        names_asked,
        st.booleans(),
    ),
    st.builds(
        QueryCondition,
        st.just("genre"),
        st.sampled_from([*GENRES, "action", "Fiction"]),
        st.booleans(),
    ),
    st.builds(
        QueryCondition, st.just("company"), st.sampled_from(["a|b", "united", "A"]), st.booleans()
    ),
    st.builds(QueryCondition, st.just("language"), st.sampled_from(["fr", "FR"]), st.booleans()),
    st.builds(
        QueryCondition,
        st.just("collection"),
        st.sampled_from(["alien collection", "#5"]),
        st.booleans(),
    ),
    st.builds(
        QueryCondition,
        st.sampled_from(["title", "keyword"]),
        st.sampled_from(["alien", "ALIEN planet", "rec", "山田"]),
        st.booleans(),
    ),
    st.builds(
        QueryCondition,
        st.just("year"),
        st.sampled_from(["1980", "1979-1981", "1980-", "-1980", ">1980", "<=1979"]),
        st.booleans(),
    ),
    st.builds(
        QueryCondition,
        st.just("rating"),
        st.sampled_from(["7", "7-", ">=7.5", "<7", "6-7.5"]),
        st.booleans(),
    ),
)
alternatives = st.lists(conditions_made, min_size=2, max_size=3).map(
    lambda made: AnyOf(tuple(made))
)
queries = st.builds(
    Query,
    st.lists(conditions_made | alternatives, max_size=4).map(tuple),
    st.sampled_from(
        [sign + by for sign in ("", "-") for by in ("rating", "votes", "year", "title")]
    ),
    st.none() | st.integers(1, 3),
)


def staff(catalogue: list[dict]) -> list[dict[str, Any]]:
    "The credits of a catalogue."
    columns = ("movie_id", "kind", "person_id", "name", "job", "order")
    return [
        dict(
            zip(
                columns,
                (film["id"], kind, person, name, "Actor" if kind == "cast" else job, i),
                strict=True,
            )
        )
        for film in catalogue
        for i, (kind, person, name, job) in enumerate(film["credits"])
    ]


def who(credit: dict) -> int | str | None:
    "The person of a credit: the id, or the name if there is no id."
    return credit["name"] if credit["person_id"] is None else credit["person_id"]


def meets(film: dict, condition: QueryCondition, credits: list[dict]) -> bool:
    "Whether a film meets a condition, before it is excluded."
    field, value = condition.field, plain(condition.value)
    if field in ("cast", "director", "writer", "crew", "person"):
        ids = (
            {int(value[1:])}
            if value[0] == "#"
            else {who(c) for c in credits if c["name"] and plain(c["name"]) == value}
        )
        kinds = {"cast": ["cast"], "person": ["cast", "crew"]}.get(field, ["crew"])
        job = {"director": "Director", "writer": "Screenplay"}.get(field)
        return any(
            c["movie_id"] == film["id"]
            and who(c) in ids
            and c["kind"] in kinds
            and job in (None, c["job"])
            for c in credits
        )
    if field == "genre":
        return value in map(plain, film["genres"] or ())
    if field == "company":
        return any(value in plain(name) for name in film["production_companies"] or ())
    if field in ("title", "keyword"):
        texts = [film["title"]] if field == "title" else [film["title"], film["tagline"] or ""]
        return any(re.search(rf"\b{value}\b", re.sub(r"\W+", " ", plain(text))) for text in texts)
    if field in ("language", "collection"):
        own = film[{"language": "original_language", "collection": "belongs_to_collection"}[field]]
        return own is not None and (plain(own) == value or value == "#5")
    own = film[{"year": "release_year", "rating": "vote_average"}[field]]
    if own is None:
        return False
    if value[0] in "<>":
        limit = float(value.strip("<>="))
        return (own == limit and "=" in value) or (own < limit if value[0] == "<" else own > limit)
    low, dash, high = value.partition("-")
    return own == float(low) if not dash else float(low or 0) <= own <= float(high or 9999)


def meets_one(film: dict, condition: QueryCondition | AnyOf, credits: list[dict]) -> bool:
    "Whether a film meets a condition of a query."
    if isinstance(condition, AnyOf):
        return any(meets_one(film, each, credits) for each in condition.conditions)
    return meets(film, condition, credits) != condition.excluded


def expected(catalogue: list[dict], asked: Query) -> list[int]:
    "The ids that a search must give, in order."
    credits = staff(catalogue)
    found = [f for f in catalogue if all(meets_one(f, c, credits) for c in asked.conditions)]
    column = {
        "rating": "vote_average",
        "votes": "vote_count",
        "year": "release_year",
        "title": "title",
    }[asked.sort.strip("-")]
    known = sorted((f for f in found if f[column] is not None), key=lambda f: f["id"])
    known.sort(
        key=lambda f: plain(f[column]) if column == "title" else f[column],
        reverse=asked.sort[0] == "-",
    )  # stable: ties stay by id
    unknown = sorted(f["id"] for f in found if f[column] is None)
    return [*(f["id"] for f in known), *unknown][: asked.limit]


def frames(catalogue: list[dict]) -> tuple:
    "A catalogue as the tables of a run."
    full = [
        f
        | {
            "known_columns": 5,
            "seq": f["id"],
            "collection_id": 5 if f.get("belongs_to_collection") else None,
        }
        for f in catalogue
    ]
    films = session().createDataFrame(
        [tuple(f.get(c) for c in MOVIES.columns) for f in full], MOVIES.spark
    )
    credits = session().createDataFrame(
        [tuple(c.get(n) for n in CREDITS.columns) for c in staff(catalogue)], CREDITS.spark
    )
    return films, credits


def ids(found: Any) -> list[int]:
    "The ids of a result, by rank."
    return [row.id for row in sorted(found.collect(), key=lambda row: row.rank)]


@quick
@given(catalogues, queries)
def test_the_films_are_those_of_plain_python(catalogue, asked):
    films, credits = frames(catalogue)
    assert ids(search_films(films, credits, str(asked))) == expected(catalogue, asked)
    told = answer_query(films, credits, asked)
    assert told.films["id"].to_pylist() == expected(catalogue, asked)
    assert told.total == len(expected(catalogue, Query(asked.conditions)))
    if told.total == 0 and len(asked.conditions) > 1:
        assert_explained(catalogue, asked, told.notes)


def assert_explained(catalogue: list[dict], asked: Query, notes: list[str]) -> None:
    """The counts of each condition alone, and the films that meet all but one, are those of plain
    Python."""
    alone = ", ".join(f"{c} {len(expected(catalogue, Query((c,))))}" for c in asked.conditions)
    assert f"films that meet each condition alone: {alone}" in notes
    for i, condition in enumerate(asked.conditions):
        others = Query(asked.conditions[:i] + asked.conditions[i + 1 :], asked.sort)
        titles = [next(f for f in catalogue if f["id"] == id) for id in expected(catalogue, others)]
        line = f"without {condition}, {len(titles)} film{'s' * (len(titles) != 1)}: " + ", ".join(
            f"{f['title']} ({f['release_year'] or 'no date'})" for f in titles[:3]
        )
        assert (line in notes) == bool(titles)


# --- names


def test_engine_and_python_fold_alike():
    letters = [chr(i) for i in [*range(1, 0x3100), *range(0xAC00, 0xAC20), 0x1F600, 0x10400]]
    texts = [f"a{letter}b" for letter in letters] + NAMES + TITLES
    frame = (
        session()
        .createDataFrame(list(enumerate(texts)), "i int, t string")
        .select("i", folded_name("t"), folded_words("t"))
    )
    got = sorted(tuple(row) for row in frame.collect())
    assert [(name, text.strip()) for _, name, text in got] == [
        (fold(t), fold_words(t)) for t in texts
    ]
    assert all(fold(fold(t)) == fold(t) for t in texts), "folded once is folded"


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("Penélope Cruz", "penelope cruz", True), ("Bruce Willis", "Bruce Willis Jr.", False),
        ("Straße", "STRASSE", True), ("İpek", "ipek", True), ("Søren", "soren", True),
        ("Łukasz", "lukasz", True), ("ガ", "カ", False), ("한", "하", False), ("Æon", "aeon", True),
    ],
)  # fmt: skip
def test_what_counts_as_one_name(a, b, same):
    assert (fold(a) == fold(b)) is same


# --- the grammar

values = st.text(
    st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12
) | st.sampled_from(['"Weird Al" Yankovic', "a\\", "#62", "-x", "a:b", "sort:x", ">=5"])


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.lists(st.tuples(st.sampled_from(sorted(FIELDS)), values, st.booleans()), max_size=4),
    st.sampled_from(sorted(SORT_COLUMNS)),
    st.booleans(),
)
def test_a_query_reads_what_it_writes(words, by, down):
    conditions = []
    for field, value, excluded in words:
        try:
            conditions.append(QueryCondition(field, value, excluded))
        except UsageError:
            continue
    asked = Query(tuple(conditions), "-" * down + by, 7)
    assert query(str(asked)) == asked


@settings(deadline=None, derandomize=True, max_examples=300)
@given(
    st.text(max_size=30)
    | st.lists(
        st.sampled_from(
            ['"', "-", ":", "genre:", "year:", "1990", ">=", "x", " ", "\\", "sort:", "#"]
        )
    ).map("".join)
)
def test_any_text_is_read_or_refused_in_a_line(text):
    try:
        assert query(str(query(text))) == query(text)
    except UsageError as e:
        assert str(e).startswith("search: ")


def test_names_of_fields_are_the_same_everywhere():
    assert query(
        genres=["Horror"],
        directors="X",
        years="1990-",
        companies=["A"],
        people="#1",
        keywords="x",
        limit=3,
    ) == query("genre:Horror director:X year:1990- company:A person:#1 x limit:3")
    assert query("actor:X studio:A") == query("cast:X company:A")
    assert set(FIELD_ALIASES.values()) <= FIELDS.keys() and not FIELD_ALIASES.keys() & FIELDS.keys()
    columns = [c for f in FIELDS.values() if f.kind != "person" for c in f.where]
    assert set(columns) <= set(MOVIES.columns)
    with pytest.raises(UsageError, match="did you mean genre"):
        query(gneres="Horror")


def test_numbers():
    assert (
        number_bounds("1990-1999") == [(">=", 1990), ("<=", 1999)]
        and number_bounds("-1979") == [("<=", 1979)]
        and number_bounds(">-0.5") == [(">", -0.5)]
    )
    assert query("rating>=7 roi=2") == query("rating:>=7 roi:2")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gnere:Horror", "did you mean genre?"), ('cast:"Bruce Willis', "a quote is not closed"),
        ("year:90s", "write a number or a range"), ("year:99", "four digits"),
        ("year:1999-1990", "ends before it begins"), ("sort:-ratng", "did you mean rating?"),
        ("genre>3", "is not a number"), ("genre:", "needs a value"),
        ("cast:#me", "write an id as #62"), ("limit:0", "a whole number from 1"),
        ("x -sort:year", "given once"), ("sort:year sort:votes", "given once"),
        ("", "the query is empty"), ("  ", "the query is empty"), ("a\udcffb", "UTF-8"),
    ],
)  # fmt: skip
def test_a_mistake_is_said_in_a_line_and_exits_2(text, said, demo, capsys):
    assert main(["search", "--home", str(demo.home), text]) == 2
    told = capsys.readouterr()
    assert (
        said in told.err
        and told.err.startswith("tmdb: search: ")
        and len(told.err.splitlines()) == 1
        and not told.out
    )


# --- the sample

ASKED = [
    *SAVED_SEARCHES.values(),
    "genre:horror year:1990-1999 votes>=100 sort:-rating",
    'director:"robert rodriguez" -genre:Action sort:title',
    'cast:"bruce wilis" genre:Action',
    'cast:"Uma Thurman" genre:Action year:1940-1950',
    'cast:"michael douglas" limit:2',
    "collection:#10 sort:year",
    'writer:"stephen king" profit>0 sort:-roi',
]  # fmt: skip


def test_saved_searches_equal_the_oracle(demo):
    tables = oracle.tables(oracle.read_json([sample() / "movies.jsonl.zst"]))
    films, credits = load("movies", demo), load("credits", demo)
    for name, text in SAVED_SEARCHES.items():
        assert ids(search_films(films, credits, text)) == tables[name].id.tolist() != []


@pytest.mark.integration
def test_both_engines_answer_alike(demo):
    if java_version() not in (17, 21):
        pytest.skip("Apache Spark needs Java 17 or 21")
    code = (
        "import sys, json; from tests.test_search import *; from tmdb_analysis.core.engine "
        "import one_server, session, session_for\n"
        "from tmdb_analysis.core.settings import settings; from tmdb_analysis.core.store "
        "import Run\n"
        "run = Run('demo', Path(sys.argv[1]))\n"
        "with one_server(settings(engine=sys.argv[2]).spark):\n"
        "    session_for(session(), 1000)\n"
        "    told = [search_run(query(text), run) for text in ASKED]\n"
        "    print(json.dumps([(t.films.to_pylist(), t.total, t.notes) for t in told], "
        "default=str))"
    )
    env = {k: v for k, v in os.environ.items() if k != "SPARK_REMOTE"} | {"PYTHONPATH": str(ROOT)}
    both = [
        subprocess.run(
            [sys.executable, "-c", code, str(demo.home), engine],
            env=env,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for engine in ("sail", "spark")
    ]
    told = json.loads(both[0])
    assert (
        both[0] == both[1]
        and len(told) == len(ASKED)
        and sum(total > 0 for _, total, _ in told) == len(ASKED) - 2
    )


def test_an_empty_answer_is_explained(demo):
    told = search_run(query('cast:"Uma Thurman" genre:Action year:1940-1950'), demo).notes
    assert told[0].startswith('films that meet each condition alone: cast:"Uma Thurman" ')
    assert told[1] == 'no film meets both cast:"Uma Thurman" and year:1940-1950'
    assert "without year:1940-1950, 5 films: Kill Bill: Vol. 1 (2003)" in told[-1]
    told = search_run(query('cast:"Bruce Wilis"'), demo).notes
    assert told == [
        'cast:"Bruce Wilis": no such name; did you mean "Bruce Willis" (35 films)?',
        'no film meets cast:"Bruce Wilis"',
    ]
    assert "; did you mean genre:Horror (128 films)" in search_run(query("horror"), demo).notes[0]
    told = search_run(query("spielberg"), demo).notes[0]
    assert told.startswith('keyword:spielberg: no text has it; did you mean person:"Steven Spielb')
    notes = search_run(query('director:"Uma Thurman"'), demo).notes
    assert notes[0] == 'director:"Uma Thurman": the name exists in the data, but not as director'
    assert search_run(query("-genre:Horor limit:1"), demo).notes == [
        "-genre:Horor: no such name; did you mean Horror (128 films)?"
    ]


def test_namesakes_are_told_apart():
    catalogue: list[dict] = [
        {
            "id": 1,
            "title": "One",
            "vote_count": 5,
            "credits": [("cast", 7, "Ana Ruiz", ""), ("cast", 7, "Ana Ruíz", "")],
        },
        {"id": 2, "title": "Two", "credits": [("cast", 8, "ANA RUIZ", "")]},
        {
            "id": 3,
            "title": "Three",
            "vote_count": 9,
            "credits": [("crew", 7, "A. Ruiz", "Director")],
        },
    ]
    films, credits = frames(catalogue)
    told = answer_query(films, credits, query('person:"ana ruiz" sort:year'))
    assert told.films["id"].to_pylist() == [1, 2, 3]
    assert told.notes == [
        (
            "2 people are named ana ruiz, and the search includes all: #7 (2 films, Three); "
            "#8 (1 film, Two)"
        )
    ]
    assert answer_query(films, credits, query("person:#7")).films["id"].to_pylist() == [1, 3]
    assert not answer_query(films, credits, query("person:#7")).notes


def test_nearest_names_are_few_and_sensible(demo):
    names = load("credits", demo).select("name", "movie_id").distinct()
    assert (
        similar_names(names, "willis")[0][0]
        == similar_names(names, "wilis")[0][0]
        == "Bruce Willis"
        and len(similar_names(names, "a")) == 3
    )
    assert (
        similar_names(names, "Penelope Cruz")[0][0] == "Penélope Cruz"
        and similar_names(names, "zzzzzzzzzzzz") == []
    )


# --- the command and the notebook


def tmdb(*args: str) -> subprocess.CompletedProcess:
    "The command in a process of its own."
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_REMOTE"))}
    return subprocess.run(
        [*TMDB, "search", *args],
        capture_output=True,
        text=True,
        env=clean,
        cwd=ROOT,
        timeout=300,
        check=False,
    )


@pytest.mark.integration
def test_the_command_in_its_forms(demo):
    home, text = ["--home", str(demo.home)], SAVED_SEARCHES["search_scifi_action_willis"]
    table, asked, data = (
        tmdb(text, *home, "--limit", "2"),
        tmdb(text, *home, "--csv"),
        tmdb(text, *home, "--json", "--run-id", "demo"),
    )
    assert (table.returncode, asked.returncode, data.returncode) == (0, 0, 0)
    lines = table.stdout.splitlines()
    assert (
        "\x1b" not in table.stdout
        and lines[1].split()[:2] == ["1", "18"]
        and lines[-1] == "5 films, 2 shown"
        and len(lines) == 4
    )
    assert [int(row["id"]) for row in csv.DictReader(io.StringIO(asked.stdout))] == [
        f["id"] for f in json.loads(data.stdout)["films"]
    ]
    assert json.loads(data.stdout)["total"] == 5 and query(
        json.loads(data.stdout)["query"]
    ) == query(text)
    none = tmdb('cast:"Bruce Wilis"', *home)
    assert (none.returncode, none.stdout) == (
        0,
        "0 films\n",
    ) and 'did you mean "Bruce Willis"' in none.stderr
    assert "genre:Horror" in tmdb("--help").stdout


def test_a_run_that_is_not_there(demo, tmp_path, capsys):
    assert main(["search", "genre:Horror", "--home", str(demo.home), "--run-id", "dmo"]) == 2
    assert "did you mean demo?" in capsys.readouterr().err
    assert main(["search", "genre:Horror", "--home", str(tmp_path)]) == 1
    assert "no finished run exists yet" in capsys.readouterr().err
    assert not list(tmp_path.iterdir()), "looking makes no folders"


def test_the_notebook_gets_a_table(demo, capsys):
    found = find("genre:Horror sort:-rating", run=demo, limit=3)
    assert found["rank"].tolist() == [1, 2, 3] and capsys.readouterr().out == "128 films, 3 shown\n"
    with pytest.raises(UsageError, match="empty"):
        find("", run=demo)


def test_titles_cannot_steer_the_terminal(capsys):
    assert terminal_text("a\x1b[31mb\u009bc\n") == "a [31mb c "


def test_a_company_means_the_same_in_a_run_and_in_a_search():
    made_by = [["Walt Disney Pictures"], ["Disney Animation", "A"], ["Pixar"], None]
    rows = [
        {"id": i, "title": "x", "production_companies": names, "known_columns": 4, "seq": i}
        for i, names in enumerate(made_by, 1)
    ]
    films = session().createDataFrame(
        [tuple(map(row.get, MOVIES.columns)) for row in rows], MOVIES.spark
    )
    _, credits = frames([])
    for company, wanted in {"disney": [1, 2], "Disney Animation": [2], "PIX": [3]}.items():
        in_scope = films.filter(is_in_scope(company=company)).orderBy("id").collect()
        assert [row.id for row in in_scope] == wanted
        assert ids(search_films(films, credits, company=company)) == wanted


def test_either_of_two_conditions_is_enough(demo, capsys):
    horror, comedy, both, old = (
        set(find(text, run=demo)["id"])
        for text in (
            "genre:Horror",
            "genre:Comedy",
            "genre:Horror OR genre:Comedy",
            "genre:Horror OR genre:Comedy year:-1979",
        )
    )
    assert both == horror | comedy and len(both) > len(horror) and old < both
    assert old == set(find("year:-1979 genre:Comedy OR genre:Horror", run=demo)["id"])
    capsys.readouterr()
    find("genre:Horor OR genre:Comedy", run=demo)
    assert "genre:Horor: no such name; did you mean Horror" in capsys.readouterr().out
    assert str(query("genre:Horror OR genre:War")) == "genre:Horror OR genre:War sort:-rating"
    assert query('"OR"').conditions == (QueryCondition("keyword", "OR"),)
    for text in (
        "OR genre:War",
        "genre:War OR",
        "genre:War OR OR genre:Horror",
        "genre:War OR sort:title",
    ):
        with pytest.raises(UsageError, match="OR needs a condition on both sides"):
            query(text)


def test_a_name_with_few_films_gets_the_similar_names_with_more():
    rows = [{"id": i, "title": "x", "known_columns": 4, "seq": i} for i in (1, 2, 3, 4)]
    films = session().createDataFrame(
        [tuple(map(row.get, MOVIES.columns)) for row in rows], MOVIES.spark
    )
    names = ["Tony Scott", "Tony Scott", "Tony Scot", "Tony Scott"]
    credit = {"kind": "crew", "job": "Director", "order": 0}
    staff = [
        credit | {"movie_id": i, "person_id": len(name), "name": name}
        for i, name in enumerate(names, 1)
    ]
    credits = session().createDataFrame(
        [tuple(map(c.get, CREDITS.columns)) for c in staff], CREDITS.spark
    )
    answer = answer_query(films, credits, query('director:"Tony Scot"'))
    assert answer.total == 1 and answer.films.column_names[-1] == "genres"
    (note,) = answer.notes
    assert note.endswith("1 film; similar names: Tony Scott (3 films)")
