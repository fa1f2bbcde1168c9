"Every page of a run in a real browser: offline, readable, and deaf to what titles say."

import json
from itertools import combinations
from xml.etree.ElementTree import fromstring

import pytest
from PIL import Image

from tmdb_analysis.core.home import Run
from tmdb_analysis.use.cli import main

HARM = {
    "script": "<script>window.hit = 1</script>",
    "image": '"><img src=x onerror="window.hit = 2">',
    "link": "[click](javascript:window.hit=3)",
    "template": "{{7*7}} ${7*7} {% raw %}",
    "markdown": "# **Bold** | `code` | $x^2$ _a_",
    "formula": '=HYPERLINK("http://example.org","x")',
    "arabic": "\u202eفيلم عن السينما",
    "japanese": "千と千尋の神隠し 🎬",
    "long": "Very long title " * 18 + "end",
}


def film(i: int, title: str) -> dict:
    "A film whose names mean harm, in the shape of the API."
    people = {"id": 900 + i % 3, "name": title, "job": "Director", "department": "Directing"}
    return {
        "id": i, "title": title, "original_title": title, "status": "Released",
        "release_date": f"{1980 + i % 40}-06-01",
        "budget": 10_000_000 + i * 100_000, "revenue": 20_000_000 + (i * 7919) % 90_000_000,
        "runtime": 100, "original_language": "en",
        "vote_average": 5 + i % 5, "vote_count": 100 + i, "popularity": float(i), "overview": title,
        "tagline": title, "adult": False,
        "video": False, "genres": [{"id": i % 4, "name": f"{title[:40]} {i % 4}"}],
        "production_companies": [{"id": 1, "name": title, "origin_country": "US"}],
        "production_countries": [{"iso_3166_1": "US", "name": title[:30]}],
        "spoken_languages": [{"iso_639_1": "en", "name": "English", "english_name": "English"}],
        "belongs_to_collection": {"id": i % 6, "name": title} if i % 2 else None,
        "credits": {"cast": [{"id": i, "name": title, "character": title, "order": 0}],
                    "crew": [people]},
    }  # fmt: skip


@pytest.fixture(scope="module")
def hostile(tmp_path_factory) -> Run:
    "A run over films whose titles mean harm."
    home = tmp_path_factory.mktemp("hostile")
    titles = list(HARM.values())
    (home / "films.json").write_text(
        json.dumps([film(i, titles[i % len(titles)]) for i in range(1, 109)])
    )
    words = [
        "run",
        "--source",
        "files",
        "--input",
        str(home / "films.json"),
        "--home",
        str(home),
        "--run-id",
        "hostile",
    ]
    assert (
        main(
            [
                *words,
                "-p",
                "min_group=3",
                "-p",
                "firm_group=5",
                "-p",
                "min_pair=2",
                "-p",
                "min_director_films=2",
            ]
        )
        == 0
    )
    return Run("hostile", home)


def pages(run: Run) -> list:
    "The pages of a run, and the list of all runs."
    return [*sorted(run.report.glob("*.html")), run.report.parent / "index.html"]


def wide(page) -> int:
    "By how many pixels a page is wider than its window."
    return page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )


@pytest.mark.parametrize("width", [390, 1200])
def test_no_page_scrolls_sideways_or_asks_for_anything(visit, demo, width):
    found = pages(demo)
    assert {"index.html", "27_validate.html", "54_why.html"} <= {path.name for path in found}
    for path in found:
        assert wide(visit(path, viewport={"width": width, "height": 800})) <= 0, path.name
        assert path.stat().st_size <= 2_500_000, path.name
    window = {"width": width, "height": 800}
    assert wide(visit(demo.report / "54_why.html", "#genre-returns", viewport=window)) <= 0


@pytest.mark.parametrize(
    ("scheme", "names"),
    [("light", None), ("dark", {"index.html", "27_validate.html", "54_why.html"})],
)
def test_axe_finds_nothing_on_any_page(visit, demo, scheme, names):
    axe = pytest.importorskip(
        "axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed"
    )
    number = demo.report / "54_why.html", "#genre-returns"
    for path, address in [*((path, "") for path in pages(demo)), number]:
        if path.name == "dashboard.html" or path.name not in (names or {path.name}):
            continue
        page = visit(path, address, color_scheme=scheme)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        violations = axe.Axe().run(page).response["violations"]
        assert not [(v["id"], v["nodes"][0]["html"]) for v in violations], path.name


