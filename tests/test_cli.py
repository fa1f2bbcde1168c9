"The command: exit codes, one line for what a person can mend, nothing lost and nothing claimed."

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from jupyter_client.channels import HBChannel

from tmdb_analysis.use.cli import main

ROOT = Path(__file__).parent.parent
TMDB = [str(Path(sys.executable).parent / "tmdb")]


def tmdb(
    *args: str, env: dict[str, str] | None = None, cwd: Path = ROOT
) -> subprocess.CompletedProcess:
    "The command in a process of its own."
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_REMOTE"))}
    return subprocess.run(
        [*TMDB, *args],
        capture_output=True,
        text=True,
        env=clean | (env or {}),
        cwd=cwd,
        timeout=300,
        check=False,
    )


def one_line(text: str) -> str:
    "The only line of an error output."
    lines = [line for line in text.splitlines() if line.strip()]
    assert len(lines) == 1 and lines[0].startswith("tmdb: "), text
    return lines[0]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["run", "-p", "topn=5"], "did you mean top_n"),
        (["run", "-p", "top_n=three"], "top_n: Input should be a valid integer"),
        (["run", "-p", "top_n=0"], "top_n: Input should be greater than or equal to 1"),
        (
            ["run", "-p", "fetched_on=2025-13-01"],
            "fetched_on: '2025-13-01' is not a date; write it as 2026-11-22",
        ),
        (["run", "-p", "fetched_on=2999-01-01"], "fetched_on: 2999-01-01 is in the future"),
        (["run", "-p", "top_n"], "write NAME=VALUE"),
        (
            ["run", "--engine", "duckdb"],
            "engine: must be sail, spark, spark://host:port or sc://host:port",
        ),
        (["run", "--source", "files"], "needs --input"),
        (["run", "--input", "nothing.json"], "no such file or folder"),
        (["run", "--source", "sample", "--ids", "1"], "ids needs source api"),
        (["run", "--input", ".", "--ids", "1"], "input needs source files"),
        (["run", "-p", "rules_file=nothing.py"], "rules_file nothing.py: no such file"),
        (["demo", "--log-json", "."], "--log-json: Is a directory"),
        (["run", "--run-id", "../elsewhere"], "run_id"),
    ],
)
def test_wrong_usage_is_said_in_a_line_and_starts_nothing(args, said, tmp_path, capsys):
    assert main([*args, "--home", str(tmp_path)]) == 2
    assert said in one_line(capsys.readouterr().err)
    assert not list(tmp_path.iterdir())


