"The library as a person uses it: lines of the README twice, completion, names that stay."

import inspect
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from pkgutil import resolve_name
from types import FunctionType, ModuleType

import pyarrow as pa
import pytest
from matplotlib.figure import Figure

import tmdb_analysis as tmdb
from tests.test_docs import blocks
from tmdb_analysis._help import EXAMPLES, INSTEAD
from tmdb_analysis.core.settings import TmdbError, UsageError
from tmdb_analysis.core.store import arrow_rows, kind_of, rows_as

README = Path(__file__).parent.parent / "README.md"
COMPLETED = """
from rlcompleter import Completer
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell(user_ns={"tmdb": tmdb})
shell.Completer.use_jedi = False  # which does not import what it completes
for texts in (Completer({"tmdb": tmdb}).attr_matches("tmdb."), shell.complete(None, "tmdb.", 5)[1]):
    found = {text.rpartition(".")[2].rstrip("()") for text in texts}
    assert found >= set(tmdb.__all__), set(tmdb.__all__) - found
for name in dir(tmdb):
    getattr(tmdb, name)
"""


@pytest.mark.integration
def test_the_lines_of_the_readme_work_again_and_after_completion(demo):
    (lines,) = blocks(README, "python")
    code = "\n".join(["import matplotlib", "matplotlib.use('Agg')", lines, lines, COMPLETED, lines])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_chain_builds_no_grammar_of_addresses():
    code = "import sys, tmdb_analysis.runs.chain; assert 'jsonschema' in sys.modules; "
    code += "assert not {'lark', 'arrow'} & sys.modules.keys(), 'a second for each command'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


PARTS = sorted(path.parent.name for path in Path(tmdb.__path__[0]).glob("*/__init__.py"))
OFFERED = [(tmdb, name) for name in tmdb.__all__]
OFFERED += [(part, name) for part in map(tmdb.__getattr__, PARTS) for name in part.__all__]
OFFERED += [(tmdb.charts, name) for name in tmdb.charts.__all__]


@pytest.mark.parametrize(
    ("package", "name"), OFFERED, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_a_public_name_means_one_thing(package, name):
    "An imported submodule is an attribute of its package: no function may have its name."
    is_module = hasattr(package, "__path__") and find_spec(f"{package.__name__}.{name}") is not None
    for found in (getattr(package, name), getattr(package, name)):
        assert isinstance(found, ModuleType) == is_module


@pytest.mark.parametrize("part", PARTS)
def test_a_part_lists_its_chapters_and_a_few_functions(part):
    package = getattr(tmdb, part)
    chapters = {path.stem for path in Path(package.__path__[0]).glob("[a-z]*.py")}
    assert chapters <= set(package.__all__)
    assert 1 <= len(set(package.__all__) - chapters) <= 8


@pytest.mark.parametrize("name", tmdb._EARLIER)
def test_names_of_earlier_versions_still_work(name):
    assert getattr(tmdb, name)


@pytest.mark.integration
def test_wrong_use_says_what_is_wrong_in_one_line(demo):
    movies = tmdb.load("movies", demo)
    wrong = [
        (
            lambda: tmdb.kpis.ranking("movies", "highest_roi"),
            "needs a table, as load('movies') gives",
        ),
        (
            lambda: tmdb.kpis.ranking(movies.select("id", "title"), "highest_roi"),
            "vote_count, vote_average, doubts, roi are missing",
        ),
        (lambda: tmdb.load("movies", demo, as_="panda"), "did you mean pandas?"),
        (lambda: tmdb.kpi("director", demo), "did you mean directors?"),
        (lambda: tmdb.kpis.ranking(movies, "highest_rio"), "did you mean highest_roi?"),
        (lambda: tmdb.load("movies", "demo"), "tmdb.run('demo')"),
        (lambda: tmdb.kpi("directors", "demo"), "tmdb.run('demo')"),
        (lambda: tmdb.find("genre:Horror", "demo"), "tmdb.run('demo')"),
        (lambda: tmdb.sql("show tables", "demo"), "tmdb.run('demo')"),
        (lambda: tmdb.run("dema"), "did you mean demo?"),
        (lambda: tmdb.run(3), "there is no run 3"),
        (lambda: tmdb.find(3), "text is of type int, not str"),
        (lambda: tmdb.to_pandas("movies"), "a table is needed"),
        (lambda: tmdb.kpis.ranking(movies, "highest_roi", top_n=-1), "whole number of 1 or more"),
        (lambda: tmdb.search.films_by_person(movies, "Uma Thurman"), "job are missing"),
        (
            lambda: tmdb.films.money_cohort("movies"),
            "films is of type str, not pyspark DataFrame (MOVIES contract)",
        ),
        (
            lambda: tmdb.kpis.genre_returns(tmdb.load("movies", demo)),
            "cohort is of type pyspark DataFrame, not pandas DataFrame (from `cohort_with`",
        ),
        (lambda: tmdb.kpi(), "kpi: missing a required argument: 'name'; it takes name, run"),
        (lambda: tmdb.kpis.ranking(movies, "highest_roi", n=5), "it takes films, name, top_n, min"),
        (
            lambda: tmdb.charts.revenue_vs_budget(tmdb.load("cohort", demo, as_="pandas")),
            "no column or value 'title'; it takes films: `id, title, budget_musd, revenue_musd`",
        ),
        (
            lambda: tmdb.charts.return_by_genre(tmdb.kpi("directors", demo)),
            "no column or value 'median_return'; it takes table: GENRE_RETURNS contract",
        ),
    ]
    for call, words in wrong:
        with pytest.raises(UsageError) as refusal:
            call()
        assert words in str(refusal.value) and "\n" not in str(refusal.value)
    assert tmdb.run("demo") == demo


def test_completion_offers_what_a_user_may_use():
    assert dir(tmdb) == sorted(tmdb.__all__)
    assert {"run", "sql", "load", "find", "kpi"} <= set(dir(tmdb))


CHAPTERS = [
    (part, path.stem)
    for part in PARTS
    for path in Path(getattr(tmdb, part).__path__[0]).glob("[a-z]*.py")
]


def test_a_chapter_lists_its_own_names_and_nothing_that_it_imports():
    for chapter in (getattr(getattr(tmdb, part), name) for part, name in CHAPTERS):
        assert dir(chapter) == sorted(chapter.__all__)


def test_charts_are_the_functions_that_draw_the_figures_of_a_report():
    chapters = [getattr(tmdb.report, name) for name in dir(tmdb.report) if name.endswith("_charts")]
    functions = [
        found
        for chapter in chapters
        for found in map(vars(chapter).get, dir(chapter))
        if isinstance(found, FunctionType) and "as_of" in found.__annotations__
    ]
    drawn = {each.__name__ for each in functions if each.__annotations__["return"] is Figure}
    assert set(dir(tmdb.charts)) == drawn | {"show"}
    assert tmdb.charts.BLUE, "names of earlier versions stay"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: tmdb.genres("Horror"), 'tmdb.kpi("genres")'),
        (lambda: tmdb.search("genre:Horror"), 'tmdb.find("genre:Horror")'),
        (lambda: tmdb.settings(), "tmdb.core.settings.settings(...)"),
    ],
)
def test_calling_a_module_says_what_to_call(call, words):
    with pytest.raises(UsageError) as refusal:
        call()
    assert words in str(refusal.value) and "\n" not in str(refusal.value)


