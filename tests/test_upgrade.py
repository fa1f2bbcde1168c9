"""A home that an earlier version made: every later version reads it, or says what to do.

`tests/homes/home-VERSION.tar.zst` holds a finished run `tuesday` of 22 films of the local TMDB,
with its answers and without pages, notebooks and caches. A release adds one; none is changed."""

import io
import json
import shutil
import tarfile
from contextlib import closing
from pathlib import Path

import pytest
import zstandard

from tmdb_analysis.core.home import Run, published
from tmdb_analysis.core.records import RunRecord, read_quality, stage_records
from tmdb_analysis.core.schema import COHORT, CREDITS, MOVIES
from tmdb_analysis.core.settings import Settings, TmdbError, UsageError
from tmdb_analysis.core.store import read_arrow
from tmdb_analysis.kpis.registry import all_kpis
from tmdb_analysis.runs.catalog import read_facts
from tmdb_analysis.runs.chain import claim_run
from tmdb_analysis.tmdb.ledger import Ledger, fetched_records, raw_folder, recover_segments
from tmdb_analysis.use.cli import main
from tmdb_analysis.use.loading import rows_of_table
from tmdb_analysis.use.steps import saved_settings

HOMES = sorted((Path(__file__).parent / "homes").glob("*.tar.zst"))


@pytest.fixture(params=HOMES, ids=lambda path: path.name.removesuffix(".tar.zst"))
def old(request, tmp_path, monkeypatch) -> Path:
    "The home of an earlier version."
    content = zstandard.ZstdDecompressor().decompress(request.param.read_bytes())
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.setenv("TMDB_READ_TOKEN", "a.b.c")
    return tmp_path


def run_again(home: Path, name: str, **facts) -> Run:
    "A copy of the run under another name, with other facts in run.json."
    for folder in ("data/raw", "data/tables", "reports"):
        shutil.copytree(home / folder / "tuesday", home / folder / name)
    path = home / "reports" / name / "run.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"run_id": name} | facts))
    return Run(name, home)


def said(capsys, home: Path, *words: str) -> str:
    "What a command prints; it must end well."
    capsys.readouterr()
    assert main([*words, "--home", str(home)]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def test_its_run_is_listed_and_opened(old, capsys):
    assert published(old).id == "tuesday"
    (row,) = json.loads(said(capsys, old, "runs", "--json"))
    assert row["status"] == "ok" and row["published"] and row["films"] == 22
    assert "reports/tuesday/index.html" in said(capsys, old, "open", "--no-browser")


def test_its_tables_and_records_meet_the_contracts_of_today(old):
    run = Run("tuesday", old)
    for table in (MOVIES, CREDITS, COHORT):
        found = read_arrow(table, run)
        assert found.num_rows and set(table.columns) <= set(found.column_names)
    facts: RunRecord = read_facts(run.report)
    quality = read_quality(run)
    assert facts.films == 22 and quality is not None and quality.gate == "pass"
    assert {record.status for record in stage_records(run)} == {"ok"}
    old_settings: Settings = saved_settings(run, home=str(old))
    assert old_settings.pipeline.source == "api"


def test_what_publish_would_load_of_it(old):
    run = Run("tuesday", old)
    assert len([*rows_of_table(run, MOVIES)]) == 22
    stored = {path.stem for path in (run.report / "kpis").glob("*.parquet")}
    for name, kpi in all_kpis().items():
        if name in stored:
            assert all(
                len(row) == len(kpi.contract.columns) for row in rows_of_table(run, kpi.contract)
            )
        else:  # of a later version
            with pytest.raises(TmdbError, match="another version made it; run it again"):
                [*rows_of_table(run, kpi.contract)]


def test_it_is_compared_with_a_newer_run(old, capsys):
    run_again(old, "newer", finished="2026-12-24T00:00:00Z")
    assert said(capsys, old, "diff", "tuesday", "newer")


def test_a_finished_run_is_not_resumed_and_another_is(old):
    done = saved_settings(Run("tuesday", old), home=str(old))
    with pytest.raises(UsageError, match="run tuesday is finished"), claim_run(done):
        pass
    run = run_again(old, "half", status="failed")
    half = saved_settings(run, home=str(old), run_id="half")
    with claim_run(half) as claimed:
        assert claimed == run
        assert len([*fetched_records(raw_folder(run))]) == 22, "its answers are not asked again"


def test_its_ledger_and_segments_go_on(old):
    with closing(Ledger(raw_folder(Run("tuesday", old)))) as ledger:
        assert ledger.counts()["done"] == 22 and ledger.question()["language"] == "en-US"
        assert recover_segments(ledger) == {"adopted": 0, "lost": 0}


def test_there_is_a_home_of_each_version():
    assert HOMES and all(path.stat().st_size < 300_000 for path in HOMES)
