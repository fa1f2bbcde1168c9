"""Build the website of the book: parts and chapters with their stored outputs, the documentation,
the API reference from the docstrings, and on its first page reports of real runs: `make docs`.

    python -m deploy.docs.make_docs [--out FOLDER] [--reports FOLDER]

`--reports` takes a folder that already has the runs of the gallery.
"""

import argparse
import json
import re
import shutil
import subprocess
import sys
import tempfile
from importlib import import_module
from pathlib import Path

import nbformat
from sphinx.cmd.build import main as sphinx

import tmdb_analysis

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
TMDB = ROOT / ".venv/bin/tmdb"  # in the environment of users, which has all that a run needs
GALLERY = {  # run -> title, text, options of the run, picture
    "sample": (
        "1,000 films",
        "The embedded sample: a choice of films, no picture of the market.",
        [],
        "report.png",
    ),
    "horror": (
        "Horror",
        "The horror films of the sample; every number covers only them.",
        ["-p", "genre=Horror"],
        "report_horror.png",
    ),
}
GUIDES = ["tour", "report", "library", "operations", "security", "architecture", "terms"]
PAGES = ["CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"]
PAGES += ["data/sample/README.md", "data/reference/README.md"]


def parts() -> list[Path]:
    "The folders of the chapters, in order."
    return sorted((ROOT / "nbs").glob("[0-9]_*"))


def chapters(part: Path) -> list[Path]:
    "The chapters of a part, in order."
    return sorted(part.glob("[0-9]*.ipynb"))


def title_and_line(chapter: Path) -> tuple[str, str]:
    "The title of a chapter and the line that says what it is for."
    nb = nbformat.read(chapter, as_version=4)
    text = next(c.source for c in nb.cells if c.cell_type == "markdown")
    return re.search(r"^# (.+)", text)[1], re.search(r"^> (.+)", text, re.M)[1]


def with_links(html: str) -> str:
    """HTML of an output, with links to notebooks of the same run as links to pages of the site.
    The site has no tables and no dictionary of a run, so links to these are left out."""
    html = re.sub(r'<a href="[^":]+\.(?:csv|parquet)">[^<]*</a>', "", html)
    html = re.sub(r'<a href="dictionary\.html[^"]*">([^<]*)</a>', r"\1", html)
    where = {chapter.stem: part.name for part in parts() for chapter in chapters(part)}
    link = r'href="(\d\d_\w+)\.ipynb(#[^"]*)?"'
    return re.sub(link, lambda m: f'href="../{where[m[1]]}/{m[1]}.html"', html)


def readable(chapter: Path) -> nbformat.NotebookNode:
    "A chapter for the website: without directives of nbdev, with one title."
    nb = nbformat.read(chapter, as_version=4)
    nb.cells = [cell for cell in nb.cells if "#| default_exp" not in cell.source]
    is_first = True
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.source = re.sub(r"^#\|.*\n?", "", cell.source, flags=re.M)
            for data in (output.get("data", {}) for output in cell.outputs):
                if "text/html" in data:
                    data["text/html"] = with_links(data["text/html"])
        elif re.match(r"# ", cell.source):
            cell.source = cell.source if is_first else "#" + cell.source
            is_first = False
    return nb


def toctree(names: list[str], caption: str = "", hidden: bool = False) -> str:
    "A table of contents in MyST."
    options = [":maxdepth: 1", *([f":caption: {caption}"] if caption else [])]
    options += [":hidden:"] if hidden else []
    return "\n".join(["```{toctree}", *options, "", *names, "```", ""])


def part_page(part: Path) -> str:
    "The page of a part: what it does, and its chapters."
    about = import_module(f"tmdb_analysis.{part.name[2:]}").__doc__ or ""
    lines = [f"# {part.name[0]}. {part.name[2:]}", "", about.strip(), ""]
    for chapter in chapters(part):
        title, line = title_and_line(chapter)
        lines += [f"- [{chapter.stem[:2]} {title}]({chapter.name}): {line}"]
    return "\n".join(lines + ["", toctree([c.stem for c in chapters(part)], hidden=True)])


def api_page(part: str) -> str:
    "The API reference of a part: each chapter with its functions and classes."
    package = import_module(f"tmdb_analysis.{part}")
    lines = [f"# tmdb.{part}", "", (package.__doc__ or "").strip(), ""]
    for path in sorted(Path(package.__path__[0]).glob("[a-z]*.py")):
        module = f"{package.__name__}.{path.stem}"
        lines += [f"## {part}.{path.stem}", "", "```{eval-rst}", f".. automodule:: {module}"]
        lines += ["   :members:", "```", ""]
    return "\n".join(lines)


