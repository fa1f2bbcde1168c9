"""Small files that unpack to much, and long lines, rows, lists and pages: the memory stays bounded,
and one line says which limit was passed. The tests lower the limits; the files stay small."""

import gzip
import io
import json
import zipfile
from pathlib import Path

import pytest
import zstandard

from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import TmdbError, UsageError
from tmdb_analysis.films.ingest import ingest
from tmdb_analysis.runs.share import read_pack, read_provenance
from tmdb_analysis.tmdb import files, ledger, selection, tables
from tmdb_analysis.tmdb.ledger import segment_lines
from tmdb_analysis.tmdb.sources import input_records, inventory
from tmdb_analysis.use.cli import main

KB = 2**10
FILM = {"id": 1, "title": "A", "status": "Released", "budget": 10, "revenue": 20, "runtime": 90}
LINE = json.dumps(FILM).encode() + b"\n"


@pytest.fixture(autouse=True)
def low(monkeypatch):
    "Limits a thousand times lower."
    monkeypatch.setattr(ledger, "UNPACK_FREE_BYTES", 64 * KB)
    for module in (files, tables):
        monkeypatch.setattr(module, "MOST_RECORD_BYTES", 16 * KB)
    monkeypatch.setattr(files, "LIST_BYTES", 32 * KB)
    monkeypatch.setattr(files, "PIECE_BYTES", 4 * KB)
    monkeypatch.setattr(files, "DOCUMENT_BYTES", 128 * KB)
    monkeypatch.setattr(files, "BLOCK_BYTES", 32 * KB)
    monkeypatch.setattr(files, "BLOCK_LINES", 100)


def film(id: int, overview: str = "") -> dict:
    "A film with an id and a text."
    return FILM | {"id": id, "overview": overview}


def counts(path: Path) -> dict:
    "What ingest counts of a file that the user names."
    run = Run("a", path.parent / "home")
    run.tables.mkdir(parents=True)
    return ingest(input_records(inventory([path])), run)


def refusal(path: Path) -> str:
    "The one line that refuses a file."
    with pytest.raises(TmdbError) as refused:
        counts(path)
    assert str(refused.value).startswith(path.name) and str(refused.value).isprintable()
    return str(refused.value)


@pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_unpacks_to_a_limited_multiple_of_its_size(name, pack, tmp_path):
    head = LINE if name == "a.jsonl" else b"id,title,budget,revenue\n1,A,10,20\n"
    (tmp_path / name).write_bytes(pack(head + b" " * 512 * KB))
    assert "unpacks to more than 200 times its size" in refusal(tmp_path / name)


@pytest.mark.parametrize("pack", [gzip.compress, zstandard.compress])
def test_a_packed_file_below_the_limit_is_read(pack, tmp_path):
    (tmp_path / "a.jsonl").write_bytes(pack(b"".join(LINE for _ in range(500))))
    assert counts(tmp_path / "a.jsonl")["landed"] == 500


def test_a_long_line_costs_one_record(tmp_path):
    long = json.dumps(film(2, "x" * 100 * KB)).encode()
    (tmp_path / "a.jsonl").write_bytes(LINE + long + b"\n" + LINE * 2)
    found = counts(tmp_path / "a.jsonl")
    assert (found["records"], found["landed"]) == (4, 3)
    assert next(iter(found["reasons"])).startswith("a line of more than")


def test_a_long_first_line_is_refused(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(json.dumps(film(2, "x" * 200 * KB)).encode())
    assert "write one film a line" in refusal(tmp_path / "a.jsonl")


@pytest.mark.parametrize("indent", [None, 1])
def test_a_long_list_is_read_in_pieces_with_the_same_result(indent, tmp_path, monkeypatch):
    texts = ("", "é\n\t", '"},{"id": 7]', "\U0001f600" * 50)
    films = [film(i, texts[i % 4]) for i in range(1, 1_001)]
    (tmp_path / "a.json").write_text(json.dumps(films, indent=indent))
    assert (tmp_path / "a.json").stat().st_size > 3 * files.LIST_BYTES
    pieces = read(tmp_path / "a.json")
    monkeypatch.setattr(files, "LIST_BYTES", 2**30)
    assert pieces == read(tmp_path / "a.json") == films


def read(path: Path) -> list:
    "The records of a JSON file."
    found: list = []
    for _, part in files.json_parts(path):
        is_block = isinstance(part, files.Lines)
        found += [r for _, r in files.json_lines(part.lines)] if is_block else [part]
    return found


@pytest.mark.parametrize(
    ("entry", "tail"),
    [
        (json.dumps(film(2, "x" * 40 * KB)), "]"),
        ("{no JSON}", "]"),
        (json.dumps(film(2)), ""),
        (json.dumps(film(2)), "] and more"),
        ("[" * 10_000, "]"),
        ("12", ""),
    ],
)
def test_a_long_list_with_a_bad_entry_is_refused(entry, tail, tmp_path):
    good = ", ".join(json.dumps(film(i)) for i in range(500))
    (tmp_path / "a.json").write_text(f"[{good}, {entry}{tail}")
    assert "cannot be read (" in refusal(tmp_path / "a.json")


@pytest.mark.parametrize(
    "content",
    [
        json.dumps({"movies": [film(i) for i in range(2_000)]}).encode(),
        json.dumps([film(i) for i in range(2_000)]).encode("utf-16"),
    ],
)
def test_a_document_that_cannot_be_cut_has_a_limit(content, tmp_path):
    assert len(content) > 128 * KB
    (tmp_path / "a.json").write_bytes(content)
    assert "that is no list in UTF-8; write one film a line" in refusal(tmp_path / "a.json")


def test_many_empty_lines_do_not_fill_a_block(tmp_path):
    (tmp_path / "a.jsonl").write_bytes(LINE + b"\n" * 10_000 + LINE)
    parts = [part for _, part in files.json_parts(tmp_path / "a.jsonl")]
    assert len(parts) > 100 and max(len(part.lines) for part in parts) <= 100


def test_a_long_field_of_a_table_is_refused(tmp_path):
    head = "id,title,budget,revenue,overview\n1,A,10,20,x\n"
    (tmp_path / "a.csv").write_text(f'{head}2,B,10,20,"{"x" * 40 * KB}"\n3,C,10,20,x\n')
    assert "a row of more than" in refusal(tmp_path / "a.csv")


def test_a_quote_without_its_end_takes_the_rest_and_not_the_memory(tmp_path):
    rows = "".join(f"{i},A,10,20,x\n" for i in range(3, 5_000))
    head = "id,title,budget,revenue,overview\n1,A,10,20,x\n"
    (tmp_path / "a.csv").write_text(f'{head}2,B,10,20,"open\n{rows}')
    found = counts(tmp_path / "a.csv")
    assert found["landed"] == 1 and found["reasons"] == {tables.UNENDED_QUOTE: 1}


def test_a_segment_of_a_pack_unpacks_to_a_limited_multiple(tmp_path):
    (tmp_path / "000001.jsonl.zst").write_bytes(zstandard.compress(b" " * 512 * KB))
    with pytest.raises(TmdbError, match="unpacks to more than"):
        segment_lines(tmp_path / "000001.jsonl.zst")
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(b" " * 512 * KB)
    (tmp_path / "000001.jsonl.zst").write_bytes(unsized)
    with pytest.raises(TmdbError, match="cannot be read"):
        segment_lines(tmp_path / "000001.jsonl.zst")


def test_a_daily_export_unpacks_to_a_limited_multiple():
    with pytest.raises(TmdbError, match="unpacks to far too much"):
        selection.ids_of_lines(gzip.compress(b'{"id": 1}\n' + b" " * 512 * KB))


def test_a_file_of_ids_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "IDS_FILE_BYTES", KB)
    (tmp_path / "ids.txt").write_text("348\n" * KB)
    with pytest.raises(UsageError, match=r"ids.txt: the file of ids has more than"):
        selection.ids_of_file(tmp_path / "ids.txt")


