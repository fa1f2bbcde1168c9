"""A field that the data do not carry is not measured: it is no defect of each film, and no number
follows from it."""

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

import tmdb_analysis
from tmdb_analysis.core.engine import session
from tmdb_analysis.core.schema import CREDITS, DROPPED, MOVIES, RAW
from tmdb_analysis.core.store import open_run, read
from tmdb_analysis.films import clean
from tmdb_analysis.films import ingest as ingest_chapter
from tmdb_analysis.films.checks import answer_rules, answers
from tmdb_analysis.films.cohort import money_cohort
from tmdb_analysis.films.film_checks import (
    credit_rules,
    measured_rules,
    movie_rules,
    with_film_and_person,
)
from tmdb_analysis.films.ingest import field_drift, raw_row
from tmdb_analysis.films.rules import evaluate, outcome
from tmdb_analysis.films.validate import empty_cause, field_rules, quality
from tmdb_analysis.kpis.groups import data_date
from tmdb_analysis.report.findings import unmeasured_findings
from tmdb_analysis.search.lookup import answer_query
from tmdb_analysis.search.query import query


def raw(*records):
    "Records as the RAW table."
    rows = [raw_row({"title": "Film"} | r, i, "test") for i, r in enumerate(records, 1)]
    return session().createDataFrame(rows, RAW.spark)


def film(id: int, day: str, **more):
    "A record of a film with a revenue."
    known = {"id": id, "release_date": day, "revenue": 9_000_000, "budget": 1_000_000}
    return known | {"status": "Released"} | more


def days(table, **more):
    "The days of the figures of a table."
    return {
        r.as_of
        for r in clean.with_data_date(table, clean.estimated_data_date(table, **more)).collect()
    }


# --- which fields the data carry --------------------------------------------------------------


def fields(records: int, **counts: int):
    "The absent fields of records that all have an id and a status."
    return field_drift({"id": records, "status": records, **counts}, records)["absent_fields"]


def test_one_record_with_the_key_does_not_make_the_data_carry_a_field():
    assert "belongs_to_collection" in fields(1_000)
    assert "belongs_to_collection" in fields(1_000, belongs_to_collection=1)
    assert "belongs_to_collection" not in fields(1_000, belongs_to_collection=10)
    assert "belongs_to_collection" not in fields(1_000, belongs_to_collection=1_000)
    assert "belongs_to_collection" not in fields(1, belongs_to_collection=1)
    mixed = field_drift({"id": 5_000, "belongs_to_collection": 10}, 100)["absent_fields"]
    assert "belongs_to_collection" not in mixed, "items of lists never have details"


def test_absent_fields_do_not_lower_the_score_but_can_close_the_gate():
    found = field_rules({"known": ["id", "status"], "new": [], "absent": ["status"]})
    assert [r.failed for r in found] == [0, 1], "a threshold can still be set on it"
    content = quality(
        [*found, outcome("a", "a", "completeness", "warn", 10, 0)], [], 0.0, ["status"]
    )
    assert content.score == 100.0 and content.not_measured == ["status"]


# --- status and the films ---------------------------------------------------------------------


def rules_of(table, absent=(), least=0):
    "The rule that drops each record, by id."
    judged = clean.with_verdicts(table, least, absent)
    return {r.id: r.rule for r in judged.select("id", "rule").collect()}


def test_without_statuses_films_up_to_the_data_date_count():
    bare = [film(i, f"2017-01-{i:02}", status=None) for i in range(1, 6)]
    table = raw(*bare, film(6, "2031-05-01", status=None, revenue=0), film(7, "", status=None))
    assert set(rules_of(table).values()) == {"not released"}, "null everywhere: unknown"
    found = rules_of(table, ["status"])
    assert found.pop(6) == "not released" and set(found.values()) == {None}


def test_absent_columns_do_not_count_as_unknown_ones():
    bare = raw(*[film(i, "2017-01-01", genres=[{"name": "Drama"}]) for i in (1, 2)])
    absent = sorted(set(RAW.columns) - {"id", "title", "status", "release_date", "genres"})
    absent = [name for name in absent if name not in ("budget", "revenue")]
    assert set(rules_of(bare, [], 10).values()) == {"too few known columns"}
    assert set(rules_of(bare, absent, 10).values()) == {None}


