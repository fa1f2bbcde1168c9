"Saved answers in any shape: what is sure is read, and anything else is named in one line."

import gzip
import io
import json
import os
import zipfile
from pathlib import Path

import pytest

from tmdb_analysis.core.settings import TmdbError, UsageError, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import ingest, require_films
from tmdb_analysis.tmdb.files import files, foreign_reason, json_parts, skipped_files
from tmdb_analysis.tmdb.sources import inventory, records, source_of
from tmdb_analysis.use.cli import main

A = {"id": 1, "title": "A", "budget": 10, "genres": [{"id": 18, "name": "Drama"}]}
B = {"id": 2, "title": "B", "budget": 20, "production_companies": [{"id": 1, "name": "C"}]}
TV = {"id": 1399, "name": "A series", "first_air_date": "2011-04-17"}
LISTED = {"id": 1, "title": "A", "genre_ids": [18], "popularity": 1.0}
EXPORTED = {"adult": False, "id": 1, "original_title": "A", "popularity": 2.4, "video": False}
PERSON = {"id": 287, "name": "P", "known_for": [LISTED, LISTED]}

SHAPES = {
    "films under any key": {"movies": [A, B]},
    "a wrapped array": {"data": {"items": [A, B], "total": 2}},
    "an array of pages": [{"page": 1, "results": [A]}, {"page": 2, "results": [B]}],
    "an array of arrays": [[A], [B]],
    "an object by id": {"1": A, "2": B},
    "an object by id without ids": {
        "1": {k: v for k, v in A.items() if k != "id"},
        "2": {k: v for k, v in B.items() if k != "id"},
    },
    "wrapped pages": [{"response": {"status": 200, "body": A}}, {"response": {"body": B}}],
    "parts of a collection": {"id": 10, "name": "Saga", "parts": [A, B]},
}


def ids(path: Path) -> list:
    "The ids of the records in a file."
    return [record["id"] for _, record in records([path])]


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("indent", [None, 1])
def test_films_are_found_in_any_shape(name, indent, tmp_path):
    path = tmp_path / "films.json"
    path.write_text(json.dumps(SHAPES[name], indent=indent))
    assert [int(id) for id in ids(path)] == [1, 2]


@pytest.mark.parametrize("wrapped", [{"data": A}, {"response": {"body": A}}, {"results": [A]}])
def test_wrapped_answers_line_by_line(wrapped, tmp_path):
    path = tmp_path / "films.jsonl"
    path.write_text(json.dumps(wrapped) + "\n" + json.dumps(wrapped) + "\n")
    assert ids(path) == [1, 1]


@pytest.mark.parametrize(
    "whole", [A, PERSON, TV, {"genres": [{"id": 18, "name": "Drama"}]}, {"a": [A], "b": [B]}, {}]
)
def test_one_answer_stays_one_record(whole, tmp_path):
    path = tmp_path / "films.json"
    path.write_text(json.dumps(whole))
    assert [record for _, record in records([path])] == [whole]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig", "utf-32"])
@pytest.mark.parametrize("lines", [True, False])
def test_unicode_in_any_encoding_with_a_mark_is_read(encoding, lines, tmp_path):
    films = [A | {"title": "Amélie"}, B]
    text = "\n".join(map(json.dumps, films)) if lines else json.dumps(films, ensure_ascii=False)
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    (tmp_path / "films.json").write_bytes((mark + text).encode(encoding))
    assert ids(tmp_path / "films.json") == [1, 2]


PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
FOREIGN = {
    "photo.json": PNG,
    "page.json": b"<!DOCTYPE html><html></html>",
    "empty.json": b"",
    "books.csv": b"isbn,author\n1,A\n",
}


@pytest.fixture
def folder(tmp_path) -> Path:
    "A folder with one file of films and some files of other kinds."
    place = tmp_path / "input"
    place.mkdir()
    (place / "films.json").write_text(json.dumps([A, B]))
    for name, content in FOREIGN.items():
        (place / name).write_bytes(content)
    return place


def test_foreign_files_in_a_folder_are_named_and_the_others_are_read(folder, tmp_path):
    source = source_of(settings(source="files", input=str(folder)))
    source.check()
    assert [r["id"] for _, r in source.records(open_run("x", tmp_path))] == [1, 2]
    named = source.skipped_names()
    assert [text.partition(": ")[0] for text in named] == sorted(FOREIGN)
    assert named[-1] == "photo.json: cannot be read (not JSON)"


def test_strict_refuses_a_foreign_file(folder, tmp_path, capsys):
    words = ["run", "--source", "files", "--input", str(folder), "--home", str(tmp_path)]
    assert main([*words, "--strict"]) == 1
    line = capsys.readouterr().err
    assert "books.csv" in line and line.count("\n") == 1
    (folder / "notes.txt").write_text("no records")
    for name in FOREIGN:
        (folder / name).unlink()
    assert main([*words, "--strict"]) == 1
    assert "notes.txt" in capsys.readouterr().err


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_file_given_by_name_is_refused_before_anything_starts(name, folder, tmp_path):
    with pytest.raises(TmdbError, match=name):
        source_of(settings(source="files", input=str(folder / name))).check()


