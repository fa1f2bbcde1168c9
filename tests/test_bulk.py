"""Lines that Arrow reads at once give the same rows, quarantine and counts as one by one."""

import json
import tempfile
from pathlib import Path

import orjson
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from tmdb_analysis.core.home import Run
from tmdb_analysis.core.schema import QUARANTINE, RAW
from tmdb_analysis.core.settings import TmdbError
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import ingest, read_block
from tmdb_analysis.tmdb.client import Answer
from tmdb_analysis.tmdb.files import Lines
from tmdb_analysis.tmdb.ledger import fetched_records, segment_files, segment_line
from tmdb_analysis.tmdb.sources import (
    fetched_lines,
    input_records,
    inventory,
    sample,
    single_records,
)

TEXT = st.text(max_size=8)
ODD_VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**70), 2**70), st.floats(), TEXT,
    st.sampled_from(["", "nan", "1,000,000", "$63M", "1h 30m", "\x00", 1e400, 2**63, 0, -0.0]),
    st.lists(st.one_of(st.none(), TEXT, st.integers(0, 9)), max_size=2),
    st.dictionaries(st.sampled_from(["id", "name", "x"]), st.one_of(st.none(), TEXT), max_size=2),
)  # fmt: skip
NAMED = st.fixed_dictionaries({"id": st.integers(0, 9), "name": TEXT})
USUAL = {
    "id": st.integers(1, 999),
    "title": TEXT,
    "budget": st.integers(0, 2**40),
    "popularity": st.floats(0, 1e6),
    "adult": st.booleans(),
    "release_date": st.sampled_from(["2012-05-04", "", "soon"]),
    "genres": st.lists(NAMED, max_size=3),
    "belongs_to_collection": st.one_of(st.none(), NAMED),
    "credits": st.fixed_dictionaries({}, optional={"cast": st.lists(NAMED, max_size=2)}),
    "video_count": st.integers(0, 9),  # a new field
}
OTHER_USUAL = {name: values for name, values in USUAL.items() if name != "id"}
ODD_FIELDS = (*USUAL, "media_type", "genre_ids", "success", "results", "seasons", "fetched_at")
FILMS = st.fixed_dictionaries({"id": USUAL["id"]}, optional=OTHER_USUAL)
ODD_FILMS = st.tuples(FILMS, st.dictionaries(st.sampled_from(ODD_FIELDS), ODD_VALUES, max_size=2))
JSON_LINES = st.one_of(FILMS, ODD_FILMS.map(lambda two: two[0] | two[1])).flatmap(
    lambda film: st.sampled_from([json.dumps(film), json.dumps(film, ensure_ascii=False)])
)
BROKEN = (
    b"", b" ", b"[]", b"5", b"null", b'{"id": 1', b'{"id": 1}{"id": 2}', b'{"id": 1, "id": 2}',
    b'{"id": 1, "x": "\xff"}', b'{"id": 1, "title": "\xff"}', b'{"id": 1, "title": "a\tb"}',
    b'{"id": 1, "title": "\\ud800"}', b'{"id": 1, "title": "\\u0000x"}', b'{"id": 1e2}',
    b'{"id": 1, "popularity": Infinity}', b'\xef\xbb\xbf{"id": 1}', b'{"id": 1, "genres": [null]}',
    b'{"id": 1, "credits": {"cast": [null]}}',
    b'{"id": 1, "x": ' + b"[" * 3000 + b"]" * 3000 + b"}",
    b'{"id": 0}', b'{"id": -3, "title": "A"}', b'{"id": null}',
    b'{"results": [{"id": 1, "title": "A"}, {"id": 2, "title": "B"}]}', b'{"id": 1}\r',
    b'{"id": 1, "cast": [], "crew": []}', b'{"id": 1, "success": false, "fetched_at": 5}',
    b'{"adult": false, "id": 1, "original_title": "A", "popularity": 1.5, "video": false}',
)  # fmt: skip
LINES = st.one_of(
    JSON_LINES.map(lambda text: text.encode("utf-8", "surrogatepass")), st.sampled_from(BROKEN)
)


def results(run: Run) -> list:
    "The rows of both tables."
    return [pq.read_table(run.path(table)) for table in (RAW, QUARANTINE)]


@settings(max_examples=150, deadline=None)
@given(st.lists(LINES, max_size=40), st.sampled_from(["", "2026-11-22"]))
def test_bulk_and_single_reading_agree(lines, fetched_on):
    with tempfile.TemporaryDirectory() as home:
        path = Path(home, "films.jsonl")
        path.write_bytes(b"\n".join([b'{"id": 7, "title": "First"}', *lines]))
        found = inventory([path])
        bulk, single = (open_run(name, home) for name in ("bulk", "single"))
        counts = ingest(input_records(found), bulk, fetched_on=fetched_on)
        one_by_one = single_records(input_records(found))
        assert counts == ingest(one_by_one, single, fetched_on=fetched_on)
        for ours, theirs in zip(results(bulk), results(single), strict=True):
            assert str(ours.to_pylist()) == str(theirs.to_pylist())  # NaN and -0.0 included


