"""Which films a run asks for: only what changed, everything that was searched for, and an old
answer where there is no new one."""

import sqlite3
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.catalogue import Synthetic
from tests.fetching import asked, bodies, chosen, go, lines, raw, segments, started, states
from tmdb_analysis.core import schema
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import TmdbError, UsageError
from tmdb_analysis.core.store import open_run
from tmdb_analysis.films.ingest import ingest
from tmdb_analysis.tmdb import selection
from tmdb_analysis.tmdb.client import Tmdb
from tmdb_analysis.tmdb.ledger import fetched_records, raw_folder

N = 12_000
CATALOGUE = Synthetic(N)
TODAY = datetime.now(UTC).date()
FEW = [str(CATALOGUE.id(place)) for place in range(60)]
BUSY = {
    i for day in range(18) for i in CATALOGUE.made_changes(TODAY - timedelta(day))
}  # these change by themselves
QUIET = [int(i) for i in FEW if int(i) not in BUSY]


@pytest.fixture(scope="module")
def server():
    "A local TMDB with more films than a list can have."
    with fake_tmdb(f"synthetic:{N}") as found:
        yield found


@pytest.fixture
def tmdb(server):
    "The same, without faults, edits and memories."
    server.reset()
    return server


def old(home: Path, days: int, run_id: str = "a") -> None:
    "A fetch was so many days ago, as far as its ledger and its segments know."
    with closing(sqlite3.connect(raw(home, run_id) / "ledger.sqlite")) as db, db:
        day = (TODAY - timedelta(days)).isoformat()
        db.execute("UPDATE item SET fetched_at = ?", (f"{day}T12:00:00Z",))
        db.execute("UPDATE step SET begun = ?", (day,))


def landed(home: Path, run_id: str) -> dict[int, dict]:
    "The raw table of a run by id."
    run = open_run(run_id, home)
    ingest(fetched_records(raw_folder(run)), run)
    return {row["id"]: row for row in pq.read_table(run.path(schema.RAW)).to_pylist()}


