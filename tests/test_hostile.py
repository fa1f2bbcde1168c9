"""Input and machines that mean harm or fail: one line, an exit code, and nothing lost."""

import csv
import io
import os
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tmdb_analysis.core.records import RunRecord
from tmdb_analysis.core.settings import SECTION_OF, SECTIONS
from tmdb_analysis.runs.catalog import read_facts
from tmdb_analysis.search.lookup import rows_csv
from tmdb_analysis.use.cli import main

TMDB = Path(sys.executable).parent / "tmdb"
ESCAPE = "\x1b]0;owned\x07"  # would change the title of the terminal


@pytest.fixture
def place(tmp_path, monkeypatch) -> Path:
    "An empty folder where an installed package would look for config.yaml and .env."
    monkeypatch.setattr("tmdb_analysis.core.settings.checkout", lambda: None)
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("TMDB_")]:
        monkeypatch.delenv(name)
    return tmp_path


def answer(capsys, *words: str) -> str:
    "What the command says; it ends with 0, or with 2 and one harmless line."
    try:
        code = main([*words])
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr()
    if code == 0:
        return told.out
    assert code == 2 and len(told.err.splitlines()) == 1 and not told.out, (words, code, told)
    assert told.err.startswith("tmdb: ") and told.err.rstrip("\n").isprintable(), told.err
    return told.err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("-p", "memory_gb=inf"), "finite"),
        (("-p", "min_score=nan"), "min_score"),
        (("-p", "language=e\0n"), "control character"),
        (("-p", f"genre=Horror{ESCAPE}"), "control character"),
        (("-p", "language=../en"), "language"),
        (("-p", f"{ESCAPE}=1"), "unknown setting"),
    ],
)
def test_values_that_no_setting_can_have(words, said, place, capsys):
    assert said in answer(capsys, "params", *words)


def test_a_name_from_the_command_line_does_not_reach_the_terminal(place, capsys):
    assert "owned" in answer(capsys, "open", f"a{ESCAPE}", "--home", str(place))


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("config.yaml", b"report: {genre: " + b"[" * 20_000),
        ("config.yaml", b"report:\n  genre: \xff"),
        ("config.yaml", b'report: {genre: "a\\u0007b"}'),
        (".env", b"TMDB_GENRE=\xff\xfe"),
        (".env", b"TMDB_MEMORY_GB=inf"),
    ],
)
def test_files_of_settings_that_no_editor_writes(file, content, place, capsys):
    (place / file).write_bytes(content)
    said = answer(capsys, "params")
    assert said.startswith("tmdb: ")


@given(st.sampled_from(sorted(SECTION_OF)), st.text(max_size=20))
@examples(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_value_of_any_setting_is_taken_or_refused_in_a_line(place, capsys, name, value):
    answer(capsys, "params", "-p", f"{name}={value}")


@given(st.binary(max_size=60), st.sampled_from(["config.yaml", ".env"]))
@examples(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_file_of_settings_is_read_or_refused_in_a_line(place, capsys, content, file):
    for other in ("config.yaml", ".env"):
        (place / other).unlink(missing_ok=True)
    (place / file).write_bytes(content)
    answer(capsys, "params")


def test_every_number_of_the_settings_is_finite():
    for model in SECTIONS.values():
        assert model.model_config["allow_inf_nan"] is False


def test_csv_for_a_spreadsheet_computes_nothing_and_breaks_no_row():
    titles = ["=cmd()", "+1", "-1", "@x", "\tx", 'a"b', "a\rb", "a\nb", None, "Heat"]
    text = rows_csv(pa.table({"title": titles, "genres": [["=a", "b"]] * len(titles)}))
    rows = [*csv.reader(io.StringIO(text, newline=""))][1:]
    assert [row[0] for row in rows] == [
        *("'=cmd()", "'+1", "'-1", "'@x", "'\tx", 'a"b', "a\rb", "a\nb", "", "Heat")
    ]
    assert {row[1] for row in rows} == {"'=a|b"}


@pytest.fixture
def small_disk(tmp_path):
    "A function that makes a disk of some megabytes, or changes its size."
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = []

    def resize(megabytes: int) -> Path:
        size = f"size={megabytes}m"
        how = ["-o", f"remount,{size}"] if mounted else ["-t", "tmpfs", "-o", size, "tmpfs"]
        done = subprocess.run(["mount", *how, folder], capture_output=True, check=False)
        if done.returncode:
            pytest.skip("this user cannot mount a small disk")
        mounted.append(folder)
        return folder

    yield resize
    if mounted:
        subprocess.run(["umount", folder], check=True)


@pytest.mark.integration
def test_a_full_disk_is_one_line_and_the_run_goes_on_when_there_is_room(small_disk):
    home = small_disk(3) / "home"
    words = [TMDB, "demo", "--run-id", "monday", "--home", home]
    full = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert full.returncode == 1 and "Traceback" not in full.stderr + full.stdout
    assert full.stderr.splitlines()[-1].startswith("tmdb: the disk is full")
    assert read_facts(home / "reports" / "monday").status in ("failed", "interrupted")
    small_disk(200)
    words = [TMDB, "resume", "monday", "--home", home]
    again = subprocess.run(words, capture_output=True, text=True, timeout=300, check=False)
    assert again.returncode == 0, again.stderr
    facts: RunRecord = read_facts(home / "reports" / "monday")
    assert facts.status == "ok" and facts.films == 991


@pytest.mark.parametrize(
    ("file", "content", "name"),
    [
        ("config.yaml", "quality: {rules_file: rules.py}", "rules_file"),
        ("config.yaml", "api: {base_url: 'https://example.org'}", "base_url"),
        ("config.yaml", "spark: {engine: 'sc://example.org:15002'}", "engine"),
        (".env", "TMDB_RULES_FILE=rules.py", "rules_file"),
        (".env", "TMDB_BASE_URL=https://example.org", "base_url"),
        (".env", "TMDB_ENGINE=sc://example.org:15002", "engine"),
    ],
)
def test_a_file_that_lies_in_the_current_folder_runs_no_code_and_gets_no_secret(
    file, content, name, place, capsys, monkeypatch
):
    """The token of the environment went to the host of such a file, and its rules ran as code. In a
    checkout, where the file lies beside the code, and in the environment all of it is allowed."""
    monkeypatch.setenv("TMDB_READ_TOKEN", "a.b.c")
    (place / "rules.py").write_text("RULES = []")
    (place / file).write_text(content)
    said = answer(capsys, "params")
    assert said.startswith(f"tmdb: {file}: {name} ") and f"TMDB_{name.upper()}" in said
    monkeypatch.setattr("tmdb_analysis.core.settings.checkout", lambda: place)
    assert "rate_per_second" in answer(capsys, "params")


def test_what_such_a_file_may_say(place, capsys):
    (place / "config.yaml").write_text("spark: {engine: spark}\nreport: {top_n: 7}")
    (place / ".env").write_text("TMDB_BASE_URL=https://example.org\nTMDB_READ_TOKEN=a.b.c")
    assert "7" in answer(capsys, "params")
