"""Each rule has data that break it, and then it fires, it alone or with those named here; each
threshold can close the gate."""

import json
import math
from copy import deepcopy
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from types import SimpleNamespace

import pandas as pd
import pyarrow.parquet as pq
import pytest
from bs4 import BeautifulSoup

from tmdb_analysis.core.engine import session
from tmdb_analysis.core.schema import COLLECTIONS, CREDITS, DROPPED, MOVIES, RAW
from tmdb_analysis.core.settings import UsageError, settings
from tmdb_analysis.core.store import contract_faults, open_run, save, write_parquet
from tmdb_analysis.films.checks import answer_rules, answers
from tmdb_analysis.films.comparisons import changes, outlier_rules, trend_rules, with_spread
from tmdb_analysis.films.film_checks import (
    MOVIE_COLUMNS,
    credit_rules,
    movie_rules,
    with_film_and_person,
    with_related_facts,
)
from tmdb_analysis.films.rules import (
    SEVERITY_WEIGHTS,
    broken_rule_ids,
    evaluate,
    flags,
    impossible_value_rules,
    outcome,
)
from tmdb_analysis.films.validate import (
    GateClosed,
    conservation,
    quality,
    require_gate,
    table_rules,
    with_thresholds,
)
from tmdb_analysis.use.cli import main

TODAY = datetime.now(UTC)

# --- a film that keeps every rule --------------------------------------------------------------


def bundle(i: int) -> SimpleNamespace:
    "A film in all tables that keeps every rule; its money and people are its own."
    budget, revenue = 10_000_000 + 137_111 * i, 20_000_000 + 311_171 * i
    day, letters = date(2001, 1, 1) + timedelta(days=i), chr(65 + i % 26)
    shared = {
        "id": i,
        "title": f"Film {i}",
        "vote_count": 500,
        "vote_average": 7.5,
        "popularity": 5.0,
        "runtime": 90 + i % 30,
    }
    raw = shared | {
        "seq": i, "origin": f"test:{i}", "fetched_at": TODAY, "status": "Released",
        "release_date": str(day), "original_language": "en",
        "adult": False, "video": False, "imdb_id": f"tt{i:07}", "homepage": "https://example.org",
        "poster_path": f"/{i}.jpg",
        "budget": budget, "revenue": revenue, "overview": "A story.", "tagline": "A line.",
        "genres": [(28, "Action"), (18, "Drama")],
        "production_countries": [("US", "United States")],
        "spoken_languages": [("en", "English", "English")],
    }  # fmt: skip
    movie = shared | {
        "seq": i, "release_date": day, "release_year": day.year, "release_decade": 2000,
        "genres": ["Action", "Drama"], "collection_id": i,
        "belongs_to_collection": f"Franchise {i}", "original_language": "en",
        "budget_musd": budget / 1e6, "revenue_musd": revenue / 1e6,
        "profit_musd": (revenue - budget) / 1e6, "roi": revenue / budget,
        "production_companies": ["A"], "production_countries": ["B"],
        "spoken_languages": ["C"], "cast": ["D", "E"], "cast_size": 2, "director": ["F"],
        "crew_size": 1, "known_columns": 20, "fetched_at": TODAY, "as_of": TODAY.date(),
    }  # fmt: skip
    people = [
        ("cast", 0, "Actor", "Hero"),
        ("cast", 1, "Actor", "Villain"),
        ("crew", 0, "Director", None),
    ]
    credits = [
        {"movie_id": i, "kind": kind, "order": order, "person_id": 10 * i + n,
         "name": f"P {letters * n}", "job": job, "character": role}
        for n, (kind, order, job, role) in enumerate(people, 1)
    ]  # fmt: skip
    return SimpleNamespace(
        raw=raw,
        movie=movie,
        credits=credits,
        collection={"collection_id": i, "collection": f"Franchise {i}", "films": 1},
    )


def put(**values):
    "A mutation that sets values of the film."
    return lambda film, other: film.movie.update(values)


def answer(**values):
    "A mutation that sets values of the answer."
    return lambda film, other: film.raw.update(values)


def credit(n: int, **values):
    "A mutation that sets values of a credit."
    return lambda film, other: film.credits[n].update(values)


def money(budget: float | None = None, revenue: float | None = None):
    "A mutation that sets dollars, and what follows from them."

    def mutate(film, other):
        movie = film.movie
        movie["budget_musd"] = movie["budget_musd"] if budget is None else budget / 1e6
        movie["revenue_musd"] = movie["revenue_musd"] if revenue is None else revenue / 1e6
        movie["roi"] = movie["revenue_musd"] / movie["budget_musd"]

    return mutate