def test_a_report_is_read_by_keyboard(visit, demo):
    page = visit(demo.report / "index.html")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "main"
    closed = page.locator("details:not([open]) > summary").first
    closed.focus()
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.parentElement.open") is True


def test_tables_fit_a_phone(visit, demo):
    page = visit(demo.report / "index.html", viewport={"width": 390, "height": 800})
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    boxes = page.evaluate("""() => [...document.querySelectorAll('.scroll')].map(box => {
      box.scrollLeft = 9999
      const name = box.querySelector('tbody .name'), cell = name?.getBoundingClientRect()
      return {
        label: box.getAttribute('aria-label'), wide: box.scrollWidth > box.clientWidth + 1,
        seen: cell ? cell.right - box.getBoundingClientRect().left : null,
        cue: getComputedStyle(box).backgroundImage.includes('gradient'),
        minor: [...box.querySelectorAll('.minor')].some(c => c.checkVisibility()),
        raw: [...box.querySelectorAll('th[scope=col]')].some(h => h.textContent.includes('_')),
      }
    })""")
    assert len(boxes) > 30 and any(box["wide"] for box in boxes)
    for box in boxes:
        assert box["cue"] and not box["minor"] and not box["raw"], box
        if box["wide"] and box["seen"] is not None:
            assert box["seen"] > 40, "the names of the rows stay in sight"


TEXT_BOXES = """() => [...document.querySelectorAll('figure.chart svg')]
  .filter(svg => svg.checkVisibility())
  .map(svg => ({
    name: svg.getAttribute('aria-label'),
    frame: svg.getBoundingClientRect().toJSON(),
    texts: [...svg.querySelectorAll('text')]
      .filter(t => !/rotate\\((?!-?90)/.test(t.getAttribute('transform') || ''))
      .map(t => ({text: t.textContent, ...t.getBoundingClientRect().toJSON()})),
  }))"""


def overlaps(a: dict, b: dict) -> bool:
    "Whether two texts share more than the empty rim of a line, which is 3 pixels high."
    across = min(a["right"], b["right"]) - max(a["left"], b["left"])
    return across > 1 and min(a["bottom"], b["bottom"]) - max(a["top"], b["top"]) > 3


@pytest.mark.parametrize("width", [390, 1280])
def test_no_text_of_a_figure_covers_another_or_is_cut(visit, demo, width):
    page = visit(demo.report / "index.html", viewport={"width": width, "height": 800})
    figures = page.evaluate(TEXT_BOXES)
    assert len(figures) == page.locator("figure.chart").count() >= 9
    for figure in figures:
        frame, texts = figure["frame"], figure["texts"]
        assert all(t["height"] >= 10 for t in texts), "legible"
        covered = [(a["text"], b["text"]) for a, b in combinations(texts, 2) if overlaps(a, b)]
        assert not covered, figure["name"]
        for t in texts:
            inside = frame["left"] - 1 <= t["left"] and t["right"] <= frame["right"] + 1
            assert inside and t["bottom"] <= frame["bottom"] + 2, (figure["name"], t["text"])


def test_a_label_stands_beside_its_film(visit, demo):
    page = visit(demo.report / "index.html")
    gap = page.evaluate("""() => {
      const svg = [...document.querySelectorAll('figure.chart svg')]
        .find(s => s.querySelector('text[paint-order=stroke]') && s.getClientRects().length)
      const boxes = e => [...svg.querySelectorAll(e)].map(x => x.getBoundingClientRect())
      const rings = boxes('use[fill=none], path[fill=none], g[fill=none] use')
        .filter(b => b.width < 12 && b.height > 3)
      const far = (a, b) => Math.hypot(
        Math.max(a.left - b.right, b.left - a.right, 0),
        Math.max(a.top - b.bottom, b.top - a.bottom, 0))
      return boxes('text[paint-order=stroke]').map(t => Math.min(...rings.map(r => far(t, r))))
    }""")
    near = [g for g in gap if g is not None and g < 6]
    assert len(near) >= 6 and len(gap) - len(near) <= 2, "all but the names of the two lines"


