"""What a user sees of the library: completion, notes on parameters, and an example for each public
function.

The parts offer their functions with `attach`, so this needs no line in a chapter.
"""

import inspect
import linecache
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from types import FunctionType, ModuleType
from typing import Any

import lazy_loader

# Function -> one line of Python, after `import tmdb_analysis as tmdb` and a run. A test runs all.
EXAMPLES: dict[str, str] = {
    "load": 'tmdb.load("movies").filter("release_year = 1999").select("title", "roi").show(5)',
    "published": "tmdb.published().report",
    "read_kpi": 'tmdb.kpi("directors").head()',
    "session": "tmdb.session().range(3).count()",
    "to_pandas": 'tmdb.to_pandas(tmdb.load("movies").select("title", "roi").limit(5))',
    "run_named": 'tmdb.kpi("directors", tmdb.run("demo")).head()',
    "find": 'tmdb.find("genre:Horror year:1990-1999 sort:-rating")',
    "sql": 'tmdb.sql("select title, roi from movies where roi > 20 order by roi desc")',
    "fetch_films": (
        "tmdb.tmdb.fetch_films(tmdb.core.store.open_run('mine'), "
        "tmdb.core.settings.settings(source='api', ids=[62]))"
    ),
    "check": 'tmdb.films.check(tmdb.load("movies"), *tmdb.films.film_checks.title_rules())',
    "flags": 'tmdb.films.flags(tmdb.load("movies"), tmdb.films.film_checks.title_rules()).show(5)',
    "movies": (
        'tmdb.films.movies(tmdb.films.clean.with_verdicts(tmdb.load("raw"))).select("title").show(5)'
    ),
    "quality": "tmdb.films.quality(outcomes=[], steps=[])",
    "money_cohort": 'tmdb.films.money_cohort(tmdb.load("movies")).count()',
    "cohort_table": 'tmdb.films.cohort_table(tmdb.load("movies")).to_pandas()',
    "group_prior": "tmdb.stats.group_prior([0.1, 0.5, 0.9], [0.2, 0.3, 0.2], [5, 4, 6])",
    "median_interval": "tmdb.stats.median_interval([0.8, 1.2, 1.7, 2, 2.2, 2.4, 3.1], range(7))",
    "pooled_interval": "tmdb.stats.pooled_interval([4, 9, 2, 7, 5], [2, 3, 2, 4, 4], range(5))",
    "rank_interval": (
        "import pandas as pd; "
        "tmdb.stats.rank_interval(pd.DataFrame({'score': [3, 1, 2], 'sd': [1, 1, 2]}))"
    ),
    "two_groups": "tmdb.stats.two_groups([1, 2, 4], [2, 3, 5], [1, 2, 3], [4, 5, 6])",
    "weighted_rating": "tmdb.stats.weighted_rating(8.1, votes=120, m=50, mean=6.5)",
    "wilson": "tmdb.stats.wilson(37, 60)",
    "all_kpis": 'tmdb.kpis.all_kpis()["director_scores"].definition',
    "kpi": (
        "tmdb.kpis.kpi(tmdb.kpis.genres.GENRES, label='genre', behind=tmdb.kpis.registry.ALL_FILMS)"
    ),
    "ranking": 'tmdb.kpis.ranking(tmdb.load("movies"), "highest_roi", top_n=5).show()',
    "best_rated": (
        'films = tmdb.load("movies"); rated = tmdb.kpis.ratings.film_ratings(films); '
        "prior = tmdb.stats.shrinkage.prior_votes(rated.vote_average, rated.vote_count); "
        "tmdb.kpis.best_rated(films, rated, prior).to_pandas()"
    ),
    "director_scores": (
        "films = tmdb.kpis.directors.director_films(tmdb.load('cohort'), tmdb.load('credits')); "
        "tmdb.kpis.director_scores(films).to_pandas()"
    ),
    "franchise_effect": 'tmdb.kpis.franchise_effect(tmdb.load("cohort").toPandas()).to_pandas()',
    "genre_returns": (
        "films = tmdb.kpis.groups.cohort_with(tmdb.load('cohort'), tmdb.load('movies'), 'genres'); "
        "tmdb.kpis.genre_returns(films).to_pandas()"
    ),
    "yearly_money": (
        "counts = tmdb.kpis.trends.release_counts(tmdb.load('movies')); "
        "films = tmdb.load('cohort').toPandas().assign(year=lambda f: f.release_year); "
        "tmdb.kpis.yearly_money(counts, films, None).to_pandas()"
    ),
    "answer_table": (
        "matrix = tmdb.search.query.query('matrix'); "
        "answer = tmdb.search.lookup.search_run(matrix, tmdb.published()); "
        "tmdb.search.answer_table(answer)"
    ),
    "answer_csv": (
        "matrix = tmdb.search.query.query('matrix'); "
        "answer = tmdb.search.lookup.search_run(matrix, tmdb.published()); "
        "print(tmdb.search.answer_csv(answer))"
    ),
    "answer_json": (
        "matrix = tmdb.search.query.query('matrix'); "
        "answer = tmdb.search.lookup.search_run(matrix, tmdb.published()); "
        "print(tmdb.search.answer_json(answer))"
    ),
    "search_films": (
        "tmdb.search.search_films(tmdb.load('movies'), tmdb.load('credits'), 'genre:War').show(5)"
    ),
    "films_by_person": 'tmdb.search.films_by_person(tmdb.load("credits"), "Uma Thurman").show()',
    "name_only_notes": (
        "tmdb.search.name_only_notes(tmdb.load('credits'), "
        "tmdb.search.query.query('cast:\"Uma Thurman\"').conditions)"
    ),
    "revenue_vs_budget": 'tmdb.charts.revenue_vs_budget(tmdb.load("movies", as_="pandas"))',
    "show": 'tmdb.report.show(tmdb.report.return_by_genre(tmdb.kpi("genre_returns")))',
    "return_by_genre": 'tmdb.report.return_by_genre(tmdb.kpi("genre_returns"))',
    "return_by_director": 'tmdb.report.return_by_director(tmdb.kpi("director_scores"))',
    "return_by_franchise": 'tmdb.report.return_by_franchise(tmdb.kpi("franchise_groups"))',
    "median_by_year": 'tmdb.report.median_by_year(tmdb.kpi("yearly_money"))',
    "risk_by_genre": 'tmdb.charts.risk_by_genre(tmdb.kpi("genre_risk"))',
    "return_in_order": (
        'tmdb.charts.return_in_order(tmdb.kpi("decades"), "decade", "decade of release")'
    ),
    "roi_by_genre": 'tmdb.charts.roi_by_genre(tmdb.load("movies", as_="pandas"))',
    "measures_by_franchise": (
        'tmdb.charts.measures_by_franchise(tmdb.kpi("franchise_vs_standalone"))'
    ),
    "path_of_franchises": 'tmdb.charts.path_of_franchises(tmdb.kpi("instalments"))',
    "return_distribution": 'tmdb.charts.return_distribution(tmdb.load("cohort", as_="pandas"))',
    "genre_lift": 'tmdb.charts.genre_lift(tmdb.kpi("genre_pairs"))',
    "popularity_vs_rating": 'tmdb.charts.popularity_vs_rating(tmdb.load("movies", as_="pandas"))',
    "correlation_matrix": 'tmdb.charts.correlation_matrix(tmdb.kpi("correlations"))',
    "pair_plot": 'tmdb.charts.pair_plot(tmdb.load("movies", as_="pandas"))',
    "what_goes_with_return": 'tmdb.charts.what_goes_with_return(tmdb.kpi("return_drivers"))',
    "known_money_by_year": 'tmdb.charts.known_money_by_year(tmdb.kpi("yearly_money"))',
    "yearly_box_office": 'tmdb.charts.yearly_box_office(tmdb.kpi("yearly"))',
    "chart_specs": 'tmdb.pages.chart_specs()["years"]',
    "fill_template": 'tmdb.pages.fill_template("failed.html.j2", heading="Failed", reason="")',
    "cells_html": (
        "import nbformat; tmdb.pages.cells_html([nbformat.v4.new_markdown_cell('# A *title*')])"
    ),
    "all_runs": "[run.id for run, facts in tmdb.runs.all_runs(tmdb.published().home)]",
    "write_pack": "from pathlib import Path; "
    "tmdb.runs.write_pack(tmdb.published(), tmdb.core.settings.settings(), Path('run.zip'))",
    "export_run": "tmdb.pages.export_run(tmdb.published(), 'zip', force=True)",
    "run_chain": "tmdb.runs.run_chain(tmdb.core.settings.settings(source='sample', run_id='mine'))",
    "write_metrics": ("tmdb.runs.write_metrics(*tmdb.runs.all_runs(tmdb.published().home)[0])"),
    "doctor": "import argparse as a, rich.console as c; "
    "tmdb.use.doctor(a.Namespace(home=None, engine=None, json=False), c.Console())",
    "main": "tmdb.use.main(['search', 'genre:Horror', '--limit', '5'])",
    "prepare": (
        "tmdb.use.prepare(tmdb.core.settings.settings(run_id='mine'), "
        "list(tmdb.runs.stages.stages()))"
    ),
    "finish": "tmdb.use.finish('mine')",
    "publish_run": (
        "tmdb.use.publish_run(tmdb.published(), "
        "tmdb.use.publish.target('postgresql://reports@localhost/films'))"
    ),
}