def same(*names: str):
    "A mutation that gives the film the values of another."
    return lambda film, other: film.movie.update({name: other.movie[name] for name in names})


def both(*mutations):
    "Several mutations."
    return lambda film, other: [mutate(film, other) for mutate in mutations]


def franchise_of(film, other):
    "The film becomes part of the franchise of the other, under another name."
    film.movie["collection_id"], film.collection = other.movie["collection_id"], None
    other.collection["films"] = 2


def another_record(film, other):
    "There is a second record of the film, with another revenue."
    film.replaced = film.raw | {"seq": -film.raw["seq"], "revenue": 5}


def beyond(measure: str) -> float:
    """A value that is six median deviations above the median of its decade: beyond the limit of one
    rule, 5.2, and within the other's, 7."""
    logs = [math.log(bundle(i).raw[measure]) for i in [*range(1, 61), *range(101, 320)]]
    middle = median(logs)
    return math.exp(middle + 6 * median(abs(x - middle) for x in logs))


FAR = {"budget_mad", "budget_tukey"}
FAR_OUT = {"revenue_mad", "revenue_tukey"}
SLOW = {"runtime_mad", "runtime_tukey", "runtime_usual"}
# rule -> the mutation that breaks it, and the rules that the same data break as well
MUTATIONS = {
    # of answers
    "budget_sign": (answer(budget=-1), ()),
    "revenue_sign": (answer(revenue=-5), ()),
    "runtime_sign": (answer(runtime=-90), ()),
    "known_fetched_at": (answer(fetched_at=None), ()),
    "fetched_fresh": (answer(fetched_at=TODAY - timedelta(days=200)), ()),
    "fetched_past": (answer(fetched_at=TODAY + timedelta(days=9)), ()),
    "status_known": (answer(status="Out"), ()),
    "date_form": (answer(release_date="2001-02-30"), ()),
    "imdb_form": (answer(imdb_id="nm0000001"), ()),
    "poster_form": (answer(poster_path="poster.exe"), ()),
    "homepage_form": (answer(homepage="javascript:alert(1)"), ()),
    "genre_named": (answer(genres=[(28, "Action"), (18, " ")]), ()),
    "production_countries_form": (answer(production_countries=[("USA", "United States")]), ()),
    "spoken_languages_form": (answer(spoken_languages=[(None, "English", None)]), ()),
    "overview_words": (answer(overview=" No overview found. "), ()),
    "tagline_words": (answer(tagline="N/A"), ()),
    "genre_once": (answer(genres=[(28, "Action"), (28, "Action")]), ()),
    "imdb_once": (lambda film, other: film.raw.update(imdb_id=other.raw["imdb_id"]), ()),
    "not_adult": (answer(adult=True), ()),
    "not_video": (answer(video=True), ()),
    "records_agree": (another_record, ()),
    "rating_voted": (answer(vote_count=0), ()),
    # of films: known
    **{f"known_{c}": (put(**{c: None}), ()) for c in MOVIE_COLUMNS},
    "known_belongs_to_collection": (put(belongs_to_collection=None), {"franchise_named"}),
    "known_budget_musd": (put(budget_musd=None, roi=None), {"revenue_has_budget"}),
    "known_revenue_musd": (put(revenue_musd=None, roi=None), ()),
    "known_vote_average": (put(vote_average=None), {"votes_rated"}),
    "known_director": (put(director=None), {"crew_has_director"}),
    # of films: written
    "title_words": (put(title="No Data"), ()),
    "title_trimmed": (put(title="Alien "), ()),
    "title_signs": (put(title="<script>alert(1)</script>"), ()),
    "title_encoding": (put(title="Am\u00c3\u00a9lie"), ()),
    "title_length": (put(title="a" * 201), ()),
    "language_form": (put(original_language="english"), ()),
    "language_iso": (put(original_language="cn"), ()),
    # of films: possible
    "rating_range": (put(vote_average=11.0), {"rating_bare"}),
    "votes_sign": (put(vote_count=-1), {"votes_usual", "rating_votes"}),
    "popularity_sign": (put(popularity=-0.5), {"popularity_usual"}),
    "year_range": (put(release_year=1492), {"budget_era"}),
    "runtime_possible": (put(runtime=200_000), SLOW),
    "budget_possible": (money(budget=1e12), {"budget_usual", "roi_usual", *FAR}),
    "revenue_possible": (money(revenue=1e12), {"revenue_usual", "roi_usual", *FAR_OUT}),
    # of films: usual
    "runtime_usual": (put(runtime=300), SLOW),
    "budget_usual": (money(budget=1.5e9), FAR),
    "revenue_usual": (money(revenue=6e9), {"roi_usual", *FAR_OUT}),
    "votes_usual": (put(vote_count=20_000_000), ()),
    "popularity_usual": (put(popularity=1e6), ()),
    "cast_usual": (put(cast_size=2_000), {"cast_counted"}),
    "crew_usual": (put(crew_size=9_000), {"crew_counted"}),
    "genres_few": (put(genres=[f"Genre {n}" for n in range(11)]), ()),
    # of films: agreement
    "release_past": (put(release_date=TODAY.date() + timedelta(days=30)), ()),
    "votes_rated": (put(vote_average=None), {"known_vote_average"}),
    "revenue_has_budget": (put(budget_musd=None, roi=None), {"known_budget_musd"}),
    "crew_has_director": (put(director=None), {"known_director"}),
    "title_date_once": (same("title", "release_date"), ()),
    "billing_once": (credit(1, order=0), ()),
    "credit_once": (
        lambda film, other: film.credits.append(deepcopy(film.credits[2])),
        {"crew_counted"},
    ),
    "franchise_named": (put(belongs_to_collection=None), {"known_belongs_to_collection"}),
    "franchise_one_name": (franchise_of, ()),
    "franchise_listed": (lambda film, other: setattr(film, "collection", None), ()),
    "franchise_counted": (lambda film, other: film.collection.update(films=3), ()),
    "cast_counted": (put(cast_size=3), ()),
    "crew_counted": (put(crew_size=0), ()),
    # of films: money and ratings
    "budget_millions": (money(budget=30), {"budget_tiny", "roi_usual", *FAR}),
    "revenue_millions": (money(revenue=46), {"revenue_tiny", "roi_usual", *FAR_OUT}),
    "roi_usual": (money(budget=20e6, revenue=2.5e9), FAR_OUT),
    "money_differs": (money(budget=21e6, revenue=21e6), ()),
    "money_once": (same("budget_musd", "revenue_musd", "roi"), ()),
    "budget_era": (put(release_year=1925), ()),
    "budget_tiny": (money(budget=218, revenue=9_000), {*FAR, *FAR_OUT}),
    "revenue_tiny": (money(budget=9_000, revenue=218), {*FAR, *FAR_OUT}),
    "budget_typed": (money(budget=11_111_111), ()),
    "revenue_typed": (money(revenue=33_333_333), ()),
    "rating_bare": (put(vote_average=10.0), ()),
    "rating_votes": (put(vote_count=3), ()),
    "rating_high": (put(vote_average=9.5, vote_count=50), ()),
    # outliers
    "budget_mad": (money(budget=beyond("budget")), ()),
    "budget_tukey": (money(budget=950e6), FAR),
    "revenue_mad": (money(revenue=beyond("revenue")), ()),
    "revenue_tukey": (money(revenue=3e9), FAR_OUT),
    "runtime_mad": (put(runtime=int(beyond("runtime"))), ()),
    "runtime_tukey": (put(runtime=5), SLOW),
    # of credits
    "credit_film": (credit(0, movie_id=-1), {"cast_counted"}),
    "credit_person": (credit(0, person_id=None), ()),
    "credit_name": (credit(0, name=None), ()),
    "credit_job": (lambda film, other: film.credits[2].update(job=None), ()),
    "credit_character": (credit(0, character=None), ()),
    "credit_kind": (credit(2, kind="extra"), ()),
    "credit_order": (credit(0, order=-1), ()),
    "person_sign": (credit(0, person_id=-4), ()),
    "name_letters": (credit(0, name="42"), ()),
    "person_one_name": (
        lambda film, other: film.credits[0].update(person_id=other.credits[0]["person_id"]),
        (),
    ),
    "director_named": (credit(2, name=None), {"credit_name"}),
    "director_id": (credit(2, person_id=None), {"credit_person"}),
}
BESIDE = {"title_date_once": ("title_date_once",), "imdb_once": ("imdb_once",),
          "money_once": ("money_once",),
          "franchise_one_name": ("franchise_one_name",),
          "person_one_name": ("person_one_name",)}  # fmt: skip  # what the other film breaks


