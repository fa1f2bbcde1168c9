"""What a user sees of the library: completion, notes on parameters, and an example for each public
function.

The parts offer their functions with `attach`, so this needs no line in a chapter.
"""

import inspect
import linecache
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from types import FunctionType
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
    "films_by_person": 'tmdb.search.films_by_person(tmdb.load("credits"), "Uma Thurman").show()',
    "name_only_notes": (
        "tmdb.search.name_only_notes(tmdb.load('credits'), "
        "tmdb.search.query.query('cast:\"Uma Thurman\"').conditions)"
    ),
    "revenue_vs_budget": 'tmdb.report.revenue_vs_budget(tmdb.load("movies").toPandas())',
    "show": 'tmdb.report.show(tmdb.report.return_by_genre(tmdb.kpi("genre_returns")))',
    "return_by_genre": 'tmdb.report.return_by_genre(tmdb.kpi("genre_returns"))',
    "return_by_director": 'tmdb.report.return_by_director(tmdb.kpi("director_scores"))',
    "return_by_franchise": 'tmdb.report.return_by_franchise(tmdb.kpi("franchise_groups"))',
    "median_by_year": 'tmdb.report.median_by_year(tmdb.kpi("yearly_money"))',
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


def complete_help() -> None:
    "Give each loaded chapter a `dir` of its own names, and its functions their full docstrings."
    for name, module in list(sys.modules.items()):
        is_chapter = name.startswith("tmdb_analysis.") and name.count(".") == 2
        if is_chapter and "__dir__" not in vars(module):
            vars(module)["__dir__"] = lambda names=module.__all__: sorted(names)
            for own in map(vars(module).get, module.__all__):
                if isinstance(own, FunctionType) and own.__module__ == name:
                    vars(own)[WRITTEN] = own.__doc__
                    own.__doc__ = full_docstring(own)


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
        return found

    return find_with_help, list_names, names
