"What the command is told counts: sources, names, places; and no secret is ever shown."

import json
import re
import shutil
from pathlib import Path

import pytest

from tmdb_analysis.core.home import Run, point_readers_to, published, write_text
from tmdb_analysis.core.settings import UsageError, settings
from tmdb_analysis.core.store import open_run
from tmdb_analysis.use.cli import main, parser
from tmdb_analysis.use.running import settings_from_options

CANARY = "cAn4ry"


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    "An empty folder where an installed package would look for config.yaml and .env."
    monkeypatch.setattr("tmdb_analysis.core.settings.checkout", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in ("TMDB_SOURCE", "TMDB_INPUT", "TMDB_HOME", "TMDB_POSTGRES_URL", "TMDB_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def refused(capsys, *words: str, code: int = 2) -> str:
    "The one line with which the command refuses; nothing may appear on stdout."
    try:
        ended = main([*words])
    except SystemExit as stop:
        ended = stop.code
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert ended == code and len(lines) == 1 and not told.out, (ended, told)
    assert lines[0].startswith("tmdb: ")
    return lines[0]


def pipeline(*words: str):
    "The settings of a command."
    return settings(**settings_from_options(parser().parse_args(["run", *words]))).pipeline


# Which source


@pytest.mark.parametrize(
    ("words", "source"),
    [
        ("", "sample"),
        ("--input x.json", "files"),
        ("-p input=x.json", "files"),
        ("-p fetched_on=2025-01-01", "files"),
        ("--ids 1,2", "api"),
        ("--ids-file x.txt", "api"),
        ("--discover with_genres=27", "api"),
        ("--list popular", "api"),
        ("--export", "api"),
        ("--ids 1 --expand collections", "api"),
        ("--update", "api"),
        ("-p update=true", "api"),
        ("-p update=false", "sample"),
        ("-p ids=", "sample"),
        ("--source files", "files"),
    ],
)
def test_the_source_follows_from_the_options(words, source, place):
    assert pipeline(*words.split()).source == source


@pytest.mark.parametrize(
    ("config", "env", "words", "source"),
    [
        ("{input: x.json}", {}, "", "files"),
        ("{ids: '1'}", {}, "", "api"),
        ("{export: false}", {}, "", "sample"),
        ("{}", {"TMDB_INPUT": "x.json"}, "", "files"),
        ("{}", {"TMDB_UPDATE": "1"}, "", "api"),
        ("{source: api, ids: '1'}", {"TMDB_INPUT": "x.json"}, "", "files"),
        ("{source: api, ids: '1'}", {}, "--input x.json", "files"),
        ("{source: files, input: x.json}", {}, "--source sample", "sample"),
        ("{source: files, input: x.json}", {"TMDB_SOURCE": "sample"}, "--ids 7", "api"),
        ("{source: files}", {}, "--input x.json", "files"),
        ("{input: x.json}", {}, "--source files", "files"),
    ],
)
def test_a_later_place_decides_on_the_source(config, env, words, source, place, monkeypatch):
    "What an earlier place says for another source is dropped, so run.json does not repeat it."
    (place / "config.yaml").write_text(f"pipeline: {config}\n")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    found = pipeline(*words.split())
    assert found.source == source
    assert bool(found.input) == (source == "files")
    assert source == "api" or not (found.ids or found.update)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --source sample --input x.json", "input needs source files, but source is sample"),
        ("run --source api --input x.json", "input needs source files, but source is api"),
        ("run --source files --ids 1", "ids needs source api, but source is files"),
        ("run --source sample --refresh", "refresh needs source api, but source is sample"),
        ("run --input x.json --ids 1", "input needs source files, but ids needs source api"),
        ("run --input x.json -p ids=1", "input needs source files, but ids needs source api"),
        ("run --input x.json -p input=y.json", "input is set twice"),
        ("run --source sample -p source=files", "source is set twice"),
        ("demo -p input=x.json", "input needs source files, but source is sample"),
        ("demo -p source=files", "source is set twice"),
        ("demo --input x.json", "--input"),
        ("run --expand collections", "source api needs films"),
        ("run -p fetched_on=2025-01-01", "source files needs --input"),
        ("run --input gone.json", "gone.json: no such file"),
        ("run -p input=gone.json", "gone.json: no such file"),
        ("run --ids-file gone.txt", "gone.txt: cannot be read"),
    ],
)
def test_options_that_contradict_are_refused(words, said, place, capsys):
    assert said in refused(capsys, *words.split(), *["--home", str(place / "home")])
    assert not list(place.iterdir())


