"""Take the pictures of README.md and docs/ from runs over the embedded sample, in a real Chromium:
`make pictures`."""

import shutil
import sys
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tmdb_analysis.pages.export import BROWSERS
from tmdb_analysis.use.cli import main

IMAGES = Path(__file__).parent.parent / "docs" / "images"
RUNS = {"week-45": ["-p", "min_known_columns=16"], "week-46": [], "week-47": []}
SHOTS = {  # name -> page, window, and whether the screen is dark
    "report": ("week-47/index.html", (1200, 1000), False),
    "report_dark": ("week-47/index.html", (1200, 1000), True),
    "report_phone": ("week-47/index.html", (390, 844), False),
    "dashboard": ("week-47/dashboard.html", (1200, 1000), False),
    "runs": ("index.html", (1400, 420), False),
}


def small(png: bytes) -> bytes:
    "A picture in 64 colours."
    out = BytesIO()
    Image.open(BytesIO(png)).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(
        out, "PNG", optimize=True
    )
    return out.getvalue()


def look(page: Page, path: Path) -> bytes:
    "What a window shows of a page."
    page.goto(path.as_uri())
    if path.name == "dashboard.html":
        page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)
        page.wait_for_timeout(500)  # until the charts have faded in
    return small(page.screenshot())


GRID = """
nav, header, footer, .skip, main > :not(.chart), main > figure:nth-of-type(n + 10) {
  display: none !important
}
.columns { display: block !important; max-width: none; padding: 0 }
main { display: grid; grid-template-columns: repeat(3, 1fr); gap: 0 1.5rem; padding: 1rem }
.chart { margin: 0 0 1rem; font-size: 0.8rem }
.chart .drawn { font-size: 0.85rem }
.chart figcaption { display: none }
"""


def contact_sheet(page: Page, path: Path) -> bytes:
    "The first nine figures of a report in a grid."
    page.goto(path.as_uri())
    page.add_style_tag(content=GRID)
    return small(page.screenshot(full_page=True))


def take(reports: Path) -> None:
    "Take all pictures of the runs in a folder."
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        sys.exit("no Chromium here: apt-get install chromium")
    IMAGES.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name, (path, (width, height), dark) in SHOTS.items():
            page = browser.new_page(
                viewport={"width": width, "height": height},
                color_scheme="dark" if dark else "light",
            )
            (IMAGES / f"{name}.png").write_bytes(look(page, reports / path))
            page.close()
        page = browser.new_page(viewport={"width": 1240, "height": 900})
        sheet = contact_sheet(page, reports / "week-47" / "index.html")
        (IMAGES / "figures.png").write_bytes(sheet)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as home:
        for name, more in RUNS.items():
            if main(["run", "--source", "sample", "--home", home, "--run-id", name, *more]):
                sys.exit(f"run {name} failed")
        take(Path(home) / "reports")
