"Apache Spark gives the tables of Sail."

import json

import pytest

from tests.compare import assert_same, published
from tmdb_analysis.core.home import Run
from tmdb_analysis.core.servers import java_version
from tmdb_analysis.use.cli import main

pytestmark = pytest.mark.integration


@pytest.mark.nightly  # test_cluster compares the tables of fewer films
def test_apache_spark_equals_sail(demo, tmp_path):
    if java_version() not in (17, 21):
        pytest.skip("Apache Spark needs Java 17 or 21")
    assert (
        main(
            [
                "run",
                "--home",
                str(tmp_path),
                "--run-id",
                "spark",
                "--source",
                "sample",
                "--engine",
                "spark",
            ]
        )
        == 0
    )
    theirs, ours = published(Run("spark", tmp_path)), published(demo)
    assert theirs.keys() == ours.keys()
    for name in ours:
        assert_same(theirs[name], ours[name], name)
    rules = [
        json.loads((r.report / "quality.json").read_text())["rules"]
        for r in (Run("spark", tmp_path), demo)
    ]
    counted = [[(rule["id"], rule["evaluated"], rule["failed"]) for rule in told] for told in rules]
    assert counted[0] == counted[1]
    did = json.loads((tmp_path / "reports" / "spark" / "run.json").read_text())["spark"]
    assert did["stages"] >= did["jobs"] > 50, "jobs and stages come from its event log"
    assert f"tmdb_spark_jobs {did['jobs']}.0" in (tmp_path / "reports" / "metrics.prom").read_text()
