"What the tests stand on: a signal that is heard, and a real browser for the tests of pages."

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tmdb_analysis.pages.export import BROWSERS

ROOT = Path(__file__).parent.parent
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # else what the tests start ignores it when they run in the background


@pytest.fixture(scope="session")
def wheel(tmp_path_factory) -> Path:
    "The wheel, built from the source archive of what git would commit."
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    source.mkdir()
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in filter(None, files.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pack = "from setuptools.build_meta import build_sdist; build_sdist('..')"
    subprocess.run([sys.executable, "-c", pack], cwd=source, check=True, capture_output=True)
    archive = str(next(folder.glob("*.tar.gz")))
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), archive], check=True)
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="session")
def chromium():
    "A real browser."
    sync = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found:
        pytest.skip("no Chromium here: apt-get install chromium")
    with sync.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium):
    """A function that opens a page; afterwards it must have asked for nothing and written
    nothing to the console."""
    contexts, wrong = [], []

    def opened(path: Path, address: str = "", **options):
        context = chromium.new_context(**({"viewport": {"width": 1280, "height": 900}} | options))
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda e: wrong.append(f"error {e}"))
        page.on("console", lambda m: wrong.append(f"{m.type} {m.text}"))
        page.on(
            "request",
            lambda r: (
                wrong.append(r.url) if not r.url.startswith(("file:", "blob:", "data:")) else None
            ),
        )
        page.goto(path.as_uri() + address)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong
