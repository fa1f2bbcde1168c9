"A stage runs again if anything that its numbers depend on has changed, and only then."

import json
import shutil
from pathlib import Path

import nbformat
import pytest
from bs4 import BeautifulSoup

from tmdb_analysis.core.home import Run
from tmdb_analysis.core.reach import Module, Package, installed_package, reach
from tmdb_analysis.core.records import stage_records
from tmdb_analysis.core.settings import UsageError, settings
from tmdb_analysis.runs.history import compare_runs
from tmdb_analysis.runs.plan import Planner, Proofs, differences, proved_versions
from tmdb_analysis.runs.site import notebook_html, stage_page
from tmdb_analysis.use.cli import main

SOURCE = "from tmdb_analysis.kpis.mine import number\nnumber(films)"
CHAPTERS = {
    "kpis/mine.py": "from ..films.means import average\n"
    "def number(films):\n    return average(films)\n"
    "def other(films):\n    return 1\n",
    "films/means.py": "from ..core.sums import total as summed\nLEAST = 1\n"
    'def average(films):\n    "The mean."\n    # plain\n    return summed(films) / LEAST\n',
    "core/sums.py": "def total(films):\n    return sum(films)\ndef unused():\n    return 0\n",
}


def digests(folder: Path, changes: dict[str, tuple[str, str]] | None = None) -> dict:
    "The digests of all definitions that SOURCE reaches, after some changes of the files."
    for name, text in CHAPTERS.items():
        old, new = (changes or {}).get(name, ("", ""))
        assert old in text
        place = folder / name
        place.parent.mkdir(exist_ok=True)
        place.write_text(text.replace(old, new, 1) if old else text)
    found = reach(Module("kpis.stage", SOURCE), Package(folder))
    return {key: facts.digest for key, facts in found.items()}


@pytest.mark.parametrize(
    "change",
    [
        {"core/sums.py": ("return sum(films)", "return 2 * sum(films)")},
        {"films/means.py": ("LEAST = 1", "LEAST = 2")},
        {"kpis/mine.py": ("average(films)", "average(films[1:])")},
        {"core/sums.py": ("def unused", "print(1)\ndef unused")},
    ],
    ids=["a function two modules away", "a constant", "its own", "a statement at the top"],
)
def test_changed_code_is_seen(change, tmp_path):
    assert digests(tmp_path, change) != digests(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"films/means.py": ("# plain", "# very plain")},
        {"films/means.py": ('"The mean."', '"The arithmetic mean."')},
        {"films/means.py": ("summed(films) / LEAST", "(summed(films)\n            / LEAST)")},
        {"kpis/mine.py": ("return 1", "return 2")},
        {"core/sums.py": ("return 0", "return 1")},
    ],
    ids=["a comment", "a docstring", "the layout", "a function of the same module", "another"],
)
def test_other_changes_do_not_count(change, tmp_path):
    assert digests(tmp_path, change) == digests(tmp_path)


@pytest.mark.parametrize(
    "source",
    [
        "import tmdb_analysis\ntmdb_analysis.core.sums.total(films)",
        "from tmdb_analysis import core\ncore.sums.total(films)",
        "from tmdb_analysis.core import sums\nsums.total(films)",
        "import tmdb_analysis.core.sums as sums\nsums.total(films)",
        "from tmdb_analysis.core import sums\nkept = [sums]\nkept[0].total(films)",
        "from importlib import import_module\nimport_module(name).total(films)",
        "from tmdb_analysis.core.sums import *\ntotal(films)",
        "def later():\n    from tmdb_analysis.core.sums import total\n    return total(films)",
        "from tmdb_analysis import total\ntotal(films)",
    ],
)
def test_a_function_is_found_however_it_is_reached(source, tmp_path):
    digests(tmp_path)
    assert ("core.sums", "total") in reach(Module("kpis.x", source), Package(tmp_path))


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    "A home with a finished run of the sample."
    home = tmp_path_factory.mktemp("planned")
    assert main(["demo", "--home", str(home), "--run-id", "first"]) == 0
    return home


def planned(home: Path, **options) -> dict[str, list[str]]:
    "The stages that would run with some settings, and why."
    plan = Planner(settings(home=home, source="sample", **options)).plan()
    return {chapter: reasons for chapter, reasons in plan.items() if reasons}


def test_nothing_runs_if_nothing_changed(first):
    assert planned(first) == {}


def test_a_newer_run_of_another_source_is_not_in_the_way(first, tmp_path):
    for folder in ("reports", "data/tables"):
        for name in ("first", "other"):
            shutil.copytree(first / folder / "first", tmp_path / folder / name)
    path = tmp_path / "reports/other/run.json"
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts |= {"run_id": "other", "source": "files", "input": ["films.csv"], "finished": "2999"}
    path.write_text(json.dumps(facts), encoding="utf-8")
    assert planned(tmp_path) == {}
    planner = Planner(settings(home=tmp_path, source="files", input=["films.csv"]))
    assert planner.base == Run("other", tmp_path)


