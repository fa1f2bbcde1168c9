"The dashboard: what is in the file, and what it does in a browser."

import csv
import json
import re
import statistics
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from tests.browser import CREW, ready, unpacked, until
from tmdb_analysis.core.schema import COHORT, CREDITS, MOVIES
from tmdb_analysis.kpis.franchises import NO_COLLECTIONS_NOTE
from tmdb_analysis.pages.dashboard import (
    FILM_COLUMNS,
    dashboard_html,
    films_for_dashboard,
    page_data,
)
from tmdb_analysis.pages.page import ATTRIBUTION

FILMS = pa.schema([MOVIES.schema.field(name) for name in FILM_COLUMNS])
HOSTILE = [
    "<script>window.hit = 1</script>",
    '"><img src=x onerror="window.hit = 2">',
    "javascript:window.hit=3",
    "{{7*7}}${7*7}",
    "</script><script>window.hit = 4</script><!-- <script>",
    "שלום & العالم",
    "=HYPERLINK(1)",
    "+1",
    "-1",
    "@SUM(A1)",
    "A very long title " * 17,
    "Plain, with \"quotes\" and 'more'",
]


def film(id: int, **more) -> dict:
    "A film about which only what is given is known."
    return {**dict.fromkeys(FILM_COLUMNS), "id": id, "title": f"Film {id}", **more}


def films(rows: list[dict]) -> pa.Table:
    "Films as the page gets them."
    return pa.Table.from_pylist(rows, FILMS)


def many(n: int) -> list[dict]:
    "So many films, a third of them with known money."
    genres = [["Drama"], ["Horror", "Comedy"], None]
    return [
        film(
            i,
            release_year=1950 + i % 70,
            genres=genres[i % 3],
            original_language=["en", "ja", None][i % 3],
            vote_count=i * 7919 % 5000,
            vote_average=1 + i % 90 / 10,
            popularity=0.5 + i % 100,
            budget_musd=float(1 + i % 150) if i % 3 == 0 else None,
            revenue_musd=float(1 + i % 777) if i % 3 != 1 else None,
            collection_id=i % 40 + 1 if i % 5 == 0 else None,
            belongs_to_collection=f"Saga {i % 40 + 1}" if i % 5 == 0 else None,
        )
        for i in range(1, n + 1)
    ]


def money_known(rows: list[dict]) -> set[int]:
    "The ids of the films with known budget and revenue."
    return {f["id"] for f in rows if f["budget_musd"] and f["revenue_musd"]}


NOBODY = CREW.empty_table()


@pytest.fixture(scope="session")
def place(tmp_path_factory) -> Path:
    "Where pages lie."
    return tmp_path_factory.mktemp("dashboard")


@pytest.fixture(scope="session")
def hostile(place) -> Path:
    "A page of films, franchises, people and genres whose names mean harm."
    rows = [
        film(
            i,
            title=title,
            genres=[title[:60], "Drama"],
            release_year=2000 + i,
            budget_musd=10.0 + i,
            revenue_musd=50.0 - i,
            vote_count=10 * i,
            vote_average=5.0,
            popularity=1.0 + i,
            original_language="en",
            collection_id=i,
            belongs_to_collection=title,
        )
        for i, title in enumerate(HOSTILE, 1)
    ]
    crew = [
        dict(movie_id=i, kind="crew", order=0, person_id=i, name=t, job="Director")
        for i, t in enumerate(HOSTILE, 1)
    ]
    path = place / "hostile.html"
    path.write_text(
        dashboard_html(films(rows), pa.Table.from_pylist(crew, CREW), {}, "hostile", place),
        encoding="utf-8",
    )
    return path


def held(html: str) -> dict:
    "The films in a page."
    return unpacked(json.loads(BeautifulSoup(html, "html.parser").find(id="data-films").string))


def test_a_run_has_a_dashboard_that_its_pages_lead_to(demo):
    front = BeautifulSoup((demo.report / "index.html").read_text(encoding="utf-8"), "html.parser")
    assert front.find("a", string="Dashboard")["href"] == "dashboard.html"
    assert not [row for row in front.select("main table tr") if "Dashboard" in row.text]
    size = (demo.report / "dashboard.html").stat().st_size
    assert size < 2_500_000


def test_the_page_can_load_nothing_and_runs_only_its_own_scripts(demo):
    html = (demo.report / "dashboard.html").read_text(encoding="utf-8")
    policy = re.search(r'Security-Policy"\s+content="([^"]+)"', html)[1]
    assert policy.startswith(
        "default-src 'none'; style-src 'unsafe-inline'; img-src data:; script-src 'sha256-"
    )
    assert (
        "unsafe-eval" not in policy
        and "script-src 'unsafe-inline'" not in policy
        and "http" not in policy
    )
    soup = BeautifulSoup(html, "html.parser")
    assert not soup.select("[src], link, iframe, object, embed, base") and "@import" not in html
    assert all(not a["href"].startswith(("http", "//")) for a in soup.select("a[href]"))
    assert ATTRIBUTION in html


