"""Odd records, made by hypothesis: ingest takes whatever comes and loses nothing, and clean keeps
its word on all of it."""

import json
import math
import random
import tempfile
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests import oracle
from tests.compare import assert_same
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.schema import (
    CREDITS,
    CSV_COLUMNS,
    DROPPED,
    MOVIES,
    QUARANTINE,
    RAW,
    conform,
)
from tmdb_analysis.core.store import open_run, read, save, save_csv
from tmdb_analysis.films import clean
from tmdb_analysis.films.ingest import ingest, raw_row
from tmdb_analysis.tmdb.sources import records

LEAST = 7  # known columns that a film needs here, so that poor records stay too
quick = settings(
    deadline=None, derandomize=True, max_examples=80, suppress_health_check=list(HealthCheck)
)

# --- odd values --------------------------------------------------------------------------------

WIDEST, DEEPEST = (
    2**70,
    300,
)  # wider than any column; what is nested more deeply stands in ONCE_FATAL
DATES = [
    "2021-02-28",
    "2021-02-29",
    "0000-01-01",
    "0001-01-01",
    "+2020-01-01",
    " 2020-01-01",
    "2020-1-5",
    "9999-12-31",
    "٢٠٢٠-٠١-٠١",
    "",
]
TEXTS = [
    "",
    " ",
    "\u3000\t",
    "Released",
    "No Data",
    " NO OVERVIEW FOUND. ",
    "N/A",
    "-",
    "سينما",
    "a\u202eb",
    "🎬",
    "Ünï\u0308",
    "a|b",
]
BROKEN = ["\ud800", "a\udfffb", "\x00", "a\x00b"]  # no file can hold these
WHOLE = [0, 1, -1, 30, 218, 4_000, 2**53, 1e3, 0.0, "0", "42", " 7 ", ""]
NUMBERS = [0, 7, 7.25, -0.5, 1e-300, 1e300, "6.5", "nan", "inf", "", math.nan, math.inf, -math.inf]
TIMES = [
    "2024-05-01T10:00:00Z",
    "2024-05-01T12:00:00+02:00",
    "2024-05-01T10:00:00",
    "2024-05-02",
    "yesterday",
    "",
    5,
    None,
]

# what no file can hold comes in wild records only, since the oracle keeps it
text = (
    st.sampled_from(["Action", "Drama", "en"])
    | st.sampled_from(TEXTS)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
)
whole = st.sampled_from([*WHOLE, 2**63 - 1]) | st.integers(1, 300_000_000)
huge = st.sampled_from([2**63, -(2**63), 2**64, 10**30, 1e300, "9" * 30, "9" * 5000, "1e999", True])
scalar = (
    st.none()
    | st.booleans()
    | st.integers(-WIDEST, WIDEST)
    | st.floats()
    | text
    | st.sampled_from(BROKEN + DATES + WHOLE + NUMBERS)
)
keys = st.sampled_from(
    [*RAW.columns, "name", "order", "job", "cast", "crew", "success", "extra", "\ud800"]
)


def inside(inner: st.SearchStrategy) -> st.SearchStrategy:
    "Lists and objects of some values."
    return st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=3)


anything = st.recursive(scalar, inside, max_leaves=8)


def nested(depth: int) -> Any:
    "Lists in lists."
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def mostly(strategy: st.SearchStrategy) -> st.SearchStrategy:
    "Values of a strategy, and now and then null."
    return st.one_of(strategy, strategy, strategy, st.none())


def fitting(type: pa.DataType) -> st.SearchStrategy:
    "Values that can become the declared type, null among them."
    if pa.types.is_struct(type):
        fields = {f.name: fitting(f.type) for f in type}
        return mostly(st.fixed_dictionaries(fields) | st.fixed_dictionaries({}, optional=fields))
    if pa.types.is_list(type):
        return mostly(st.lists(fitting(type.value_type), max_size=3))
    if pa.types.is_boolean(type):
        return st.sampled_from([True, False, None, 0, 1, "true", "False", "1.0"])
    if pa.types.is_timestamp(type):
        return st.sampled_from(TIMES)
    return mostly(
        text
        if pa.types.is_string(type)
        else whole
        if pa.types.is_integer(type)
        else st.sampled_from(NUMBERS) | st.floats(-1e300, 1e300)
    )