# Part or chapter -> what to call instead; a chapter with a function of its name needs no line.
INSTEAD: dict[str, str] = {
    "charts": 'tmdb.charts.return_by_genre(tmdb.kpi("genre_returns"))',
    "core.engine": "tmdb.session()",
    "films": 'tmdb.load("movies")',
    "kpis": 'tmdb.kpi("genres")',
    "kpis.directors": 'tmdb.kpi("directors")',
    "kpis.franchises": 'tmdb.kpi("franchises")',
    "kpis.genres": 'tmdb.kpi("genres")',
    "kpis.rankings": 'tmdb.kpi("highest_roi")',
    "report": 'tmdb.charts.return_by_genre(tmdb.kpi("genre_returns"))',
    "runs": "tmdb.runs.all_runs(tmdb.published().home)",
    "search": 'tmdb.find("genre:Horror")',
    "search.search": 'tmdb.find("genre:Horror")',
    "search.sql": 'tmdb.sql("show tables")',
}

WRITTEN = "written_docstring"  # attribute of a function whose docstring was completed


def parameter_notes(
    function: FunctionType,  # of a chapter: each parameter on a line of its own
) -> dict[str, str]:
    "The comments beside the parameters of a function."
    names = inspect.signature(function).parameters
    code = inspect.unwrap(function).__code__
    notes: dict[str, str] = {}
    is_inside = False
    for line in linecache.getlines(code.co_filename)[code.co_firstlineno - 1 :]:
        note = re.match(r"    \*{0,2}(\w+)\b.*?  # (.+)$", line) if is_inside else None
        notes |= {note[1]: note[2]} if note and note[1] in names else {}
        if line.startswith(")") and is_inside or re.match(r"def .*:(  #.*)?$", line):
            break
        is_inside = is_inside or line.startswith("def ")
    return notes