def cards() -> str:
    "The gallery of reports, and one dashboard."
    shown = [(run, "index.html", *entry) for run, entry in GALLERY.items()]
    text = "Filters, and charts that follow them."
    shown += [("sample", "dashboard.html", "Dashboard", text, [], "dashboard.png")]
    lines = ['<div class="gallery">']
    for run, page, title, text, _, picture in shown:
        lines += [f'<a href="gallery/{run}/{page}"><img src="_images/{picture}" alt="">']
        lines += [f"<b>{title}</b><span>{text}</span></a>"]
    return "\n".join([*lines, "</div>"])


def first_page() -> str:
    "The first page: reports, then ways to go on."
    part_names = [f"nbs/{part.name}/index" for part in parts()]
    text = (HERE / "index.md").read_text(encoding="utf-8").replace("{{ gallery }}", cards())
    lists = {
        "Guides": [f"docs/{name}" for name in GUIDES if (ROOT / f"docs/{name}.md").exists()],
        "The book": part_names,
        "API reference": [f"api/{part.name[2:]}" for part in parts()],
        "The project": [name.removesuffix(".md") for name in PAGES],
    }
    return text + "".join("\n" + toctree(n, caption, True) for caption, n in lists.items())


def llms_text() -> str:
    "`llms.txt`: the pages of the site with a line on each, for programs that read text."
    lines = [f"# {tmdb_analysis.__name__}", "", "> " + tmdb_analysis.__doc__.splitlines()[0], ""]
    lines += ["## Guides", ""]
    for name in GUIDES:
        path = ROOT / f"docs/{name}.md"
        if path.exists():
            heading = path.read_text(encoding="utf-8").partition("\n")[0]
            lines += [f"- [{heading.removeprefix('# ')}](docs/{name}.html)"]
    for part in parts():
        lines += ["", f"## {part.name}", ""]
        for chapter in chapters(part):
            title, line = title_and_line(chapter)
            lines += [f"- [{title}](nbs/{part.name}/{chapter.stem}.html): {line}"]
    lines += ["", "## API reference", ""]
    lines += [f"- [tmdb.{part.name[2:]}](api/{part.name[2:]}.html)" for part in parts()]
    return "\n".join(lines) + "\n"


def lay_out(source: Path, reports: Path) -> None:
    "Write the sources of the website, in the folders of the project, so that links stay right."
    for name in PAGES:
        (source / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, source / name)
    shutil.copytree(ROOT / "docs", source / "docs")
    for part in parts():
        (source / "nbs" / part.name).mkdir(parents=True)
        for chapter in chapters(part):
            nbformat.write(readable(chapter), source / "nbs" / part.name / chapter.name)
        page = source / "nbs" / part.name / "index.md"
        page.write_text(part_page(part), encoding="utf-8")
        api = source / "api" / f"{part.name[2:]}.md"
        api.parent.mkdir(exist_ok=True)
        api.write_text(api_page(part.name[2:]), encoding="utf-8")
    (source / "_static").mkdir()
    shutil.copy(HERE / "site.css", source / "_static")
    shutil.copy(HERE / "conf.py", source)
    (source / "index.md").write_text(first_page(), encoding="utf-8")
    extra = source / "extra"
    for run in GALLERY:
        shutil.copytree(reports / run, extra / "gallery" / run)
    for picture in {"dashboard.png", *(entry[3] for entry in GALLERY.values())}:
        (extra / "_images").mkdir(exist_ok=True)
        shutil.copy(ROOT / "docs/images" / picture, extra / "_images")
    (extra / "llms.txt").write_text(llms_text(), encoding="utf-8")


def make_runs(home: Path) -> Path:
    "The runs of the gallery; returns the folder of their reports."
    for run, (*_, options, _) in GALLERY.items():
        words = ["run", "--source", "sample", "--home", home, "--run-id", run, *options]
        if subprocess.run([TMDB, *words], check=False).returncode:
            sys.exit(f"the run {run} failed")
    return home / "reports"


def main() -> int:
    "Make the runs, lay out the sources, call Sphinx."
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--out", type=Path, default=ROOT / "build/site")
    parser.add_argument("--reports", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch, "source")
        lay_out(source, args.reports or make_runs(Path(scratch, "home")))
        shutil.rmtree(args.out, ignore_errors=True)
        words = ["--quiet", "--fail-on-warning", "--keep-going", "--doctree-dir"]
        code = sphinx([*words, f"{scratch}/doctrees", str(source), str(args.out)])
    size = sum(path.stat().st_size for path in args.out.rglob("*") if path.is_file())
    print(json.dumps({"site": str(args.out / "index.html"), "mb": round(size / 1e6, 1)}))
    return code


if __name__ == "__main__":
    sys.exit(main())