def test_links_lead_somewhere(visit, demo):
    for path in pages(demo):
        page = visit(path)
        ids = set(page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)"))
        for href in page.evaluate(
            "[...document.querySelectorAll('a[href]')].map(a => a.getAttribute('href'))"
        ):
            if href.startswith("http"):
                continue
            name, _, address = href.partition("#")
            target = path.parent / name.replace("%20", " ") if name else path
            assert target.is_file(), (path.name, href)
            if address and target == path:
                assert address in ids or "=" in address, (path.name, href)
            elif address and target.suffix == ".html" and "=" not in address:
                assert f'id="{address}"' in target.read_text(encoding="utf-8"), (path.name, href)


def test_a_report_prints(visit, demo, tmp_path):
    page = visit(demo.report / "index.html", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(21, 23, 26)"
    assert page.locator("nav.contents").is_hidden()
    pdf = page.pdf(format="A4", prefer_css_page_size=True)
    assert pdf.startswith(b"%PDF") and len(pdf) < 4_000_000
    assert pdf.count(b"/Type /Page\n") <= 10
    assert page.locator("details:not([open]) >> visible=true").count() == 0, "no dead fold-outs"


def test_each_chart_of_a_report_is_saved_with_its_words(visit, demo, tmp_path):
    page = visit(demo.report / "index.html", color_scheme="dark")
    figures = page.locator("figure.chart")
    assert figures.count() > 10 and page.locator(".files button").count() == 2 * figures.count()
    for link in page.locator(".files a").all():
        assert link.inner_text() == "CSV" and (demo.report / link.get_attribute("href")).is_file()
    assert page.locator(".files a").count() == figures.count()
    for suffix in ("PNG", "SVG"):
        with page.expect_download() as got:
            figures.nth(1).locator(f"button:text-is('{suffix}')").click()
        got.value.save_as(tmp_path / suffix)
        assert got.value.suggested_filename == f"money-1.{suffix.lower()}"
    with Image.open(tmp_path / "PNG") as picture:
        assert picture.width > 1000 and picture.convert("RGB").getpixel((2, 2)) == (255, 255, 255)
    drawing = fromstring((tmp_path / "SVG").read_text(encoding="utf-8"))
    words = " ".join(text.text or "" for text in drawing.iter() if text.tag.endswith("text"))
    assert figures.nth(1).locator("p").first.inner_text() in words and "Source: TMDB" in words
    assert "var(" not in (tmp_path / "SVG").read_text(encoding="utf-8")


def test_slides_have_the_findings_as_titles_and_words_for_each_picture(demo, tmp_path):
    pptx = pytest.importorskip("pptx", reason="python-pptx is not installed")
    file = tmp_path / "demo.pptx"
    assert main(["export", "demo", "--pptx", "-o", str(file), "--home", str(demo.home)]) == 0
    deck = pptx.Presentation(str(file))
    first, _, *slides = deck.slides
    assert first.shapes.title.text == "What films return"
    assert "not a picture of the market" in first.shapes[1].text_frame.text
    stored = json.loads((demo.report / "findings.json").read_text(encoding="utf-8"))
    headings = [finding["heading"] for finding in stored if finding["evidence"]]
    titles = [slide.shapes.title.text for slide in slides]
    assert len(titles) > 8 and titles == [heading for heading in headings if heading in titles]
    for slide in slides:
        (picture,) = [shape for shape in slide.shapes if shape.shape_type == 13]
        assert len(picture._element.nvPicPr.cNvPr.get("descr")) > 40
        for shape in slide.shapes:
            assert shape.left + shape.width <= deck.slide_width
            assert shape.top + shape.height <= deck.slide_height
        assert "Source: TMDB" in slide.shapes[-1].text_frame.text


def test_hostile_titles_are_only_shown(visit, hostile):
    for path in pages(hostile):
        page = visit(path, viewport={"width": 390, "height": 800})
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert page.evaluate("window.hit") is None, path.name
        assert wide(page) <= 0, path.name
        assert not page.locator("a[href^='javascript']").count() and "49" not in page.title()
    report = visit(hostile.report / "index.html")
    words = report.locator("main").inner_text()
    for title in (HARM["script"], HARM["image"], HARM["template"], HARM["markdown"]):
        assert title in words or title in report.locator("main").text_content(), title


def test_cells_that_start_like_formulas_are_escaped(hostile):
    for path in [hostile.report / "movies.csv", *(hostile.report / "kpis").glob("*.csv")]:
        text = path.read_text(encoding="utf-8")
        assert '"=' not in text and ",=" not in text, path.name
    assert "\"'=HYPERLINK" in (hostile.report / "movies.csv").read_text(encoding="utf-8")