def test_the_page_holds_the_films_of_the_run(demo):
    told = held((demo.report / "dashboard.html").read_text(encoding="utf-8"))
    movies = pq.read_table(demo.path(MOVIES)).sort_by("id").to_pylist()
    names = told["names"]
    assert told["id"] == [m["id"] for m in movies] and told["title"] == [m["title"] for m in movies]
    assert told["budget"] == [m["budget_musd"] and pytest.approx(m["budget_musd"]) for m in movies]
    assert told["revenue"] == [
        m["revenue_musd"] and pytest.approx(m["revenue_musd"]) for m in movies
    ]
    assert [sorted(names["genres"][g] for g in of) for of in told["genres"]] == [
        sorted(m["genres"] or []) for m in movies
    ]
    for column, name in (("production_companies", "companies"), ("production_countries",) * 2):
        short = name.removeprefix("production_")
        assert [sorted(names[short][at] for at in of) for of in told[short]] == [
            sorted(m[column] or []) for m in movies
        ]
    cohort = set(pq.read_table(demo.path(COHORT))["id"].to_pylist())
    assert told["usable"] == [int(m["id"] in cohort) for m in movies]
    assert [None if f is None else names["franchises"][f][0] for f in told["franchise"]] == [
        m["collection_id"] for m in movies
    ]
    directed = {
        (i, names["people"][d][0])
        for i, of in zip(told["id"], told["directors"], strict=True)
        for d in of
    }
    credits = [
        c
        for c in pq.read_table(demo.path(CREDITS)).to_pylist()
        if c["kind"] == "crew" and c["job"] == "Director"
    ]
    assert directed == {
        (c["movie_id"], c["person_id"])
        for c in credits
        if c["movie_id"] in set(told["id"]) and c["person_id"]
    }


def test_unknown_is_null_and_no_number_is_made_up():
    told = page_data(films([film(1), film(2, budget_musd=0.000218, vote_count=0)]), NOBODY)
    assert [told[name] for name in ("year", "budget", "revenue", "votes", "rating")] == [
        [None] * 2,
        [None, 0.000218],
        [None] * 2,
        [None, 0],
        [None] * 2,
    ]


def test_all_films_up_to_the_limit_then_a_stated_rule():
    everything, rule = films_for_dashboard(films(many(5000)))
    assert everything.num_rows == 5000 and rule == ""
    rows = many(5001)
    usable = money_known(rows)
    some, rule = films_for_dashboard(films(rows), usable)
    ranked = sorted(rows, key=lambda f: (f["id"] not in usable, -f["vote_count"], f["id"]))
    assert some["id"].to_pylist() == sorted(f["id"] for f in ranked[:5000])
    known = len(usable)
    assert (
        "5,000 of the 5,001 films" in rule
        and f"({known:,} here)" in rule
        and f"({5000 - known:,} here)" in rule
    )
    assert set(films_for_dashboard(films(rows[::-1]), usable)[0]["id"].to_pylist()) == set(
        some["id"].to_pylist()
    )


def test_the_rule_is_told_on_the_page(place):
    soup = BeautifulSoup(
        dashboard_html(films(many(30)), NOBODY, {}, "x", place, most=20), "html.parser"
    )
    assert (
        "20 of the 30 films" in soup.select_one(".rule[role=note]").text
        and len(held(str(soup))["id"]) == 20
    )


def test_same_films_same_bytes(place, tmp_path):
    first = dashboard_html(films(many(50)), NOBODY, {}, "x", place)
    assert first == dashboard_html(films(many(50)), NOBODY, {}, "x", tmp_path)
    assert str(tmp_path) not in first and str(Path.home()) not in first


def test_a_run_without_films_has_a_page_that_says_so(place):
    assert held(dashboard_html(films([]), NOBODY, {}, "x", place))["id"] == []


# ---- in a browser


@pytest.fixture
def visit(visit):
    "A function that opens a dashboard and waits until it has drawn itself."

    def opened(path: Path, address: str = "", **options):
        page = visit(path, address, **options)
        ready(page)
        return page

    return opened


@pytest.fixture
def board(visit, demo):
    "The dashboard of the demo run."
    return visit(demo.report / "dashboard.html")


@pytest.fixture(scope="session")
def movies(demo) -> list[dict]:
    "The films of the demo run."
    return pq.read_table(demo.path(MOVIES)).to_pylist()


@pytest.fixture(scope="session")
def usable(demo, movies) -> list[dict]:
    "The films of the demo run with usable money."
    cohort = set(pq.read_table(demo.path(COHORT))["id"].to_pylist())
    return [m for m in movies if m["id"] in cohort]