def frame(table, rows):
    "A Spark table of rows as dicts."
    return session().createDataFrame(
        [tuple(row.get(c) for c in table.columns) for row in rows if row], table.spark
    )


def asked(bundles):
    "The tables of some films as the rules want them, with their rules and the column of the film."
    second = [b.replaced for b in bundles if hasattr(b, "replaced")]
    dropped = [{**r, "rule": "duplicate", "reasons": ["duplicate"]} for r in second]
    raw = frame(RAW, [*[b.raw for b in bundles], *second])
    movies = frame(MOVIES, [b.movie for b in bundles])
    credits = frame(CREDITS, [c for b in bundles for c in b.credits])
    seen = with_related_facts(movies, credits, frame(COLLECTIONS, [b.collection for b in bundles]))
    return [
        (answers(raw, frame(DROPPED, dropped), TODAY.date()), answer_rules(), "id"),
        (seen, [*movie_rules(), *impossible_value_rules()], "id"),
        (with_spread(movies), outlier_rules(), "id"),
        (with_film_and_person(credits, movies), credit_rules(), "movie_id"),
    ]


@pytest.fixture(scope="module")
def mutated():
    """Sixty films that keep every rule and, for each rule, one that breaks it and one beside it:
    what each breaks, all outcomes, all flags."""
    bundles, owner = [bundle(i) for i in range(1, 61)], {}
    for n, (rule, (mutate, _)) in enumerate(MUTATIONS.items()):
        film, other = bundle(101 + 2 * n), bundle(102 + 2 * n)
        mutate(film, other)
        bundles += [film, other]
        owner |= {film.movie["id"]: (rule, "film"), other.movie["id"]: (rule, "other")}
    found: dict[int, set[str]] = {}
    outcomes, flagged = [], []
    for rows, rules, film in asked(bundles):
        for row in rows.select(film, broken_rule_ids(rules).alias("broken")).collect():
            found.setdefault(row[film], set()).update(row.broken)
        outcomes += evaluate(rows, rules)
        flagged += flags(rows, rules, film).collect()
    return SimpleNamespace(
        found=found, owner=owner, outcomes={r.id: r for r in outcomes}, flags=flagged
    )


