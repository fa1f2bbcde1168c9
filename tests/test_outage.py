"A server that does not answer makes a fetch wait; it costs no film."

import threading
import time
from contextlib import contextmanager

import pytest

from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN
from tests.fetching import asked, chosen, go, lines, raw, states
from tmdb_analysis.core.settings import TmdbError, TryLater
from tmdb_analysis.core.store import open_run
from tmdb_analysis.tmdb import fetch
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.running import progress_line

pytestmark = pytest.mark.faults

IDS = [str(i) for i in range(1, 801)]  # every fourth is not there
WHOLE = {"done": 600, "not_found": 200}


@pytest.fixture(scope="module")
def server():
    "A local TMDB that takes its time."
    with fake_tmdb("synthetic:4000") as found:
        yield found


@pytest.fixture
def tmdb(server):
    "The same without faults, counting from zero."
    server.reset()
    server.faults("latency:ms=15")
    return server


@contextmanager
def outage(tmdb, fault: str, after: int, seconds: float):
    "From some request on, every request fails for some seconds."

    def strike():
        while not done.wait(0.01) and tmdb.stats()["requests"] < after:
            pass
        tmdb.faults(fault)
        done.wait(seconds)
        tmdb.faults("latency:ms=15")

    done = threading.Event()
    thread = threading.Thread(target=strike)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("fault", ["503", "reset"])
def test_an_outage_under_twelve_threads_loses_no_film_and_repeats_little(fault, tmdb, tmp_path):
    with outage(tmdb, fault, 200, 3):
        counts = go(tmdb.url, tmp_path, ids=IDS, attempts=3, max_failed_pct=100)
    assert states(tmp_path) == WHOLE and counts["failed"] == 0
    assert sum(asked(tmdb).values()) <= len(IDS) + 12 + 5, "those in flight, and some probes"


def test_a_server_that_is_started_again_is_waited_for(tmp_path):
    with fake_tmdb("synthetic:4000", latency_ms=15) as first:
        port = int(first.url.rpartition(":")[2])

        def crash():
            while first.stats()["requests"] < 200:
                time.sleep(0.01)
            first.kill()

        threading.Thread(target=crash).start()
        found: list = []

        def run():
            found.append(go(first.url, tmp_path, ids=IDS, attempts=3))

        thread = threading.Thread(target=run)
        thread.start()
        first.process.wait(60)
        time.sleep(2)  # the outage
        with fake_tmdb("synthetic:4000", port=port):
            thread.join(60)
    assert states(tmp_path) == WHOLE and found[0]["failed"] == 0


def test_films_that_failed_in_an_outage_are_asked_again_before_the_end(tmdb, tmp_path):
    with outage(tmdb, "503", 50, 2):
        counts = go(tmdb.url, tmp_path, ids=IDS[:200], attempts=1, workers=1, max_failed_pct=0)
    assert counts["failed"] == 0 and states(tmp_path) == {"done": 150, "not_found": 50}


def test_a_longer_outage_stops_the_run_and_the_same_command_goes_on(tmdb, tmp_path):
    with outage(tmdb, "503", 200, 60):
        with pytest.raises(TryLater, match="TMDB has not answered for .*HTTP 503.*run it again"):
            go(tmdb.url, tmp_path, ids=IDS, outage_s=2)
    kept = states(tmp_path)
    assert "failed" not in kept and kept["pending"] > 500
    assert len(lines(tmp_path)) == len(IDS) - kept["pending"]
    tmdb.faults("")
    assert go(tmdb.url, tmp_path, ids=IDS)["failed"] == 0 and states(tmp_path) == WHOLE


def test_a_stop_during_a_pause_ends_it_at_once(tmdb, tmp_path, monkeypatch):
    stop, told = threading.Event(), []

    def heard(progress):
        told.append(progress)
        if progress["silence"] and progress["silence"]["pause"] >= 4:
            stop.set()

    monkeypatch.setattr(fetch, "progress_file", lambda _: heard)
    with outage(tmdb, "503", 200, 60), pytest.raises(TryLater, match="run it again"):
        fetch.fetch_films(open_run("a", tmp_path), chosen(tmdb.url, tmp_path, ids=IDS), stop)
    assert stop.is_set() and "failed" not in states(tmp_path)
    assert progress_line(told[-1]) == "TMDB does not answer (HTTP 503): waiting 4 s"
    assert not [thread for thread in threading.enumerate() if "(worker)" in thread.name]


def test_a_film_that_alone_fails_holds_nobody_up(tmdb, tmp_path):
    tmdb.faults("500:ids=5,latency:ms=15")
    start = time.monotonic()
    with pytest.raises(TmdbError, match="1 of 800 films failed .HTTP 500"):
        go(tmdb.url, tmp_path, ids=IDS)
    assert asked(tmdb)[5] == 5 and sum(asked(tmdb).values()) == len(IDS) + 4
    assert time.monotonic() - start < 120


def test_a_list_is_waited_for_as_well(tmdb, tmp_path):
    with outage(tmdb, "503", 0, 3):
        time.sleep(0.2)
        conditions = ["with_genres=27", "primary_release_year=1999"]
        counts = go(tmdb.url, tmp_path, discover=conditions, attempts=1)
    assert counts["failed"] == 0 and counts["wanted"]


@pytest.mark.integration
def test_the_command_exits_75(tmdb, tmp_path, monkeypatch, capsys):
    tmdb.faults("503")
    monkeypatch.setenv("TMDB_BASE_URL", tmdb.url)
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    words = ["run", "--source", "api", "--ids", "1,2,3", "--home", str(tmp_path)]
    assert main([*words, "-p", "outage_s=1"]) == 75
    assert "TMDB has not answered for" in capsys.readouterr().err
    assert list(raw(tmp_path, "").glob("2*"))