def n(page) -> str:
    "How many films the page says are chosen."
    return page.inner_text("#n")


def test_filters_change_n_numbers_charts_and_table(board, usable):
    everything = f"n = {len(usable)} of {len(usable)} films with usable money"
    assert n(board) == everything
    board.fill("[name=from]", "1990")
    board.fill("[name=to]", "1999")
    board.click("summary:has-text('Genres')")
    board.check("[name=genre][value=Horror]")
    wanted = [
        m for m in usable if 1990 <= m["release_year"] <= 1999 and "Horror" in (m["genres"] or [])
    ]
    assert n(board) == everything.replace(str(len(usable)), str(len(wanted)), 1)
    assert 0 < len(wanted) < len(usable)
    roi = [m["roi"] for m in wanted]
    assert (
        board.inner_text("#median-roi")
        == f"{statistics.median(roi):.2f}".rstrip("0").rstrip(".") + "×"
    )
    assert board.inner_text("#median-roi-n") == f"n = {len(roi)}"
    board.locator("#chart-money").scroll_into_view_if_needed()
    dots = board.locator("#chart-money .role-mark.mark-symbol path")
    until(lambda: dots.count() == len(roi))
    assert f"n = {len(roi)} films" in board.inner_text("#chart-money figcaption")
    assert f"of {len(wanted)} films" in board.inner_text(".dt-info")
    assert "from 1990" in board.inner_text("#active-filters") and "Horror" in board.inner_text(
        "#active-filters"
    )
    board.click("#reset")
    until(lambda: dots.count() > 500)
    assert n(board) == everything


@pytest.mark.parametrize(
    "address,wanted",
    [
        ("#scope=all&franchise=yes", lambda m: m["collection_id"] is not None),
        ("#scope=all&franchise=no", lambda m: m["collection_id"] is None),
        ("#scope=all&votes=1000", lambda m: (m["vote_count"] or 0) >= 1000),
        ("#scope=all&language=ja", lambda m: m["original_language"] == "ja"),
        (
            "#scope=all&dollars=nominal&budget=10&budget=unknown",
            lambda m: m["budget_musd"] is None or 10 <= m["budget_musd"] < 40,
        ),
        (
            "#scope=all&genre=War&genre=Western",
            lambda m: {"War", "Western"} & {*(m["genres"] or [])},
        ),
        ("#scope=all&rating_from=7&rating_to=7.5", lambda m: 7 <= (m["vote_average"] or 0) <= 7.5),
        (
            "#scope=all&dollars=nominal&budget_from=10&revenue_to=20",
            lambda m: (m["budget_musd"] or 0) >= 10 and 0 < (m["revenue_musd"] or 0) <= 20,
        ),
        (
            "#scope=all&director=steven+spielberg",
            lambda m: "Steven Spielberg" in (m["director"] or []),
        ),
        (
            "#scope=all&company=pixar+anim",
            lambda m: any("Pixar Anim" in name for name in m["production_companies"] or []),
        ),
        ("#scope=all&country=Germany", lambda m: "Germany" in (m["production_countries"] or [])),
        (
            "#scope=all&collection=Star+Wars+Collection",
            lambda m: m["belongs_to_collection"] == "Star Wars Collection",
        ),
    ],
)
def test_the_address_holds_the_question(visit, demo, movies, address, wanted):
    page = visit(demo.report / "dashboard.html", address)
    count = sum(map(bool, map(wanted, movies)))
    assert 0 < count < len(movies) and n(page) == f"n = {count} of {len(movies)} films"
    page.reload()
    ready(page)
    assert n(page) == f"n = {count} of {len(movies)} films" and page.url.endswith(address)


def test_an_address_that_asks_nonsense_does_no_harm(visit, demo, movies):
    page = visit(
        demo.report / "dashboard.html",
        "#language=%3Cscript%3E&from=abc&genre=No&sort=x.y&budget=7&dollars=x&scope=all",
    )
    assert n(page) == f"n = {len(movies)} of {len(movies)} films"


def test_an_empty_selection_says_so(visit, demo, movies):
    page = visit(demo.report / "dashboard.html", "#scope=all&from=2150")
    assert n(page) == f"n = 0 of {len(movies)} films"
    assert "No film matches" in page.inner_text(
        "#active-filters"
    ) and "No film matches" in page.inner_text("#table")
    assert page.inner_text("#median-roi") == "–" and page.inner_text("#total-revenue") == "–"
    assert all("No film matches" in text for text in page.locator("figure .none").all_inner_texts())


