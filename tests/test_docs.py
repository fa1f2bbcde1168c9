"What README and docs say exists: verbs, options, make targets, pictures, chapters, links."

import re
import shlex
from pathlib import Path

import nbformat
import pytest
from PIL import Image

from tmdb_analysis.core.settings import settings
from tmdb_analysis.pages.page import ATTRIBUTION
from tmdb_analysis.use.cli import main, parser

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(page: Path, language: str = "bash") -> list[str]:
    "The blocks of code of a page."
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), re.M | re.S)


def commands(page: Path) -> list[str]:
    "The commands in the blocks of a page, without comments and variables."
    lines = [
        line.partition(" #")[0].strip()
        for block in blocks(page)
        for line in block.replace("\\\n", " ").splitlines()
    ]
    return [re.sub(r"^([A-Z_]+=\S+(\([^)]*\))?( [^ ]+\))? )+", "", line) for line in lines if line]


def test_every_tmdb_command_is_understood():
    seen = 0
    names = set(settings().flat())
    for line in (line for page in PAGES for line in commands(page)):
        words = shlex.split(line.split(" > ")[0].split("; ")[0])
        if words and words[0].rpartition("/")[2] == "tmdb":
            args = parser().parse_args(words[1:])  # exits 2 for what it does not know
            wanted = {p.partition("=")[0] for p in getattr(args, "parameters", None) or []}
            assert wanted <= names, line
            seen += 1
    assert seen > 20


def test_attribution_is_one_sentence_everywhere(demo):
    "The constant of the pages is what README, docs and the files of a run say."
    run = [*demo.report.glob("*.html"), demo.report / "datapackage.json"]
    run += [demo.report / "contract.yaml"]
    docs = [ROOT / "README.md", ROOT / "docs/terms.md", ROOT / "data/sample/README.md"]
    assert len(run) > 20
    silent = [p.name for p in run + docs if ATTRIBUTION not in " ".join(p.read_text().split())]
    assert not silent


def test_every_make_target_is_there():
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M))
    used = {
        target
        for page in PAGES
        for target in re.findall(r"\bmake ([a-z][a-z-]+)\b", "\n".join([*commands(page)]))
    }
    assert used and used <= targets


def test_links_and_pictures_are_there():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text(encoding="utf-8")):
            assert target.startswith("http") or (page.parent / target).exists(), (page.name, target)


def test_pictures_are_small_and_used():
    said = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for path in (ROOT / "docs" / "images").glob("*.png"):
        assert path.stat().st_size < 100_000 and min(Image.open(path).size) > 300, path.name
        assert path.name in said, path.name


@pytest.mark.parametrize(
    "words", ["runs", "params", "open demo", "why money --row median_return", "doctor"]
)
def test_commands_of_the_first_day_work(words, demo, capsys, monkeypatch):
    monkeypatch.setenv("TMDB_HOME", str(demo.home))
    assert main(words.split()) == 0
    assert capsys.readouterr().out.strip()


CHAPTERS = sorted((ROOT / "nbs").glob("[0-9]_*/*.ipynb"))
NUMBER = r"(?<![\w.,*])(\d[\d,]*(?:\.\d+)?)"


def shown_numbers(cells: list) -> list[float]:
    "All numbers in the stored outputs of a chapter."
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    texts = [output.get("text", "") for output in outputs]
    kinds = ("text/plain", "text/html", "text/markdown")
    texts += [output.get("data", {}).get(kind, "") for output in outputs for kind in kinds]
    plain = re.sub(r"<[^>]+>", " ", "\n".join(texts))
    return [float(n.replace(",", "")) for n in re.findall(r"(?<![\w.])\d[\d,]*(?:\.\d+)?", plain)]


def untied(claim: str, shown: list[float]) -> list[str]:
    "The numbers in a text that no shown number rounds to, also as a share."
    plain, missing = re.sub(r"`[^`]*`|\]\([^)]*\)", "", claim), []
    for text, percent in re.findall(rf"{NUMBER}( ?%)?", plain):
        text = text.rstrip(",")
        value, half = float(text.replace(",", "")), 0.500001 * 10.0 ** -len(text.partition(".")[2])
        scales = (1, 100) if percent else (1,)
        if not any(abs(scale * x - value) <= half for x in shown for scale in scales):
            missing.append(text)
    return missing


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_numbers_of_the_sample_in_prose_are_in_the_outputs(chapter):
    "From *in the sample* to the end of a paragraph, each number is one that the chapter shows."
    cells = nbformat.read(chapter, as_version=4).cells
    shown = shown_numbers(cells)
    lines = [line for c in cells if c.cell_type == "markdown" for line in c.source.splitlines()]
    claims = [line[m.start() :] for line in lines if (m := re.search("[Ii]n the sample", line))]
    assert not {claim[:80]: found for claim in claims if (found := untied(claim, shown))}


def test_a_stale_number_is_found():
    assert untied("In the sample 376 of 987 films are dramas, 38 %.", [987, 0.38]) == ["376"]
