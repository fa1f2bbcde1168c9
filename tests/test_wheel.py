"An installed wheel runs the chain by itself, with no checkout near it."

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

ROOT = Path(__file__).parent.parent


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


@pytest.mark.integration
def test_wheel_opens_the_book_in_jupyterlab(wheel, demo, tmp_path):
    "A real server with a real kernel, far from any checkout; SIGINT ends it."
    place, home, config = (tmp_path / name for name in ("installed", "home", "config"))
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(place)]
    subprocess.run([*pip, str(wheel)], check=True)
    for folder in ("tables", "report"):
        source = getattr(demo, folder)
        shutil.copytree(source, home / source.relative_to(demo.home), copy_function=os.link)
    config.mkdir()
    (config / "jupyter_server_config.json").write_text('{"ServerApp": {"allow_root": true}}')
    env = {"PATH": os.defpath, "HOME": str(home), "PYTHONPATH": str(place)}
    env |= {"JUPYTER_CONFIG_DIR": str(config), "PYTHONUNBUFFERED": "1"}
    code = "import sys; from tmdb_analysis.use.cli import main; sys.exit(main(sys.argv[1:]))"
    words = [sys.executable, "-c", code, "lab", "--no-browser", "--home", str(home)]
    with subprocess.Popen(
        words,
        cwd=home,
        env=env,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as lab:
        try:
            found = (re.search(r"(http://127.0.0.1:\d+)/lab\S*token=(\w+)", x) for x in lab.stderr)
            base, token = next(filter(None, found)).groups()
            session = (
                requests.Session()
            )  # the server listens a moment after it has printed its address
            patient = HTTPAdapter(max_retries=Retry(connect=9, backoff_factor=0.2))
            session.mount(base, patient)
            session.headers["Authorization"] = f"token {token}"
            page = session.get(f"{base}/lab/tree/6_report/69_explore.ipynb", timeout=60)
            assert page.status_code == 200 and "JupyterLab" in page.text
            chapter = session.get(f"{base}/api/contents/6_report/69_explore.ipynb", timeout=60)
            spec = chapter.json()["content"]["metadata"]["kernelspec"]["name"]
            kernel = session.post(f"{base}/api/kernels", json={"name": spec}, timeout=60).json()
            assert kernel["name"] == "python3"
        finally:
            os.killpg(lab.pid, signal.SIGINT)  # JupyterLab asks on a terminal only
            lab.communicate(timeout=60)
    book = {path.name for path in (home / "lab").glob("[0-9]_*/*.ipynb")}
    assert book >= {path.name for path in (ROOT / "nbs").glob("[0-9]_*/[0-9]*.ipynb")}


SCRIPT = """
import tmdb_analysis as tmdb

run = tmdb.run("demo")
shown: str = run.id
tmdb.find("genre:Horror", run).head()
tmdb.sql("select title from movies", run).head()
tmdb.load("movies", run, as_="pandas").roi.median()
top = tmdb.kpis.ranking(tmdb.load("movies"), "highest_roi", top_n=5)
top.show()
scores = tmdb.kpis.directors.director_scores(tmdb.kpi("director_scores", run))
tmdb.report.revenue_vs_budget(scores).savefig("x.png")
settings = tmdb.core.settings.settings(source="sample", run_id="mine")
code: int = tmdb.use.main(["runs"])
"""
WRONG = {
    "tmdb.lod('movies')": "attr-defined",
    "tmdb.find(3)": "arg-type",
    "tmdb.kpis.ranking(tmdb.load('movies'), 'highest_roi', top_n='5')": "arg-type",
    "x: int = tmdb.published().id": "assignment",
    "tmdb.kpis.directors.director_score": "attr-defined",
}


def user_errors(wheel: Path, place: Path, script: str) -> list[str]:
    "What mypy says, strictly, of a script of a user who has installed the wheel."
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", place], check=True)
    packages = next(place.glob("lib/python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(packages)
    own = [path for path in sys.path if path.endswith("site-packages")]
    (packages / "requirements.pth").write_text("\n".join(own), encoding="utf-8")
    (place / "script.py").write_text(script, encoding="utf-8")
    mypy = [sys.executable, "-m", "mypy", "--config-file=", "--strict", "--show-error-codes"]
    mypy += ["--python-executable", str(place / "bin/python"), "script.py"]
    done = subprocess.run(mypy, cwd=place, capture_output=True, text=True, check=False)
    assert "script.py" in done.stdout or not done.returncode, done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if " error: " in line]


def test_wheel_tells_types_to_the_script_of_a_user(wheel, tmp_path):
    assert user_errors(wheel, tmp_path / "right", SCRIPT) == []
    script = "import tmdb_analysis as tmdb\n" + "\n".join(WRONG) + "\n"
    found = user_errors(wheel, tmp_path / "wrong", script)
    assert [re.search(r"\[([a-z-]+)\]$", line)[1] for line in found] == [*WRONG.values()], found