def test_a_chart_without_data_says_so(visit, place):
    path = place / "unknown.html"
    path.write_text(
        dashboard_html(films([film(1), film(2)]), NOBODY, {}, "unknown", place), encoding="utf-8"
    )
    page = visit(path)
    assert set(page.locator("figure .none").all_inner_texts()) == {"No data for this selection."}


def test_films_without_collections_have_no_franchise_filter_and_are_of_one_kind(visit, place):
    path = place / "collections.html"
    rows = films(
        [
            film(1, release_year=2000, budget_musd=1.0, revenue_musd=3.0),
            film(2, release_year=2000, budget_musd=2.0, revenue_musd=1.0),
        ]
    )
    path.write_text(
        dashboard_html(rows, NOBODY, {}, "none", place, measured=False), encoding="utf-8"
    )
    page = visit(path)
    assert page.inner_text(".rule[role=note]") == NO_COLLECTIONS_NOTE
    assert page.locator("[name=franchise], [name=collection], #chart-franchises").count() == 0
    money = page.locator("#chart-money")
    until(lambda: money.locator(".role-mark.mark-symbol path").count() == 2)
    assert money.locator(".role-legend").count() == 0


def test_a_run_with_one_genre_can_be_filtered_by_it(visit, place):
    path = place / "genre.html"
    rows = films([film(1, genres=["Drama"]), film(2)])
    path.write_text(dashboard_html(rows, NOBODY, {}, "genre", place), encoding="utf-8")
    page = visit(path, "#genre=Drama")
    assert n(page) == "n = 1 of 2 films" and page.inner_text("#active-filters") == "Drama"


def test_the_search_filters_table_and_charts_and_is_kept_in_the_address(board, usable):
    board.fill("input[type=search]", "STAR wars")
    found = [m for m in usable if "star wars" in words_of(m)]
    assert n(board) == f"n = {len(found)} of {len(usable)} films with usable money"
    board.locator("#chart-money").scroll_into_view_if_needed()
    dots = board.locator("#chart-money .role-mark.mark-symbol path")
    until(lambda: 0 < dots.count() <= len(found))
    until(lambda: "search=STAR" in board.evaluate("location.hash"))
    assert all(
        "star wars" in row.lower() for row in board.locator("#table tbody tr").all_inner_texts()
    )
    board.click("#table thead th:has-text('Year')")
    until(lambda: "sort=year.asc" in board.evaluate("location.hash"))
    board.reload()
    ready(board)
    years = [int(y) for y in board.locator("#table tbody td:nth-child(2)").all_inner_texts()]
    assert (
        years == sorted(years)
        and len(years) > 1
        and board.input_value("input[type=search]") == "STAR wars"
    )


@pytest.mark.parametrize("way,first", [("asc", min), ("desc", max)])
def test_unknown_sorts_last_in_both_directions(visit, demo, movies, way, first):
    page = visit(demo.report / "dashboard.html", f"#scope=all&sort=rating.{way}")
    shown = page.locator("#table tbody td:nth-child(10)").all_inner_texts()
    assert float(shown[0]) == pytest.approx(
        first(m["vote_average"] for m in movies if m["vote_average"]), abs=0.01
    )
    assert "–" not in shown and any(m["vote_average"] is None for m in movies)


def test_the_download_is_the_selection_and_no_cell_is_a_formula(visit, hostile, place):
    page = visit(hostile, "#dollars=nominal&sort=year.asc")
    with page.expect_download() as got:
        page.click("button:has-text('Download as CSV')")
    got.value.save_as(place / "films.csv")
    rows = list(csv.DictReader((place / "films.csv").open(encoding="utf-8-sig", newline="")))
    assert [r["Title"].lstrip("'") for r in rows] == HOSTILE
    assert not [v for r in rows for v in r.values() if re.match(r"\s*[=+\-@\t\r]", v)]
    assert rows[0]["Budget"] == "11000000"


def test_hostile_names_are_only_shown(visit, hostile):
    page = visit(hostile)
    assert (
        page.evaluate("window.hit") is None
        and not page.locator("#table img, #table script").count()
    )
    links = page.eval_on_selector_all("#table a", "all => all.map(a => a.href)")
    assert len(links) == len(HOSTILE)
    assert all(re.fullmatch(r"https://www\.themoviedb\.org/movie/\d+", link) for link in links)
    shown = page.locator("#table tbody td:first-child").all_inner_texts()
    assert sorted(" ".join(t.split()) for t in shown) == sorted(
        " ".join(t.split()) for t in HOSTILE
    )
    for mark in page.locator("#chart-money .role-mark.mark-symbol path").all():
        mark.hover(force=True)
    page.wait_for_selector("#vg-tooltip-element.visible")
    for summary in page.locator("details.numbers summary").all():
        summary.click()
    assert sorted(row[0] for row in behind(page, "franchises")[1:]) == sorted(
        " ".join(t.split()) for t in HOSTILE
    )
    assert (
        page.evaluate("window.hit") is None
        and not page.locator("#vg-tooltip-element img, figure td img, figure td script").count()
    )
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def behind(page, chart: str) -> list[list[str]]:
    "The table behind a chart, in text: its heads and its rows."
    rows = page.locator(f"#chart-{chart} details.numbers tr").all()
    return [[cell.strip() for cell in row.locator("th, td").all_inner_texts()] for row in rows]


