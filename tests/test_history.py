"""What changed between runs: real runs of the command on a few films, as text, JSON and pages; and
runs as files."""

import json
import re
import shutil
import statistics
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from tmdb_analysis.core.home import Run
from tmdb_analysis.core.records import RunRecord, write_record
from tmdb_analysis.films.cohort import COHORT_PARAMETERS
from tmdb_analysis.runs.catalog import read_facts, why_not_comparable
from tmdb_analysis.runs.history import compare_runs
from tmdb_analysis.runs.share import settings_to_repeat
from tmdb_analysis.runs.site import render_home
from tmdb_analysis.use.cli import main

DATES = [
    "1979-05-25",
    "1988-06-03",
    "1991-07-01",
    "1994-09-10",
    "1999-03-30",
    "2003-05-15",
    "2010-07-16",
    "2014-11-05",
]
HOSTILE = "<b>Big</b> & <script>alert(1)</script> \x1b[31m"


def film(i: int, **changed) -> dict:
    "A saved answer."
    company = [{"id": 1, "name": "Acme"}]
    people = {
        "cast": [{"id": 10 + i, "name": f"Actor {i}", "order": 0}],
        "crew": [{"id": 90, "name": "A. Director", "job": "Director"}],
    }
    return {
        **{
            "id": i,
            "title": f"Film {i}",
            "status": "Released",
            "release_date": DATES[i % 8],
            "original_language": "en",
            "runtime": 100,
        },
        **{
            "budget": 10_000_000 * i,
            "revenue": 25_000_000 * i,
            "vote_average": 6.5,
            "vote_count": 100 + i,
            "popularity": 1.0 + i,
        },
        **{
            "genres": [{"id": 18, "name": "Drama"}],
            "production_companies": company,
            "production_countries": [],
            "spoken_languages": [],
        },
        **{
            "overview": "A film.",
            "tagline": "",
            "adult": False,
            "video": False,
            "credits": people,
            **changed,
        },
    }


FIRST = [film(i) for i in range(1, 13)]
REVISED = {3: {"revenue": 400_000_000}, 4: {"genres": [{"id": 27, "name": "Horror"}]}}
SECOND = [film(i, **REVISED.get(i, {})) for i in range(2, 13)] + [
    film(20, title=HOSTILE, revenue=900_000_000)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory, demo) -> Path:
    """A home with runs: one, two (a film less, one more, two revised), strict (other limits), and
    the demo run."""
    home = tmp_path_factory.mktemp("history")
    for name, films in {"one": FIRST, "two": SECOND}.items():
        (home / f"{name}.json").write_text(json.dumps(films))
        assert not main(
            [
                "run",
                "--source",
                "files",
                "--input",
                str(home / f"{name}.json"),
                "--home",
                str(home),
                "--run-id",
                name,
            ]
        )
    files = ["--source", "files", "--input", str(home / "two.json")]
    assert not main(
        [
            "run",
            *files,
            "--home",
            str(home),
            "--run-id",
            "strict",
            "-p",
            "min_votes=50",
            "-p",
            "top_n=5",
        ]
    )
    shutil.copytree(demo.report, home / "reports" / "demo")
    shutil.copytree(demo.tables, home / "data" / "tables" / "demo")
    return home


@pytest.fixture(scope="module")
def result(place) -> dict:
    "The comparison of the first two."
    return compare_runs(Run("one", place), Run("two", place))


def said(capsys, *args: str) -> str:
    "What a command prints."
    capsys.readouterr()
    assert main(list(args)) == 0
    return capsys.readouterr().out


def refused(capsys, *args: str) -> str:
    "The one line with which a command refuses; exit 2."
    capsys.readouterr()
    assert main(list(args)) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


def page(path: Path) -> BeautifulSoup:
    "A page."
    return BeautifulSoup(path.read_text(encoding="utf-8"), "html.parser")


@pytest.mark.integration
def test_films_are_new_vanished_and_revised(result):
    films = result["films"]
    assert (
        [f["id"] for f in films["new"]] == [20]
        and [f["id"] for f in films["vanished"]] == [1]
        and films["same"] == 11
    )
    assert films["revised"] == {"genres": 1, "revenue_musd": 1}
    changed = {(v["id"], v["column"]): (v["before"], v["after"]) for v in films["values"]}
    assert changed == {(3, "revenue_musd"): (75.0, 400.0), (4, "genres"): ("Drama", "Horror")}


