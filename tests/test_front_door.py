"The files that a visitor of the repository meets: each is checked by its own tool or schema."

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.make_environment import ini
from tests.test_setup import copy_of_checkout

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent
SCHEMAS = {
    "github-workflows": ".github/workflows/*.yml",
    "github-issue-forms": ".github/ISSUE_TEMPLATE/[!c]*.yml",
    "github-issue-config": ".github/ISSUE_TEMPLATE/config.yml",
    "dependabot": ".github/dependabot.yml",
    "citation-file-format": "CITATION.cff",
}
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone")


def tool(*words: object, cwd: Path = ROOT, **env: str) -> subprocess.CompletedProcess:
    "A tool of the environment, and what it says."
    command = [str(TOOLS / str(words[0])), *map(str, words[1:])]
    return subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | env,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@pytest.mark.parametrize(("schema", "pattern"), SCHEMAS.items())
def test_a_file_keeps_to_its_schema(schema, pattern):
    files = sorted(ROOT.glob(pattern))
    assert files
    done = tool("check-jsonschema", "--builtin-schema", f"vendor.{schema}", *files)
    assert not done.returncode, done.stdout


def test_workflows_are_sound():
    "No script injection, no kept credentials, no action without a commit, least permissions."
    done = tool("zizmor", "--offline", "--no-progress", "--pedantic", ".github")
    assert not done.returncode, done.stdout + done.stderr


def test_a_careless_workflow_is_found(tmp_path):
    text = (ROOT / ".github/workflows/test.yml").read_text(encoding="utf-8")
    careless = text.replace("bash .ci/run", "echo ${{ github.event.pull_request.title }}")
    assert careless != text
    (tmp_path / "test.yml").write_text(careless, encoding="utf-8")
    done = tool("zizmor", "--offline", "--no-progress", tmp_path / "test.yml")
    assert done.returncode and "template-injection" in done.stdout


def steps(name: str) -> list[str]:
    "The commands of a workflow."
    flow = yaml.safe_load((ROOT / f".github/workflows/{name}.yml").read_text(encoding="utf-8"))
    return [s["run"] for job in flow["jobs"].values() for s in job["steps"] if "run" in s]


def test_workflows_call_what_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    verbs = [word for step in steps("nightly") for word in re.findall(r"make ([a-z-]+)", step)]
    assert {"test-newest", "test-nightly"} <= set(verbs)
    assert all(f"\n{verb}: " in makefile for verb in verbs)
    assert "bash .ci/run" in steps("test") and (ROOT / ".ci/run").is_file()


def test_front_door_names_the_same_project():
    "Name, version, licence, author and address are those of settings.ini."
    cite = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    settings = ini()
    assert cite["title"] == settings["lib_name"] and cite["version"] == settings["version"]
    assert cite["license"].lower() == settings["license"]
    assert [author["name"] for author in cite["authors"]] == [settings["author"]]
    assert cite["keywords"] == settings["keywords"].split()
    url = settings["git_url"]
    assert cite["repository-code"] == url
    pages = ["SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml", "binder/colab.ipynb", "README.md"]
    for page in pages:
        named = re.findall(
            r"https://github\.com/[\w-]+/[\w-]+", (ROOT / page).read_text(encoding="utf-8")
        )
        assert set(named) <= {url}, page
        assert named or page == "README.md"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    "A clone with all files committed, and the environment of this checkout."
    place = copy_of_checkout(tmp_path_factory.mktemp("front") / "clone")
    who = ["-c", "user.name=test", "-c", "user.email=test@example.org"]
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "-m", "all"]):
        subprocess.run(["git", *who, *words], cwd=place, check=True)
    (place / ".venv").mkdir()
    (place / ".venv/bin").symlink_to(TOOLS)
    return place


def hooks(clone: Path) -> dict[str, bool]:
    "Which hooks of pre-commit pass on all files. No hook may need a network."
    done = tool(
        "pre-commit",
        "run",
        "--all-files",
        "--verbose",
        cwd=clone,
        PRE_COMMIT_HOME=str(clone.parent / "pre-commit"),
        MYPY_CACHE_DIR=str(ROOT / ".mypy_cache"),
        HTTPS_PROXY="http://127.0.0.1:9",
    )
    lines = re.findall(r"\.{3,}(Passed|Failed)\n- hook id: (\S+)", done.stdout)
    return {hook: state == "Passed" for state, hook in lines}


def test_hooks_pass_on_a_clean_clone_and_find_mistakes(clone):
    config = yaml.safe_load((clone / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    names = [hook["id"] for repo in config["repos"] for hook in repo["hooks"]]
    assert {"nbdev-clean", "ruff-check", "mypy"} <= set(names)
    assert hooks(clone) == dict.fromkeys(names, True)
    chapter = clone / "nbs/3_stats/30_intervals.ipynb"
    text = chapter.read_text(encoding="utf-8")
    run = text.replace('"execution_count": null', '"execution_count": 7')
    assert run != text
    chapter.write_text(run, encoding="utf-8")
    (clone / "setup.py").write_text("import os\nx  =  1\n", encoding="utf-8")
    module = clone / "tmdb_analysis/core/display.py"
    module.write_text(module.read_text(encoding="utf-8") + "\nx: int = 'one'\n", encoding="utf-8")
    found = hooks(clone)
    shutil.copy(ROOT / "setup.py", clone)
    assert not any(found[hook] for hook in names if hook != "mypy"), found


def test_mypy_hook_finds_a_wrong_type(clone):
    "In a module that the export does not write anew."
    (clone / "tmdb_analysis/wrong.py").write_text("x: int = 'one'\n", encoding="utf-8")
    subprocess.run(["git", "add", "tmdb_analysis/wrong.py"], cwd=clone, check=True)
    assert not hooks(clone)["mypy"]


def test_devcontainer_names_what_is_there():
    "Its form was read by the devcontainer command; what it runs and forwards is checked here."
    config = json.loads((ROOT / ".devcontainer/devcontainer.json").read_text(encoding="utf-8"))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for verb in re.findall(r"make ([a-z-]+)", json.dumps(config)):
        assert f"\n{verb}: " in makefile, verb
    assert f":{ini()['min_python']}-" in config["image"]
    assert config["portsAttributes"].keys() == {str(port) for port in config["forwardPorts"]}
    python = config["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert python == "${containerWorkspaceFolder}/.venv/bin/python"


def test_binder_gets_what_it_needs():
    "The image of Binder sees what .dockerignore lets through."
    kept = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert {"!binder", "!nbs", "!settings.ini", "!setup.py", "!tmdb_analysis"} <= set(kept)
    assert os.access(ROOT / "binder/postBuild", os.X_OK)
    assert (ROOT / "binder/runtime.txt").read_text(encoding="utf-8") == "python-3.11\n"