def all_rules():
    "All rules about rows."
    session()
    return [
        *answer_rules(),
        *movie_rules(),
        *impossible_value_rules(),
        *outlier_rules(),
        *credit_rules(),
    ]


def test_every_rule_has_a_mutation():
    ids = [rule.id for rule in all_rules()]
    assert len(set(ids)) == len(ids) >= 30 and set(ids) == MUTATIONS.keys()


def test_good_films_break_nothing(mutated):
    assert [i for i in range(1, 61) if mutated.found[i]] == []


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_broken_rule_fires(mutated, rule):
    """The rule fires, with those that the same data break; nothing else does, and the film beside
    it is as good as before."""
    ids = {role: id for id, (name, role) in mutated.owner.items() if name == rule}
    fired = mutated.found[ids["film"]]
    if rule == "credit_film":
        fired = fired | mutated.found[-1]
    assert fired == {rule, *MUTATIONS[rule][1]}
    assert mutated.found[ids["other"]] == set(BESIDE.get(rule, ()))


def test_counts_agree_with_the_rows(mutated):
    for rule, told in mutated.outcomes.items():
        assert 0 < told.failed <= told.evaluated, rule
    flagged = pd.DataFrame([f.asDict() for f in mutated.flags]).groupby("rule_id").size()
    for rule in all_rules():
        assert flagged.get(rule.id, 0) == (
            0 if rule.dimension == "completeness" else mutated.outcomes[rule.id].failed
        ), rule.id


@pytest.mark.parametrize("rule", MUTATIONS)
def test_a_threshold_closes_the_gate(mutated, rule):
    "Just below the share that breaks the rule the gate is closed; at the share it is open."
    told = mutated.outcomes[rule]
    assert quality(with_thresholds([told], [f"{rule}={told.share * 0.999}"]), []).gate == "fail"
    assert quality(with_thresholds([told], [f"{rule}={told.share}"]), []).gate == "pass"
    assert quality([told], []).gate == ("fail" if told.severity == "critical" else "pass")


# --- rules about tables ------------------------------------------------------------------------

COUNTS = {
    "ingest": {"records": 5, "landed": 4, "quarantined": 1},
    "clean": {"movies": 3, "dropped_by": {"duplicate": 1}},
}


