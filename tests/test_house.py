"""The house itself: layers, the book in step with the library, pins in step with each other,
nothing private in it."""

import ast
import filecmp
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from tests.make_book import readme
from tests.make_environment import environment, locked, required
from tests.make_stubs import stubs
from tmdb_analysis.core.reach import assigned_names
from tmdb_analysis.core.settings import SECTION_OF, settings
from tmdb_analysis.runs.stages import PLANNED, has_tag, stage_parameters, stages

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "tmdb_analysis"
CHAPTERS = sorted((ROOT / "nbs").glob("[0-9]_*/[0-9]*.ipynb"))
MODULES = {f"{p.parent.name}.{p.stem}": p for p in sorted(PACKAGE.glob("*/[a-z]*.py"))}


def module_of(chapter: Path) -> str:
    "The module that a chapter exports to, if it exports one: `films.clean` for `2_films/23_clean`."
    return f"{chapter.parent.name[2:]}.{chapter.stem[3:]}"


NUMBERS = {module_of(chapter): int(chapter.stem[:2]) for chapter in CHAPTERS}


def imported(path: Path) -> set[str]:
    "The modules of the package that a module imports, as `part.chapter`."
    here = ["tmdb_analysis", *path.relative_to(PACKAGE).parts[:-1]]
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) + 1 - node.level] if node.level else []
            module = ".".join([*base, *filter(None, [node.module])])
            names = [module, *(f"{module}.{alias.name}" for alias in node.names)]
            found |= {name.removeprefix("tmdb_analysis.") for name in names}
    return found & MODULES.keys()


@pytest.mark.parametrize("module", MODULES)
def test_a_chapter_imports_only_smaller_numbers(module):
    others = imported(MODULES[module]) - {module}  # a chapter may name its own module
    above = {other for other in others if NUMBERS[other] >= NUMBERS[module]}
    assert not above, f"{module} imports {above}, which have larger numbers"


def test_imports_are_found():
    assert {"core.store", "kpis.registry"} <= imported(MODULES["kpis.rankings"])


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_is_in_its_part(chapter):
    """A part imports only lower parts, because its digit is the first of the numbers of its
    chapters."""
    assert chapter.stem[0] == chapter.parent.name[0], (
        "the first digit of a chapter is that of its part"
    )
    code = nbformat.read(chapter, as_version=4).cells[0].source
    target = re.search(r"default_exp (\S+)", code)
    assert target is None or target[1] == module_of(chapter)