def test_no_module_is_easily_taken_for_a_function_without_a_word():
    chapters = [getattr(getattr(tmdb, part), name) for part, name in CHAPTERS]
    assert all(callable(c) for c in chapters if c.__name__.rpartition(".")[2] in c.__all__)
    assert all(callable(resolve_name(f"tmdb_analysis.{name}")) for name in INSTEAD)


def test_help_shows_the_comments_beside_the_parameters():
    shown = inspect.getdoc(tmdb.kpis.ranking)
    assert "\n  top_n                films in the ranking\n" in shown
    assert shown.startswith("Films ranked by one value.") and "Example:\n  tmdb." in shown
    assert "\n  conditions  more conditions by name" in inspect.getdoc(tmdb.find)
    assert shown.count("Parameters:") == 1
    assert "Parameters" not in tmdb.kpis.all_kpis()["highest_roi"].definition


def test_every_public_function_has_an_example():
    offered = [getattr(package, name) for package, name in OFFERED]
    public = {found.__name__ for found in offered if isinstance(found, FunctionType)}
    assert public == EXAMPLES.keys()


# these need TMDB, PostgreSQL or a run of the chain, which other tests have
MORE_THAN_A_RUN = {"fetch_films", "publish_run", "run_chain", "prepare", "finish"}


@pytest.mark.integration
@pytest.mark.parametrize("name", [*EXAMPLES, *INSTEAD])
def test_an_example_works(name, demo, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    code = compile({**EXAMPLES, **INSTEAD}[name], name, "exec")
    if name not in MORE_THAN_A_RUN:
        exec(code, {"tmdb": tmdb})


@pytest.mark.integration
@pytest.mark.parametrize("kind", ["pandas", "arrow", "polars", "duckdb"])
def test_a_ranking_of_any_kind_of_table_has_the_published_values(kind, demo):
    films = tmdb.load("movies", demo, as_=kind)
    best = tmdb.kpis.ranking(films, "highest_roi")
    assert kind_of(best) == kind_of(films) == kind
    assert arrow_rows(best).to_pylist() == arrow_rows(tmdb.kpi("highest_roi", demo)).to_pylist()


@pytest.mark.integration
def test_a_ranking_of_no_films_is_an_empty_table(demo):
    films = tmdb.load("movies", demo, as_="pandas")
    best = tmdb.kpis.ranking(films[:0], "highest_roi")
    assert len(best) == 0 and list(best) == list(tmdb.to_pandas(tmdb.kpi("highest_roi", demo)))


def test_without_polars_the_error_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr("tmdb_analysis.core.store.find_spec", lambda name: None)
    with pytest.raises(TmdbError, match=r"pip install 'tmdb_analysis\[polars\]'"):
        rows_as(pa.table({"id": [1]}), "polars")