def test_a_folder_without_any_file_of_films_is_refused(folder):
    (folder / "films.json").unlink()
    with pytest.raises(TmdbError, match=r"no file with films.*books.csv.*; .*--columns id="):
        source_of(settings(source="files", input=str(folder))).check()
    (folder / "books.csv").unlink()
    with pytest.raises(TmdbError, match=r"no file with films.*empty.json.*; check the files after"):
        source_of(settings(source="files", input=str(folder))).check()


TORN = {
    "torn.json": b'[{"id": 3}, {"id"',
    "torn.jsonl.gz": gzip.compress(b'{"id": 3, "title": "C"}\n' + os.urandom(9_000).hex().encode()),
    "torn.csv": "id,title,budget,status\n3,C,1,Released\n4,D".encode("utf-16")[:-1],
}
TORN["torn.jsonl.gz"] = TORN["torn.jsonl.gz"][:-2_000]


@pytest.mark.parametrize("name", TORN)
def test_a_damaged_file_in_a_folder_is_named_and_counted_and_the_others_are_read(
    name, folder, tmp_path
):
    (folder / name).write_bytes(TORN[name])
    source = source_of(settings(source="files", input=str(folder)))
    source.check()
    run = open_run("x", tmp_path)
    counts = ingest(source.records(run), run, skipped=source.skipped_names)
    require_films(counts)
    assert counts["landed"] >= 2 and counts["reasons"]["the file is damaged"] == 1
    assert [text for text in counts["skipped"] if text.startswith(f"{name}: cannot be read (")]


@pytest.mark.parametrize("name", TORN)
@pytest.mark.parametrize("strict", [False, True])
def test_a_damaged_file_given_by_name_or_with_strict_is_refused(name, strict, folder, tmp_path):
    for foreign in FOREIGN:
        (folder / foreign).unlink()
    (folder / name).write_bytes(TORN[name])
    path = folder if strict else folder / name
    source = source_of(settings(source="files", input=str(path), strict=strict))
    with pytest.raises(TmdbError, match=rf"{name}: cannot be read.*; save it again"):
        source.check()
        list(source.records(open_run("x", tmp_path)))


def test_a_folder_with_damaged_files_only_is_refused(tmp_path):
    (tmp_path / "torn.json").write_bytes(TORN["torn.json"])
    counts = ingest(records([tmp_path]), open_run("x", tmp_path / "home"))
    with pytest.raises(TmdbError, match="damaged; save them again"):
        require_films(counts)


def test_hidden_folders_are_skipped_and_named(folder):
    (folder / ".ipynb_checkpoints").mkdir()
    (folder / ".ipynb_checkpoints" / "films.json").write_text(json.dumps([A]))
    assert skipped_files([folder]) == [".ipynb_checkpoints/films.json"]
    assert foreign_reason(folder / "films.json") == "" and len(files([folder])) == 5


JOINED = {
    "answers one after another": json.dumps(A) + json.dumps(B),
    "laid out answers one after another": f"{json.dumps(A, indent=1)}\n{json.dumps(B, indent=1)}\n",
    "an array without brackets": f"{json.dumps(A)},\n{json.dumps(B)},\n",
    "an array with one torn line": f"[\n{json.dumps(A)},\n{json.dumps(B)},\n{json.dumps(A)[:30]}",
    "a raw tab in a text": json.dumps([A, B | {"title": "a\tb"}]).replace("\\t", "\t"),
}


@pytest.mark.parametrize("name", JOINED)
def test_files_that_are_almost_json_are_read(name, tmp_path):
    (tmp_path / "films.json").write_text(JOINED[name])
    found = [record for _, record in records([tmp_path / "films.json"])]
    assert [r["id"] for r in found if isinstance(r, dict)] == [1, 2]


def test_lines_inside_a_torn_document_are_no_records(tmp_path):
    torn = '[\n{"id": 1, "genres": [\n{"id": 18, "name": "Drama"},\n{"id": 35, "name": "Comedy"}\n'
    (tmp_path / "films.json").write_text(torn)
    with pytest.raises(ValueError, match="line"):
        list(json_parts(tmp_path / "films.json"))


def test_json_that_is_named_csv_is_refused_with_the_cause(tmp_path):
    (tmp_path / "films.csv").write_text(json.dumps([A, B]))
    with pytest.raises(TmdbError, match="films.csv: JSON, no table; rename it to films.json"):
        inventory([tmp_path / "films.csv"])


