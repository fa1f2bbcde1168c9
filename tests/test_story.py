"""The report as a story: its first screen, its sections, and reports on one genre or few films."""

import json
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tests.test_pages import film
from tmdb_analysis.core.home import Run
from tmdb_analysis.use.cli import main


def page(run: Run, name: str = "index") -> BeautifulSoup:
    "A page of a run."
    text = (run.report / f"{name}.html").read_text(encoding="utf-8")
    return BeautifulSoup(text, "html.parser")


def findings(run: Run) -> dict[str, dict]:
    "The stored findings of a run by anchor."
    stored = json.loads((run.report / "findings.json").read_text(encoding="utf-8"))
    return {found["address"]: found for found in stored}


def run_films(home: Path, films: list[dict], *more: str) -> Run:
    "A run over some films."
    (home / "films.json").write_text(json.dumps(films))
    words = ["run", "--source", "files", "--input", str(home / "films.json"), "--home", str(home)]
    assert main([*words, "--run-id", "some", *more]) == 0
    return Run("some", home)


@pytest.fixture(scope="module")
def three(tmp_path_factory) -> Run:
    "A run over three films."
    titles = ["One", "Two", "Three"]
    home = tmp_path_factory.mktemp("three")
    return run_films(home, [film(i, title) for i, title in enumerate(titles, 1)])


def test_the_first_screen_says_what_the_data_are(demo):
    front = page(demo).main
    about = front.p.get_text()
    assert "not a picture of the market" in about and "1916 to 2019" in about
    assert "750 of 991 (76%) have usable budget and revenue" in about


def test_three_answers_are_findings_with_their_evidence(demo):
    front, stored = page(demo).main, findings(demo)
    told = front.find("dl", class_="answers")
    assert [dt.text for dt in told("dt")] == ["What returns", "What is risky", "What to build on"]
    for answer, link in zip(told("dd"), told("a"), strict=True):
        found = stored[link["href"][1:]]
        words = " ".join(answer.get_text().split())
        assert f"{found['heading']} ({found['evidence']})." in words


def test_each_card_has_an_interval_n_and_a_comparison(demo):
    cards = page(demo).main.find("ul", class_="cards")("li")
    assert 3 <= len(cards) <= 6
    for card in cards:
        words = card.get_text(" ", strip=True)
        assert " to " in words and "n = " in words, words
        assert ": " in card("span", recursive=False)[2].text, words


def test_heading_contents_and_chart_say_the_same(demo):
    report, stored = page(demo), findings(demo)
    contents = {a["href"][1:]: a.text for a in report.select("nav.contents a")}
    for anchor, found in stored.items():
        heading = report.find("h2", id=anchor)
        assert (heading is not None) == bool(found["evidence"]), anchor
        if heading:
            assert heading.text == found["heading"] == contents[anchor]


def test_the_method_is_one_click_away(demo):
    report, method = page(demo), page(demo, "method")
    assert report.main.find("a", href="method.html")
    titles = [heading.text for heading in method("h2")]
    assert {"Definitions", "Downloads", "Stages", "From records to usable money"} <= {*titles}
    assert not {"Definitions", "Stages", "Downloads"} & {h.text for h in report("h2")}
    steps = [row("td") for row in method.find("table")("tr") if row("td")]
    taken = [int(number.text.replace(",", "").replace("−", "-")) for _, number in steps]
    at = [step.text for step, _ in steps].index("films in this report")
    assert sum(taken[:at]) == taken[at] and sum(taken[at:-1]) == taken[-1] == 750


def test_no_page_for_readers_shows_backticks_or_codes(demo):
    for name in ("index", "method"):
        assert "`" not in page(demo, name).main.get_text(), name
    assert "English" in page(demo).main.get_text()


def test_a_report_on_three_films_shows_the_films(three):
    report = page(three).main
    rows = report.find("h2", id="films").find_next("table").tbody("tr")
    assert [row.td.text for row in rows] == ["One", "Two", "Three"]
    text = report.get_text(" ", strip=True)
    assert "first 1 of 1" not in text and "Saved searches" not in text
    assert "too few films to compare genres" in text and not report.find("ul", class_="cards")
    anchors = {tag["id"] for tag in report(id=True)}
    links = [a["href"][1:] for a in report.select("dl.answers a")]
    assert set(links) <= anchors


def test_a_few_films_say_what_they_returned(three):
    told = findings(three)["films"]
    report = page(three).main
    assert told["heading"] == "Both films grossed 2× their budget"
    assert "grossed" in told["evidence"]
    assert report.find("h2", id="films").text == told["heading"]
    assert report.dl.dt.text == "What they returned" and told["heading"] in report.dl.dd.text
    (chart,) = report.find_all("figure")
    assert "Worldwide gross and production budget" in chart.text


def test_a_report_without_money_has_no_empty_table(tmp_path):
    films = [film(i, f"Film {i}") | {"budget": 0, "revenue": 0} for i in range(1, 30)]
    report = page(run_films(tmp_path, films)).main
    assert "(0 rows)" not in report.text and "No film has usable budget and revenue" in report.text
    assert len(report.find(string="Not in this report").find_next("ul")("li")) == 1


def test_a_section_states_its_finding_once(demo):
    report = page(demo).main
    for found in findings(demo).values():
        heading = report.find("h2", id=found["address"])
        if heading and found["address"] != "origins":
            text = heading.find_next("p").find_next("p").text
            assert not text.startswith(found["heading"]), text
        repeated = [p for p in report.select("figure p.repeated") if p.text == found["heading"]]
        assert len(repeated) <= 1


def test_one_genre_is_not_compared_with_itself(tmp_path):
    films = [film(i, f"Film {i}") for i in range(1, 60)]
    for each in films:
        each["genres"] = [{"id": 1, "name": "Horror"}, {"id": 2, "name": "Thriller"}]
    run = run_films(tmp_path, films, "-p", "genre=Horror")
    report = page(run)
    assert report.h1.text == "What Horror films return"
    assert not findings(run)["genres"]["evidence"] and report.find("h2", id="genres") is None
    assert "out of 59" in report.main.p.text
    assert "riskiest" not in report.main.get_text()