def table_outcomes(
    films=(1, 2, 3), listed=(1, 2, 3), contracts=(), counts=COUNTS, new=(), absent=(), limit=50.0
):
    "The outcomes of the rules about tables."
    bundles = [bundle(i) for i in films]
    collections = frame(
        COLLECTIONS, [{"collection_id": i, "collection": "A", "films": 1} for i in listed]
    )
    fields = {"known": ["id", "title"], "new": list(new), "absent": list(absent)}
    movies = frame(MOVIES, [b.movie for b in bundles])
    told = table_rules(
        movies, collections, {"movies": list(contracts)}, conservation(counts), fields, limit
    )
    return {r.id: r for r in told}


LOST = {"ingest": COUNTS["ingest"], "clean": {"movies": 2, "dropped_by": {"duplicate": 1}}}
TABLE_MUTATIONS = {
    "contract": (dict(contracts=["id is null"]), "fail"),
    "film_exists": (dict(films=(), listed=()), "fail"),
    "records_usable": (dict(limit=19.0), "fail"),
    "conservation": (dict(counts=LOST), "fail"),
    "film_id_once": (dict(films=(1, 1, 2, 3)), "fail"),
    "franchise_used": (dict(listed=(1, 2, 3, 4)), "pass"),
    "fields_known": (dict(new=["softcore"]), "pass"),
    "fields_there": (dict(absent=["title"]), "pass"),
}


def test_every_rule_about_tables_has_a_mutation():
    good = table_outcomes()
    assert (
        good.keys() == TABLE_MUTATIONS.keys()
        and all(r.passed for r in good.values())
        and quality([*good.values()], []).gate == "pass"
    )


@pytest.mark.parametrize("rule", TABLE_MUTATIONS)
def test_a_broken_rule_about_tables_fires(rule):
    given, gate = TABLE_MUTATIONS[rule]
    told = table_outcomes(**given)
    assert [id for id, r in told.items() if not r.passed] == [rule]
    verdict = quality([*told.values()], [])
    assert verdict.gate == gate
    if gate == "fail":
        with pytest.raises(GateClosed, match=f"{rule}, .*: broken in"):
            require_gate(verdict)


def test_new_fields_are_named():
    assert "softcore" in table_outcomes(new=["softcore"])["fields_known"].name


def test_faults_of_a_table_are_named(tmp_path):
    run = open_run("faults", tmp_path)
    assert contract_faults(COLLECTIONS, run) == ["the table is missing"]
    save(frame(COLLECTIONS, [bundle(1).collection]), COLLECTIONS, run)
    assert contract_faults(COLLECTIONS, run) == []
    good = pq.read_table(run.path(COLLECTIONS))
    for bad, said in (
        (good.drop_columns("films"), "column films is missing"),
        (good.append_column("more", good["films"]), "column more is not in the contract"),
        (
            good.set_column(2, "films", good["films"].cast("string")),
            "column films is string, not int64",
        ),
        (
            good.set_column(2, "films", pd.array([None], "int64[pyarrow]").__arrow_array__()),
            "column films contains null",
        ),
    ):
        write_parquet(run.path(COLLECTIONS), bad)
        assert contract_faults(COLLECTIONS, run) == [said]


# --- rules about change ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kept", "unknown", "fired"),
    [
        (100, 0, set()),
        (96, 0, {"trend_vanished"}),
        (94, 0, {"trend_vanished", "trend_films"}),
        (100, 2, set()),
        (100, 3, {"trend_known"}),
        (0, 0, {"trend_vanished", "trend_films"}),
    ],
)
def test_change_is_told(kept, unknown, fired):
    films = [bundle(i).movie for i in range(1, 101)]
    before = frame(MOVIES, films)
    now = frame(
        MOVIES, [f | ({"runtime": None} if f["id"] <= unknown else {}) for f in films[:kept]]
    )
    assert {r.id for r in trend_rules(changes(before, now)) if r.failed} == fired


def test_what_is_not_evaluated_is_unknown():
    "Of empty tables nothing is known: no share, no dimension, no score."
    told = [r for rows, rules, _ in asked([]) for r in evaluate(rows, rules)] + trend_rules([])
    assert (
        len(told) > 100 and {r.share for r in told} == {None} and {r.evaluated for r in told} == {0}
    )
    assert quality(told, []).score is None and set(quality(told, []).dimensions.values()) == {None}
    assert quality(told, [], min_score=1).gate == "fail", (
        "a score that is unknown is not high enough"
    )