@pytest.mark.integration
def test_changes_are_taken_apart_and_add_up(result):
    rows = {row["measure"]: row for row in result["totals"]}
    for row in rows.values():
        assert row["vanished"] + row["revised"] + row["new"] == pytest.approx(row["change"])
    revenue = rows["total_revenue_musd"]
    assert (revenue["vanished"], revenue["revised"], revenue["new"]) == (-25.0, 325.0, 900.0)
    assert (rows["films"]["vanished"], rows["films"]["revised"], rows["films"]["new"]) == (-1, 0, 1)
    roi = [{f["id"]: f["revenue"] / f["budget"] for f in films} for films in (FIRST, SECOND)]
    kept = [[roi[side][i] for i in roi[0] if i in roi[1]] for side in (0, 1)]
    steps = [
        statistics.median(values) for values in (roi[0].values(), kept[0], kept[1], roi[1].values())
    ]
    found = rows["median_roi"]
    assert (found["before"], found["after"]) == pytest.approx((steps[0], steps[3]))
    assert [found[p] for p in ("vanished", "revised", "new")] == pytest.approx(
        [b - a for a, b in zip(steps, steps[1:], strict=False)]
    )


@pytest.mark.integration
def test_the_typical_return_is_taken_apart(result, place):
    import pyarrow.parquet as pq

    found = next(row for row in result["totals"] if row["measure"] == "median_return")
    tables = [
        pq.read_table(place / "reports" / name / "kpis" / "money.parquet").to_pylist()
        for name in ("one", "two")
    ]
    published = [
        next(row["value"] for row in rows if row["measure"] == "median_return") for rows in tables
    ]
    assert [found["before"], found["after"]] == pytest.approx(published)
    assert found["vanished"] + found["revised"] + found["new"] == pytest.approx(found["change"])


@pytest.mark.integration
def test_totals_are_those_of_the_published_tables(place, result):
    import pyarrow.parquet as pq

    for side, name in (("before", "one"), ("after", "two")):
        films = pq.read_table(place / "data" / "tables" / name / "movies.parquet").to_pylist()
        total = next(row for row in result["totals"] if row["measure"] == "total_revenue_musd")
        assert total[side] == pytest.approx(sum(film["revenue_musd"] or 0 for film in films))


@pytest.mark.integration
def test_a_film_that_changes_its_genre_is_new_in_one_and_gone_from_the_other(result):
    parts = {(r["group"], r["measure"]): r for r in result["kpis"]["genres"]["parts"]}
    assert (
        parts["Horror", "films"]["new"] == 1
        and parts["Drama", "films"]["vanished"] == -2
        and parts["Drama", "films"]["new"] == 1
    )


@pytest.mark.integration
def test_ranks_move(result):
    kpi = result["kpis"]["highest_revenue"]
    assert kpi["vanished"] == [] or kpi["vanished"][0]["rank"] > 8
    assert {"row": HOSTILE, "rank": 1} in kpi["new"]
    assert {"row": "Film 3", "before": 10, "after": 2} in kpi["moves"] and {
        "row": "Film 12",
        "before": 1,
        "after": 3,
    } in kpi["moves"]


@pytest.mark.integration
def test_a_change_inside_the_interval_is_no_clear_change(result, place):
    import pyarrow.parquet as pq

    before = {
        row["measure"]: row
        for row in pq.read_table(place / "reports/one/kpis/money.parquet").to_pylist()
    }
    seen = set()
    for change in result["kpis"]["money"]["changes"]:
        if change["column"] == "value" and before[change["row"]]["low"] is not None:
            inside = (
                before[change["row"]]["low"] <= change["after"] <= before[change["row"]]["high"]
            )
            assert (change["verdict"] == "no clear change") == inside, change
            seen.add(inside)
    assert seen == {True, False}, "this data have changes of both kinds"


@pytest.mark.integration
def test_other_limits_are_not_compared(place, capsys):
    result = compare_runs(Run("two", place), Run("strict", place))
    assert (
        result["kpis"]["highest_rated"]["apart"]
        == "min_votes was 10 in run two and 50 in run strict"
    )
    assert (
        result["kpis"]["yearly"]["apart"] is None
        and not result["kpis"]["yearly"]["changes"]
        and not result["films"]["new"]
    )
    assert "not comparable: min_votes was 10 in run two and 50 in run strict" in said(
        capsys, "diff", "two", "strict", "--home", str(place)
    )