def test_places_that_contradict_themselves_are_refused(place, capsys, monkeypatch):
    (place / "config.yaml").write_text("pipeline: {source: sample, input: x.json}\n")
    assert "config.yaml: input needs source files, but source is sample" in refused(capsys, "run")
    (place / "config.yaml").unlink()
    monkeypatch.setenv("TMDB_SOURCE", "api")
    monkeypatch.setenv("TMDB_INPUT", "x.json")
    assert "environment: input needs source files, but source is api" in refused(capsys, "run")


def test_a_relative_path_is_the_same_everywhere(place, monkeypatch):
    "Stages run in a folder of their own."
    monkeypatch.setenv("TMDB_INPUT", "a.json,b.json")
    assert settings().pipeline.input == [str(place / "a.json"), str(place / "b.json")]
    for words in (["-p", "input=c.json"], ["--input", "c.json"]):
        assert pipeline(*words).input == [str(place / "c.json")]


# Words that are unknown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("fly", "invalid choice: 'fly'"),
        ("run --source moon", "invalid choice: 'moon'"),
        ("run --inputs x.json", "unknown option --inputs; did you mean --input?"),
        ("run fast", "unexpected word 'fast'"),
        ("-v", "unknown option -v; see `tmdb --help`"),
        ("--verison", "did you mean --version?"),
        ("run --home", "expected one argument"),
        ("publish --wait long", "invalid float value"),
        ("export", "required"),
    ],
)
def test_unknown_words_are_said_in_a_line(words, said, place, capsys):
    assert said in refused(capsys, *words.split())


# Names and places


USED = "CURRENT current index.html Index.HTML metrics.prom README.md . .. con NUL com1.x lpt9 a. _x"


@pytest.mark.parametrize("name", USED.split())
def test_names_that_a_home_uses_are_no_names_of_runs(name, place, capsys):
    assert "run_id" in refused(capsys, "demo", "--run-id", name, "--home", str(place / "home"))
    with pytest.raises(UsageError, match="run_id"):
        open_run(name, place / "home")
    assert not list(place.iterdir())


def test_other_names_are_names_of_runs(place):
    for name in (
        "lab",
        "currently",
        "console",
        "a.b",
        "20261128T050000-000001",
        "com10",
        "index.htm",
    ):
        assert settings(run_id=name).pipeline.run_id == name


URLS = [
    "s3://bucket/x",
    "https://example.org/x.json",
    "file:///tmp/x",
    "abfss://c@a.example.org/x",
    "hdfs:/x",
]


@pytest.mark.parametrize("url", URLS)
def test_a_url_is_no_place_on_this_machine(url, place, capsys, monkeypatch):
    home = "home: must be a local or mounted folder, not a URL"
    for words in ("demo", "run", "runs", "open", "search genre:Horror", "publish", "prune"):
        assert home in refused(capsys, *words.split(), "--home", url)
    for option in ("--input", "--ids-file"):
        assert "must be a local or mounted file" in refused(capsys, "run", option, url)
    monkeypatch.setenv("TMDB_HOME", url)
    assert home in refused(capsys, "runs")
    monkeypatch.delenv("TMDB_HOME")
    (place / "config.yaml").write_text(f"pipeline: {{home: '{url}'}}\n")
    assert home in refused(capsys, "runs")
    assert [path.name for path in place.iterdir()] == ["config.yaml"]


# Which run readers see


def finished(home: Path, run_id: str, hour: int, **facts) -> Run:
    "A run that is at its end, as far as `published` looks."
    run = open_run(run_id, home)
    told = {"run_id": run_id, "status": "ok", "finished": f"2026-11-28T{hour:02}:00:00Z"}
    told["parameters"] = {"genre": "", "decade": 0}
    write_text(run.report / "run.json", json.dumps(told | facts))
    write_text(run.report / "index.html", run_id)
    (run.tables / "movies.parquet").touch()
    return run