def test_the_package_runs_as_a_module():
    words = [sys.executable, "-m", "tmdb_analysis", "--version"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("tmdb ")


LIBRARIES = set(
    "pandas numpy pyarrow pyspark grpc scipy matplotlib seaborn duckdb IPython nbformat papermill "
    "jupyter_client bs4 requests orjson msgspec psycopg nbconvert jinja2 pydantic_settings".split()
)
LIBRARIES |= {  # those that read the settings files, where there are none
    name
    for name, file in {"yaml": "config.yaml", "dotenv": ".env"}.items()
    if not (Path(__file__).parent.parent / file).exists()
}


def imported(words: str, demo) -> set[str]:
    "The top-level modules that a command has imported when it ends."
    reads = words.startswith(("runs", "open", "plan"))
    home = f"--home {demo.home}" if reads else ""
    code = (
        "import sys, tmdb_analysis\n"
        f"sys.argv = ['tmdb', *{[*words.split(), *home.split()]!r}]\n"
        "try:\n    tmdb_analysis.command()\n"
        "except SystemExit:\n    pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("words", "more"),
    [
        ("--help", {"pydantic", "yaml", "rich"}),
        ("run --help", {"pydantic", "yaml", "rich"}),
        ("fly", {"pydantic", "yaml", "rich"}),
        ("run -p read_token=abc", set()),  # Linux shows the word until the command ends
        ("params", set()),
        ("runs", set()),
        ("runs --json", set()),
        ("open --no-browser", set()),
    ],
)
def test_a_quick_verb_imports_no_library(words, more, demo):
    "These verbs answer at once because of what they do not import; a time would depend on luck."
    found = imported(words, demo)
    assert "tmdb_analysis" in found and not found & (LIBRARIES | more)


def test_a_plan_imports_no_engine(demo):
    found = imported("plan --source sample", demo)
    slow = set("pandas grpc scipy matplotlib papermill IPython requests bs4".split())
    assert "nbformat" in found and not found & slow


def test_without_a_verb_the_verbs_are_listed(capsys):
    assert main([]) == 2
    told = capsys.readouterr()
    assert not told.out and "search the films" in told.err


def test_wrong_words_exit_2():
    for args in ([], ["fly"], ["run", "--source", "moon"]):
        assert tmdb(*args).returncode == 2


def test_settings_come_in_layers(tmp_path):
    env = {"PYTHONPATH": str(ROOT), "TMDB_TOP_N": "7", "TMDB_MIN_VOTES": "50"}
    (tmp_path / "config.yaml").write_text(
        "report: {top_n: 3, min_votes: 5, roi_min_budget_musd: 1}\n"
    )
    (tmp_path / ".env").write_text("TMDB_MIN_VOTES=20\n")
    code = (
        "import tmdb_analysis.core.settings as s, pathlib; s.checkout = lambda: None\n"
        "r = s.settings(top_n=9).report; print(r.top_n, r.min_votes, r.roi_min_budget_musd)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **env},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["9", "50", "1.0"], (
        "options, then environment, then .env, then config.yaml"
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("report: {topn: 3}", "did you mean top_n"),
        ("reports: {top_n: 3}", "did you mean report"),
        ("api: {api_key: abcdef}", "is a secret; move it to .env"),
        ("- top_n", "put each setting under a section"),
        ("report: [", "line 1, column 10 is not valid YAML"),
        ("quality: {top_n: 3}", "unknown setting quality.top_n"),
    ],
)
def test_config_file_is_checked(text, said, tmp_path):
    from tmdb_analysis.core.settings import UsageError, from_yaml

    (tmp_path / "config.yaml").write_text(text)
    with pytest.raises(UsageError, match=re.escape(said)) as error:
        from_yaml(tmp_path / "config.yaml")
    assert "abcdef" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.json", b"", "cannot be read"),
        ("cut.json", b'[{"id": 1}, {"id"', "cannot be read"),
        ("cut.json.gz", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xabV\xca", "cannot be read"),
        ("noise.jsonl", bytes(range(128, 256)) * 10, "cannot be read"),
        ("other.csv", b"a,b\n1,2\n", "no table of films: columns id, title are missing (a, b)"),
        ("credits.csv", b"movie_id,title,cast,crew\n1,a,[],[]\n", "without the movies file"),
    ],
)
def test_a_file_that_cannot_be_read_stops_the_run(name, content, said, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    home = tmp_path / "home"
    assert (
        main(
            [
                "run",
                "--source",
                "files",
                "--input",
                str(tmp_path / name),
                "--home",
                str(home),
                "--run-id",
                "x",
            ]
        )
        == 1
    )
    assert said in one_line(capsys.readouterr().err)
    assert not (home / "data" / "tables" / "CURRENT").exists()


@pytest.mark.integration
def test_a_failed_run_says_so_everywhere(tmp_path):
    bad = tmp_path / "lines.jsonl"
    bad.write_text(
        '{"id": 1, "title": "A", "status": "Released"}\nnot json\n{"title": "no id"}\n[1]\n'
    )
    done = tmdb("run", "--input", str(bad), "--home", str(tmp_path), "--run-id", "x")
    assert done.returncode == 1
    assert "records can be used: broken in 3 of 4" in one_line(done.stderr)
    told = json.loads((tmp_path / "reports/x/run.json").read_text())
    assert told["source"] == "files", "--input says so"
    assert (
        told["status"] == "failed"
        and told["failed_stage"] == "27_validate"
        and told["gate"] == "fail"
    )
    for page in ("index.html", "27_validate.html", "../index.html"):
        assert "fail" in (tmp_path / "reports/x" / page).read_text().lower(), page
    assert "done" not in done.stdout and not (tmp_path / "data/tables/CURRENT").exists()
    metrics = (tmp_path / "reports/metrics.prom").read_text()
    assert (
        'tmdb_run_status{status="failed"} 1.0' in metrics
        and "tmdb_gate_failed 1.0" in metrics
        and "last_success" not in metrics
    )


@pytest.mark.integration
def test_a_run_leaves_no_heartbeat_behind(tmp_path, capsys):
    """Threads of clients that nobody stops knock at the ports of dead kernels, and slow down all
    that follows in this process."""
    before = heartbeats()
    (tmp_path / "lines.jsonl").write_text(
        '{"id": 1, "title": "A", "status": "Released"}\nnot json\nnot json\n'
    )
    assert (
        main(
            [
                "run",
                "--source",
                "files",
                "--input",
                str(tmp_path / "lines.jsonl"),
                "--home",
                str(tmp_path),
                "--run-id",
                "x",
            ]
        )
        == 1
    )
    assert (tmp_path / "reports/x/27_validate.ipynb").is_file() and heartbeats() == before


def heartbeats() -> int:
    "How many threads listen to the heart of a kernel."
    return sum(isinstance(thread, HBChannel) for thread in threading.enumerate())


@pytest.mark.integration
def test_a_run_never_touches_another(demo, capsys):
    before = {p: p.read_bytes() for p in demo.report.rglob("*") if p.is_file()}
    assert main(["demo", "--home", str(demo.home), "--run-id", "demo"]) == 2
    assert "is finished" in one_line(capsys.readouterr().err)
    assert before == {p: p.read_bytes() for p in demo.report.rglob("*") if p.is_file()}


@pytest.mark.integration
def test_kill_stops_a_run_in_the_background(tmp_path):
    background = [
        "sh",
        "-c",
        """trap "" INT; exec "$@" """,
        "sh",
    ]  # a shell tells what it starts with & to ignore Ctrl-C
    command = [*background, *TMDB, "demo", "--home", str(tmp_path), "--run-id", "x"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("20_ingest" in line for line in process.stdout), "the first stage is done"
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGTERM)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 75, said
    assert json.loads((tmp_path / "reports/x/run.json").read_text())["status"] == "stopped"


def test_a_folder_that_cannot_be_written_is_said(tmp_path, capsys):
    (tmp_path / "file").write_text("in the way")
    assert main(["demo", "--home", str(tmp_path / "file")]) == 1
    assert "choose another --home" in one_line(capsys.readouterr().err)


def test_spark_without_java_says_what_to_install(tmp_path):
    done = tmdb(
        "demo", "--engine", "spark", "--home", str(tmp_path), env={"JAVA_HOME": str(tmp_path)}
    )
    assert done.returncode == 1 and "install OpenJDK 17" in one_line(done.stderr)


def test_an_engine_that_does_not_answer_is_said(tmp_path):
    done = tmdb("demo", "--engine", "sc://127.0.0.1:9", "--home", str(tmp_path))
    assert done.returncode == 1 and "no Spark Connect server answers" in one_line(done.stderr)


def test_params_lists_every_parameter(capsys):
    assert main(["params"]) == 0
    told = capsys.readouterr().out
    from tmdb_analysis.core.settings import SECTION_OF

    assert all(name in told for name in SECTION_OF)


def test_params_says_what_is_in_force_and_who_said_so(tmp_path):
    (tmp_path / "config.yaml").write_text("report: {min_votes: 7}\n")
    code = (
        "import sys; import tmdb_analysis.core.settings as s; s.checkout = lambda: None;"
        "from tmdb_analysis.use.cli import main; sys.exit(main(sys.argv[1:]))"
    )
    words = [sys.executable, "-c", code, "params", "-p", "min_runtime=40"]
    env = os.environ | {"TMDB_TOP_N": "25", "TMDB_READ_TOKEN": "canary-token-1234"}
    told = subprocess.run(
        [*words, "--json"], capture_output=True, text=True, check=True, env=env, cwd=tmp_path
    ).stdout
    rows = {row["name"]: row for row in json.loads(told)}
    found = {n: (rows[n]["value"], rows[n]["origin"]) for n in ("top_n", "min_votes", "min_pair")}
    assert found == {
        "top_n": ("25", "environment"),
        "min_votes": ("7", "config.yaml"),
        "min_pair": ("20", "default"),
    }
    assert rows["min_runtime"]["origin"] == "command line" and "canary" not in told
    assert rows["top_n"]["allowed"] == "1 to 1000" and "upcoming" in rows["tmdb_list"]["allowed"]
    text = subprocess.run(
        words, capture_output=True, text=True, check=True, env=env, cwd=tmp_path
    ).stdout
    assert "top_n = 25  [environment; default 10]" in text and "canary" not in text
    assert all(len(line) <= 80 or " = " in line for line in text.splitlines())


def test_doctor_and_plan_speak_json(tmp_path, capsys):
    assert main(["doctor", "--json", "--home", str(tmp_path)]) == 0
    checks = {row["subject"]: row["verdict"] for row in json.loads(capsys.readouterr().out)}
    assert checks["Python"] == checks["ports"] == "ok"
    assert main(["plan", "--json", "--home", str(tmp_path)]) == 0
    reasons = json.loads(capsys.readouterr().out)
    assert len(reasons) == 15 and all(reasons.values())


def test_doctor_shows_no_secret(tmp_path):
    done = tmdb(
        "doctor",
        "--home",
        str(tmp_path),
        env={"TMDB_READ_TOKEN": "canary-token-1234", "TMDB_API_KEY": "canary-key-5678"},
    )
    assert (
        done.returncode == 0 and "key" in done.stdout and "canary" not in done.stdout + done.stderr
    )
    done = tmdb("doctor", env={"TMDB_RED_TOKEN": "x"})
    assert done.returncode == 1 and "did you mean read_token" in done.stdout


def test_lines_are_plain_when_piped(tmp_path):
    done = tmdb("params")
    assert "\x1b" not in done.stdout


def test_a_quiet_run_prints_nothing_but_errors(demo):
    words = ["demo", "--home", str(demo.home), "-q"]
    quiet = tmdb(*words, "--run-id", "quiet")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    again = tmdb(*words, "--run-id", "quiet")
    assert again.returncode == 2 and again.stderr.startswith("tmdb: run quiet is finished")