def test_an_update_asks_only_for_what_changed(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    before, (changed, gone, added) = lines(tmp_path), (*QUIET[:2], 4)
    tmdb.reset()
    tmdb.change(changed, title="Another title")
    tmdb.delete(gone)
    tmdb.add({"id": added, "title": "New"})
    go(tmdb.url, tmp_path, "b", update=True)
    own = {int(i) for i in FEW}
    wanted = own & {
        i for day in range(2) for i in CATALOGUE.made_changes(TODAY - timedelta(day))
    } | {changed, gone}
    assert asked(tmdb) == dict.fromkeys(wanted, 1)
    after = lines(tmp_path, "b")
    assert after[gone]["deleted_at"] and states(tmp_path, "b") == {"done": 59, "deleted": 1}
    assert after[changed]["body"]["title"] == "Another title" and after[changed]["source"] == "live"
    for film in own - wanted:
        assert (
            after[film]["source"] == "unchanged"
            and after[film]["fetched_at"] == before[film]["fetched_at"]
        )
        assert after[film]["body"] == before[film]["body"]
    rows = landed(tmp_path, "b")
    assert rows.keys() == own - {gone} and rows[changed]["answer_source"] == "live"


def test_a_film_that_an_old_answer_served_for_is_asked_for_again(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW, fresh_days=0, stale_days=0)
    changed = QUIET[0]
    tmdb.change(changed, title="Another title")
    tmdb.faults(f"500:path=/3/movie/{changed}")
    go(tmdb.url, tmp_path, "b", update=True, attempts=1, fresh_days=0, stale_days=0)
    assert lines(tmp_path, "b")[changed]["source"] == "previous"
    tmdb.faults("")
    old(tmp_path, 0, "b")  # its own start is no reason to look further back
    go(tmdb.url, tmp_path, "c", update=True, fresh_days=0, stale_days=0)
    assert (
        lines(tmp_path, "c")[changed]["source"] == "live"
        and lines(tmp_path, "c")[changed]["body"]["title"] == "Another title"
    )


def test_an_update_does_not_mix_languages(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    with pytest.raises(UsageError, match="in this home and language"):
        go(tmdb.url, tmp_path, "b", update=True, language="de-DE")


def test_an_update_of_an_update_and_of_cached_answers_sees_changes(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    go(tmdb.url, tmp_path, "b", ids=FEW)
    assert {line["source"] for line in lines(tmp_path, "b").values()} == {"cache"}
    for run_id in "cde":
        tmdb.change(QUIET[3], title=f"As of {run_id}")
        go(tmdb.url, tmp_path, run_id, update=True)
        assert lines(tmp_path, run_id)[QUIET[3]]["body"]["title"] == f"As of {run_id}"


def test_an_update_asks_what_the_run_before_it_asked(tmdb, tmp_path):
    found = {"discover": ["with_genres=27", "vote_count.gte=200"]}
    go(tmdb.url, tmp_path, **found)
    had = lines(tmp_path).keys()
    tmdb.add(
        {
            "id": 900_001,
            "title": "New",
            "genres": [{"id": 27, "name": "Horror"}],
            "vote_count": 900,
            "release_date": "2020-01-01",
        }
    )
    tmdb.add(
        {
            "id": 900_002,
            "title": "Another genre",
            "genres": [],
            "vote_count": 900,
            "release_date": "2020-01-01",
        }
    )
    for cached in (tmp_path / "data" / "cache").iterdir():
        cached.unlink()  # lists count as fresh for some hours
    for run_id in "bc":
        go(tmdb.url, tmp_path, run_id, update=True)
        assert lines(tmp_path, run_id).keys() == had | {900_001}
    go(tmdb.url, tmp_path, "d", update=True, ids=["900002"])
    assert lines(tmp_path, "d").keys() == had | {900_001, 900_002}
    with pytest.raises(UsageError, match="discover"):
        go(tmdb.url, tmp_path, "b", update=True, discover=["with_genres=28"])


def test_an_update_of_the_catalogue_has_the_films_that_are_new(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    go(tmdb.url, tmp_path, "b", update=True, export=True)
    tmdb.add({"id": 900_001, "title": "New"})
    tmdb.delete(QUIET[0])
    counts = go(tmdb.url, tmp_path, "c", update=True)
    assert (
        lines(tmp_path, "c").keys() == lines(tmp_path, "b").keys() | {900_001}
        and counts["deleted"] == 1
    )


def test_an_update_starts_from_a_fetch_that_came_to_its_end(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    process = started(
        tmdb.url,
        tmp_path,
        10,
        ("enter", 2, True),
        run_id="b",
        ids=[str(i) for i in range(400, 500)],
    )
    process.join(60)
    go(tmdb.url, tmp_path, "c", update=True)
    assert len(lines(tmp_path, "c")) == 60


def test_a_killed_update_copies_nothing_twice(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    for end in (("enter", 2, False), ("enter", 2, True)):
        process = started(tmdb.url, tmp_path, 10, end, run_id="b", update=True)
        process.join(60)
        assert process.exitcode < 0
    go(tmdb.url, tmp_path, "b", update=True)
    assert bodies(tmp_path, "b").keys() == bodies(tmp_path).keys()


def test_a_damaged_earlier_segment_is_fetched_again(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    before = bodies(tmp_path)
    segments(tmp_path)[0].write_bytes(b"nothing")
    go(tmdb.url, tmp_path, "b", update=True)
    assert bodies(tmp_path, "b") == before


def test_after_more_than_14_days_the_export_is_compared(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    old(tmp_path, 20)
    (tmp_path / "data" / "cache" / "http.sqlite").unlink()
    tmdb.reset()
    tmdb.delete(QUIET[5], day=(TODAY - timedelta(18)).isoformat())
    go(tmdb.url, tmp_path, "b", update=True)
    assert tmdb.stats()["kinds"]["export"] == 1
    assert states(tmp_path, "b")["deleted"] == 1 and "deleted_at" in lines(tmp_path, "b")[QUIET[5]]
    assert set(asked(tmdb)) <= BUSY | {QUIET[5]} | {
        int(i) for i in FEW if CATALOGUE.fact("adult", int(i))
    }


def test_an_update_without_a_fetch_before_is_refused(tmdb, tmp_path):
    with pytest.raises(UsageError, match="needs an earlier, finished run"):
        go(tmdb.url, tmp_path, update=True)


def test_answers_older_than_six_months_are_asked_for_again(tmdb, tmp_path):
    go(tmdb.url, tmp_path, ids=FEW)
    old(tmp_path, 200)
    tmdb.reset()
    counts = go(tmdb.url, tmp_path, "b", ids=FEW)
    assert not asked(tmdb) and counts["metrics"]["older_than_six_months"] == 60
    old(tmp_path, 201), old(tmp_path, 200, "b")
    assert go(tmdb.url, tmp_path, "c", ids=FEW, refresh=True)["sources"] == {"live": 60}


# Lists


def dated() -> set[int]:
    "The films of the catalogue that a search by date can find."
    columns = zip(
        CATALOGUE.ids,
        *(CATALOGUE.column(name) for name in ("release_date", "adult", "video")),
        strict=True,
    )
    return {i for i, day, adult, video in columns if day and not adult and not video}


def test_a_search_beyond_500_pages_loses_nothing(tmdb, tmp_path):
    with Tmdb(chosen(tmdb.url, tmp_path).api, tmp_path) as client:
        found = selection.ids_of_discover(client, {})
        assert (
            len(dated()) > 20 * selection.PAGES
            and set(found) == dated()
            and len(found) == len(dated())
        )
        since = {"primary_release_date.gte": "2020-01-01", "primary_release_date.lte": "2020-12-31"}
        found = selection.ids_of_discover(client, since)
        assert set(found) == {
            i for i in dated() if CATALOGUE.fact("release_date", i).startswith("2020")
        }


def test_changes_beyond_the_last_page_are_asked_for_in_parts(tmdb, tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "PAGES", 2)  # of 100
    with Tmdb(chosen(tmdb.url, tmp_path).api, tmp_path) as client:
        found = selection.changed_ids(client, TODAY - timedelta(10), TODAY)
    assert (
        found == {i for day in range(11) for i in CATALOGUE.made_changes(TODAY - timedelta(day))}
        and len(found) > 200
    )


@pytest.mark.parametrize(
    "fault", ["", "repeat:n=2:path=/3/movie/popular", "shrink:n=1:path=/3/movie/popular"]
)
def test_a_list_is_read_to_its_end(tmdb, tmp_path, fault, monkeypatch):
    monkeypatch.setattr(selection, "PAGES", 5)
    tmdb.faults(fault)
    go(tmdb.url, tmp_path, tmdb_list="popular")
    assert len(lines(tmp_path)) >= (90 if "repeat" in fault else 100)


def test_an_export_is_taken_whole_or_not_at_all(tmdb, tmp_path):
    day = f"{date.today():%m_%d_%Y}"
    with Tmdb(chosen(tmdb.url, tmp_path).api, tmp_path) as client:
        whole, broken = selection.ids_of_export(client)
        assert broken == 0 and len(whole) == sum(not adult for adult in CATALOGUE.column("adult"))
        tmdb.faults("bad_line:path=/p/exports")
        assert selection.ids_of_export(client)[1] == 1
        tmdb.faults("cut_file:path=/p/exports")
        with pytest.raises(TmdbError, match="incomplete"):
            selection.ids_of_export(client)
        tmdb.faults(f"404:path=/p/exports/movie_ids_{day}")
        assert selection.ids_of_export(client)[0] == whole, "yesterday's"
        tmdb.faults("404:path=/p/exports")
        with pytest.raises(TmdbError, match="no daily export"):
            selection.ids_of_export(client)


def test_from_some_films_to_their_collections_and_people(tmdb, tmp_path):
    first = next(i for i in CATALOGUE.ids if CATALOGUE.collection(i))
    parts = set(CATALOGUE.made_links("collection", CATALOGUE.collection(first)))
    go(tmdb.url, tmp_path, ids=[str(first)], expand=["collections"])
    assert set(lines(tmp_path)) == parts | {first} and len(parts) > 1
    person = CATALOGUE.made_section(first, "credits")["crew"][0]
    films = {i for kind in ("cast", "crew") for i in CATALOGUE.linked(kind, person["id"])}
    go(tmdb.url, tmp_path, "b", ids=[str(first)], expand=[person["name"]])
    assert set(lines(tmp_path, "b")) == films | {first}
    with pytest.raises(UsageError, match="knows nobody"):
        go(tmdb.url, tmp_path, "c", ids=[str(first)], expand=["Nobody At All"])


# What came


def test_new_and_absent_fields_are_counted_and_break_nothing(tmdb, tmp_path):
    tmdb.faults("extra:key=softcore:path=/3/movie/,missing:keys=tagline+homepage:path=/3/movie/")
    run = open_run("a", tmp_path)
    fetch_counts = go(tmdb.url, tmp_path, ids=FEW)
    counts = ingest(fetched_records(raw_folder(run)), run, fetch_counts)
    assert counts["landed"] == 60 and counts["quarantined"] == 0
    assert counts["new_fields"]["softcore"] == 60 and {"tagline", "homepage"} <= set(
        counts["absent_fields"]
    )


def test_landing_again_needs_no_server_and_gives_the_same_bytes(tmp_path):
    with fake_tmdb("synthetic:100") as server:
        go(server.url, tmp_path, ids=FEW)
    run, found = Run("a", tmp_path), []
    for _ in range(2):
        landed(tmp_path, "a")
        found.append([run.path(table).read_bytes() for table in (schema.RAW, schema.QUARANTINE)])
    assert found[0] == found[1]


def test_where_there_is_no_new_answer_an_old_one_serves(tmdb, tmp_path):
    some, other = FEW[:20], FEW[20:25]
    go(tmdb.url, tmp_path, ids=some, fresh_days=0)
    tmdb.faults("500:path=/3/movie/")
    with pytest.raises(TmdbError, match="5 of 25 films failed .HTTP 500"):
        go(tmdb.url, tmp_path, "b", ids=some + other, attempts=1, outage_s=0)
    assert states(tmp_path, "b") == {"done": 20, "failed": 5}
    assert {line["source"] for line in lines(tmp_path, "b").values()} == {"stale"}
    (tmp_path / "data" / "cache" / "http.sqlite").unlink()
    counts = go(
        tmdb.url, tmp_path, "c", ids=some + other, attempts=1, outage_s=0, max_failed_pct=20
    )
    assert counts["sources"] == {"previous": 20} and counts["failures"] == {"HTTP 500": 5}