def test_an_empty_run_names_the_cause():
    dropped = {"duplicate": 0, "not released": 1_500}
    assert empty_cause(dropped, 1_500, 1_500) == (
        "1,500 films are not released because no record has a status"
    )
    assert empty_cause(dropped, 1_500, 0) == "records left out as not released: 1,500"


# --- the date of the data ---------------------------------------------------------------------


def test_one_film_in_the_future_does_not_move_the_data_date():
    films = [film(i, str(date(2016, 12, 31) - timedelta(days=3 * i))) for i in range(1, 40)]
    newest = {date(2016, 12, 28)}
    assert days(raw(*films)) == newest
    assert days(raw(*films, film(90, "2019-01-01"))) == newest
    assert days(raw(*films, *[film(90, "2019-01-01")] * 3)) == newest, "one film, three records"
    assert days(raw(*films, film(90, "2019-01-01"), film(91, "2999-01-01"))) == newest
    assert days(raw(film(1, "1979-05-25"), film(2, "1986-07-18"))) == {date(1986, 7, 18)}


def test_the_source_of_the_data_date():
    day = date(2017, 9, 26)
    assert clean.data_date_source(day, True, "2017-09-26") == "given"
    assert clean.data_date_source(day, True, "") == "answers"
    assert clean.data_date_source(day, False, "") == "estimated"
    assert clean.data_date_source(None, False, "") is None


# --- rules of quality -------------------------------------------------------------------------


def outcomes(rows, rules):
    "Evaluated and failed rows by rule."
    return {r.id: (r.evaluated, r.failed) for r in evaluate(rows, rules)}


def test_rules_about_absent_fields_are_not_evaluated():
    rules = {r.id: r for r in measured_rules(movie_rules(), ["belongs_to_collection", "credits"])}
    table = raw(*[film(i, "2016-01-01") for i in (1, 2, 3)])
    films = clean.movies(clean.with_verdicts(table, 0))
    ours = ["known_belongs_to_collection", "known_director", "known_cast", "known_genres"]
    found = outcomes(films, [rules[id] for id in ours])
    assert found == dict.fromkeys(ours[:3], (0, 0)) | {"known_genres": (3, 3)}


def test_genres_without_ids_are_compared_by_name():
    def genres(*ids):
        return [{"id": id, "name": name} for id, name in zip(ids, "AB", strict=True)]

    table = raw(
        film(1, "2016-01-01", genres=genres(None, None)),
        film(2, "2016-01-01", genres=genres(0, 0)),
        film(3, "2016-01-01", genres=genres(-1, -1)),
        film(4, "2016-01-01", genres=[{"name": "A"}, {"name": "A"}]),
        film(5, "2016-01-01", genres=genres(18, 18)),
    )
    rows = answers(table, session().createDataFrame([], DROPPED.spark))
    assert outcomes(rows, answer_rules())["genre_once"] == (5, 2)


def test_credits_without_roles_or_jobs_are_not_evaluated():
    crew = {"cast": [{"id": 1, "name": "A"}], "crew": [{"id": 2, "name": "B"}]}
    table = raw(film(1, "2016-01-01", credits=crew))
    films = clean.movies(clean.with_verdicts(table, 0))
    found = outcomes(with_film_and_person(clean.credits(table, films), films), credit_rules())
    assert found["credit_character"] == found["credit_job"] == (0, 0)


@pytest.mark.parametrize("other", [date(2020, 1, 1), date(2031, 1, 1)])
def test_another_day_gives_the_same_outcomes(other):
    moments = ["2017-01-01T00:00:00Z", "2017-09-26T00:00:00Z"]
    table = raw(*[film(i, "2016-01-01", fetched_at=m) for i, m in enumerate(moments, 1)])
    none = session().createDataFrame([], DROPPED.spark)
    found = outcomes(answers(table, none, other), answer_rules())
    assert found["fetched_fresh"] == (2, 1), "one answer is half a year older than the newest"
    assert found["fetched_past"] == (2, 0)
    films = [film(3, "2017-12-01", fetched_at=moments[1]), film(4, "2017-01-01")]
    films = clean.movies(clean.with_verdicts(raw(*films), 0, read_on=other))
    released = [r for r in movie_rules() if r.id == "release_past"]
    assert outcomes(films, released)["release_past"] == (2, 1)
    assert MOVIES and CREDITS