def test_score_weighs_by_severity():
    def told(severity, failed):
        return outcome("a", "a", "validity", severity, 2, failed)

    outcomes = [told("critical", 0), told("error", 1), told("warn", 2)]
    assert quality(outcomes, []).score == round(100 * (3 + 1 + 0) / 6, 2)
    assert SEVERITY_WEIGHTS == {"critical": 3, "error": 2, "warn": 1}


@pytest.mark.parametrize(
    "wrong", ["runtime_usual", "runtime_usual=5", "runtime_usual=-1", "=0.5", "runtime usual=0.5"]
)
def test_a_threshold_must_be_a_rule_and_a_share(wrong):
    with pytest.raises(UsageError, match="rule_id=share"):
        settings(thresholds=wrong)


# --- a catalogue with planted errors, through the whole chain ----------------------------------


def film(i: int, **given) -> dict:
    "A film as the API answers, without a fault."
    raw = {k: v for k, v in bundle(i).raw.items() if k not in ("seq", "origin")}
    people = [
        {k: v for k, v in c.items() if k not in ("movie_id", "kind", "person_id")}
        | {"id": c["person_id"]}
        for c in bundle(i).credits
    ]
    shape = {
        "fetched_at": TODAY.isoformat(timespec="seconds"),
        "genres": [{"id": 28, "name": "Action"}, {"id": 18, "name": "Drama"}],
        "production_countries": [{"iso_3166_1": "US", "name": "United States"}],
        "production_companies": [{"id": 1, "name": "A"}],
        "spoken_languages": [{"iso_639_1": "en", "name": "English", "english_name": "English"}],
        "belongs_to_collection": {"id": i, "name": f"Franchise {i}"},
        "credits": {"cast": people[:2], "crew": people[2:]},
    }
    return raw | shape | {"title": f"Planted {i}" if i > 100 else f"Film {i}"} | given


def cast(i: int, **given) -> dict:
    "Credits of a film whose first actor is odd."
    people = film(i)["credits"]
    people["cast"][0] |= given
    return people


