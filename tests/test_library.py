"The library as a person uses it: lines of the README twice, completion, names that stay."

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest

import tmdb_analysis as tmdb
from tests.test_docs import blocks

README = Path(__file__).parent.parent / "README.md"
COMPLETED = """
from rlcompleter import Completer
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell(user_ns={"tmdb": tmdb})
shell.Completer.use_jedi = False  # which does not import what it completes
for texts in (Completer({"tmdb": tmdb}).attr_matches("tmdb."), shell.complete(None, "tmdb.", 5)[1]):
    found = {text.rpartition(".")[2].rstrip("()") for text in texts}
    assert found >= set(tmdb.__all__), set(tmdb.__all__) - found
for name in dir(tmdb):
    getattr(tmdb, name)
"""


@pytest.mark.integration
def test_the_lines_of_the_readme_work_again_and_after_completion(demo):
    (lines,) = blocks(README, "python")
    code = "\n".join(["import matplotlib", "matplotlib.use('Agg')", lines, lines, COMPLETED, lines])
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_chain_builds_no_grammar_of_addresses():
    code = "import sys, tmdb_analysis.runs.chain; assert 'jsonschema' in sys.modules; "
    code += "assert 'lark' not in sys.modules, 'a second of processor time for each command'"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


PARTS = sorted(path.parent.name for path in Path(tmdb.__path__[0]).glob("*/__init__.py"))
OFFERED = [(tmdb, name) for name in tmdb.__all__]
OFFERED += [(part, name) for part in map(tmdb.__getattr__, PARTS) for name in part.__all__]


@pytest.mark.parametrize(
    ("package", "name"), OFFERED, ids=lambda x: x if isinstance(x, str) else x.__name__
)
def test_a_public_name_means_one_thing(package, name):
    "An imported submodule is an attribute of its package: no function may have its name."
    is_module = find_spec(f"{package.__name__}.{name}") is not None
    for found in (getattr(package, name), getattr(package, name)):
        assert isinstance(found, ModuleType) == is_module


@pytest.mark.parametrize("part", PARTS)
def test_a_part_lists_its_chapters_and_a_few_functions(part):
    package = getattr(tmdb, part)
    chapters = {path.stem for path in Path(package.__path__[0]).glob("[a-z]*.py")}
    assert chapters <= set(package.__all__)
    assert 1 <= len(set(package.__all__) - chapters) <= 8


@pytest.mark.parametrize("name", tmdb._EARLIER)
def test_names_of_earlier_versions_still_work(name):
    assert getattr(tmdb, name)