def written_docstring(
    function: Callable[..., Any],
) -> str:
    "The docstring of a function as its chapter has it, without what `complete_help` adds."
    return inspect.cleandoc(vars(function).get(WRITTEN) or function.__doc__ or "")


def full_docstring(
    function: FunctionType,  # of a chapter
) -> str:
    "The docstring of a function with the notes on its parameters and its example."
    notes = parameter_notes(function)
    width = max(map(len, notes), default=0)
    lines = [f"  {name:<{width}}  {note}" for name, note in notes.items()]
    parts = [written_docstring(function)]
    parts += ["\n".join(["Parameters:", *lines])] if lines else []
    example = EXAMPLES.get(function.__name__)
    parts += [f"Example:\n  {example}"] if example else []
    return "\n\n".join(parts)


class NotCalled(ModuleType):
    "A part or a chapter that is easily taken for a function."

    def __call__(self, *args: object, **names: object) -> None:
        "Raise `UsageError`: it says what to call."
        from tmdb_analysis.core.settings import UsageError

        own = self.__name__.partition(".")[2]
        call = INSTEAD.get(own, f"tmdb.{own}.{own.rpartition('.')[2]}(...)")
        raise UsageError(f"tmdb.{own} is a module, not a function; call {call}")


def complete_help() -> None:
    "Give each loaded chapter a `dir` of its own names, and its functions their full docstrings."
    for name, module in list(sys.modules.items()):
        package, _, place = name.partition(".")
        if package != "tmdb_analysis":
            continue
        is_chapter = place.count(".") == 1
        if place in INSTEAD or is_chapter and place.rpartition(".")[2] in module.__all__:
            module.__class__ = NotCalled
        if is_chapter and "__dir__" not in vars(module):
            vars(module)["__dir__"] = lambda names=module.__all__: sorted(names)
            for own in map(vars(module).get, module.__all__):
                if isinstance(own, FunctionType) and own.__module__ == name:
                    vars(own)[WRITTEN] = own.__doc__
                    own.__doc__ = full_docstring(own)