def test_a_parameter_runs_the_stages_that_have_it_and_those_that_read_them(first):
    found = planned(first, min_votes=50)
    assert list(found) == ["42_rankings", "47_ratings", "54_why", "68_report"]
    assert found["42_rankings"] == ["min_votes 10 -> 50"]
    assert "best_rated" in found["68_report"][1]


def test_a_version_runs_every_stage(first, monkeypatch):
    now = proved_versions() | {"scipy": "9.9"}
    monkeypatch.setattr("tmdb_analysis.runs.plan.proved_versions", lambda: now)
    found = planned(first)
    assert len(found) == 15
    assert any("scipy" in reason and "-> 9.9" in reason for reason in found["42_rankings"])


def test_another_engine_runs_every_stage(first):
    assert planned(first, engine="spark")["28_cohort"][0] == "engine sail -> spark"


def test_a_changed_byte_of_a_table_runs_the_stage_that_wrote_it(first, tmp_path):
    home = tmp_path / "home"
    shutil.copytree(first, home)
    path = home / "data" / "tables" / "first" / "cohort.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    found = planned(home)
    assert found["28_cohort"] == ["tables/cohort.parquet of run first is changed"]
    assert "23_clean" not in found and "27_validate" not in found
    (reason,) = found["44_directors"]
    assert reason == "reads: tables/cohort.counts.json, tables/cohort.parquet written again"


def test_a_changed_byte_of_the_input_runs_all_that_read_it(first, tmp_path):
    home, films = tmp_path / "home", tmp_path / "films.jsonl"
    film = {"id": 1, "title": "A", "status": "Released", "budget": 10**7, "revenue": 10**8}
    films.write_text(json.dumps(film))
    chosen = settings(home=home, source="files", input=[str(films)])
    before = Proofs(chosen).proof("20_ingest", {})
    films.write_text(json.dumps(film | {"title": "B"}))
    now = Proofs(chosen).proof("20_ingest", {})
    assert differences("files", before["files"], now["files"]) == ["files: input changed"]


def test_words_in_the_package_run_nothing(first, tmp_path, monkeypatch):
    "A comment and a docstring in every module and chapter change nothing."
    package = installed_package()
    shutil.copytree(package.folder, tmp_path / "package")
    for path in (tmp_path / "package").glob("*/[a-z]*.py"):
        text = path.read_text(encoding="utf-8")
        path.write_text(text.replace('"""', '"""More words. ', 1) + "\n# and a comment\n")
    copy = Package(tmp_path / "package")
    monkeypatch.setattr("tmdb_analysis.runs.plan.installed_package", lambda: copy)
    assert planned(first) == {}


@pytest.mark.parametrize(
    ("module", "old", "new", "expected"),
    [
        ("core/store.py", "def sorted_rows(\n", "@print\ndef sorted_rows(\n", "28_cohort"),
        ("stats/intervals.py", "def ", "@print\ndef ", "43_franchises"),
    ],
)
def test_a_changed_function_runs_what_reaches_it(
    module, old, new, expected, first, tmp_path, monkeypatch
):
    package = installed_package()
    shutil.copytree(package.folder, tmp_path / "package")
    path = tmp_path / "package" / module
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new))
    copy = Package(tmp_path / "package")
    monkeypatch.setattr("tmdb_analysis.runs.plan.installed_package", lambda: copy)
    found = planned(first)
    assert expected in found and found[expected][0].startswith("code: ")
    assert "changed" in found[expected][0]


def test_what_code_reaches_is_kept_only_for_the_same_code(first, monkeypatch):
    chosen, path = settings(home=first, source="sample"), first / "data/cache/reach.json"
    path.unlink(missing_ok=True)
    found = Proofs(chosen).reached_code
    kept = path.read_text()
    with monkeypatch.context() as patch:
        patch.setattr("tmdb_analysis.runs.plan.reach", lambda *_: pytest.fail("parsed again"))
        assert Proofs(chosen).reached_code == found
    for damaged in ("", "[]", kept[:-9], kept.replace('"key": "', '"key": "0')):
        path.write_text(damaged)
        assert Proofs(chosen).reached_code == found and path.read_text() == kept


def pages_of(home: Path, name: str) -> dict[str, str]:
    "The pages of a run without its name in their titles, apart from the two that tell of the run."
    paths = (home / "reports" / name).glob("*.html")
    texts = {
        path.name: path.read_text().replace(f" · {name}</title>", "</title>") for path in paths
    }
    return {n: t for n, t in texts.items() if not n.startswith(("index", "method", "diff_"))}