# id -> the planted error as a record or a line, where it ends, and the id of the rule or the words
# of the reason
PLANTED = {
    101: ('{"id": 101, "title": "Cut', "quarantine", "not JSON"),
    102: ([1, 2], "quarantine", "a list, not a film"),
    103: ({"title": "Nobody"}, "quarantine", "no id"),
    104: ({"success": False, "status_code": 34}, "quarantine", "an error answer"),
    105: (film(105, genres=7), "quarantine", "genres: a number"),
    106: (film(106, credits=[]), "quarantine", "credits: a list"),
    107: (film(107, genres="Action"), "quarantine", "genres: text"),
    108: (film(108, id=-8), "quarantine", "id: must be above 0"),
    111: (film(111, vote_average=11.0), "dropped", "rating_range"),
    112: (film(112, vote_count=-3), "dropped", "votes_sign"),
    113: (film(113, popularity=-1.0), "dropped", "popularity_sign"),
    114: (film(114, release_date="1492-10-12"), "dropped", "year_range"),
    115: (film(115, runtime=10**6), "dropped", "runtime_possible"),
    116: (film(116, revenue=10**18), "dropped", "revenue_possible"),
    117: (film(117, title="  "), "dropped", "no_title"),
    118: (film(118, status="Rumored"), "dropped", "not_released"),
    119: ({"id": 119, "title": "Planted 119", "status": "Released"}, "dropped",
          "too_few_known_columns"),
    120: (film(1, id=60, fetched_at="2020-01-01T00:00:00Z", title="Planted 120"), "dropped",
          "duplicate"),
    131: (film(131, budget=-1), "flags", "budget_sign"),
    132: (film(132, runtime=-90), "flags", "runtime_sign"),
    133: (film(133, budget=30), "flags", "budget_millions"),
    134: (film(134, revenue=46), "flags", "revenue_tiny"),
    135: (film(135, budget=21_000_000, revenue=21_000_000), "flags", "money_differs"),
    136: (film(136, budget=11_111_111), "flags", "budget_typed"),
    137: (film(137, revenue=5_000_000_000), "flags", "revenue_mad"),
    138: (film(138, runtime=600), "flags", "runtime_usual"),
    139: (film(139, release_date="2001-02-30"), "flags", "date_form"),
    140: (film(140, release_date="2099-01-01"), "flags", "release_past"),
    141: (film(141, fetched_at="2020-01-01T00:00:00Z"), "flags", "fetched_fresh"),
    142: (film(142, imdb_id="tt0000001"), "flags", "imdb_once"),
    143: (film(143, imdb_id="nm1"), "flags", "imdb_form"),
    144: (film(144, title="Film 1", release_date=str(date(2001, 1, 2))), "flags",
          "title_date_once"),
    145: (film(145, original_language="english"), "flags", "language_form"),
    146: (film(146, production_countries=[{"iso_3166_1": "USA", "name": "United States"}]), "flags",
          "production_countries_form"),
    147: (film(147, genres=[{"id": 28, "name": "Action"}] * 2), "flags", "genre_once"),
    148: (film(148, title="Planted 148 <b onclick=alert(1)>"), "flags", "title_signs"),
    149: (film(149, title="Planted 149 Am\u00c3\u00a9lie"), "flags", "title_encoding"),
    150: (film(150, adult=True), "flags", "not_adult"),
    151: (film(151, vote_average=10.0), "flags", "rating_bare"),
    152: (film(152, vote_count=2), "flags", "rating_votes"),
    153: (film(153, belongs_to_collection={"id": 1, "name": "Another name"}), "flags",
          "franchise_one_name"),
    154: (film(154, credits=cast(154, order=1)), "flags", "billing_once"),
    155: (film(155, credits=cast(155, id=11)), "flags", "person_one_name"),
    156: (film(156, credits=cast(156, name="42")), "flags", "name_letters"),
    157: (film(157, credits={"cast": film(157)["credits"]["cast"], "crew": []}), None, ""),
    158: (film(158, homepage="ftp://example.org"), "flags", "homepage_form"),
    159: (film(159, softcore=False), "new field", "softcore"),
    160: (film(160, runtime=91), "own rule", "own_rule"),
}  # fmt: skip
OWN = """from pyspark.sql import functions as F
from tmdb_analysis.films.rules import Rule
RULES = [Rule("own_rule", "film 160 does not run 91 minutes", "accuracy", "warn",
              F.col("runtime") != 91, F.col("id") == 160, "runtime")]
"""


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    "A run over a catalogue with planted errors: its tables, quality and pages."
    home = tmp_path_factory.mktemp("planted")
    lines = [json.dumps(film(i)) for i in range(1, 61)]
    lines += [
        given if isinstance(given, str) else json.dumps(given) for given, *_ in PLANTED.values()
    ]
    (home / "catalogue.jsonl").write_text("\n".join(lines))
    (home / "own.py").write_text(OWN)
    options = ["-p", f"rules_file={home / 'own.py'}"]
    assert (
        main(
            [
                "run",
                "--source",
                "files",
                "--input",
                str(home / "catalogue.jsonl"),
                "--home",
                str(home),
                "--run-id",
                "p",
                *options,
            ]
        )
        == 0
    )
    report = home / "reports" / "p"
    pages = {
        p.stem: " ".join(BeautifulSoup(p.read_text(), "html.parser").get_text(" ").split())
        for p in report.glob("[1-3]*.html")
    }
    tables = {
        p.stem: pq.read_table(p).to_pandas() for p in (home / "data/tables/p").glob("*.parquet")
    }
    return SimpleNamespace(
        home=home,
        report=report,
        pages=pages,
        quality=json.loads((report / "quality.json").read_text()),
        **tables,
    )


def test_thirty_kinds_are_planted():
    assert len({what for _, where, what in PLANTED.values() if where}) >= 30


@pytest.mark.integration
@pytest.mark.parametrize(
    "id", [id for id, (_, where, _) in PLANTED.items() if where == "quarantine"]
)
def test_planted_records_are_quarantined(planted, id):
    origin, reason = f"catalogue.jsonl:{60 + 1 + list(PLANTED).index(id)}", PLANTED[id][2]
    row = planted.quarantine.set_index("origin").loc[origin]
    assert row.reason.startswith(reason)
    assert (
        origin in planted.pages["27_validate"]
        and reason.split(":")[0] in planted.pages["27_validate"]
    )