def test_the_numbers_behind_a_chart_are_those_of_its_films_and_follow_the_filters(board, movies):
    assert board.locator("figure").count() - board.locator("details.numbers").count() == 2, (
        "single films are in the table"
    )
    board.check("[name=scope][value=all]")
    for summary in board.locator("details.numbers summary").all():
        summary.click()
    for chosen in (movies, [m for m in movies if (m["release_year"] or 0) >= 2000]):
        returns = [
            (genre, m["roi"]) for m in chosen for genre in m["genres"] or [] if m["roi"] is not None
        ]
        films = {
            genre: [roi for of, roi in returns if of == genre]
            for genre in {genre for genre, _ in returns}
        }
        until(lambda films=films: len(behind(board, "genres")) == len(films) + 1)
        board.locator("#chart-years").scroll_into_view_if_needed()
        until(lambda: board.get_attribute("#charts", "aria-busy") == "false")
        heads, *rows = behind(board, "genres")
        assert heads == ["Name", "Films", "Median return", "Middle half"]
        assert {(name, int(n)) for name, n, *_ in rows} == {
            (name, len(of)) for name, of in films.items()
        }
        for name, _, middle, _ in rows:
            assert float(middle.strip("×").replace(",", "")) == pytest.approx(
                statistics.median(films[name]), rel=0.006
            )
        in_order = [float(row[2].strip("×").replace(",", "")) for row in rows]
        assert in_order == sorted(in_order, reverse=True), "as in the chart"
        if chosen is movies:
            assert sum(int(row[-1]) for row in behind(board, "years")[1:]) == sum(
                m["release_year"] is not None for m in movies
            )
            board.fill("[name=from]", "2000")


def scroll_to(page, chart: str):
    "A chart, in sight and drawn."
    figure = page.locator(f"#chart-{chart}")
    figure.scroll_into_view_if_needed()
    until(lambda: page.get_attribute("#charts", "aria-busy") == "false")
    return figure


MARK, LABEL = "path[aria-roledescription={}]", ".role-axis-label text"


@pytest.mark.parametrize(
    "chart,mark,words,filters",
    [
        ("genres", MARK.format("point"), "", r"^genre=[\w+]+$"),
        ("genres", LABEL, "Animation", "^genre=Animation$"),
        ("bands", MARK.format("point"), "", "^budget=0$"),
        ("bands", LABEL, "below", "^budget=0$"),
        ("franchises", MARK.format("bar"), "", "^collection=Star"),
        ("franchises", LABEL, "Star Wars", "^collection=Star"),
        ("directors", LABEL, "Steven", "^director=Steven"),
        ("money", ".role-legend-label text", "standalone", "^franchise=no$"),
        ("years", MARK.format("'rect mark'"), "", r"^from=(\d+)&to=\1$"),
        ("years", LABEL, "1980", "^from=1980&to=1980$"),
        ("medians", MARK.format("point"), "", r"^from=(\d+)&to=\1$"),
    ],
)
def test_a_click_on_a_mark_or_label_filters(board, chart, mark, words, filters):
    figure = scroll_to(board, chart)
    target = figure.locator(mark, has_text=words) if words else figure.locator(mark)
    target.first.scroll_into_view_if_needed()
    box = target.first.bounding_box()
    board.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    until(lambda: re.search(filters, board.evaluate("location.hash.slice(1)")), 5)
    board.click("#reset")
    until(lambda: board.evaluate("location.hash") == "")


def test_a_second_click_undoes_the_first(board):
    figure = scroll_to(board, "genres")
    figure.locator(".role-axis-label text", has_text="Horror").click()
    until(lambda: "genre=" in board.evaluate("location.hash"))
    until(lambda: board.get_attribute("#charts", "aria-busy") == "false")
    chosen = board.eval_on_selector("[name=genre]:checked", "box => box.value")
    label = figure.locator(".role-axis-label text", has_text=f"{chosen} (")
    label.first.click()
    until(lambda: board.evaluate("location.hash") == "")


def test_a_click_on_a_film_shows_the_film(board):
    figure = scroll_to(board, "money")
    figure.locator(".role-mark.mark-symbol path").first.click(force=True)
    link = figure.locator(".picked a")
    until(lambda: link.count() == 1)
    assert link.get_attribute("href").startswith("https://www.themoviedb.org/movie/")
    assert "budget $" in figure.locator(".picked").inner_text()