def test_links_that_lead_nowhere_and_linked_folders_are_named(folder, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.json").write_text(json.dumps([A]))
    for link, target in {"gone.json": "nowhere", "self.json": "self.json", "up": "."}.items():
        (folder / link).symlink_to(target)
    (folder / "year").symlink_to(tmp_path / "elsewhere")
    assert skipped_files([folder]) == [
        "gone.json (broken link)",
        "self.json (broken link)",
        "up (linked folder)",
        "year (linked folder)",
    ]
    assert len(files([folder])) == 5 and len(files([folder / "year"])) == 1


def test_pipes_and_folders_without_permission_are_named(folder):
    os.mkfifo(folder / "pipe.json")
    (folder / "closed").mkdir(mode=0)
    closed = ["closed (no permission)"] if os.geteuid() else []  # root may read any folder
    assert skipped_files([folder]) == [*closed, "pipe.json (no regular file)"]


@pytest.mark.parametrize(
    ("values", "cause", "remedy"),
    [
        ([TV, TV], "these are TV answers", "films"),
        ([PERSON], "these are answers about people", "--expand"),
        ([LISTED, LISTED | {"id": 2}], "these are list items without budget", "--ids-file"),
        ([{"success": False, "status_code": 34}], "error answers of the API", "again"),
        ([{"a": 1}], "no id", "id"),
        ([{"id": {"0": 1, "1": 2}, "title": {"0": "A"}}], "ids are no", "orient='records'"),
        ([A | {"genres": "Drama"}], "genres has another form", "page of the stage"),
        ([{"id": 1, "cast": [], "crew": []}], "these are credits", "append_to_response"),
        ([EXPORTED], "these are list items without budget", "--ids-file"),
        ([], "no record", "--input"),
    ],
)
def test_input_without_films_is_refused_in_one_line(values, cause, remedy, tmp_path):
    run = open_run("x", tmp_path)
    counts = ingest(((f"a.json:{i}", v) for i, v in enumerate(values)), run)
    with pytest.raises(TmdbError) as refusal:
        require_films(counts)
    line = str(refusal.value)
    assert cause in line and remedy in line and "\n" not in line


def test_input_with_one_film_is_not_refused(tmp_path):
    counts = ingest(iter([("a", TV), ("b", LISTED), ("c", A)]), open_run("x", tmp_path))
    require_films(counts)
    assert counts["list_items"] == 1


def test_strict_is_for_files_only(tmp_path):
    with pytest.raises(UsageError, match="strict needs source files"):
        source_of(settings(source="api", ids="7", strict=True)).check()


def test_json_in_utf_16_without_a_mark_is_read_whole(tmp_path):
    for encoding in ("utf-16-le", "utf-16-be"):
        lines = "\n".join(map(json.dumps, (A | {"title": "Amélie"}, B)))
        (tmp_path / "films.jsonl").write_bytes(lines.encode(encoding))
        assert ids(tmp_path / "films.jsonl") == [1, 2]


SPREADSHEET = "id;title;budget;revenue;release_date\r\n1;Amélie;10;20;25.04.2001\r\n2;B;1;2;\r\n"


@pytest.mark.parametrize("hint", ["sep=;\r\n", "SEP=;\n", ""])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-8-sig", "utf-16"])
def test_the_separator_line_of_a_spreadsheet_is_no_header(hint, encoding, tmp_path):
    (tmp_path / "films.csv").write_bytes((hint + SPREADSHEET).encode(encoding))
    found = inventory([tmp_path / "films.csv"])
    rows = [record for _, record in records([tmp_path / "films.csv"])]
    assert [(row["id"], row["title"]) for row in rows] == [("1", "Amélie"), ("2", "B")]
    assert found.tables[0].columns[0] == "id" and found.tables[0].delimiter == ";"


ZIPPED = io.BytesIO()
with zipfile.ZipFile(ZIPPED, "w") as archive:
    archive.writestr("films.json", json.dumps([A, B]))
PACKED = {
    "films.zip": (ZIPPED.getvalue(), "a ZIP archive or a workbook: unpack it, or save it as CSV"),
    "films.json": (ZIPPED.getvalue(), "a ZIP archive"),
    "films.csv": (ZIPPED.getvalue(), "a ZIP archive"),
    "films.json.gz": (gzip.compress(gzip.compress(b"[]")), "compressed twice: unpack it once"),
    "empty.csv": (b"\r\n \r\n", "empty"),
    "empty.json": (b"\xef\xbb\xbf", "empty"),
}


@pytest.mark.parametrize("name", PACKED)
def test_the_reason_says_what_a_file_without_text_is(name, tmp_path):
    content, reason = PACKED[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TmdbError, match=rf"^{name}: cannot be read \({reason}"):
        inventory([tmp_path / name])


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "films.json")
    with pytest.raises(UsageError, match="no regular file; save its content in a file first"):
        files([tmp_path / "films.json"])