NOW = datetime.now(UTC)


def judged_later(lines: list[dict], days: int, home: Path, patch: pytest.MonkeyPatch):
    "Data date, outcomes of the rules and cohort of some records that a run reads some days later."

    class Later(datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.now(tz) + timedelta(days)

    patch.setattr(ingest_chapter, "datetime", Later)
    run = open_run("later", home / f"{days}")
    counts = ingest_chapter.ingest(((f"f:{i}", line) for i, line in enumerate(lines, 1)), run)
    read_on = date.fromisoformat(counts["read_on"])
    assert read_on == (NOW + timedelta(days)).date()
    table = read(session(), RAW, run)
    judged = clean.with_verdicts(table, 0, read_on=read_on)
    films = clean.movies(judged)
    found = outcomes(answers(table, clean.dropped_records(judged), read_on), answer_rules())
    found |= outcomes(films, [r for r in movie_rules() if r.id == "release_past"])
    cohort = {row.id for row in money_cohort(films, min_runtime=0).collect()}
    return data_date(films), found, cohort


def test_the_same_records_give_the_same_quality_and_cohort_400_days_later(tmp_path, monkeypatch):
    """Ten answers of last month, one of a machine whose clock was 300 days ahead. Its film came
    out last month, so it is not in the cohort unless the wrong clock moves the data date."""
    month_ago, ahead = NOW - timedelta(30), NOW + timedelta(300)
    lines = [film(i, "2016-01-01", fetched_at=month_ago.isoformat()) for i in range(1, 11)]
    lines.append(film(11, f"{month_ago.date()}", fetched_at=ahead.isoformat()))
    lines = [line | {"title": "Film", "runtime": 90} for line in lines]
    day, found, cohort = judged_later(lines, 0, tmp_path, monkeypatch)
    assert day[0] == month_ago.date(), "a wrong clock moves the data date"
    assert found["fetched_past"] == (11, 1) and found["fetched_fresh"] == (11, 0)
    assert cohort == set(range(1, 11))
    assert judged_later(lines, 400, tmp_path, monkeypatch) == (day, found, cohort)


def test_only_times_in_the_future_are_flagged_and_give_no_data_date():
    table = raw(*[film(i, "2016-01-01", fetched_at="2999-01-01T00:00:00Z") for i in (1, 2)])
    none = session().createDataFrame([], DROPPED.spark)
    found = outcomes(answers(table, none, NOW.date()), answer_rules())
    assert found["fetched_past"] == (2, 2) and found["fetched_fresh"] == (0, 0)
    films = clean.movies(clean.with_verdicts(table, 0, read_on=NOW.date()))
    assert data_date(films) == (date(2016, 1, 1), "1 January 2016 or later"), "as without times"


def test_only_ingest_asks_for_the_time_of_day():
    "The day on which a run read its records; no rule, number or page may depend on another."
    clock = re.compile(
        r"\b(date\.today|datetime\.now|utcnow|time\.time|current_(date|timestamp))\b"
    )
    parts = ("films", "stats", "kpis", "search", "report")
    package = Path(tmdb_analysis.__file__).parent
    chapters = (path for part in parts for path in (package / part).glob("*.py"))
    found = {path.stem: len(clock.findall(path.read_text(encoding="utf-8"))) for path in chapters}
    assert {name: n for name, n in found.items() if n} == {"ingest": 1}


# --- findings and searches --------------------------------------------------------------------


def test_no_finding_follows_from_an_absent_field():
    assert unmeasured_findings(["homepage", "status"]) == {}
    found = unmeasured_findings(["credits", "genres", "vote_average", "release_date"])
    assert set(found) == {"directors", "genres", "ratings", "time"}
    assert found["directors"].heading == "Directors are not measured"
    assert found["directors"].sentence == "Not measured: the data carry no credits."


@pytest.mark.parametrize("text", ['director:"Steven Spielberg"', "cast:#62", "genre:War"])
def test_a_search_for_an_absent_field_says_so(text):
    records = raw(*[film(i, "2016-01-01") for i in (1, 2)])
    films = clean.movies(clean.with_verdicts(records, 0))
    notes = answer_query(films, clean.credits(records, films), query(text)).notes
    field = text.partition(":")[0]
    assert notes[0] == f"{text}: not measured, because no film of this run has a known {field}"