def drag(page, figure, start: tuple, end: tuple) -> None:
    "Drag over the plot of a chart, from and to shares of its width and height."
    box = figure.locator(".chart svg .root > g > .background").first.bounding_box()
    at = [(box["x"] + box["width"] * x, box["y"] + box["height"] * y) for x, y in (start, end)]
    page.mouse.move(*at[0])
    page.mouse.down()
    page.mouse.move(*at[1], steps=5)
    page.mouse.up()


def test_a_range_drawn_over_money_or_years_filters(board, usable):
    drag(board, scroll_to(board, "years"), (0.6, 0.2), (0.8, 0.8))
    until(lambda: board.input_value("[name=to]") != "")
    first, last = (int(board.input_value(f"[name={end}]")) for end in ("from", "to"))
    found = [m for m in usable if first <= m["release_year"] <= last]
    assert 1960 < first < last < 2019 and 0 < len(found) < len(usable)
    assert n(board).startswith(f"n = {len(found)} of")
    board.click("#reset")
    drag(board, scroll_to(board, "money"), (0.5, 0.1), (0.9, 0.6))
    until(lambda: board.input_value("[name=budget_from]") != "")
    ends = {
        name: float(board.input_value(f"[name={name}]"))
        for name in ("budget_from", "budget_to", "revenue_from", "revenue_to")
    }
    assert 0 < ends["budget_from"] < ends["budget_to"]
    assert 0 < ends["revenue_from"] < ends["revenue_to"]
    few = int(n(board).split()[2])
    assert 0 < few < len(usable)


def test_a_finger_that_moves_to_the_side_draws_a_range(visit, demo):
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    page = visit(demo.report / "dashboard.html", **phone)
    box = scroll_to(page, "years").locator(".chart svg").first.bounding_box()
    start = page.locator("#chart-years .chart").bounding_box()["y"] - box["y"]
    fingers = page.context.new_cdp_session(page)
    touch = "Input.dispatchTouchEvent"
    for i in range(7):
        x, y = box["x"] + box["width"] * (0.4 + 0.05 * i), box["y"] + box["height"] * 0.5
        kind = "touchMove" if i else "touchStart"
        fingers.send(touch, {"type": kind, "touchPoints": [{"x": x, "y": y}]})
        page.wait_for_timeout(30)  # the browser decides between a scroll and a drag
    fingers.send(touch, {"type": "touchEnd", "touchPoints": []})
    until(lambda: page.input_value("[name=to]") != "")
    until(lambda: page.get_attribute("#charts", "aria-busy") == "false")
    moved = page.locator("#chart-years .chart").bounding_box()["y"] - box["y"]
    assert abs(moved - start) <= 1
    assert int(page.input_value("[name=from]")) < int(page.input_value("[name=to]")) - 10


def saved(page, figure, suffix: str, place: Path) -> Path:
    "The file that a button below a chart saves."
    with page.expect_download() as got:
        figure.locator(f".files :text-is('{suffix}')").click()
    got.value.save_as(place / got.value.suggested_filename)
    return place / got.value.suggested_filename


