"An installed wheel runs the chain by itself, with no checkout near it."

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    "The wheel, built from the source archive of what git would commit."
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pack = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    subprocess.run([sys.executable, "-c", pack], cwd=source, check=True, capture_output=True)
    archive = str(next(folder.glob("*.tar.gz")))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), archive], check=True)
    return next(folder.glob("*.whl"))


def test_wheel_holds_the_book_and_its_data(wheel):
    names = zipfile.ZipFile(wheel).namelist()
    chapters = {p.name for p in (ROOT / "nbs").glob("[0-9]_*/[0-9]*.ipynb")}
    assert chapters <= {Path(n).name for n in names if "/_book/nbs/" in n}
    assert {"_book/data/sample/movies.jsonl.zst", "_book/data/reference/us_cpi_u.csv"} <= {
        n.split("/", 1)[1] for n in names
    }


def test_wheel_holds_the_files_of_the_pages(wheel):
    assets = ROOT / "tmdb_analysis" / "pages" / "assets"
    wanted = {p.relative_to(ROOT).as_posix() for p in assets.rglob("[a-z]*.*")}
    assert len(wanted) > 15 and wanted <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.integration
def test_wheel_runs_the_demo_anywhere(wheel, tmp_path):
    place = tmp_path / "installed"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--target",
            str(place),
            str(wheel),
        ],
        check=True,
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    env = {"PATH": os.defpath, "HOME": str(elsewhere), "PYTHONPATH": str(place)}
    code = (
        "import sys; from tmdb_analysis.use.cli import main; sys.exit(main(['demo', "
        "'--run-id', 'x']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=elsewhere,
        env=env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads((elsewhere / "reports/x/run.json").read_text())
    assert told["status"] == "ok" and "commit" not in told["versions"]
    assert (elsewhere / "data/tables/CURRENT").read_text().strip() == "x"