@pytest.mark.parametrize("folders", [["report"], ["tables"], ["report", "tables"]], ids="-".join)
def test_after_deleting_the_newest_run_readers_see_the_one_before(folders, tmp_path, capsys):
    home = tmp_path
    runs = [finished(home, name, hour) for hour, name in enumerate(("b", "c", "a"))]
    finished(home, "failed", 5, status="failed")
    finished(home, "horror", 6, parameters={"genre": "Horror"})
    finished(home, "pixar", 7, parameters={"company": "Pixar"})
    finished(home, "nineties", 8, parameters={"decade": 1990})
    write_text(finished(home, "torn", 9).report / "run.json", "{")
    point_readers_to(runs[-1])
    for run in reversed(runs):
        assert published(home) == run
        assert main(["open", "--home", str(home), "--no-browser"]) == 0
        assert f"reports/{run.id}/" in capsys.readouterr().out
        for folder in folders:
            shutil.rmtree(getattr(run, folder))
    for words in (["open", "--no-browser"], ["search", "genre:Horror"], ["why", "directors"]):
        assert main([*words, "--home", str(home)]) == 1
        line = capsys.readouterr().err
        assert "only runs on some of the films exist (" in line
    assert main(["runs", "--home", str(home)]) == 0 and "horror" in capsys.readouterr().out


def test_a_run_without_tables_says_so(tmp_path, capsys):
    run = finished(tmp_path, "a", 1)
    shutil.rmtree(run.tables)
    assert main(["search", "genre:Horror", "--home", str(tmp_path), "--run-id", "a"]) == 1
    assert "run a has no tables: data/tables/a is missing" in capsys.readouterr().err


# Secrets

URL = f"postgresql://films:{CANARY}@db.example.org/films"
TAILS = [
    *(f"films:p{sign}{CANARY}@h/db" for sign in "@/?"),
    f"films:{CANARY}",
    f"films:{CANARY}/db",
]


@pytest.mark.parametrize(
    "text",
    [
        f"api: {{read_token: {CANARY}}}",
        f"pipeline: {{api_key: {CANARY}}}",
        f"read_token: {CANARY}",
        f"TMDB_READ_TOKEN={CANARY}",
        f"api:\n  read_token={CANARY}",
        f"api: {{read_token={CANARY}}}",
        f"api:\n  read_token: '{CANARY}\n",
        f"api:\n  read_token: *{CANARY}\n",
        f"api:\n  read_token: !{CANARY} x\n",
        f"api:\n  read_token: %{CANARY}\n",
        f"api:\n\tread_token: {CANARY}\n",
        f"api:\n  read_token: {CANARY}: {CANARY}\n",
        f"api:\n  read_token: {CANARY}\0\n",
        f"api: {{{{{CANARY}: 1}}: 2}}",
        f"api:\n  redis_url: redis://:{CANARY}@h\n",
        f"spark: {{spark_token: {CANARY}}}",
        f"spark: {{engine: 'sc://h:1/;token={CANARY}'}}",
        f"pipeline: {{postgres_url: '{URL}'}}",
        f"api: {{base_url: 'https://x:{CANARY}@h'}}",
    ],
)
def test_an_error_in_config_yaml_does_not_repeat_it(text, place, capsys):
    (place / "config.yaml").write_text(text)
    line = refused(capsys, "run")
    assert CANARY not in line and ("config.yaml" in line or "base_url" in line)
    assert main(["run", "--debug"]) == 2 and CANARY not in "".join(capsys.readouterr())


def test_an_error_in_yaml_says_where(place, capsys):
    (place / "config.yaml").write_text("report:\n  top_n: 3\n  genre: [Horror\n")
    assert re.search(r"config\.yaml: line 4, column 1 ", refused(capsys, "runs"))
    (place / "config.yaml").write_text("pipeline: {fetched_on: 2025-13-45}\n")
    assert "config.yaml: a date does not exist" in refused(capsys, "runs")
    (place / "config.yaml").write_text("pipeline: {fetched_on: 2025-12-09}\n")
    assert settings(input="x.json").pipeline.fetched_on == "2025-12-09"