def class_name(kind: type) -> str:
    "The name of a class, with the package that it is from: pandas DataFrame."
    package = kind.__module__.partition(".")[0]
    return kind.__name__ if package == "builtins" else f"{package} {kind.__name__}"


def wrong_argument(
    function: FunctionType,  # of a chapter
    given: Mapping[str, Any],  # its arguments
) -> str:
    "The first argument of another class than its parameter has, in words; empty for none."
    parameters = inspect.signature(function).parameters
    for name, value in given.items():
        parameter = parameters[name]
        wanted, several = parameter.annotation, (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        takes_all_tables = hasattr(function, "__wrapped__") and "pyspark" in str(wanted)
        is_loose = wanted in (int, float, bool, object, Any) or takes_all_tables
        if is_loose or parameter.kind in several or not inspect.isclass(wanted):
            continue
        if not isinstance(value, wanted):
            note = parameter_notes(function).get(name, "see help")
            return f"{name} is of type {class_name(type(value))}, not {class_name(wanted)} ({note})"
    return ""


def missing_name(
    error: KeyError | AttributeError,  # raised by a function that read a table
) -> Any:
    "The name that is missing from a table; None if the error has another cause."
    if isinstance(error, KeyError):
        return error.args[0]
    return error.name if type(error.obj).__module__.startswith("pandas.") else None


def explain_misuse(
    function: FunctionType,  # of a chapter
    name: str = "",  # by which users call it; empty: its own
) -> Callable[..., Any]:
    "The function, which raises an error of one line for a wrong argument or a missing column."
    signature = inspect.signature(function)
    name = name or function.__name__

    @wraps(function)
    def with_explanation(*values: Any, **named: Any) -> Any:
        "The result of the function. Raises `UsageError`."
        from tmdb_analysis.core.settings import UsageError

        try:
            given = signature.bind(*values, **named).arguments
        except TypeError as error:
            takes = ", ".join(signature.parameters)
            raise UsageError(f"{name}: {error}; it takes {takes}") from None
        if fault := wrong_argument(function, given):
            raise UsageError(f"{name}: {fault}")
        try:
            return function(*values, **named)
        except (KeyError, AttributeError) as error:
            missing, notes = missing_name(error), parameter_notes(function)
            columns = [getattr(value, "columns", ()) for value in given.values()]
            if missing is None or any(missing in list(names) for names in columns):
                raise
            takes = "; ".join(f"{each}: {notes[each]}" for each in given if each in notes)
            words = f"{name}: no column or value {missing!r}; it takes {takes}"
            raise UsageError(words) from error

    return with_explanation


def attach(
    package: str,  # name of a part, or of the whole package
    submodules: Sequence[str],  # its chapters
    submod_attrs: Mapping[str, Sequence[str]],  # chapter -> the functions and classes to offer
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    "`__getattr__`, `__dir__` and `__all__` of a package that imports a name when it is first used."
    find, list_names, names = lazy_loader.attach(package, submodules, dict(submod_attrs))

    def find_with_help(name: str) -> Any:
        "A chapter, a function or a class, imported now if it is used for the first time."
        found = find(name)
        complete_help()
        if isinstance(found, FunctionType):
            found = explain_misuse(found)
            vars(sys.modules[package])[name] = found  # in place of the one that `find` kept there
        return found

    return find_with_help, list_names, names
