"The page of films and searches: what it answers in a browser is what the command answers."

from pathlib import Path

import pyarrow as pa
import pytest
from bs4 import BeautifulSoup

from tests.browser import CREW, ready, unpacked, until
from tmdb_analysis.core.schema import MOVIES
from tmdb_analysis.core.settings import UsageError
from tmdb_analysis.pages.films import (
    DETAILS,
    SEARCH_COLUMNS,
    covered_words,
    films_html,
    fitting_data,
)
from tmdb_analysis.search.lookup import search_run
from tmdb_analysis.search.query import query
from tmdb_analysis.search.search import SAVED_SEARCHES

FILMS = pa.schema([MOVIES.schema.field(name) for name in SEARCH_COLUMNS])
QUESTIONS = [
    *SAVED_SEARCHES.values(),
    "genre:horror year:1990-1999 votes>=100 sort:-rating",
    'director:"robert rodriguez" -genre:Action sort:title',
    'cast:"bruce willis" genre:Action',
    'cast:#62 OR director:"Quentin Tarantino" sort:year limit:7',
    "star wars",
    "title:star -title:wars sort:title",
    "company:pixar sort:-revenue",
    "company:disney roi>10 sort:-roi",
    'country:Germany -language:en OR country:"Hong Kong"',
    "genre:Horror OR genre:War year:1990- rating>=6.5 sort:-votes",
    'collection:"star wars collection" sort:budget',
    "franchise:#10 sort:-profit",
    "decade:1930 sort:runtime",
    'writer:"stephen king"',
    'crew:"john williams" sort:-popularity',
    'crew:"quentin tarantino" sort:year',
    'person:"clint eastwood" sort:year',
    "budget<1 sort:-budget",
    "spoken:Français year:-1979",
    'cast:"Penelope Cruz"',
    "runtime=100 OR runtime=101 -genre:Drama sort:-runtime",
    "profit>500 sort:-profit limit:5",
    "genre:Nothing",
]
MISTAKES = [
    "gnere:Horror", 'cast:"Bruce Willis', "year:90s", "year:99", "year:1999-1990", "genre>3",
    "genre:", "cast:#me", "limit:0", "x -sort:year", "sort:year sort:votes", "sort:-ratng",
    "genre:War OR", "OR genre:War",
]  # fmt: skip


@pytest.fixture
def search(visit, demo):
    "The page of films of the demo run."
    page = visit(demo.report / "51_search.html")
    ready(page)
    return page


def listed(page) -> list[int]:
    "The ids of the films that the page lists, after all presses of the button for more."
    while page.locator("#more").is_visible():
        page.click("#more")
    rows = page.eval_on_selector_all("#films tbody tr", "rows => rows.map(r => r.dataset.id)")
    return [int(id) for id in rows]


def test_the_page_answers_as_the_command_does(search, demo):
    counts = []
    for text in QUESTIONS:
        search.fill("#q", text)
        answer = search_run(query(text), demo)
        counts.append(answer.total)
        assert listed(search) == answer.films["id"].to_pylist(), text
        films = f"{answer.total:,} film" + "s" * (answer.total != 1)
        assert search.inner_text("#n").startswith(films), text
    assert sum(n > 0 for n in counts) > 20 and max(counts) > 50


def test_a_mistake_is_said_and_the_last_answer_stays(search):
    search.fill("#q", "genre:War")
    films = listed(search)
    for text in MISTAKES:
        with pytest.raises(UsageError):
            query(text)
        search.fill("#q", text)
        assert search.get_attribute("#q", "aria-invalid") == "true", text
        assert "film" not in search.inner_text("#n").split(".")[0][:8], text
        assert listed(search) == films
    search.fill("#q", "genre:War")
    assert search.get_attribute("#q", "aria-invalid") is None


def test_the_address_keeps_the_question(visit, demo):
    page = visit(demo.report / "51_search.html", "#q=genre%3AWar+year%3A1990-1999")
    ready(page)
    assert page.input_value("#q") == "genre:War year:1990-1999"
    films = listed(page)
    assert films == search_run(query("genre:War year:1990-1999"), demo).films["id"].to_pylist()
    page.reload()
    ready(page)
    assert listed(page) == films
    page.click("button[type=reset]")
    until(lambda: page.evaluate("location.hash") == "")
    assert page.inner_text("#n").startswith("All ")


def test_links_lead_to_tmdb_and_to_questions(search):
    search.fill("#q", 'director:"Quentin Tarantino"')
    title = search.locator("#films td.name a").first
    assert title.get_attribute("href").startswith("https://www.themoviedb.org/movie/")
    search.locator("#films td.words a").first.click()
    until(lambda: search.input_value("#q").startswith("genre:"))
    search.fill("#q", "director:tarantino")
    assert "no such name" in search.inner_text("#notes")
    search.click("#notes a")
    until(lambda: search.input_value("#q") == 'director:"Quentin Tarantino"')
    assert len(listed(search)) > 3