@pytest.mark.parametrize("sign", [" ", ": ", '="'])
def test_an_error_in_dotenv_does_not_repeat_it(sign, place, capsys):
    (place / ".env").write_text(f"# mine\nTMDB_TOP_N=5\nTMDB_READ_TOKEN{sign}{CANARY}\n")
    assert refused(capsys, "runs") == "tmdb: .env: line 3 is invalid; write it as NAME=value"
    (place / ".env").write_bytes(b"TMDB_READ_TOKEN=\xff" + CANARY.encode())
    assert CANARY not in refused(capsys, "runs")
    (place / ".env").unlink()
    (place / ".env").mkdir()
    assert settings().report.top_n == 10, (
        "a virtual environment of this name is none of our business"
    )


@pytest.mark.parametrize("tail", TAILS)
def test_a_database_url_that_cannot_be_read_stays_hidden(tail, place, capsys, monkeypatch):
    finished(place, "a", 1)
    monkeypatch.setenv("TMDB_POSTGRES_URL", f"postgresql://{tail}")
    assert main(["publish", "a", "--home", str(place), "--debug"]) == 2
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err and "%40" in told.err.splitlines()[-1]
    main(["doctor", "--home", str(place)])
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err and "%40" in told.out


@pytest.mark.parametrize("sign", "@/#?")
def test_a_redis_url_that_cannot_be_read_stays_hidden(sign, place, capsys, monkeypatch):
    monkeypatch.setenv("TMDB_REDIS_URL", f"redis://:p{sign}{CANARY}@h:1/0")
    line = refused(capsys, "prune", "--home", str(place))
    assert "redis_url: escape @ in the password as %40" in line and CANARY not in line
    main(["doctor", "--home", str(place)])
    told = capsys.readouterr()
    assert CANARY not in told.out + told.err


@pytest.mark.parametrize(
    "words",
    [
        ["run", "-p", f"read_token={CANARY}"],
        ["run", "-p", f"api_key={CANARY}"],
        ["demo", "-p", f"spark_token={CANARY}"],
        ["run", "-p", f"postgres_url={URL}"],
        ["run", "-p", f"postgres_url=postgresql://films@h/db?password={CANARY}"],
        ["run", "-p", f"postgres_url=postgresql://films:x@{CANARY}@h/db"],
        ["run", "-p", f"redis_url=redis://:{CANARY}@h"],
        ["publish", "--to", URL],
        ["publish", "--to", f"postgresql://films@h/db?password={CANARY}"],
        ["publish", "--to", f"postgresql://films@{CANARY}@h/db"],
        ["publish", "--to", f"postgresql://films:{CANARY}/db"],
        ["run", "--engine", f"sc://h:1/;token={CANARY}"],
        ["run", "-p", f"engine=sc://h:1/;use_ssl=true;token={CANARY}"],
        ["doctor", "--engine", f"sc://h:1/;token={CANARY}"],
        ["run", "-p", f"read_token:{CANARY}"],
        ["run", "-p", CANARY],
        ["run", "--read-token", CANARY],
        ["run", f"--read-token={CANARY}"],
        ["run", "--ids", "1", "--discover", f"api_key={CANARY}"],
    ],
    ids=lambda words: " ".join(words[:3]).replace(CANARY, "x"),
)
def test_a_secret_on_the_command_line_is_refused(words, place, capsys):
    finished(place / "home", "a", 1)
    line = refused(capsys, *words, "--home", str(place / "home"))
    assert CANARY not in line
    files = [path for path in place.rglob("*") if path.is_file()]
    assert files and not [path for path in files if CANARY.encode() in path.read_bytes()]


def test_a_url_without_a_password_may_stand_on_the_command_line(place):
    urls = {"postgres_url": "postgresql://films@h:5432/db", "redis_url": "redis://h:6379/0"}
    for name, url in urls.items():
        assert (
            settings_from_options(parser().parse_args(["run", "-p", f"{name}={url}"]))[name] == url
        )