def test_an_unchanged_run_takes_over_pages_that_nobody_changed(first, tmp_path, monkeypatch):
    home = tmp_path / "home"
    shutil.copytree(first, home)
    words, made = ["demo", "--home", str(home), "--run-id"], []

    def noted(nb, stage, *rest):
        made.append(stage)
        return stage_page(nb, stage, *rest)

    monkeypatch.setattr("tmdb_analysis.runs.site.stage_page", noted)
    changed = home / "reports/first/42_rankings.html"
    changed.write_text(changed.read_text().replace("</h1>", "!</h1>"))
    assert main([*words, "again"]) == 0
    assert made == ["42_rankings"]
    for run_id in ("first", "again"):
        (home / f"data/tables/{run_id}/pages.json").unlink()
    assert main([*words, "anew"]) == 0
    assert len(made) == 13  # after the first: each stage but the search, the numbers, the report
    pages = pages_of(home, "anew")
    assert (
        len(pages) == 17 and pages == pages_of(home, "again") and pages != pages_of(home, "first")
    )
    comparison = compare_runs(Run("first", home), Run("again", home))
    for path in [*home.glob("*/first/kpis/*.parquet"), *home.glob("data/tables/first/*.parquet")]:
        content = path.read_bytes()  # the same rows in other files: the long way
        path.unlink()
        path.write_bytes(content)
    assert compare_runs(Run("first", home), Run("again", home)) == comparison
    assert comparison["kpis"]["genres"]["parts"] == [] and len(comparison["kpis"]) > 40


def page_words(text: str) -> str:
    "What the page of an executed notebook says."
    page = BeautifulSoup(notebook_html(nbformat.reads(text, 4)), "html.parser")
    return " ".join(page.get_text(" ").split())


def test_a_run_takes_over_what_has_not_changed(first, tmp_path, capsys):
    home = tmp_path / "home"
    shutil.copytree(first, home)
    words = ["demo", "--home", str(home), "-p", "min_votes=50"]
    assert main([*words, "--run-id", "taken"]) == 0
    ran = [r.chapter for r in stage_records(Run("taken", home)) if r.copied_from is None]
    assert ran == ["42_rankings", "47_ratings", "54_why", "68_report"]
    assert main([*words, "--run-id", "computed", "--force"]) == 0
    assert not any(r.copied_from for r in stage_records(Run("computed", home)))
    taken, computed = (home / "reports" / name / "kpis" for name in ("taken", "computed"))
    names = sorted(path.name for path in computed.iterdir())
    assert names == sorted(path.name for path in taken.iterdir())
    names = [f"kpis/{name}" for name in names] + ["movies.csv", "flags.csv", "quality.json"]
    taken, computed = taken.parent, computed.parent
    assert not [n for n in names if (taken / n).read_bytes() != (computed / n).read_bytes()]
    for path in computed.glob("[0-9]*.ipynb"):
        there = (taken / path.name).read_text(encoding="utf-8")
        assert page_words(there) == page_words(path.read_text(encoding="utf-8")), path.name
        assert '"run_id": "taken"' in there and '"run_id": "first"' not in there
    for folder in (home / "data/tables/first", home / "reports/first"):
        shutil.rmtree(folder)
    assert main(["why", "highest_roi", "--row", "1", "--run-id", "taken", "--home", str(home)]) == 0


def test_a_page_with_other_words_and_another_definition_run_what_shows_them(
    first, tmp_path, monkeypatch
):
    shutil.copytree(installed_package().folder, tmp_path / "package")
    path = tmp_path / "package/kpis/genres.py"
    text = path.read_text(encoding="utf-8")
    assert '"""The films of each genre' in text
    path.write_text(text.replace('"""The films of', '"""All films of'), encoding="utf-8")
    copy = Package(tmp_path / "package")
    with monkeypatch.context() as patch:
        patch.setattr("tmdb_analysis.runs.plan.installed_package", lambda: copy)
        assert "68_report" in planned(first) and "28_cohort" not in planned(first)
    planner = Planner(settings(home=first, source="sample"))
    planner.chain["51_search"].cells.append(nbformat.v4.new_markdown_cell("More."))
    plan = planner.plan()
    assert plan["51_search"] == ["code: its page changed"] and not plan["49_coverage"]


def test_only_refuses_what_another_stage_would_contradict(first):
    chosen = settings(home=first, source="sample", min_votes=50)
    with pytest.raises(UsageError, match="47_ratings must run too"):
        Planner(chosen, only="42_rankings").plan()
    same = settings(home=first, source="sample")
    found = Planner(same, only="42_rankings").plan()
    assert [chapter for chapter, reasons in found.items() if reasons] == ["42_rankings"]


def test_from_runs_a_stage_and_all_later_ones(first):
    found = Planner(settings(home=first, source="sample"), start="51_search").plan()
    runs = [chapter for chapter, reasons in found.items() if reasons]
    assert runs == ["51_search", "54_why", "68_report"]