OWN = ("seq", "origin", "id", "unreadable")
FIELDS = {f.name: fitting(f.type) for f in RAW.schema if f.name not in OWN}


def record(fields: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    "A record with an id, a title, a status and most of the other fields."
    absent = st.sets(st.sampled_from(sorted(fields.keys() - {"title", "status"})), max_size=10)
    full = st.fixed_dictionaries({"id": st.integers(1, 90), **fields})
    return st.builds(
        lambda record, absent: {k: v for k, v in record.items() if k not in absent}, full, absent
    )


good = record(FIELDS)
odd = st.tuples(keys, anything | st.builds(nested, st.integers(1, DEEPEST))) | st.tuples(
    st.sampled_from(["id", "budget", "runtime"]), huge
)
wild = st.builds(lambda film, odd: film | {odd[0]: odd[1]}, good, odd)
value = good | wild | wild | anything


def lines(values: list[Any]) -> bytes:
    "JSON lines."
    return "".join(json.dumps(v) + "\n" for v in values).encode()


# --- ingest ------------------------------------------------------------------------------------


def land(content: bytes, name: str = "input.jsonl") -> SimpleNamespace:
    "What becomes of a file: the counts, and both tables as rows and as bytes."
    with tempfile.TemporaryDirectory() as folder:
        path, run = Path(folder) / name, open_run("odd", folder)
        path.write_bytes(content)
        counts = ingest(records([path]), run)
        raw, aside = pq.read_table(run.path(RAW)), pq.read_table(run.path(QUARANTINE))
        files = run.path(RAW).read_bytes(), run.path(QUARANTINE).read_bytes()
    return SimpleNamespace(
        counts=counts, raw=conform(raw, RAW), aside=conform(aside, QUARANTINE), files=files
    )


def leaves(value: Any) -> Iterator[Any]:
    "All values inside a value."
    inside = (
        value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    )
    yield from (leaf for v in inside for leaf in leaves(v)) if inside is not None else [value]


def check(landed: SimpleNamespace) -> None:
    "Every record is in one place, for a reason or within the contract."
    raw, aside, counts = landed.raw.to_pylist(), landed.aside.to_pylist(), landed.counts
    assert counts["records"] == counts["landed"] + counts["quarantined"] == len(raw) + len(aside)
    assert sorted(r["seq"] for r in raw + aside) == list(range(1, counts["records"] + 1))
    assert (counts["landed"], sum(counts["reasons"].values())) == (len(raw), len(aside))
    assert all(r["reason"].strip() and r["record"].strip() and r["origin"] for r in aside)
    for r in raw:
        assert r["id"] > 0
        assert not [
            v
            for v in leaves(r)
            if (isinstance(v, float) and not math.isfinite(v))
            or (isinstance(v, str) and "\x00" in v)
        ]
        again = raw_row(
            {**r, "fetched_at": r["fetched_at"] and r["fetched_at"].isoformat()},
            r["seq"],
            r["origin"],
        )
        same = again | {"unreadable": r["unreadable"]}
        assert same == r, "what landed lands again as it is"


@quick
@given(st.lists(value, max_size=8), st.integers(0, 6))
def test_ingest_takes_any_json_lines(values, place):
    values.insert(place, {"id": 1})  # a file without any object is not a file of records
    landed = land(lines(values))
    check(landed)
    assert landed.counts["records"] == len(values)


@quick
@given(st.lists(value, max_size=8))
def test_ingest_takes_any_json_array(values):
    landed = land(json.dumps(values, indent=1).encode(), "input.json")
    check(landed)
    assert landed.counts["records"] == len(values)


ODD_LINES = [
    b"{",
    b"NaN",
    b"{'id': 2}",
    b"\xff\xfe{",
    b"\xef\xbb\xbf{}",
    b'{"id":\x00 2}',
    b'{"id": 2}\r',
    b"\x0c",
    b"[" * 9999,
]


@quick
@given(st.lists(st.sampled_from(ODD_LINES) | st.binary(max_size=30), max_size=6))
def test_ingest_takes_any_bytes_after_a_record(odd):
    content = b"\n".join([b'{"id": 1}', *odd, b'{"id": 3}'])
    landed = land(content)
    check(landed)
    assert landed.counts["records"] == sum(1 for line in content.split(b"\n") if line.strip())


@settings(quick, max_examples=30)
@given(st.lists(value, max_size=8))
def test_ingest_is_repeatable_to_the_byte(values):
    content = lines([{"id": 1}, *values])
    assert land(content).files == land(content).files


ONCE_FATAL = {  # each of these has ended a run
    "a whole number that no float holds": '{"id": 2, "popularity": 9007199254740993}',
    "a whole number beyond 64 bits": '{"id": 2, "popularity": 9223372036854775808}',
    "a time before the first in UTC": '{"id": 2, "fetched_at": "0001-01-01T00:00:00+05:00"}',
    "a time after the last in UTC": '{"id": 2, "fetched_at": "9999-12-31T23:00:00-05:00"}',
    "half a character in the name of a field": r'{"id": 2, "\ud800": 1}',
    "half a character in the code of an error": r'{"success": false, "status_code": "\ud800"}',
    "a deep list in the code of an error": '{"success": false, "status_code": %s}'
    % ("[" * 1000 + "]" * 1000),
    "a deep list for a yes or no": '{"id": 2, "adult": %s}' % ("[" * 1000 + "]" * 1000),
    "a deep list in a record without id": '{"extra": %s}' % ("[" * 1000 + "]" * 1000),
}


@pytest.mark.parametrize("line", ONCE_FATAL.values(), ids=ONCE_FATAL)
def test_ingest_survives(line):
    landed = land(b'{"id": 1}\n' + line.encode())
    check(landed)
    assert landed.counts["records"] == 2


def test_a_field_named_like_one_of_ours_is_no_fault():
    assert land(lines([{"id": 1, "origin": ["US"], "seq": "first"}])).counts["landed"] == 1


def test_what_no_file_can_hold_is_replaced():
    landed = land(
        lines([{"id": 1, "title": "a\0b\ud800", "genres": [{"name": "\0"}]}])
    ).raw.to_pylist()[0]
    assert landed["title"] == "ab?" and landed["genres"][0]["name"] == ""


def test_an_empty_entry_is_no_entry():
    landed = land(
        lines([{"id": 1, "genres": [""], "credits": {"cast": ["", None]}}])
    ).raw.to_pylist()[0]
    assert landed["genres"] == [] and landed["credits"]["cast"] == []


# --- clean -------------------------------------------------------------------------------------

# No two people share a name here: of directors of one film who do, the oracle lists both, the
# package the name once.
PEOPLE = [
    (1, "Anthony Russo"),
    (2, "Joe Russo"),
    (2, "J. Russo"),
    (3, None),
    (4, " "),
    (4, "Cy"),
    ("6", "6"),
    (None, "Nobody"),
    (None, None),
]


def credit(name: str, values: list) -> st.SearchStrategy:
    "A credit of one of the people with one more value, at times null."
    return mostly(
        st.builds(
            lambda person, v: {"id": person[0], "name": person[1], name: v},
            st.sampled_from(PEOPLE),
            st.sampled_from(values),
        )
    )


gaps = st.sampled_from(
    [None, {}, "", {"cast": None}, {"cast": []}, {"crew": []}, {"cast": [], "crew": None}]
)
lists = {
    "cast": st.lists(credit("order", [None, 0, 1, 1, 2.0, "3", -1]), min_size=2, max_size=5),
    "crew": st.lists(
        credit("job", ["Director", "Director", "Writer", "", None]), min_size=2, max_size=5
    ),
}
credits = (
    gaps
    | st.fixed_dictionaries(lists)
    | st.fixed_dictionaries(lists)
    | st.fixed_dictionaries({}, optional=lists)
)
films = record(
    FIELDS
    | {
        "title": st.sampled_from(["Alien", "Aliens", "No Data", " Heat ", "M", "", " \u00a0"]),
        "status": st.sampled_from([*["Released"] * 9, "Rumored", "released", None]),
        "release_date": st.sampled_from(DATES)
        | st.dates(date(1880, 1, 1), date(2110, 1, 1)).map(str),
        "vote_count": st.sampled_from([None, 0, 1, 7, "25", 9_000.0, 12_000, -3]),
        "vote_average": st.sampled_from([None, *[0, 7, 7.25, "6.5", 10.0] * 2, 10.5, -1]),
        "popularity": st.sampled_from([*[0, 1.5, 1e300, "7", math.nan] * 2, -0.5]),
        "tagline": text,
        "credits": credits,
    }
)


def drawn(n: int, ids: int) -> list[Any]:
    """So many films at once, since a question to the engine costs more than an example; with fewer
    ids than films."""
    found: list[Any] = []

    @settings(quick, max_examples=n, database=None, phases=[Phase.generate])
    @given(films)
    def collect(film):
        found.append(film | {"id": len(found) % ids + 1})

    collect()
    return found


def cleaned(values: list[Any], folder: Path) -> SimpleNamespace:
    "The tables of some records, made as a run makes them, as Arrow tables and in a run."
    run = open_run("odd", folder)
    path = run.home / "input.jsonl"
    path.write_bytes(lines(values))
    counts = ingest(records([path]), run)
    raw = read(session(), RAW, run)
    judged = clean.with_verdicts(raw, LEAST)
    save(clean.movies(judged), MOVIES, run)
    save(clean.dropped_records(judged), DROPPED, run)
    save(clean.credits(raw, read(session(), MOVIES, run)), CREDITS, run)
    tables = {t.name: pq.read_table(run.path(t)) for t in (RAW, MOVIES, DROPPED, CREDITS)}
    return SimpleNamespace(run=run, counts=counts, **tables)


@pytest.fixture(scope="module")
def batch(tmp_path_factory):
    "A thousand odd films and what becomes of them."
    values = drawn(1000, ids=750)
    made = cleaned(values, tmp_path_factory.mktemp("batch"))
    landed = {seq - 1 for seq in made.raw["seq"].to_pylist()}
    made.landed = [
        json.loads(json.dumps(v), parse_constant=lambda _: None)
        for i, v in enumerate(values)
        if i in landed
    ]
    sizes = [len(made.landed), made.movies.num_rows, made.dropped.num_rows, made.credits.num_rows]
    assert [a >= b for a, b in zip(sizes, [500, 150, 150, 50], strict=True)] == [True] * 4, (
        f"{sizes}: too few to look at"
    )
    return made


def test_clean_conserves(batch):
    kept, gone = batch.movies["seq"].to_pylist(), batch.dropped["seq"].to_pylist()
    assert sorted(kept + gone) == batch.raw["seq"].to_pylist()
    rules = {"duplicate", "no title", "too few known columns", "not released", "breaks a rule"}
    assert set(batch.dropped["rule"].to_pylist()) == rules, "each rule has work here"


def test_films_are_clean(batch):
    raw = {r["seq"]: r for r in batch.raw.to_pylist()}
    films = batch.movies.to_pylist()
    assert len({f["id"] for f in films}) == len(films)
    for f in films:
        for name, v in f.items():
            assert v != [] and not (isinstance(v, str) and not v.strip()), name
            assert not isinstance(v, float) or math.isfinite(v), name
            assert not isinstance(v, list) or (
                None not in v and len(set(v)) == len(v) and all(x.strip() for x in v)
            ), name
        for name in ("budget_musd", "revenue_musd", "runtime"):
            assert f[name] is None or f[name] > 0, name
        both = None not in (f["budget_musd"], f["revenue_musd"])
        assert (f["roi"] is not None) == (f["profit_musd"] is not None) == both
        credits = raw[f["seq"]]["credits"] or {}
        for kind in ("cast", "crew"):
            listed = credits.get(kind)
            assert f[f"{kind}_size"] == (None if listed is None else len(listed))
        assert f["known_columns"] == sum(f[c] is not None for c in CSV_COLUMNS) >= LEAST
        assert f["vote_average"] is None or f["vote_count"]
        assert (f["release_date"] is None) == (f["release_year"] is None)


def frame(table: pa.Table) -> pd.DataFrame:
    "A table as pandas, in exact types."
    return table.to_pandas(types_mapper=pd.ArrowDtype)


def without_gaps(record: dict) -> dict:
    """The record without null entries in its cast and crew: the oracle counts them as credits, the
    package does not."""
    people = record.get("credits")
    kept = (
        {kind: listed and [p for p in listed if p is not None] for kind, listed in people.items()}
        if people
        else people
    )
    return record | {"credits": kept}


@pytest.mark.parametrize("name", ["movies", "dropped", "credits"])
def test_films_equal_the_oracle(batch, name):
    theirs = oracle.tables([without_gaps(r) for r in batch.landed], min_known_columns=LEAST)
    assert_same(frame(getattr(batch, name)), theirs[name], name)


def test_order_of_the_input_does_not_matter(tmp_path):
    "When every answer says when it was fetched, only `seq` depends on the order."
    values = [
        {**v, "fetched_at": f"2024-01-01T00:00:00.{i:06}Z"}
        for i, v in enumerate(drawn(400, ids=200))
    ]
    first = cleaned(values, tmp_path / "first")
    random.Random(1).shuffle(values)
    second = cleaned(values, tmp_path / "second")
    for name in ("movies", "credits", "dropped"):
        ours, theirs = (
            frame(getattr(t, name)).drop(columns=["seq", "origin"], errors="ignore")
            for t in (first, second)
        )
        by = ["id", "title", "rule"] if name == "dropped" else []
        assert len(ours) > 20
        assert_same(*(t.sort_values(by) if by else t for t in (ours, theirs)), name)


SAME = dict(
    id=1,
    status="Released",
    original_language="en",
    vote_count=1,
    popularity=1.5,
    runtime=90,
    budget=1,
    revenue=1,
)


@pytest.mark.parametrize("blank", ["\u2003", "\u2028", "\x0b", "\x85"])
def test_every_blank_is_blank(blank, tmp_path):
    made = cleaned([{**SAME, "title": blank}], tmp_path)
    assert made.dropped["rule"].to_pylist() == ["no title"]


def test_a_director_is_named_where_any_credit_names_them(tmp_path):
    crew = [{"id": 5, "name": None, "job": "Director"}, {"id": 5, "name": "Ann", "job": "Director"}]
    made = cleaned([{**SAME, "title": "A", "credits": {"crew": crew}}], tmp_path)
    assert made.movies["director"].to_pylist() == [["Ann"]]


def test_movies_csv_has_a_row_a_film(tmp_path):
    made = cleaned(
        [
            {**SAME, "id": i, "title": title}
            for i, title in enumerate(["a\rb", "a\nb", 'a"b', "a,b"], 1)
        ],
        tmp_path,
    )
    save_csv(MOVIES, made.run, CSV_COLUMNS)
    table = pd.read_csv(made.run.report / "movies.csv")
    assert table.title.tolist() == made.movies["title"].to_pylist()
