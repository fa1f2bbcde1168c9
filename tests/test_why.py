"Every published number says what it means and which films are behind it, and what it says is so."

import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tmdb_analysis.core.home import Run, published
from tmdb_analysis.core.settings import UsageError
from tmdb_analysis.core.store import read_kpi
from tmdb_analysis.kpis.registry import all_kpis
from tmdb_analysis.runs.catalog import run_named
from tmdb_analysis.search.why import explain
from tmdb_analysis.use.cli import main

KPIS = all_kpis()


@pytest.fixture(scope="module")
def run() -> Run:
    "The demo run."
    return published()


def landed(run: Run) -> dict[int, dict]:
    "The records of the run by position."
    return {row["seq"]: row for row in pq.read_table(run.tables / "raw.parquet").to_pylist()}


def test_every_published_table_can_be_asked_for(run):
    assert {path.stem for path in (run.report / "kpis").glob("*.parquet")} == set(KPIS)


@pytest.mark.parametrize("name", KPIS)
def test_a_definition_is_a_sentence_of_its_own(name):
    said = KPIS[name].definition
    assert (
        len(said) > 40 and said.endswith(".") and not re.search(r"contract|The same|One row", said)
    )


@pytest.mark.parametrize(
    "name", [n for n in KPIS if n not in ("money_disagreements", "money_sources")]
)  # these two are empty without a second source of money
def test_the_films_behind_the_first_row(name, run):
    table = read_kpi(name, run)
    answer = explain(name, run, str(table[KPIS[name].label].iloc[0]))
    records, row = landed(run), answer.row
    assert answer.n == len(answer.films) and answer.n > 0
    for film in answer.films.to_dict("records"):
        record = records[film["seq"]]
        assert record["id"] == film["id"] and record["origin"] == film["origin"]
    counted = next((row[c] for c in ("n_return", "n", "films") if c in row), None)
    if "id" in row:
        assert answer.films["id"].tolist() == [row["id"]]
    elif (
        name
        not in (
            "genre_pairs",
            "companies",
            "countries",
            "languages",
            "correlations",
            "money_funnel",
            "year_change",
        )
        and counted is not None
    ):
        assert answer.n == counted
    elif name == "year_change":
        assert answer.n == row["n"] + row["n_before"]
    elif name in ("genre_pairs", "companies", "countries", "languages"):
        assert answer.n == row["films"]


@pytest.mark.parametrize("name", KPIS)
def test_the_funnel_leads_from_the_records_to_the_films(name, run):
    answer = explain(name, run)
    left, taken = answer.funnel["left"].tolist(), answer.funnel["taken"].tolist()
    assert (
        left[0] == len(landed(run)) + pq.read_metadata(run.tables / "quarantine.parquet").num_rows
    )
    assert all(
        before - after == n >= 0
        for before, after, n in zip(left[:-1], left[1:], taken[1:], strict=True)
    )
    assert set(answer.parameters) == {*KPIS[name].parameters, *KPIS[name].limits}


def test_a_ranking_is_chosen_from_the_end_of_its_funnel(run):
    counted = json.loads((run.tables / "rankings.counts.json").read_text())["eligible"]
    assert {name: int(explain(name, run).funnel["left"].iloc[-1]) for name in counted} == counted


def test_of_the_command(run, capsys):
    home = str(run.home)
    assert main(["why", "highest_roi", "--row", "1", "--home", home]) == 0
    said = capsys.readouterr().out
    first = read_kpi("highest_roi", run)["title"].iloc[0]
    assert (
        first in said
        and "records read" in said
        and "roi_min_budget_musd=10" in said
        and "movies.jsonl.zst" in said
    )
    assert main(["why", "directors", "--row", "steven spielberg", "--home", home, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["n"] == told["row"]["films"] == len(told["films"])
    assert all(
        film["record"]["id"] == film["id"] and film["record"]["title"] == film["title"]
        for film in told["films"]
    )


def test_without_a_name_all_tables_are_listed(tmp_path, capsys):
    assert main(["why", "--home", str(tmp_path)]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == [*KPIS]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["highest_rio"], "did you mean highest_roi"),
        (["highest_roi", "--row", "Nosuchfilm"], "no row"),
        (["directors", "--row", "Steven Spielbreg"], "did you mean Steven Spielberg"),
    ],
)
def test_what_is_not_there_is_one_line(words, said, run, capsys):
    assert main(["why", *words, "--home", str(run.home)]) == 2
    error = capsys.readouterr().err
    assert said in error and len(error.strip().splitlines()) == 1


def test_the_page_explains_every_number(run):
    page = Path(run.report / "54_why.html").read_text(encoding="utf-8")
    for name, kpi in KPIS.items():
        part = page.partition(f'<h2 id="{name.replace("_", "-")}">')[2].partition("</article>")[0]
        assert part.startswith(kpi.title) and ">Films that count</h3>" in part, name
        assert set(re.findall(r"<td[^>]*>(\w+_\w+)</td>", part)) >= {*kpi.parameters}, name


def test_the_page_shows_one_number_at_a_time(run, visit):
    page = visit(run.report / "54_why.html")
    assert page.locator(".explained:visible").count() == 0
    page.locator(".choose .cards a").first.click()
    assert page.locator(".explained:visible h2").all_inner_texts() == ["Median return"]
    assert page.title().startswith("Median return")
    current = page.locator(".contents [aria-current]")
    assert current.all_inner_texts() == ["Median return"]
    value = page.locator(".value b:visible").inner_text()
    page.locator(".around:visible a", has_text="All numbers").click()
    assert page.locator(".explained:visible").count() == 0
    page.goto(f"{(run.report / 'index.html').as_uri()}")
    card = page.locator(".cards li").first
    assert card.locator("b").inner_text() == value
    card.click()
    page.wait_for_url("**/54_why.html#*")
    page.locator(".explained:visible h2").wait_for()
    assert page.locator(".explained:visible h2").all_inner_texts() == ["Median return"]


@pytest.mark.parametrize("script", [True, False])
def test_the_page_needs_no_script_and_prints_what_it_shows(run, visit, script):
    page = visit(run.report / "54_why.html", "#genre-risk", java_script_enabled=script)
    shown = page.locator(".explained:visible h2")
    assert shown.all_inner_texts() == [KPIS["genre_risk"].title]
    page.emulate_media(media="print")
    assert shown.count() == 1
    whole = visit(run.report / "54_why.html", java_script_enabled=script)
    whole.emulate_media(media="print")
    assert whole.locator(".explained:visible h2").count() > len(KPIS)


def test_of_an_unknown_run_nothing_is_said():
    with pytest.raises(UsageError, match="no run"):
        run_named("no-such-run")