@pytest.mark.parametrize("tag", ["<p>a</p><b><i>", "<script ", '<script id="provenance">'])
def test_a_page_of_many_tags_is_searched_once(tag, tmp_path):
    """A parser needed 100 s for three million tags. An expression that starts again at each tag
    would need hours."""
    (tmp_path / "index.html").write_text(tag * 300_000)
    with pytest.raises(UsageError, match="contains no provenance"):
        read_provenance(tmp_path / "index.html")


def test_a_page_has_a_limit(tmp_path, monkeypatch):
    monkeypatch.setattr("tmdb_analysis.runs.share.PAGE_BYTES", KB)
    (tmp_path / "index.html").write_text("<p>" * KB)
    with pytest.raises(UsageError, match="the page has more than"):
        read_provenance(tmp_path / "index.html")


def pack(path: Path, entries: dict[str, bytes], **description) -> Path:
    "A pack with some entries."
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("pack.json", json.dumps({"run": "monday"} | description))
        for name, content in entries.items():
            archive.writestr(name, content)
    return path


def test_a_pack_unpacks_to_a_limited_multiple(tmp_path):
    with pytest.raises(UsageError, match="the pack unpacks to more than"):
        read_pack(pack(tmp_path / "a.zip", {"raw/a": b" " * 512 * KB}))


@pytest.mark.parametrize(
    "description",
    [
        {"run": "../../outside", "fetch": {}},
        {"run": "/tmp/outside"},
        {"compared_with": "../../../outside"},
        {"given": {"input": ["/etc/passwd"]}, "settings": {"source": "files"}},
        {"given": {"input": ["../../passwd"]}, "settings": {"source": "files"}},
    ],
)
def test_no_name_in_a_pack_leads_out_of_its_home(description, tmp_path, capsys):
    entries = {"raw/000001.jsonl.zst": b"", "earlier/tables/x": b"", "earlier/report/x": b""}
    evil, home = pack(tmp_path / "a.zip", entries, **description), tmp_path / "deep" / "home"
    assert main(["replay", str(evil), "--home", str(home)]) == 2
    assert "a.zip: " in capsys.readouterr().err
    assert {path.name for path in tmp_path.rglob("*")} == {"a.zip"}, "nothing was written"


def test_a_damaged_or_locked_archive_is_one_line(tmp_path, capsys):
    good = pack(tmp_path / "a.zip", {"raw/x": bytes(range(256)) * 40}).read_bytes()
    locked = bytearray(good)
    for at in (6, good.index(b"PK\x01\x02") + 8):
        locked[at] |= 1  # encrypted
    for name, content in {"locked": bytes(locked), "torn": good[:40] + b"x" + good[41:]}.items():
        path = tmp_path / f"{name}.zip"
        path.write_bytes(content)
        assert main(["replay", str(path), "--home", str(tmp_path / name)]) == 2
        said = capsys.readouterr().err
        assert len(said.splitlines()) == 1 and "Traceback" not in said, said


def test_limits_are_far_above_what_tmdb_sends():
    "The sample packs ten to one; a tenth of the limit."
    path = Path(__file__).parent.parent / "data" / "sample" / "movies.jsonl.zst"
    with zstandard.open(io.BytesIO(path.read_bytes())) as f:
        content = f.read()
    assert len(content) < ledger.UNPACK_RATIO / 10 * path.stat().st_size