def test_each_chart_is_saved_as_csv_png_and_svg(board, usable, tmp_path):
    figures = board.locator("figure")
    assert board.locator(".files button").count() == 3 * figures.count() == 24
    figure = scroll_to(board, "money")
    assert saved(board, figure, "PNG", tmp_path).read_bytes().startswith(b"\x89PNG")
    assert "<svg" in saved(board, figure, "SVG", tmp_path).read_text(encoding="utf-8")
    with saved(board, figure, "CSV", tmp_path).open(encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    assert {int(row["id"]) for row in rows} == {m["id"] for m in usable}
    with saved(board, scroll_to(board, "genres"), "CSV", tmp_path).open(encoding="utf-8") as f:
        horror = next(row for row in csv.DictReader(f) if row["name"] == "Horror")
    known = [m["roi"] for m in usable if "Horror" in (m["genres"] or ())]
    assert float(horror["median"]) == pytest.approx(statistics.median(known))
    assert int(horror["n"]) == len(known)


def test_the_line_of_break_even_is_that_of_the_run(visit, place):
    path, rows = place / "even.html", many(60)
    html = dashboard_html(
        films(rows), NOBODY, {}, "even", place, money_known(rows), earned_back=1.75
    )
    path.write_text(html, encoding="utf-8")
    page = visit(path)
    assert "dashed line it is 1.75 times the budget" in page.inner_text("#chart-money")


def test_the_names_behind_a_chart_filter_by_keyboard(board):
    figure = scroll_to(board, "directors")
    figure.locator("details.numbers summary").focus()
    board.keyboard.press("Enter")
    button = figure.locator("td button").first
    name = button.inner_text()
    button.focus()
    board.keyboard.press("Enter")
    until(lambda: board.input_value("[name=director]") == name)
    assert board.evaluate("document.activeElement.textContent") == name, "the focus stays"


def test_names_are_suggested_and_a_part_is_enough(board, usable):
    board.focus("[name=director]")
    names = board.eval_on_selector_all("#list-director option", "all => all.map(o => o.value)")
    assert len(names) > 500 and len(set(names)) == len(names)
    board.fill("[name=director]", "spielb")
    found = [m for m in usable if any("Spielberg" in d for d in m["director"] or [])]
    assert n(board).startswith(f"n = {len(found)} of ") and len(found) > 3


def words_of(movie: dict) -> str:
    "What the search of the table looks in."
    parts = [movie["title"], movie["release_year"], movie["belongs_to_collection"]]
    return " ".join(
        map(str, [*parts, *(movie["genres"] or []), *(movie["director"] or [])])
    ).lower()


@pytest.mark.parametrize("width", [320, 390, 820, 1600])
def test_no_width_makes_the_page_scroll_sideways(visit, demo, width):
    page = visit(demo.report / "dashboard.html", viewport={"width": width, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_folds_the_filters(visit, demo):
    page = visit(demo.report / "dashboard.html", viewport={"width": 390, "height": 844})
    assert not page.locator("[name=director]").is_visible()
    page.locator("#fields > summary").click()
    assert page.locator("[name=director]").is_visible()
    page.locator("#fields > summary").click()
    page.set_viewport_size({"width": 1200, "height": 844})
    until(lambda: page.locator("[name=director]").is_visible())
    assert not page.locator("#fields > summary").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(visit, demo, scheme):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    page = visit(demo.report / "dashboard.html", color_scheme=scheme)
    for summary in page.locator("details:not([hidden], #fields) > summary").all():
        summary.click()
    found = axe.Axe().run(page).response["violations"]
    assert not [(v["id"], v["nodes"][0]["html"][:200]) for v in found]


def test_dark_is_dark(visit, demo):
    page = visit(demo.report / "dashboard.html", color_scheme="dark")
    dark = (
        "e => { const [r, g, b] = "
        "getComputedStyle(e).backgroundColor.match(/\\d+/g).map(Number); "
        "return r + g + b < 150 }"
    )
    assert all(
        page.eval_on_selector(place, dark) for place in ("body", "figure", ".films", ".selection")
    )
    page.emulate_media(color_scheme="light")
    assert not page.eval_on_selector("body", dark)


def test_everything_is_reached_by_keyboard(board, usable):
    reached = []
    for _ in range(70):
        board.keyboard.press("Tab")
        reached.append(
            board.evaluate(
                "(e => (e.name || e.ariaLabel || e.textContent || '').trim().slice(0, 19))"
                "(document.activeElement)"
            )
        )
    for wanted in (
        "Skip to the content",
        "from",
        "to",
        "votes",
        "franchise",
        "director",
        "company",
        "country",
        "language",
        "search",
        "Download as CSV",
    ):
        assert wanted in reached, wanted
    assert any(text.startswith("Genres") for text in reached) and any(
        text.startswith("Title") for text in reached
    )
    board.focus("[name=franchise]")
    board.keyboard.press("ArrowDown")
    assert (
        n(board)
        == f"n = {sum(m['collection_id'] is not None for m in usable)} of {len(usable)} films"
        " with usable money"
    )


def test_the_skip_link_keeps_the_question(visit, demo):
    page = visit(demo.report / "dashboard.html", "#votes=1000")
    page.focus(".skip")
    page.keyboard.press("Enter")
    assert page.url.endswith("#votes=1000") and page.evaluate("document.activeElement.id") == "main"


def test_five_thousand_films_answer_at_once(visit, place):
    path = place / "large.html"
    rows = many(5001)
    html = dashboard_html(films(rows), NOBODY, {}, "large", place, money_known(rows))
    path.write_text(html, encoding="utf-8")
    page = visit(path, "#scope=all")
    assert n(page) == "n = 5,000 of 5,000 films" and "5,000 of the 5,001" in page.inner_text(
        ".rule"
    )
    start = time.monotonic()
    page.fill("[name=votes]", "2500")
    until(lambda: n(page) != "n = 5,000 of 5,000 films")
    print(f"a filter over 5,000 films: {time.monotonic() - start:.2f} s")
    assert path.stat().st_size < 2_500_000


# ---- dashboard and report


def kpi(demo, name: str) -> list[dict]:
    "A KPI table of the report, as its CSV file has it."
    with (demo.report / "kpis" / f"{name}.csv").open(encoding="utf-8", newline="") as f:
        return list(csv.DictReader(f))


def shown(text: str) -> float:
    "The number that a text of the page shows."
    number = re.fullmatch(r"\$?([\d.,]+)([kMB]?)[×%]?", text)
    unit = {"": 1, "k": 1e3, "M": 1e6, "B": 1e9}[number[2]]
    return float(number[1].replace(",", "")) * unit


def test_the_dashboard_opens_with_the_numbers_of_the_report(board, demo):
    money = {row["measure"]: row for row in kpi(demo, "money")}
    for measure, card, scale in (
        ("median_return", "median-roi", 1),
        ("grossed_budget", "even", 100),
        ("median_real_revenue", "median-revenue", 1e6),
        ("median_real_budget", "median-budget", 1e6),
    ):
        value = float(money[measure]["value"]) * scale
        assert shown(board.inner_text(f"#{card}")) == pytest.approx(value, rel=0.006), measure
        assert board.inner_text(f"#{card}-n") == f"n = {money[measure]['n']}", measure
    assert n(board).startswith(f"n = {kpi(demo, 'money_funnel')[-1]['films']} of ")
    assert money["median_real_revenue"]["unit"].endswith(
        board.locator("#median-revenue ~ .words .dollars").inner_text().removesuffix(" dollars")
    )
    for summary in board.locator("details.numbers summary").all():
        summary.click()
    genres = {row["genre"]: row for row in kpi(demo, "genre_returns")}
    rows = behind(board, "genres")[1:]
    assert len(rows) == len(genres)
    for name, films, middle, _ in rows:
        assert films == genres[name]["n_return"], name
        assert shown(middle) == pytest.approx(float(genres[name]["median_return"]), rel=0.006), name
    years = {row["year"]: row for row in kpi(demo, "yearly_money")}
    scroll_to(board, "medians")
    revenues = [row for row in behind(board, "medians")[1:] if row[1] == "revenue"]
    assert len(revenues) == sum(int(row["n_real_revenue"]) > 0 for row in years.values())
    for year, _, middle, films in revenues:
        assert films == years[year]["n_real_revenue"], year
        value = float(years[year]["median_real_revenue_musd"]) * 1e6
        assert shown(middle) == pytest.approx(value, rel=0.006), year


def test_the_switches_lead_to_the_rankings_of_the_report(visit, demo, movies):
    page = visit(demo.report / "dashboard.html", "#scope=all&dollars=nominal")
    assert n(page) == f"n = {len(movies)} of {len(movies)} films"
    totals = {row["director"]: row for row in kpi(demo, "directors")}
    scroll_to(page, "directors").locator("details.numbers summary").click()
    for name, _, sum_, _ in behind(page, "directors")[1:]:
        total = float(totals[name]["total_revenue_musd"]) * 1e6
        assert shown(sum_) == pytest.approx(total, rel=0.006), name
    assert "nominal dollars" in page.inner_text("#chart-money figcaption")
    page.check("[name=dollars][value=real]")
    until(lambda: "2025 dollars" in page.inner_text("#chart-money figcaption"))


def test_junk_is_listed_and_does_not_shape_the_axes(visit, place):
    rows = many(300)
    for row in rows:
        row |= {"budget_musd": 20.0 + row["id"] % 40, "revenue_musd": 50.0 + row["id"] % 90}
    rows[0] |= {"title": "A dollar", "budget_musd": 1e-6, "doubts": ["budget below 1,000 USD"]}
    rows[1] |= {"title": "A typing error", "revenue_musd": 5e7}
    rows[2] |= {"title": "Lonely", "genres": ["Alone"], "budget_musd": 1e-5, "revenue_musd": 10.0}
    path = place / "junk.html"
    html = dashboard_html(films(rows), NOBODY, {}, "junk", place)
    path.write_text(html, encoding="utf-8")
    page = visit(path, "#dollars=nominal")
    money = page.locator("#chart-money")
    assert money.locator(".role-mark.mark-symbol path").count() == 297
    assert money.locator("details.outside summary").inner_text() == "3 films lie outside the axes"
    assert "n = 300 films" in money.inner_text()
    money.locator("details.outside summary").click()
    listed = [row.inner_text() for row in money.locator("details.outside tbody tr").all()]
    assert len(listed) == 3 and "budget below 1,000 USD" in listed[0]
    assert not [
        t for t in money.locator(".role-axis-label text").all_inner_texts() if t in ("$1", "$50T")
    ]
    genres = page.locator("#chart-genres")
    assert "Alone" not in genres.locator(".chart").inner_text()
    assert "outside the axes" in genres.locator("details.outside summary").inner_text()


def test_without_motion_nothing_moves(visit, demo):
    page = visit(demo.report / "dashboard.html", reduced_motion="reduce")
    moving = "e => document.getAnimations().length"
    assert page.eval_on_selector("html", moving) == 0