def test_one_odd_line_among_many_is_read_alone():
    usual = [b'{"id": %d, "budget": 9}\n' % i for i in range(1, 1_000)]
    usual[500] = b'{"id": 501, "budget": "9 million"}\n'
    found = read_block(Lines(1, usual, "films.jsonl"))
    assert found.table.num_rows >= 980 and len(found.records) <= 16
    assert 501 in [number for number, *_ in found.records]


def is_film(body: bytes) -> bool:
    "Whether a body can be in a segment without making it a damaged one."
    try:
        return isinstance(orjson.loads(body), dict) and not {10, 13} & {*body}
    except orjson.JSONDecodeError:
        return False


FETCHED = st.builds(
    Answer,
    st.sampled_from([200, 200, 200, 200, 404]),
    LINES.filter(is_film),
    st.sampled_from(["live", "cache", "previous"]),
    st.sampled_from(["2026-11-22T18:00:00Z", "2026-11-22T20:00:00.5+02:00", "", "soon"]),
)


def write_segment(path: Path, answers: list[Answer]) -> None:
    lines = [segment_line(film, answer) for film, answer in enumerate(answers)]
    path.write_bytes(zstandard.compress(b"\n".join(lines) + b"\n" * bool(lines)))


def assert_segments_agree(folder: Path, **options: str) -> dict:
    "Ingest segments in bulk and record by record, compare, and return the counts."
    with tempfile.TemporaryDirectory() as home:
        bulk, single = (open_run(name, home) for name in ("bulk", "single"))
        counts = ingest(map(fetched_lines, segment_files(folder)), bulk, **options)
        assert counts == ingest(fetched_records(folder), single, **options)
        for ours, theirs in zip(results(bulk), results(single), strict=True):
            assert str(ours.to_pylist()) == str(theirs.to_pylist())
        for table in (RAW, QUARANTINE):
            assert bulk.path(table).read_bytes() == single.path(table).read_bytes()
    return counts


@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(FETCHED, max_size=30), max_size=3), st.sampled_from(["", "2026-11-22"]))
def test_bulk_and_single_reading_of_segments_agree(segments, fetched_on):
    with tempfile.TemporaryDirectory() as folder:
        for number, answers in enumerate(segments, 1):
            write_segment(Path(folder, f"{number:06}.jsonl.zst"), answers)
        assert_segments_agree(Path(folder), fetched_on=fetched_on)


def test_the_films_of_the_sample_as_segments_are_read_in_bulk(tmp_path):
    bodies = zstandard.decompress((sample() / "movies.jsonl.zst").read_bytes()).splitlines()
    answers = [Answer(200, body, "live", "2026-11-22T18:00:00Z") for body in bodies]
    for number in range(2):
        part = answers[number * 500 : number * 500 + 500]
        write_segment(tmp_path / f"{number + 1:06}.jsonl.zst", part)
    counts = assert_segments_agree(tmp_path)
    assert (counts["records"], counts["quarantined"]) == (1_000, 1)
    found = [read_block(fetched_lines(path)) for path in segment_files(tmp_path)]
    assert sum(len(block.records) for block in found) < 20


@pytest.mark.parametrize("body", [body for body in BROKEN if not is_film(body)])
def test_a_damaged_line_of_a_segment_is_one_error(body, tmp_path):
    "Except a list or a number where an object belongs, which goes to quarantine."
    head = b'{"id":1,"status":200,"source":"live","fetched_at":"2026-11-22T18:00:00Z","body":'
    lines = [head + b'{"id":1}}', head + body + b"}"]
    (tmp_path / "000001.jsonl.zst").write_bytes(zstandard.compress(b"\n".join(lines)))
    run = open_run("broken", tmp_path / "home")
    if body in (b"[]", b"5", b"null"):
        assert ingest(map(fetched_lines, segment_files(tmp_path)), run)["quarantined"] == 1
        return
    with pytest.raises(TmdbError) as single:
        list(fetched_records(tmp_path))
    with pytest.raises(TmdbError) as bulk:
        ingest(map(fetched_lines, segment_files(tmp_path)), run)
    assert str(bulk.value).partition("(")[0] == str(single.value).partition("(")[0]
    assert not run.path(RAW).exists()


def test_lines_with_the_fields_of_a_list_item_or_of_credits_are_no_films():
    lines = [BROKEN[-1], BROKEN[-3]]
    assert not read_block(Lines(1, lines, "films.jsonl")).numbers