def names_of(module: Path) -> set[str]:
    "The top-level functions, classes and constants that a module defines."
    tree = ast.parse(module.read_text(encoding="utf-8"))
    stored = [t for n in tree.body if isinstance(n, ast.Assign) for t in n.targets]
    stored += [n.target for n in tree.body if isinstance(n, ast.AnnAssign)]
    defined = {n.name for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
    return defined | {t.id for t in stored if isinstance(t, ast.Name)} - {"__all__"}


def test_a_top_level_name_exists_once_in_the_package():
    "A search for a name, and a traceback, find one thing."
    modules: dict[str, list[str]] = {}
    for module, path in MODULES.items():
        for name in names_of(path):
            modules.setdefault(name, []).append(module)
    assert not {name: found for name, found in modules.items() if len(found) > 1}


def test_every_module_has_a_chapter_and_every_number_one():
    assert MODULES.keys() <= NUMBERS.keys(), "delete the module that no chapter exports"
    assert len(set(NUMBERS.values())) == len(CHAPTERS)


def test_export_and_clean_change_nothing(tmp_path):
    for name in ("nbs", "tmdb_analysis"):
        shutil.copytree(
            ROOT / name,
            tmp_path / name,
            ignore=shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints"),
        )
    shutil.copy(ROOT / "settings.ini", tmp_path)
    for tool in ("nbdev_clean", "nbdev_export"):
        subprocess.run(
            [Path(sys.executable).parent / tool], cwd=tmp_path, check=True, capture_output=True
        )
    for name in ("nbs", "tmdb_analysis"):
        made = {
            p.relative_to(tmp_path)
            for p in (tmp_path / name).rglob("*.*")
            if p.suffix in (".py", ".ipynb")
        }
        changed = [
            str(p)
            for p in made
            if not (ROOT / p).is_file() or not filecmp.cmp(ROOT / p, tmp_path / p, False)
        ]
        assert not changed, f"run `make book` and commit: {changed}"


def test_stubs_say_what_the_parts_offer():
    stale = [str(p) for p, text in stubs().items() if p.read_text(encoding="utf-8") != text]
    assert not stale, "run `make book`, which writes them"


def test_readme_is_made_from_the_index():
    assert (ROOT / "README.md").read_text(encoding="utf-8") == readme()


def test_readme_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", readme())
    assert links and not [
        link for link in links if "://" not in link and not (ROOT / link).exists()
    ]


def test_pins_agree():
    versions = locked(platform.python_version())
    assert {name.split("[")[0] for name in required()} <= versions.keys(), "run `make lock`"
    assert (ROOT / "environment.yml").read_text(encoding="utf-8") == environment(), (
        "run `make lock`"
    )
    from importlib.metadata import version

    differing = {
        n: version(n)
        for n in (name.split("[")[0] for name in required())
        if version(n) != versions[n]
    }
    assert not differing, "the environment is not that of requirements.lock: run `make setup`"


def test_lock_has_hashes_and_no_addresses():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in lock and len(re.findall(r"^[a-z0-9].*==", lock, re.M)) <= lock.count(
        "--hash=sha256:"
    )


def test_stages_are_the_chapters_with_parameters():
    names = list(stages())
    assert names == sorted(names) and names[0] == "20_ingest" and names[-1] == "68_report"


@pytest.mark.parametrize("name", stages())
def test_parameters_of_a_stage_are_settings_with_the_same_default(name):
    nb = stages()[name]
    cell = next(c for c in nb.cells if has_tag(c, "parameters"))
    declared: dict = {}
    exec(cell.source, declared)
    assert set(assigned_names(cell.source)) <= SECTION_OF.keys() | PLANNED.keys()
    values = stage_parameters(nb, settings(home=None))
    assert values == {n: declared[n] for n in values}


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda p: p.stem)
def test_a_chapter_is_written_to_be_read(path):
    nb = nbformat.read(path, as_version=4)
    first, second = nb.cells[0], nb.cells[1] if nb.cells[0].cell_type == "code" else nb.cells[0]
    title = second if first.cell_type == "code" else first
    assert re.match(r"# .+\n\n> .+", title.source), (
        "a title and a line that says what the chapter is for"
    )
    stored = str([cell.get("outputs") for cell in nb.cells])
    assert (
        "'name': 'stderr'" not in stored
        and "<object at 0x" not in stored
        and "Traceback" not in stored
    )


def tracked() -> list[Path]:
    "The files of the project; all files where there is no git."
    git = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if git.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in git.stdout.split("\0") if name and (ROOT / name).is_file()]


def test_nothing_names_a_machine():
    private = re.compile(r"(?<![\w./])/(home|root|Users|work|opt)/[A-Za-z0-9_.-]+/|site-packages/")
    allowed = {"test_house.py", "CONTRIBUTING.md"}
    kinds = (".py", ".ipynb", ".md", ".ini", ".yml", ".toml", "")
    texts = [p for p in tracked() if p.suffix in kinds and p.name not in allowed]
    found = [
        p.name for p in texts if private.search(p.read_text(encoding="utf-8", errors="ignore"))
    ]
    assert not found


def test_verbs_of_make_are_documented():
    listed = subprocess.run(
        ["make", "--no-print-directory"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    verbs = {line.split()[0] for line in listed.splitlines()}
    wanted = (
        "setup demo lab report run-pipeline test test-integration test-coverage format lint "
        "type-check bench book lock clean"
    )
    assert set(wanted.split()) <= verbs