def test_a_number_on_money_notes_the_limits_of_the_cohort(demo):
    """Runs with other money rules stay apart, although the stage that publishes a number does not
    take the limits."""
    facts = read_facts(demo.report)
    noted = {name: found.parameters.keys() for name, found in facts.definitions.items()}
    assert set(COHORT_PARAMETERS) <= noted["money"] & noted["companies"] & noted["windows"]
    assert not set(COHORT_PARAMETERS) & noted["highest_revenue"]
    other = facts.model_copy(update={"run_id": "other"}, deep=True)
    other.definitions["windows"].parameters["mature_days"] = 90
    assert (
        why_not_comparable("windows", other, facts)
        == "mature_days was 90 in run other and 180 in run demo"
    )


@pytest.mark.integration
def test_other_sources_and_definitions_are_not_compared(place, tmp_path):
    result = compare_runs(Run("demo", place), Run("two", place))
    assert (
        result["films"] == {"apart": "the sources differ (sample, files)"}
        and result["totals"] == []
    )
    assert {kpi["apart"] for kpi in result["kpis"].values()} == {
        "the sources differ (sample, files)"
    }
    shutil.copytree(place / "reports" / "two", tmp_path / "reports" / "older")
    facts = read_facts(tmp_path / "reports" / "older")
    facts.definitions["genres"].versions["definition"] = 0
    facts.definitions["decades"].versions["cohort"] = 0
    del facts.definitions["yearly"]
    write_record(tmp_path / "reports" / "older" / "run.json", facts)
    shutil.copytree(place / "reports" / "two", tmp_path / "reports" / "two")
    result = compare_runs(Run("older", tmp_path), Run("two", tmp_path))
    reasons = {name: kpi["apart"] for name, kpi in result["kpis"].items()}
    now = read_facts(place / "reports" / "two").definitions
    assert reasons["genres"] == (
        "version of the definition was 0 in run older "
        f"and {now['genres'].versions['definition']} in run two"
    )
    assert reasons["decades"] == (
        f"version of the money rules was 0 in run older "
        f"and {now['decades'].versions['cohort']} in run two"
    )
    assert reasons["yearly"] == "definition version unknown in run older"
    assert result["kpis"]["money"]["apart"] is None
    assert "film table of run older is missing" in result["films"]["apart"]


@pytest.mark.integration
def test_a_change_of_wording_does_not_part_runs_and_a_version_does(place, tmp_path, monkeypatch):
    "What is recorded of a table is its version; the text of its definition may get better."
    from tmdb_analysis.kpis import genres
    from tmdb_analysis.runs.catalog import definitions

    run, recorded = Run("two", place), read_facts(place / "reports" / "two")
    assert definitions(run, recorded) == recorded.definitions
    (genres_kpi,) = genres.genres.kpis
    better = replace(genres_kpi, definition="Clearer words.")
    monkeypatch.setattr(genres.genres, "kpis", (better,))
    assert definitions(run, recorded) == recorded.definitions
    monkeypatch.setattr(genres.genres, "kpis", (replace(better, version=2),))
    changed = {"run_id": "later", "definitions": definitions(run, recorded)}
    later = recorded.model_copy(update=changed)
    reason = "version of the definition was 1 in run two and 2 in run later"
    assert why_not_comparable("genres", recorded, later) == reason
    assert why_not_comparable("yearly", recorded, later) is None


@pytest.mark.integration
def test_a_shorter_list_is_compared_in_the_rows_that_both_have(place, capsys):
    result = compare_runs(Run("two", place), Run("strict", place))["kpis"]
    found = result["highest_revenue"]
    assert (found["apart"], found["first"]) == (None, 5)
    assert not found["new"] and not found["vanished"] and not found["moves"]
    reason = "top_n was 10 in run two and 5 in run strict"
    assert reason in result["sensitivity"]["apart"], "its values depend on top_n"
    text = said(capsys, "diff", "two", "strict", "--home", str(place))
    assert re.search("highest_revenue +in the first 5 rows: no change", text)


@pytest.mark.integration
def test_runs_of_earlier_code_are_read(place, tmp_path, capsys):
    "They recorded fingerprints: `hash` and `filters`, and no version."
    for name in ("one", "two"):
        for folder in ("reports", "data/tables"):
            shutil.copytree(place / folder / name, tmp_path / folder / name)
    facts = json.loads((tmp_path / "reports" / "one" / "run.json").read_text())
    old = {"stage": "45_genres", "hash": "f5d10a", "filters": {"top_n": 10}}
    facts["definitions"] = dict.fromkeys(facts["definitions"], old)
    (tmp_path / "reports" / "one" / "run.json").write_text(json.dumps(facts))
    unknown = "not comparable: definition version unknown in run one"
    for pair in (("one", "two"), ("two", "one")):
        text = said(capsys, "diff", *pair, "--home", str(tmp_path))
        assert unknown in text and len(text.splitlines()) > 30
    assert "one" in said(capsys, "runs", "--home", str(tmp_path))


