"""Run all chapters in number order, store their outputs, export the library and make README.md.

python tests/make_book.py [CHAPTER ...]     # only these, by the start of their names
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbconvert import MarkdownExporter

ROOT = Path(__file__).parent.parent
NBS = ROOT / "nbs"


def executed(path: Path) -> None:
    "Run a chapter in a fresh kernel and store its outputs, without what it printed to stderr."
    nb = nbformat.read(path, as_version=4)
    kernel = AsyncKernelManager(kernel_name="python3", transport_encryption="auto")
    client = NotebookClient(nb, km=kernel, timeout=300, resources={"metadata": {"path": str(NBS)}})
    client.owns_km = True  # ends the kernel when the chapter is done
    client.execute()
    for cell in nb.cells:
        if cell.cell_type == "code":
            cell.outputs = [o for o in cell.outputs if o.get("name") != "stderr"]
    nbformat.write(nb, path)


def readme() -> str:
    "The text of README.md, from nbs/index.ipynb."
    nb = nbformat.read(NBS / "index.ipynb", as_version=4)
    nb.metadata["language_info"] = {"name": "python"}  # so that code gets a language
    exporter = MarkdownExporter(
        config={"NbConvertBase": {"display_data_priority": ["text/markdown", "text/plain"]}}
    )
    text, _ = exporter.from_notebook_node(nb)
    text = re.sub(r"\]\((\d_\w+)", r"](nbs/\1", text).replace("](../", "](")
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def main(chosen: list[str]) -> None:
    "Make the book."
    tool = Path(sys.executable).parent
    subprocess.run([tool / "nbdev_export"], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "tests.make_stubs"], cwd=ROOT, check=True)
    # imported here, so that the run uses the library as it was just exported
    from tmdb_analysis.core.engine import one_server
    from tmdb_analysis.core.settings import settings
    from tmdb_analysis.use.cli import main as tmdb

    with tempfile.TemporaryDirectory() as home:
        os.environ["TMDB_HOME"] = home
        if tmdb(["demo", "--run-id", "lab"]):
            sys.exit("the demo run failed")
        with one_server(settings().spark):
            for path in sorted(NBS.glob("[0-9]_*/[0-9]*.ipynb")):
                if not chosen or path.name.startswith(tuple(chosen)):
                    print(path.name, flush=True)
                    executed(path)
    subprocess.run([tool / "nbdev_clean"], cwd=ROOT, check=True)
    (ROOT / "README.md").write_text(readme(), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