def test_a_head_sorts_by_keyboard(search):
    search.fill("#q", "genre:War")
    search.focus("#films thead button:has-text('Year')")
    search.keyboard.press("Enter")
    assert search.input_value("#q") == "genre:War sort:-year"
    assert search.get_attribute("#films th:has-text('Year')", "aria-sort") == "descending"
    search.keyboard.press("Enter")
    assert search.input_value("#q") == "genre:War sort:year", "the focus stays on the head"
    years = search.locator("#films tbody td:nth-child(2)").all_inner_texts()
    assert years == sorted(years) and len(set(years)) > 3


def test_saved_searches_stay_below(search):
    heads = search.locator(".saved h2").all_inner_texts()
    assert len(heads) == len(SAVED_SEARCHES) and search.locator(".saved table").count() == 2


@pytest.mark.parametrize("question", ["", "#q=genre%3AWar", "#q=gnere%3AWar", "#q=cast%3Abruce"])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_an_answer(visit, demo, scheme, question):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page = visit(demo.report / "51_search.html", question, color_scheme=scheme)
    ready(page)
    page.click("summary")
    found = axe.Axe().run(page).response["violations"]
    assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in found]


@pytest.mark.parametrize("width", [320, 390, 1280])
def test_an_answer_fits_the_window(visit, demo, width):
    page = visit(
        demo.report / "51_search.html",
        "#q=genre%3AWar+sort%3A-profit",
        viewport={"width": width, "height": 844},
    )
    ready(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def film(id: int, **more) -> dict:
    "A film about which only what is given is known."
    return {**dict.fromkeys(SEARCH_COLUMNS), "id": id, "title": f"Film {id}", **more}


def credit(movie: int, order: int, job: str = "Actor", **more) -> dict:
    "A credit of somebody of their own."
    kind = "cast" if job == "Actor" else "crew"
    person = movie * 1000 + order + (500 if kind == "crew" else 0)
    made = {"movie_id": movie, "kind": kind, "order": order, "person_id": person, "job": job}
    return made | {"name": f"Somebody {person * 7919 % 10**6}"} | more


def test_a_large_run_leaves_out_crew_then_casts_then_films_and_says_so(visit, tmp_path):
    rows = [film(i, vote_count=i, release_year=1990 + i % 9) for i in range(1, 301)]
    movies = pa.Table.from_pylist(rows, FILMS)
    jobs = ["Director", "Screenplay", *["Gaffer"] * 30]
    made = [credit(i, at) for i in range(1, 301) for at in range(40)]
    made += [credit(i, at, job) for i in range(1, 301) for at, job in enumerate(jobs)]
    credits = pa.Table.from_pylist(made, CREW)
    text, n, detail = fitting_data(movies, credits, most_bytes=10**9)
    assert (n, detail) == (300, DETAILS[0]) and covered_words(n, 300, detail) == ""
    seen = set()
    limit = len(text) - 1
    while n == 300:
        text, n, detail = fitting_data(movies, credits, most_bytes=limit)
        assert len(text) <= limit
        seen.add(detail)
        limit = len(text) - 1
    assert seen >= set(DETAILS[1:]) and n < 300
    told = unpacked(text)["films"]
    assert min(told["id"]) == 301 - n, "the films with the most votes stay"
    assert max(map(len, told["cast"])) <= 10 and not any(told["crew"])
    assert all(map(len, told["director"])) and all(map(len, told["writer"]))
    words = covered_words(n, 300, detail)
    assert f"{n:,} films with the most votes, of 300" in words and "first 10 names" in words
    path = tmp_path / "large.html"
    path.write_text(films_html(movies, credits, "", {}, "x", most=200), encoding="utf-8")
    page = visit(path, "#q=year%3A1990-")
    ready(page)
    assert "200 films with the most votes, of 300" in page.inner_text(".rule")
    assert page.inner_text("#n") == "200 films"


def test_hostile_names_are_only_shown(visit, tmp_path):
    harm = ["<script>window.hit = 1</script>", '"><img src=x onerror="window.hit = 2">', 'a\\b"c']
    rows = [
        film(i, title=text, genres=[text], release_year=2000, vote_count=1)
        for i, text in enumerate(harm, 1)
    ]
    crew = [credit(i, 0, "Director", name=text) for i, text in enumerate(harm, 1)]
    path = tmp_path / "hostile.html"
    movies, credits = pa.Table.from_pylist(rows, FILMS), pa.Table.from_pylist(crew, CREW)
    path.write_text(films_html(movies, credits, "", {}, "x"), encoding="utf-8")
    page = visit(path)
    ready(page)
    assert page.evaluate("window.hit") is None and not page.locator("#films img").count()
    assert page.locator("#films td.name").all_inner_texts() == harm
    for at in range(len(harm)):
        page.locator("#films tbody tr").nth(at).locator("td.words a").last.click()
        until(lambda: page.input_value("#q").startswith("director:"))
        assert len(listed(page)) == 1, "the question that a link asks finds its film"
        page.fill("#q", "")


def test_the_page_loads_nothing(demo):
    path: Path = demo.report / "51_search.html"
    html = path.read_text(encoding="utf-8")
    soup = BeautifulSoup(html, "html.parser")
    assert not soup.select("[src], link, iframe, object, embed, base") and "@import" not in html
    assert "default-src 'none'" in html and path.stat().st_size < 2_500_000