@pytest.mark.integration
@pytest.mark.parametrize("id", [id for id, (_, where, _) in PLANTED.items() if where == "dropped"])
def test_planted_films_are_dropped_with_reasons(planted, id):
    given, _, reason = PLANTED[id]
    row = planted.dropped[
        planted.dropped.origin == f"catalogue.jsonl:{60 + 1 + list(PLANTED).index(id)}"
    ].iloc[0]
    assert reason in row.reasons and row.id == given["id"]
    assert (
        reason in planted.pages["27_validate"] and str(given["id"]) in planted.pages["27_validate"]
    )
    if given["id"] != 60:
        assert given["id"] not in set(planted.movies.id)
        flagged = planted.flags[planted.flags.severity == "error"]
        assert set(flagged[flagged.movie_id == given["id"]].rule_id) == set(row.reasons) & {
            rule.id for rule in impossible_value_rules()
        }


@pytest.mark.integration
@pytest.mark.parametrize(
    "id", [id for id, (_, where, _) in PLANTED.items() if where in ("flags", "own rule")]
)
def test_planted_films_are_flagged_and_stay(planted, id):
    given, _, rule = PLANTED[id]
    flag = planted.flags[(planted.flags.movie_id == id) & (planted.flags.rule_id == rule)].iloc[0]
    assert flag.title == given["title"] and id in set(planted.movies.id)
    assert rule in planted.pages["27_validate"] and f"({id})" in planted.pages["27_validate"], (
        "the page names the film"
    )
    assert next(r for r in planted.quality["rules"] if r["id"] == rule)["failed"] > 0


@pytest.mark.integration
def test_good_films_are_not_flagged(planted):
    beside = {
        1: {"imdb_once", "title_date_once", "franchise_one_name", "person_one_name"},
        60: {"records_agree"},
    }  # what the planted ones took from film 1
    found = (
        planted.flags[planted.flags.movie_id <= 60].groupby("movie_id").rule_id.agg(set).to_dict()
    )
    assert found == beside


@pytest.mark.integration
def test_the_page_says_it_all(planted):
    page = planted.pages["27_validate"]
    assert (
        "checks that can stop a run passed" in page
        and "softcore" in page
        and str(planted.quality["score"]) in page
    )
    for dimension, score in planted.quality["dimensions"].items():
        assert dimension in page and score is not None
    assert (
        "alert(1)>" in page
        and "<b onclick" not in (planted.report / "27_validate.html").read_text()
    ), "a title is text"
    table = pd.read_csv(planted.report / "flags.csv")
    assert (
        len(table) == len(planted.flags)
        and table.columns.tolist() == planted.flags.columns.tolist()
    )
    clean = next(s for s in planted.quality["conservation"] if s["step"] == "clean")
    assert clean["holds"] and clean["out"]["breaks a rule"] == 6


@pytest.mark.integration
@pytest.mark.parametrize(
    ("option", "said"),
    [
        (
            "thresholds=runtime_usual=0.001",
            "runtime_usual, runtime lies between 40 and 240: broken in 1 of",
        ),
        ("thresholds=runtime_usal=0.5", "did you mean runtime_usual?"),
        ("min_score=99.9", "min_score, the score is 99.9 or more"),
    ],
)
def test_a_run_may_ask_for_more(planted, option, said, tmp_path, capsys):
    given = [
        "run",
        "--source",
        "files",
        "--input",
        str(planted.home / "catalogue.jsonl"),
        "--home",
        str(tmp_path),
        "--run-id",
        "x",
    ]
    assert main([*given, "-p", option]) == 1
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 1 and said in lines[0]
    assert not (tmp_path / "data/tables/CURRENT").exists()


@pytest.mark.integration
def test_a_second_run_is_held_against_the_first(planted):
    kept = [
        line
        for line in (planted.home / "catalogue.jsonl").read_text().splitlines()
        if '"id": 7,' not in line
    ]
    Path(planted.home, "again").mkdir()
    (planted.home / "again" / "catalogue.jsonl").write_text("\n".join(kept))
    given = [
        "run",
        "--source",
        "files",
        "--input",
        str(planted.home / "again" / "catalogue.jsonl"),
        "--home",
        str(planted.home),
    ]
    assert main([*given, "--run-id", "q"]) == 0
    told = json.loads((planted.home / "reports/q/quality.json").read_text())
    trend = {
        r["id"]: (r["evaluated"] > 0, r["failed"])
        for r in told["rules"]
        if r["id"].startswith("trend_")
    }
    assert trend == {
        "trend_films": (True, 0),
        "trend_vanished": (True, 1),
        "trend_known": (True, 0),
    }
    assert "Compared with run p" in told["compared"]
    assert all(
        r["share"] is None for r in planted.quality["rules"] if r["id"].startswith("trend_")
    ), "the first has nothing to compare with"
