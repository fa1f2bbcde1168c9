"""The website of the book: built once by `make docs`, its links followed, and used in a browser
from the disk."""

import os
import re
import subprocess
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from bs4 import BeautifulSoup

from tests.conftest import ROOT

pytestmark = [pytest.mark.nightly, pytest.mark.integration]
CHAPTERS = sorted((ROOT / "nbs").glob("[0-9]_*/[0-9]*.ipynb"))


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    "The website, or the one that TEST_SITE names."
    if os.environ.get("TEST_SITE"):
        return Path(os.environ["TEST_SITE"])
    place = tmp_path_factory.mktemp("site")
    words = ["make", "docs", f"ARGS=--out {place}"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert not done.returncode, done.stdout[-1000:] + done.stderr[-3000:]  # a warning fails it
    return place


@pytest.fixture(scope="module")
def pages(site) -> dict[Path, BeautifulSoup]:
    "The pages of the site itself; the reports of the gallery have tests of their own."
    found = [path for path in site.rglob("*.html") if "gallery" not in path.parts]
    return {path: BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser") for path in found}


def references(page: BeautifulSoup) -> list[str]:
    "All that a page links to or loads."
    found = [tag.get(name) for name in ("href", "src") for tag in page.select(f"[{name}]")]
    return [value for value in found if value and not value.startswith(("mailto:", "data:"))]


def test_every_chapter_is_there_in_order_with_its_outputs(site, pages):
    first = pages[site / "index.html"]
    parts = [a["href"] for a in first.select(".sidebar-tree .toctree-l1 > a[href^='nbs/']")]
    wanted = [f"nbs/{part.name}/index.html" for part in sorted((ROOT / "nbs").glob("[0-9]_*"))]
    assert parts == wanted
    for part in wanted:
        names = [a["href"] for a in pages[site / part].select("article li a[href$='.html']")]
        folder = Path(part).parent.name
        assert names == [f"{c.stem}.html" for c in CHAPTERS if c.parent.name == folder]
    charts = pages[site / "nbs/6_report/61_money_charts.html"]
    assert charts.select(".cell_output figure.chart svg")
    ranked = pages[site / "nbs/4_kpis/42_rankings.html"]
    assert ranked.select(".cell_output table")
    stored = str(charts.select(".cell_input"))
    assert "default_exp" not in stored and "#| export" not in stored


def test_links_lead_somewhere(site, pages):
    wrong = []
    ids = {path: {tag["id"] for tag in page.select("[id]")} for path, page in pages.items()}
    for path, page in pages.items():
        for value in references(page):
            url = urlsplit(value)
            if url.scheme or url.netloc:
                continue
            target = path if not url.path else (path.parent / unquote(url.path)).resolve()
            if not target.is_file():
                wrong.append((path.relative_to(site), value))
            elif url.fragment and unquote(url.fragment) not in ids.get(target, url.fragment):
                wrong.append((path.relative_to(site), value))
    assert len(pages) > 90 and not wrong


def test_nothing_is_loaded_from_outside(pages):
    loaded = {
        tag.get("src") or tag.get("href")
        for page in pages.values()
        for tag in page.select("[src], link[rel=stylesheet][href], link[rel=preload][href]")
    }
    assert loaded and not [url for url in loaded if urlsplit(url).netloc]


def test_api_reference_has_parameters_and_examples(site, pages):
    entry = pages[site / "api/search.html"].select_one("dt[id$='search.lookup.find'] + dd")
    text = entry.get_text()
    assert 'tmdb.find("genre:Horror year:1990-1999 sort:-rating")' in text
    assert "Parameters" in text


def test_llms_text_lists_pages_that_are_there(site):
    text = (site / "llms.txt").read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    assert text.startswith("# tmdb_analysis\n\n> ") and len(targets) > len(CHAPTERS)
    assert not [target for target in targets if not (site / target).is_file()]


def test_search_finds_a_function(site, visit):
    "From the disk, by the form that a reader uses."
    page = visit(site / "index.html")
    page.fill("input[name=q]", "median_interval")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li a")
    found = page.locator("#search-results li a").first
    assert "median_interval" in found.inner_text()
    found.click()
    page.wait_for_selector("dt[id$='median_interval']", state="attached")


def test_gallery_opens_a_report(site, visit):
    page = visit(site / "index.html")
    assert page.locator(".gallery a").count() == 3
    for picture in page.locator(".gallery img").all():
        assert picture.evaluate("i => i.complete && i.naturalWidth > 300")
    page.click(".gallery a >> nth=1")
    page.wait_for_load_state()
    assert page.url.endswith("gallery/horror/index.html") and "Horror" in page.title()


def brightness(page) -> float:
    "How bright the background of a page is, from 0 to 255."
    colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
    return sum(map(float, re.findall(r"\d+", colour)[:3])) / 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_dark_and_light(site, visit, scheme):
    page = visit(site / "docs/report.html", color_scheme=scheme)
    assert (brightness(page) > 200) == (scheme == "light")


PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


@pytest.mark.parametrize(
    "name",
    [
        "index.html",
        "docs/operations.html",
        "nbs/2_films/23_clean.html",
        "nbs/6_report/68_report.html",
        "nbs/6_report/69_explore.html",
        "api/kpis.html",
        "CONTRIBUTING.html",
    ],
)
def test_a_phone_never_scrolls_sideways(site, visit, name):
    page = visit(site / name, **PHONE)
    width = page.evaluate("document.scrollingElement.scrollWidth")
    assert width <= 390, f"{name} is {width} pixels wide"


def test_phone_has_a_menu(site, visit):
    page = visit(site / "index.html", **PHONE)
    link = page.locator(".sidebar-tree a", has_text="2. films").first
    assert not link.is_visible() or link.bounding_box()["x"] < 0
    page.click(".mobile-header label[for=__navigation]")
    page.wait_for_timeout(400)
    link.click()
    page.wait_for_load_state()
    assert page.url.endswith("nbs/2_films/index.html")
