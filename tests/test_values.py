"A value that cannot be read becomes unknown, with a count; it never costs the record."

import json

import pyarrow.parquet as pq
import pytest

from tmdb_analysis.core.schema import QUARANTINE, RAW
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import ingest, raw_row
from tmdb_analysis.tmdb.files import BadRecord

READ = [
    ("budget", "1,000,000", 1_000_000),
    ("budget", "1.000.000", 1_000_000),
    ("budget", "1 000 000", 1_000_000),
    ("budget", "$63M", 63_000_000),
    ("budget", "63 million", 63_000_000),
    ("revenue", "US$1.5 billion", 1_500_000_000),
    ("revenue", "USD 63,000", 63_000),
    ("revenue", "63000000 USD", 63_000_000),
    ("revenue", 12_500_000.5, 12_500_001),
    ("runtime", 90.5, 91),
    ("runtime", "1h 30m", 90),
    ("runtime", "2 h", 120),
    ("runtime", "95 min", 95),
    ("runtime", "PT1H30M", 90),
    ("vote_count", "1,234", 1234),
    ("popularity", "7,5", 7.5),
    ("vote_average", "8.1", 8.1),
    ("vote_average", "8,123", 8.123),
    ("popularity", "15,3456", 15.3456),
    ("popularity", "0,123", 0.123),
    ("adult", " FALSE ", False),
    ("release_date", "2012-10-26", "2012-10-26"),
    ("release_date", " 2012-10-26 ", "2012-10-26"),
    ("release_date", "2012-10-26 00:00:00", "2012-10-26"),
    ("release_date", "2012-10-26T00:00:00.000Z", "2012-10-26"),
    ("release_date", "2012/10/26", "2012-10-26"),
    ("release_date", "26/10/2012", "2012-10-26"),
    ("release_date", "10/26/2012", "2012-10-26"),
    ("release_date", "3/3/2012", "2012-03-03"),
    ("release_date", "03.04.2012", "2012-04-03"),
    ("release_date", "26 October 2012", "2012-10-26"),
    ("release_date", "Oct 26, 2012", "2012-10-26"),
]
NO_DAY = ["03/04/2012", "2012", "2012-10", "2012-02-30", "30/02/2012", "31.12.0000", "soon", ""]
LOST = [
    ("budget", "a lot"),
    ("budget", "€63M"),
    ("budget", "63,5"),
    ("budget", "500.000"),
    ("budget", 63.5),
    ("budget", True),
    ("budget", [1]),
    ("budget", 1e300),
    ("runtime", "1:30"),
    ("runtime", "an hour"),
    ("popularity", "high"),
    ("popularity", "1,234"),
    ("vote_count", "many"),
    ("vote_count", "12.000"),
    ("vote_count", 12.5),
    ("adult", "maybe"),
    ("title", {"en": "Alien"}),
]


@pytest.mark.parametrize(("field", "value", "expected"), READ)
def test_a_value_in_another_form_is_read(field, value, expected):
    row = raw_row({"id": 1, field: value}, 1, "test")
    assert row[field] == expected and row["unreadable"] is None


@pytest.mark.parametrize("text", NO_DAY)
def test_a_text_that_is_no_certain_day_stays_for_the_cleaning_to_count(text):
    assert raw_row({"id": 1, "release_date": text}, 1, "test")["release_date"] == text


@pytest.mark.parametrize(("field", "value"), LOST)
def test_a_value_that_cannot_be_read_is_unknown_and_named(field, value):
    row = raw_row({"id": 1, "overview": "kept", field: value}, 1, "test")
    assert row[field] is None and row["overview"] == "kept" and row["unreadable"] == [field]


def test_names_stand_for_objects_with_names():
    row = raw_row({"id": 1, "genres": ["Drama"], "belongs_to_collection": "Alien"}, 1, "test")
    assert row["genres"] == [{"id": None, "name": "Drama"}]
    assert row["belongs_to_collection"] == {"id": None, "name": "Alien"}


def test_one_odd_credit_costs_neither_the_others_nor_the_film():
    cast = [7, {"id": 1, "name": "A", "order": "first"}, {"id": 2, "name": "B", "order": 1}]
    row = raw_row({"id": 1, "credits": {"cast": cast}}, 1, "test")
    assert [(p["name"], p["order"]) for p in row["credits"]["cast"]] == [("A", None), ("B", 1)]
    assert row["unreadable"] == ["credits"]


@pytest.mark.parametrize(
    "record",
    [[1], {"title": "no id"}, {"id": "x"}, {"id": 1, "genres": 7}, {"id": 1, "credits": "none"}],
)
def test_no_object_no_id_and_no_structure_is_no_record(record):
    with pytest.raises(BadRecord):
        raw_row(record, 1, "test")


def test_what_became_unknown_is_counted_by_rule_with_its_first_place(tmp_path):
    path = tmp_path / "films.jsonl"
    films = [
        '{"id": 1, "popularity": NaN, "vote_count": 7}',
        '{"id": 2, "popularity": "high", "genres": [{"id": NaN, "name": "Drama"}]}',
        '{"id": 3, "popularity": "low", "runtime": "nan"}',
    ]
    path.write_text("\n".join(films))
    from tmdb_analysis.tmdb.sources import records

    run = open_run("values", tmp_path)
    counts = ingest(records([path]), run)
    assert counts["landed"] == 3 and counts["quarantined"] == 0
    assert counts["unknown_values"] == [
        {
            "rule": "popularity: text where a number is expected",
            "values": 2,
            "first": "films.jsonl:2",
        },
        {"rule": "genres.id: NaN", "values": 1, "first": "films.jsonl:2"},
        {"rule": "popularity: NaN", "values": 1, "first": "films.jsonl:1"},
        {"rule": "runtime: NaN", "values": 1, "first": "films.jsonl:3"},
    ]
    raw = pq.read_table(run.path(RAW)).to_pylist()
    assert [r["unreadable"] for r in raw] == [None, ["popularity"], ["popularity"]]
    assert pq.read_table(run.path(QUARANTINE)).num_rows == 0
    json.dumps(counts, allow_nan=False)