@pytest.mark.integration
def test_diff_says_the_same_as_text_json_and_page(place, capsys):
    text = said(capsys, "diff", "one", "two", "--home", str(place))
    assert "11 in both runs, 1 new, 1 vanished" in text and "\x1b" not in text
    assert re.search(
        r"Total revenue \(\$M\)\s+1,950.00\s+3,150.00\s+\+1,200.00\s+-25.00\s+\+325.00\s+\+900.00",
        text,
    )
    told = json.loads(said(capsys, "diff", "one", "two", "--json", "--home", str(place)))
    assert (
        next(r for r in told["totals"] if r["measure"] == "total_revenue_musd")["revised"] == 325.0
    )
    rows = said(capsys, "diff", "one", "two", "--kpi", "highest_revenue", "--home", str(place))
    assert "Film 3" in rows and "moved" in rows and "\x1b" not in rows
    found = page(place / "reports/two/diff_one.html")
    assert (
        found.find("b") is None
        and [s.get("type") for s in found("script")] == []
        and HOSTILE[:10] in found.text
    )
    assert "+1,200.00" in found.text and "no clear change" in found.text
    ids = {tag["id"] for tag in found.select("[id]")}
    assert {a["href"][1:] for a in found.select("main a[href^='#']")} <= ids
    assert page(place / "reports/two/index.html").find("a", href="diff_one.html"), (
        "the report links to it"
    )


@pytest.mark.integration
def test_refusals_are_one_line(place, capsys):
    home = ["--home", str(place)]
    assert "did you mean strict?" in refused(capsys, "open", "strikt", *home)
    assert "both are one" in refused(capsys, "diff", "one", "one", *home)
    assert "did you mean yearly?" in refused(capsys, "diff", "one", "two", "--kpi", "yearli", *home)
    assert "there is no run" in refused(capsys, "export", "../one", "--zip", *home)
    (place / "reports" / "bare").mkdir()
    assert "has no report" in refused(capsys, "open", "bare", *home) and "no page yet" in refused(
        capsys, "export", "bare", "--single-file", *home
    )
    (place / "reports" / "bare").rmdir()


@pytest.mark.integration
def test_runs_are_listed_as_what_they_are(place, capsys, monkeypatch):
    monkeypatch.setenv("DISPLAY", "")
    hostile = place / "reports" / "<img src=x onerror=alert(1)>\x1b[31m"
    torn, half = place / "reports" / "torn", place / "reports" / "half"
    for folder in (hostile, torn, half):
        folder.mkdir()
    (torn / "run.json").write_text('{"status": "o')
    (hostile / "run.json").write_text(
        json.dumps(
            {"status": ["<b>"], "films": {"a": 1}, "score": "x", "definitions": [], "finished": 7}
        )
    )
    try:
        text = said(capsys, "runs", "--home", str(place))
        rows = {line.split()[0]: line for line in text.splitlines()[1:]}
        assert (
            "unreadable" in rows["torn"]
            and "incomplete" in rows["half"]
            and " 12 " in rows["two"]
            and "\x1b" not in text
        )
        found = page(render_home(place))
        assert found.find("img") is None and found.find("b") is None
        linked = [tr.th.text.strip() for tr in found.select("tbody tr") if tr.th.a]
        assert sorted(linked) == ["demo", "one", "strict", "two"]
    finally:
        for folder in (hostile, torn, half):
            shutil.rmtree(folder)
    opened = said(capsys, "open", "one", "--home", str(place)).splitlines()
    assert opened == [
        str(place / "reports/one/index.html"),
        (place / "reports/one/index.html").as_uri(),
    ]


@pytest.mark.integration
def test_the_list_of_runs_has_lines_over_comparable_runs(place):
    rows = {tr.th.text.strip(): tr for tr in page(render_home(place)).select("tbody tr")}
    lines = {name: [svg["aria-label"] for svg in tr("svg")] for name, tr in rows.items()}
    assert lines["one"] == [] and lines["demo"] == []
    assert lines["two"][0] == "Films over 2 comparable runs: 12, 12" and len(lines["two"]) == 3
    assert lines["strict"][0].startswith("Films over 3 comparable runs"), (
        "no film depends on its limits"
    )
    assert read_facts(place / "reports" / "two").previous == {"run": "one", "error": None}
    assert rows["two"].find("a", href="two/diff_one.html").text == "since one"


