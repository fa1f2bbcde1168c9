"""A pack gives the run again, byte for byte, on another machine without a network."""

import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tmdb_analysis.core.home import Run
from tmdb_analysis.runs.share import read_pack
from tmdb_analysis.use.cli import main


def tmdb(*words):
    "The command in a process of its own."
    command = [str(Path(sys.executable).with_name("tmdb")), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    "The pack of a run over files that was compared with an earlier run of the same films."
    folder = tmp_path_factory.mktemp("packed")
    films = folder / "films.jsonl"
    rows = [
        {"id": i, "title": f"Film {i}", "status": "Released", "release_date": f"{1990 + i}-06-01"}
        | {"budget": 10**7 * i, "revenue": 3 * 10**7 * i, "vote_count": 50, "vote_average": 7.1}
        | {"genres": [{"id": 27, "name": "Horror"}], "runtime": 100, "popularity": 1.5}
        | {"original_language": "en", "overview": "x", "production_companies": []}
        for i in range(1, 31)
    ]
    films.write_text("\n".join(map(json.dumps, rows[1:])))
    place = ["--source", "files", "--input", films, "--home", folder / "home"]
    done = tmdb("run", *place, "--run-id", "first")
    assert done.returncode == 0, done.stderr
    films.write_text("\n".join(map(json.dumps, rows)))
    done = tmdb("run", *place, "--run-id", "second")
    assert done.returncode == 0, done.stderr
    target = folder / "second.zip"
    done = tmdb("pack", "second", "--home", folder / "home", "-o", target)
    assert done.returncode == 0, done.stderr
    return folder, target


def test_a_replay_gives_the_same_bytes(packed, tmp_path):
    "The input and the earlier run are in the pack, so their originals may be gone."
    folder, target = packed
    pack = read_pack(target)
    assert pack.compared_with == "first" and pack.given["input"]
    moved = shutil.copy(target, tmp_path / "sent.zip")
    done = tmdb("replay", moved, "--home", tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"all {len(pack.files)} files are equal" in done.stdout
    there, here = Run("second", folder / "home"), Run("second", tmp_path / "home")
    pages = [path.relative_to(there.report) for path in there.report.glob("*.html")]
    notebooks = [path.relative_to(there.report) for path in there.report.glob("*.ipynb")]
    assert len(pages) > 10 and len(notebooks) > 10
    changed = [
        str(path)
        for path in pages + notebooks
        if (there.report / path).read_bytes() != (here.report / path).read_bytes()
    ]
    assert not changed, "equal runs give equal pages and notebooks"


@pytest.mark.nightly  # the test above replays a run on all films
def test_a_report_on_one_genre_gives_the_same_bytes(packed, tmp_path):
    "Its run on all films is in the pack, because the quality check names it."
    folder, _ = packed
    place = ["--source", "files", "--input", folder / "films.jsonl", "--home", folder / "home"]
    done = tmdb("run", *place, "--run-id", "horror", "-p", "genre=Horror")
    assert done.returncode == 0, done.stderr
    assert "23_clean" in done.stdout and "from run second; " in done.stdout
    target = tmp_path / "horror.zip"
    done = tmdb("pack", "horror", "--home", folder / "home", "-o", target)
    assert done.returncode == 0 and read_pack(target).compared_with in ("first", "second")
    done = tmdb("replay", target, "--home", tmp_path / "home")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "from run" not in done.stdout


def test_a_changed_file_is_named(packed, tmp_path):
    "A pack that promises other bytes is not called equal."
    _, target = packed
    with zipfile.ZipFile(target) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    pack = json.loads(content["pack.json"])
    pack["files"]["report/movies.csv"] = "0" * 64
    content["pack.json"] = json.dumps(pack).encode()
    wrong = tmp_path / "wrong.zip"
    with zipfile.ZipFile(wrong, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    done = tmdb("replay", wrong, "--home", tmp_path / "home")
    assert done.returncode == 1 and "report/movies.csv" in done.stdout
    assert "1 of" in done.stdout


def test_input_that_changed_since_is_refused(packed, tmp_path, capsys):
    "Its pack could not give the same numbers."
    folder, _ = packed
    films = folder / "films.jsonl"
    text = films.read_text()
    try:
        films.write_text(text.replace("Film 1", "Movie 1"))
        target = str(tmp_path / "late.zip")
        assert main(["pack", "second", "--home", str(folder / "home"), "-o", target]) == 2
    finally:
        films.write_text(text)
    assert "films.jsonl is missing or has changed" in capsys.readouterr().err
    assert not Path(target).exists()


@pytest.mark.parametrize("content", [b"", b"PK\x05\x06" + b"\0" * 18, b"%PDF-1.7"])
def test_another_file_is_no_pack(tmp_path, capsys, content):
    "One line, exit 2, and no folder."
    path = tmp_path / "films.zip"
    path.write_bytes(content)
    assert main(["replay", str(path), "--home", str(tmp_path / "home")]) == 2
    assert "films.zip: cannot be replayed" in capsys.readouterr().err
    assert not (tmp_path / "home").exists()


def test_rules_in_python_need_consent(packed, tmp_path, capsys):
    "Whoever sends a pack must not run code unasked."
    _, target = packed
    with zipfile.ZipFile(target) as archive:
        pack = json.loads(archive.read("pack.json"))
    pack["given"]["rules_file"] = ["input/rules_file/0/rules.py"]
    hostile = tmp_path / "hostile.zip"
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("pack.json", json.dumps(pack))
    assert main(["replay", str(hostile), "--home", str(tmp_path / "home")]) == 2
    assert "--allow-code" in capsys.readouterr().err
