"CSV files of films in any form: recognised, read with a mapping, or refused with a way out."

import csv
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tmdb_analysis.core.engine import session
from tmdb_analysis.core.schema import COLLECTIONS, CREDITS, CSV_COLUMNS, ContractError
from tmdb_analysis.core.settings import TmdbError, UsageError, settings
from tmdb_analysis.core.store import (
    GROUP_ROWS,
    open_run,
    save,
    save_csv,
    sorted_rows,
)
from tmdb_analysis.films.ingest import ingest, raw_row
from tmdb_analysis.tmdb.sources import input_records, inventory, records, source_of
from tmdb_analysis.tmdb.tables import film_table
from tmdb_analysis.use.cli import main

FLAT = "id,title,budget,revenue,release_date,genres\n"


def rows(path: Path, **columns: str) -> list[dict]:
    "The rows of RAW that a file becomes."
    found = [r for _, r in records([path], columns)]
    return [raw_row(record, i, "test") for i, record in enumerate(found, 1)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_any_delimiter_and_encoding(delimiter, encoding, tmp_path):
    path = tmp_path / "films.csv"
    lines = [FLAT.strip(), "194,Amélie – d’une,10,20,2001-04-25,Drama", "2,B,1,2,2001-01-01,War"]
    path.write_bytes("\n".join(lines).replace(",", delimiter).encode(encoding))
    first = rows(path)[0]
    assert (first["title"], first["budget"], first["genres"][0]["name"]) == (
        "Amélie – d’une",
        10,
        "Drama",
    )
    counts = film_table(path).counts()
    assert counts["encoding"].startswith("Windows-1252") == (encoding == "cp1252")


def test_the_movies_dataset_with_python_literals(tmp_path):
    crew = [{"credit_id": "x", "id": 7879, "job": "Director", "name": "John O'Lasseter"}]
    saga = {"id": 10194, "name": "Toy Story Collection"}
    columns = {
        "adult": "False",
        "belongs_to_collection": str(saga),
        "budget": "30000000",
        "genres": str([{"id": 16, "name": "Animation"}]),
        "id": "862",
        "popularity": "21.9",
        "release_date": "1995-10-30",
        "revenue": "373554033.0",
        "runtime": "81.0",
        "status": "Released",
        "title": "Toy Story",
    }
    shifted = {"adult": " - Written by", "id": "1997-08-20", "title": "", "genres": "[]"}
    folder = tmp_path / "input"
    folder.mkdir()
    with open(folder / "movies_metadata.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, columns)
        writer.writeheader()
        writer.writerows([columns, columns, shifted])
    with open(folder / "credits.csv", "w", newline="") as f:
        writer = csv.writer(f)
        people = [str([{"id": 31, "name": "Tom Hanks", "order": 0}]), str(crew)]
        writer.writerows([["cast", "crew", "id"], [*people, "862"], ["[]", "[]", "862"]])
        writer.writerow(["[]", "[]", "5"])
    found = inventory([folder])
    counts = ingest(input_records(found), open_run("x", tmp_path / "home"))
    films = [r for _, r in records([folder])][:2]
    for film in films:
        row = raw_row(film, 1, "test")
        assert row["credits"]["crew"][0]["name"] == "John O'Lasseter"
        assert row["belongs_to_collection"]["id"] == 10194 and row["runtime"] == 81
    assert counts["landed"] == 2 and counts["quarantined"] == 3
    assert {t.kind: (t.rows, t.used) for t in found.tables} == {"films": (3, 3), "credits": (3, 1)}
    assert counts["reasons"] == {
        "id": 1,
        "more credits of a film that has others": 1,
        "credits of a film that is not in the movies file": 1,
    }


def test_the_export_of_a_report_is_read_back(demo, tmp_path):
    with open(demo.report / "movies.csv", newline="", encoding="utf-8") as f:
        written = list(csv.DictReader(f))
    assert list(written[0]) == list(CSV_COLUMNS)
    read = rows(demo.report / "movies.csv")
    assert len(read) == len(written) > 900
    for row, line in zip(read, written, strict=True):
        assert row["status"] == "Released" and row["unreadable"] is None
        assert row["budget"] == (
            round(float(line["budget_musd"]) * 1e6) if line["budget_musd"] else None
        )
        assert "|".join(g["name"] for g in row["genres"] or []) == line["genres"]
        crew = (row["credits"] or {}).get("crew") or []
        names = [name.strip() for name in line["director"].split("|") if name]
        assert [p["name"] for p in crew] == names


OTHER = "tmdb,Name,Cost,Gross,Cost (m)\n348,Alien,11000000,104931801,11\n"


def test_an_unknown_table_lists_its_columns_and_shows_the_option(tmp_path):
    (tmp_path / "other.csv").write_text(OTHER)
    with pytest.raises(TmdbError) as error:
        inventory([tmp_path / "other.csv"])
    line = str(error.value)
    assert "tmdb, Name, Cost, Gross" in line and "--columns id=" in line and "\n" not in line


def test_a_mapping_names_the_columns(tmp_path):
    (tmp_path / "other.csv").write_text(OTHER)
    mapping = ["id=tmdb", "title=Name", "budget_musd=Cost (m)", "revenue=Gross"]
    words = settings(source="files", input=str(tmp_path), columns=",".join(mapping))
    (tmp_path / "map.yaml").write_text("\n".join(m.replace("=", ": ") for m in mapping))
    file = settings(source="files", input=str(tmp_path), columns=str(tmp_path / "map.yaml"))
    assert words.pipeline.columns == file.pipeline.columns == mapping
    for chosen in (words, file):
        source = source_of(chosen)
        source.check()
        ((_, film),) = source.records(open_run("x", tmp_path / "home"))
        row = raw_row(film, 1, "test")
        assert (row["id"], row["title"], row["budget"]) == (348, "Alien", 11_000_000)
        assert row["revenue"] == 104_931_801


def test_a_wrong_mapping_is_refused(tmp_path):
    (tmp_path / "other.csv").write_text(OTHER)
    with pytest.raises(TmdbError, match="column Price is missing"):
        inventory([tmp_path / "other.csv"], {"id": "tmdb", "title": "Name", "budget": "Price"})
    (tmp_path / "films.csv").write_text(FLAT)
    with pytest.raises(TmdbError, match="--columns budget=Price: no CSV file has this column"):
        inventory([tmp_path / "films.csv"], {"budget": "Price"})
    with pytest.raises(UsageError, match="columns: budgets is no field; did you mean"):
        source_of(settings(input=str(tmp_path), columns="budgets=Cost")).check()
    with pytest.raises(UsageError, match="write each column as field=column"):
        settings(source="files", input=str(tmp_path), columns="Cost")
    with pytest.raises(UsageError, match="absent.yaml cannot be read"):
        settings(source="files", input=str(tmp_path), columns="absent.yaml")


def test_a_row_that_is_too_long_is_one_bad_record(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(FLAT + "1,A, the film,10,20,2001-01-01,War\n2,B,1,2,2001-01-01,War\n3,C\n")
    counts = ingest(records([path]), open_run("x", tmp_path))
    assert (counts["records"], counts["landed"]) == (3, 2)
    assert counts["reasons"] == {"a row with more values than columns": 1}


def test_a_quote_without_its_end_is_one_bad_record_and_not_a_film(tmp_path):
    path = tmp_path / "films.csv"
    rows = [f"{i},Film {i},{i},2,2001-01-01,War\n" for i in range(1, 9)]
    text = FLAT + "".join(rows).replace("Film 3", '"Film 3')
    path.write_text(text.replace("Film 7", '"Film 7"'))
    counts = ingest(records([path]), open_run("y", tmp_path))
    assert (counts["records"], counts["landed"]) == (4, 3), "the next quote ends the loss"
    path.write_text(text)
    counts = ingest(records([path]), open_run("x", tmp_path))
    assert (counts["records"], counts["landed"]) == (3, 2)
    assert counts["reasons"] == {"a quote without its end, with all lines after it": 1}
    assert "8,Film 8" in list(records([path]))[-1][1].text


def test_names_of_columns_in_capitals_and_empty_cells_behind_the_last_column(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(FLAT.upper() + "1,A,10,20,2001-01-01,War,,\n")
    ((_, film),) = records([path])
    assert (film["id"], film["title"], film["genres"]) == ("1", "A", [{"name": "War"}])
    ((_, film),) = records([path], {"budget": "REVENUE", "revenue": "BUDGET"})
    assert (film["budget"], film["revenue"]) == ("20", "10")


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text("id,title,runtime,budget,Budget\n1,A,90,10,20\n")
    with pytest.raises(TmdbError, match="column budget is there twice; rename one"):
        inventory([path])
    assert film_table(path, {"revenue": "Budget"}).fields[-2:] == ["budget", "revenue"]


def test_a_table_without_people_carries_no_credits(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(FLAT + "1,A,10,20,2001-01-01,War\n")
    counts = ingest(records([path]), open_run("x", tmp_path))
    assert "credits" in counts["absent_fields"], "absent is not unknown"
    path.write_text(FLAT.replace("genres", "director") + "1,A,10,20,2001-01-01,B\n")
    assert "credits" not in ingest(records([path]), open_run("y", tmp_path))["absent_fields"]


def test_millions_in_text_are_millions_or_unknown(tmp_path):
    texts = ["2,799.4", "$356", "12.5", "nan", "", "7,5", "a lot"]
    (tmp_path / "films.csv").write_text(
        "id,title,budget_musd,runtime\n"
        + "".join(f'{i},A,"{text}",90\n' for i, text in enumerate(texts, 1))
    )
    found = [row["budget"] for row in rows(tmp_path / "films.csv")]
    assert found == [2_799_400_000, 356_000_000, 12_500_000, None, None, None, None]


def test_the_hint_of_an_error_works_as_one_word_of_the_command(tmp_path):
    word = "id=movie,title=Name,budget=Cost, USD"
    assert settings(columns=[word]).pipeline.columns == word.split(",", 2)
    (tmp_path / "other.csv").write_text('movie,Name,"Cost, USD",revenue\n1,A,10,20\n')
    source = source_of(settings(source="files", input=str(tmp_path), columns=[word]))
    ((_, film),) = source.records(open_run("x", tmp_path / "home"))
    assert (film["title"], film["budget"]) == ("A", "10")


def test_list_cells_that_are_no_lists_cost_the_record_and_odd_values_do_not(tmp_path):
    path = tmp_path / "films.csv"
    path.write_text(FLAT + '1,A,10,20,2001-01-01,"[{"\n2,B,a lot,$3M,2001-01-01,War|Drama\n')
    counts = ingest(records([path]), open_run("x", tmp_path))
    assert counts["reasons"] == {"genres": 1} and counts["landed"] == 1
    assert counts["unknown_values"][0]["rule"] == "budget: text where a number is expected"


@pytest.mark.integration
def test_a_flat_table_makes_a_report_by_names(tmp_path):
    lines = [
        "id;Name;Cost;Gross;release_date;status;genres;director;cast;runtime;vote_average;vote_count"
    ]
    for i in range(1, 41):
        director = "Steven Spielberg" if i % 2 else "Agnès Varda|Jean Vigo"
        lines.append(
            f"{i};Film {i};${i}M;{3 * i} million;{1980 + i}-05-01;Released;War|Drama;"
            f"{director};A|B;1h 30m;7,5;500"
        )
    folder = tmp_path / "input"
    folder.mkdir()
    (folder / "FILMS.CSV").write_bytes("\n".join(lines).encode("cp1252"))
    (folder / "photo.json").write_bytes(b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR")
    words = f"run --input {folder} --columns title=Name budget=Cost revenue=Gross --run-id flat"
    assert main([*words.split(), "--home", str(tmp_path)]) == 0
    report = tmp_path / "reports" / "flat"
    directors = (report / "kpis" / "directors.csv").read_text()
    assert "Steven Spielberg" in directors and "Agnès Varda" in directors
    ranking = (report / "kpis" / "highest_budget.csv").read_text()
    assert '1,40,"Film 40",2020-05-01,40,40,120,' in ranking
    told = json.loads((report / "run.json").read_text())
    assert told["skipped"] == ["photo.json: cannot be read (not JSON)"]
    page = (report / "20_ingest.html").read_text()
    assert "Windows-1252" in page and "photo.json" in page


def test_saving_a_large_table_makes_no_second_copy_of_it(tmp_path):
    "The rows are put into order and written in parts."
    run, n = open_run("large", tmp_path), 4_000_000
    ids = pa.array(range(n, 0, -1), pa.int64())
    rows = pa.table({"collection_id": ids, "collection": pa.repeat("A name", n), "films": ids})
    usual, counted = pa.default_memory_pool(), pa.proxy_memory_pool(pa.default_memory_pool())
    pa.set_memory_pool(counted)
    try:
        assert save(rows, COLLECTIONS, run) == n
    finally:
        pa.set_memory_pool(usual)
    assert counted.max_memory() < rows.nbytes
    assert pq.read_table(run.path(COLLECTIONS)).equals(sorted_rows(rows, COLLECTIONS))
    save(rows.slice(0, 0), COLLECTIONS, run)
    assert pq.read_table(run.path(COLLECTIONS)).schema.equals(COLLECTIONS.schema)


def test_a_large_table_of_an_engine_is_sorted_outside_memory(tmp_path):
    "The file is the one that a sort in memory gives; names with accents, and unknown ones, too."
    run, n = open_run("engine", tmp_path), GROUP_ROWS + 50_000
    people = (
        session()
        .range(n)
        .selectExpr(
            "(id * 7919) % 50000 AS movie_id",
            "if(id % 3 = 0, 'crew', 'cast') AS kind",
            "id % 60 AS order",
            "nullif(id % 1000, 7) AS person_id",
            "if(id % 11 = 0, null, concat(substr('zéÉaßÆ', 1 + id % 6, 1), id)) AS name",
            "if(id % 3 = 0, 'Director', 'Actor') AS job",
            "cast(null AS string) AS character",
            "'unused' AS more",
        )
    )
    assert save(people, CREDITS, run) == n
    assert not list(run.tables.glob("*.tmp"))
    found = run.path(CREDITS).read_bytes()
    save(pq.read_table(run.path(CREDITS)).take(pa.array(range(n - 1, -1, -1))), CREDITS, run)
    assert run.path(CREDITS).read_bytes() == found
    with pytest.raises(ContractError, match="column name is missing"):
        save(people.drop("name"), CREDITS, open_run("other", tmp_path))
    assert save_csv(CREDITS, run, ["movie_id", "name"]) == n
    lines = (run.report / "credits.csv").read_text(encoding="utf-8").splitlines()
    assert len(lines) == n + 1 and lines[0] == '"movie_id","name"'
    ids = [int(line.split(",")[0]) for line in lines[1:]]
    assert ids == sorted(ids)
