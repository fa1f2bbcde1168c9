"Where records come from: every source keeps the contract, and nobody else asks for its name."

import ast
from pathlib import Path

import pytest

from tests import fetching
from tests.fake_tmdb import fake_tmdb
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.settings import SOURCE_OF, UsageError, settings
from tmdb_analysis.runs.share import input_digests
from tmdb_analysis.tmdb.ledger import raw_folder
from tmdb_analysis.tmdb.sources import (
    SOURCES,
    Source,
    TmdbApi,
    single_records,
    source_named,
    source_of,
)
from tmdb_analysis.use.cli import main, parser
from tmdb_analysis.use.steps import scheduled_settings, scheduler_form

PACKAGE = Path(__file__).parent.parent / "tmdb_analysis"


def compared(text: str) -> list[str]:
    "The names of sources that some code compares with something."
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Compare)]
    equal = [n for n in nodes if any(isinstance(op, ast.Eq | ast.NotEq) for op in n.ops)]
    sides = [side for node in equal for side in (node.left, *node.comparators)]
    return [
        side.value for side in sides if isinstance(side, ast.Constant) and side.value in SOURCES
    ]


def test_nothing_compares_the_name_of_a_source():
    assert compared('found = 1 if source == "api" else 2') == ["api"]
    found = {str(p): compared(p.read_text(encoding="utf-8")) for p in PACKAGE.rglob("*.py")}
    assert not {path: names for path, names in found.items() if names}


def test_command_and_scheduler_offer_all_sources():
    for name in SOURCES:
        assert parser().parse_args(["run", "--source", name]).source == name
    assert scheduler_form()["source"]["enum"] == list(SOURCES)


def test_each_setting_of_a_source_belongs_to_the_source_that_it_means():
    for name, source in SOURCE_OF.items():
        assert name in SOURCES[source].reads


@pytest.mark.parametrize("words", [["run", "-p", "source=flies"], ["run"]])
def test_an_unknown_source_is_refused_before_anything_starts(words, tmp_path, capsys, monkeypatch):
    if words == ["run"]:
        monkeypatch.setenv("TMDB_SOURCE", "flies")
    assert main([*words, "--home", str(tmp_path)]) == 2
    assert "source: flies is unknown; did you mean files?" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_doctor_names_an_unknown_source(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("TMDB_SOURCE", "flies")
    assert main(["doctor", "--home", str(tmp_path)]) == 1
    assert "source: flies is unknown" in capsys.readouterr().out


def test_a_scheduled_run_of_an_unknown_source_is_refused(tmp_path):
    with pytest.raises(UsageError, match="flies is unknown"):
        source_of(scheduled_settings({"source": "flies"}, "x", tmp_path))


def test_a_source_refuses_settings_that_it_does_not_read():
    with pytest.raises(UsageError, match="ids needs source api, but source is other"):
        Other(settings(source="other", ids="7")).check()


class Other(Source):
    "A source that the settings do not know."

    name, reads = "other", ("input",)


def test_another_source_may_read_the_input(tmp_path, monkeypatch):
    monkeypatch.setenv("TMDB_IDS", "7")
    chosen = settings(source="other", input=str(tmp_path))
    assert chosen.pipeline.ids == [], "what another place says for another source is dropped"
    Other(chosen).check()
    assert Other(chosen).question() == {"input": [str(tmp_path)]}


def test_nothing_is_known_of_a_source_of_another_version():
    for name in ("moon", None, {"a": 1}):
        assert source_named(name) is Source


def test_the_digest_of_the_files_is_in_the_provenance(tmp_path):
    (tmp_path / "films.json").write_text('[{"id": 7}]')
    (tmp_path / "ids.txt").write_text("7\n")
    assert list(input_digests(settings(input=str(tmp_path / "films.json")))) == ["input"]
    assert list(input_digests(settings(ids_file=str(tmp_path / "ids.txt")))) == ["ids_file"]
    assert list(input_digests(settings())) == ["input"]
    assert input_digests(settings(input=str(tmp_path / "absent.json"))) == {}


@pytest.fixture(scope="module")
def tmdb():
    "A local TMDB with the films of the sample."
    with fake_tmdb("sample") as server:
        yield server


def test_the_source_api_fetches_first_and_refuses_another_question(tmdb, tmp_path):
    chosen = fetching.chosen(tmdb.url, tmp_path, ids="19995,299534", run_id="a")
    source, run = TmdbApi(chosen), Run("a", tmp_path)
    source.check()
    source.resume(run)
    assert not raw_folder(run).exists(), "to look makes nothing"
    found = dict(single_records(source.records(run)))
    assert {record["id"] for record in found.values()} == {19995, 299534} and source.fetch[
        "done"
    ] == 2
    source.resume(run)
    assert dict(single_records(source.records(run))) == found, "it goes on with what it has"
    with pytest.raises(UsageError, match="another ids"):
        TmdbApi(fetching.chosen(tmdb.url, tmp_path, ids="19995", run_id="a")).resume(run)
