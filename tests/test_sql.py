"SQL on a run: on the command line, in a notebook, and what it refuses."

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

import tmdb_analysis as tmdb
from tmdb_analysis.core.settings import UsageError

pytestmark = pytest.mark.integration


def asked(home: Path, *words: str) -> subprocess.CompletedProcess[str]:
    "What `tmdb sql` does with these words."
    command = [Path(sys.executable).parent / "tmdb", "sql", *words, "--home", home]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_the_command_prints_a_table_csv_and_json(home, demo):
    query = "select id, title, genres from movies order by revenue_musd desc nulls last limit 2"
    table, as_csv, as_json = (asked(home, query, *form) for form in ([], ["--csv"], ["--json"]))
    films = json.loads(as_json.stdout)
    assert len(films) == 2 and isinstance(films[0]["genres"], list)
    rows = list(csv.DictReader(io.StringIO(as_csv.stdout)))
    assert [r["title"] for r in rows] == [f["title"] for f in films]
    assert rows[0]["genres"] == "|".join(films[0]["genres"])
    assert films[0]["title"] in table.stdout and table.stdout.endswith("2 rows\n")


def test_sql_and_the_published_files_have_the_same_values(demo):
    found = tmdb.sql("select * from directors", demo)
    assert found.equals(tmdb.read_kpi("directors", demo))
    films = tmdb.sql("select count(*) as n, count(distinct id) as ids from movies", demo)
    assert films.n[0] == films.ids[0] == tmdb.load("movies", demo).count()


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("select * from movie", 'Did you mean "movies"?'),
        ("select titel from movies", "title"),
        ("create table a as select 1", "write one query that reads"),
        ("copy movies to 'movies.csv'", "write one query that reads"),
        ("select 1; select 2", "write one query that reads"),
        ("select * from read_csv('movies.csv')", "file system operations are disabled"),
        (" ", "write one query that reads"),
    ],
)
def test_a_query_that_cannot_be_answered_says_why_in_one_line(demo, query, words):
    with pytest.raises(UsageError) as refusal:
        tmdb.sql(query, demo)
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_the_command_exits_with_2_for_a_wrong_query(home, demo):
    done = asked(home, "select * from movie")
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