@pytest.mark.integration
def test_one_page_needs_no_other_file(place, tmp_path, capsys):
    target = tmp_path / "report.html"
    said(capsys, "export", "two", "--single-file", "-o", str(target), "--home", str(place))
    found = page(target)
    links = [a["href"] for a in found("a") if not a["href"].startswith(("#", "http"))]
    assert links and all(link.startswith("data:") for link in links) and found("svg")
    assert found.select_one("#method table") and found.find("a", href="#method")
    assert (
        all(img["src"].startswith("data:") for img in found("img"))
        and str(place) not in target.read_text()
    )
    assert "already exists" in refused(
        capsys, "export", "two", "--single-file", "-o", str(target), "--home", str(place)
    )
    said(
        capsys, "export", "two", "--single-file", "--force", "-o", str(target), "--home", str(place)
    )


@pytest.mark.integration
def test_a_zip_has_everything_and_the_same_bytes(place, tmp_path, capsys):
    for name in ("a.zip", "b.zip"):
        said(capsys, "export", "two", "--zip", "-o", str(tmp_path / name), "--home", str(place))
        for path in (place / "reports" / "two").rglob("*"):
            path.touch()
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = archive.namelist()
        assert names == sorted(names) and {
            "two/index.html",
            "two/run.json",
            "two/kpis/money.csv",
        } <= set(names)
        assert not any(
            b'href="../' in archive.read(name) for name in names if name.endswith(".html")
        )


@pytest.mark.integration
def test_pdf_or_what_to_install(place, tmp_path, capsys, monkeypatch):
    target = tmp_path / "report.pdf"
    args = ["export", "two", "--pdf", "-o", str(target), "--home", str(place)]
    with monkeypatch.context() as bare:
        bare.setenv("PATH", str(tmp_path))
        assert (
            main(args) == 1
            and "Chromium or Chrome is missing" in capsys.readouterr().err
            and not target.exists()
        )
    if not any(map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))):
        pytest.skip("no Chromium here")
    said(capsys, *args)
    assert target.read_bytes().startswith(b"%PDF") and b"file://" not in target.read_bytes()


@pytest.mark.integration
def test_a_report_is_repeated_from_its_page(place, tmp_path, capsys):
    target = tmp_path / "report.html"
    said(capsys, "export", "strict", "--single-file", "-o", str(target), "--home", str(place))
    again = ["run", "--from-report", str(target), "--home", str(tmp_path), "--run-id", "again"]
    assert "give that file too" in refused(capsys, *again)
    assert "not the file of the report" in refused(
        capsys, *again, "--input", str(place / "one.json")
    )
    assert not (tmp_path / "reports").exists()
    text = said(capsys, *again, "--input", str(place / "two.json"))
    assert (
        "repeating run strict" in text and "same films, score and definitions as the report" in text
    )
    for name in ("highest_rated.csv", "money.csv", "genres.csv"):
        assert (tmp_path / "reports/again/kpis" / name).read_bytes() == (
            place / "reports/strict/kpis" / name
        ).read_bytes()


@pytest.mark.integration
def test_provenance_names_no_place_and_steers_nothing(place, tmp_path, capsys):
    text = (place / "reports/two/index.html").read_text()
    told = json.loads(page(place / "reports/two/index.html").find("script", id="provenance").text)
    assert (
        told["source"] == "files"
        and told["input"] == ["two.json"]
        and re.fullmatch("[0-9a-f]{64}", told["inputs"]["input"]["sha256"])
    )
    assert "base_url" not in told["parameters"] and str(place) not in text
    evil = {**told, "source": "api", "inputs": {}, "versions": {"python": "\x1b[31m2"}}
    evil["parameters"] = {
        "base_url": "https://example.com",
        "rules_file": "/x.py",
        "home": "/",
        "run_id": "x",
        "top_n": "many",
        "ids": ["1"],
    }
    assert settings_to_repeat(RunRecord.model_validate(evil), {})[0] == {
        "top_n": "many",
        "ids": ["1"],
        "source": "api",
    }, "neither where to connect nor what to execute"
    (tmp_path / "evil.html").write_text(
        f'<script type="application/json" id="provenance">{json.dumps(evil)}</script>'
    )
    assert "top_n: Input should be a valid integer" in refused(
        capsys, "run", "--from-report", str(tmp_path / "evil.html")
    )
    (tmp_path / "plain.html").write_text("<h1>Films</h1>")
    assert "the page contains no provenance" in refused(
        capsys, "run", "--from-report", str(tmp_path / "plain.html")
    )
    assert "cannot be read" in refused(capsys, "run", "--from-report", str(tmp_path / "gone.html"))
