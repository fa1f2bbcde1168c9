"""The local TMDB keeps TMDB's contract: held to TMDB's own OpenAPI document and to recorded
answers, fault by fault."""

import gzip
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import pytest
import requests
from jsonschema import Draft202012Validator

from tests.fake_tmdb import ROOT, FakeTmdb, fake_tmdb
from tests.fake_tmdb.api import PERSON_IDS
from tests.fake_tmdb.reference import ERRORS

KEY, TOKEN = "fake-v3-key", "fake.v4.token"
PLAIN = {"Accept-Encoding": "identity"}
BEARER = {"Authorization": f"Bearer {TOKEN}"}
DAY = datetime.now(UTC).date()


@pytest.fixture(scope="module")
def recordings(shared) -> dict[str, dict]:
    "Recorded requests and answers by file name."
    return {
        f.stem: json.loads(f.read_text(encoding="utf-8"))
        for f in sorted((shared / "raw_api" / "2025-12-24").glob("*.json"))
    }


@pytest.fixture(scope="module")
def made():
    "A local TMDB of 600 synthetic films."
    with fake_tmdb("synthetic:600") as tmdb:
        yield tmdb


@pytest.fixture(scope="module")
def real():
    "A local TMDB with the sample."
    with fake_tmdb("sample") as tmdb:
        yield tmdb


@pytest.fixture(autouse=True)
def as_new(request):
    "Undo what the last test did."
    yield
    for name in {"made", "real"} & set(request.fixturenames):
        request.getfixturevalue(name).reset()


def get(tmdb: FakeTmdb, path: str, **more) -> requests.Response:
    "An answer, without redirects."
    return requests.get(
        f"{tmdb.url}{path}", **{"headers": BEARER, "timeout": 30, "allow_redirects": False} | more
    )


def body(tmdb: FakeTmdb, path: str, **params):
    "The JSON of a good answer."
    answer = get(tmdb, f"/3/{path}", params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


def everything(tmdb: FakeTmdb, path: str, **params) -> list[dict]:
    "All items of all pages of a list."
    first = body(tmdb, path, **params)
    pages = [first] + [
        body(tmdb, path, **params, page=n) for n in range(2, first["total_pages"] + 1)
    ]
    return [item for page in pages for item in page["results"]]


def raw(
    tmdb: FakeTmdb, path: str = "/3/movie/1", timeout: float = 5.0, wanted: str = "close"
) -> tuple[bytes, bool]:
    """What comes over the wire until the other side ends the connection or time is up, and whether
    it was reset."""
    data, end = b"", time.monotonic() + timeout
    with socket.create_connection(urlsplit(tmdb.url).netloc.split(":"), timeout) as s:
        s.sendall(
            f"GET {path}?api_key={KEY} HTTP/1.1\r\nHost: x\r\nConnection: {wanted}\r\n\r\n".encode()
        )
        try:
            while time.monotonic() < end and (part := s.recv(65536)):
                data += part
        except ConnectionResetError:
            return data, True
        except TimeoutError:
            pass
    return data, False


# The contract: OpenAPI and recordings


def nulls(value, name: str = "", out: set | None = None) -> set[str]:
    "Names of fields that are null somewhere."
    out = set() if out is None else out
    if value is None:
        out.add(name)
    for key, inner in value.items() if isinstance(value, dict) else ():
        nulls(inner, key, out)
    for inner in value if isinstance(value, list) else ():
        nulls(inner, name, out)
    return out


def good_schema(document: dict, path: str) -> dict:
    "The document's schema of a good answer."
    return document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"].get(
        "schema", {}
    )


def untyped(schema: dict, name: str = "") -> set[str]:
    "Names of fields for which the document has no type: null in the answer that it was made from."
    inner = [*schema.get("properties", {}).items()] + [
        (name, schema[k]) for k in ("items",) if k in schema
    ]
    return (
        {name for name, s in inner if s == {}}.union(*(untyped(s, name) for name, s in inner))
        if inner
        else set()
    )


FRACTIONS = {
    "popularity",
    "vote_average",
    "value",
}  # the document says integer where its one example happens to be whole


def strict(schema: dict, name: str, nullable: set[str]) -> dict:
    """A schema of the document with its fields required, and null allowed only where TMDB is known
    to send it."""
    kind = schema.get("type")
    if not kind:
        return {}
    out: dict = {
        "type": [kind if kind != "integer" or name not in FRACTIONS else "number"]
        + ["null"] * (name in nullable)
    }
    if "properties" in schema:
        out["properties"] = {k: strict(v, k, nullable) for k, v in schema["properties"].items()}
        out["required"] = [
            k for k in out["properties"] if not re.fullmatch("[A-Z]{2}(-[A-Z]+)?", k)
        ]  # no list of all countries
    return out | ({"items": strict(schema["items"], name, nullable)} if "items" in schema else {})


# What is asked for, for each path of the document. A synthetic film that has everything stands
# behind {movie_id}.
PATHS = """
/3/authentication /3/authentication/guest_session/new /3/authentication/token/new
/3/certification/movie/list /3/collection/{collection_id} /3/collection/{collection_id}/images
/3/collection/{collection_id}/translations /3/company/{company_id}
/3/company/{company_id}/alternative_names /3/company/{company_id}/images /3/configuration
/3/configuration/countries /3/configuration/jobs /3/configuration/languages
/3/configuration/primary_translations /3/configuration/timezones /3/discover/movie
/3/find/{external_id} /3/genre/movie/list /3/keyword/{keyword_id} /3/keyword/{keyword_id}/movies
/3/movie/changes /3/movie/latest /3/movie/now_playing /3/movie/popular /3/movie/top_rated
/3/movie/upcoming /3/movie/{movie_id} /3/movie/{movie_id}/alternative_titles
/3/movie/{movie_id}/changes /3/movie/{movie_id}/credits /3/movie/{movie_id}/external_ids
/3/movie/{movie_id}/images /3/movie/{movie_id}/keywords /3/movie/{movie_id}/lists
/3/movie/{movie_id}/recommendations /3/movie/{movie_id}/release_dates /3/movie/{movie_id}/reviews
/3/movie/{movie_id}/similar /3/movie/{movie_id}/translations /3/movie/{movie_id}/videos
/3/movie/{movie_id}/watch/providers /3/person/changes /3/person/latest /3/person/popular
/3/person/{person_id} /3/person/{person_id}/changes /3/person/{person_id}/combined_credits
/3/person/{person_id}/external_ids /3/person/{person_id}/images /3/person/{person_id}/movie_credits
/3/person/{person_id}/tagged_images /3/person/{person_id}/translations
/3/person/{person_id}/tv_credits /3/search/collection /3/search/company /3/search/keyword
/3/search/movie /3/search/multi /3/search/person /3/search/tv /3/trending/all/{time_window}
/3/trending/movie/{time_window} /3/trending/person/{time_window} /3/watch/providers/movie
/3/watch/providers/regions
""".split()
# Fields of the document that TMDB does not send for films: it was made from answers about series,
# and from older ones.
LOOSE = {
    path: {"name", "original_name"} for path in ("/3/collection/{collection_id}", "/3/search/multi")
}
LOOSE["/3/trending/all/{time_window}"] = {
    "name",
    "original_name",
    "first_air_date",
    "origin_country",
}


@pytest.fixture(scope="module")
def rich(made) -> dict[str, str]:
    """Ids for the paths: a film with collection, companies, keywords, pictures, an id at IMDb, cast
    and crew; and what it names."""
    for key in (
        f["id"]
        for f in everything(
            made, "discover/movie", with_original_language="fr|de|ja|es|zh|hi|pt|ko|it"
        )
    ):
        film = body(
            made, f"movie/{key}", append_to_response="credits,keywords,recommendations,similar"
        )
        groups = [
            film["production_companies"],
            film["keywords"]["keywords"],
            film["credits"]["cast"],
            film["credits"]["crew"],
        ]
        more = [
            film["recommendations"]["results"],
            film["similar"]["results"],
            film["genres"],
            film["production_countries"],
        ]
        if (
            all(groups + more)
            and film["belongs_to_collection"]
            and film["poster_path"]
            and film["backdrop_path"]
            and film["imdb_id"]
        ):
            company, keyword, actor, worker = (group[0]["id"] for group in groups)
            return {
                "movie_id": str(key),
                "collection_id": str(film["belongs_to_collection"]["id"]),
                "company_id": str(company),
                "keyword_id": str(keyword),
                "person_id": str(actor),
                "crew_id": str(worker),
                "external_id": film["imdb_id"],
                "time_window": "week",
            }
    raise AssertionError("no film has everything")


QUERIES = {
    "collection": "collection",
    "company": "company 1",
    "keyword": "keyword",
    "movie": "film 1",
    "multi": "film 1",
    "person": "person 1",
}


def params_of(path: str) -> dict[str, str]:
    "Parameters without which a path has nothing to say."
    kind = path.rpartition("/")[2]
    return (
        {"query": QUERIES.get(kind, "x")}
        if "/search/" in path
        else {"external_source": "imdb_id"}
        if "/find/" in path
        else {}
    )


def test_answers_fit_the_openapi_document(made, rich, shared, recordings):
    document = json.loads(gzip.decompress((shared / "openapi.json.gz").read_bytes()))
    dumps = [
        json.loads(gzip.decompress((shared / "exercise18" / "2025-12-09.json.gz").read_bytes()))
    ]
    nullable = nulls([r["response"]["body"] for r in recordings.values()]) | nulls(dumps)
    schemas = {path: good_schema(document, path) for path in PATHS}
    nullable |= set().union(*map(untyped, schemas.values())) | {
        *PERSON_IDS
    }  # ids elsewhere are null where unknown
    made.change(int(rich["movie_id"]), note={"poster": {"file_path": "/new.jpg"}})
    made.delete(1)
    wrong = []
    for path in PATHS:
        rules = strict(
            schemas[path],
            "",
            (nullable - {"adult"}) | ({"adult", "original_value"} if "changes" in path else set()),
        )
        answer = body(made, path.format(**rich)[3:], **params_of(path))
        for e in Draft202012Validator(rules).iter_errors(answer):
            if not (e.validator == "required" and e.message.split("'")[1] in LOOSE.get(path, ())):
                wrong.append(f"{path}: {'.'.join(map(str, e.absolute_path))}: {e.message[:150]}")
    assert wrong == [], "\n".join(wrong)


def test_every_film_path_of_the_document_is_served(shared):
    document = json.loads(gzip.decompress((shared / "openapi.json.gz").read_bytes()))
    elsewhere = (
        r"/3/(account|tv|list|guest_session|credit|network|review|authentication/session|.*/tv\b)"
        r"|/4/|.*/tv/|.*/account_states|.*/rating"
    )
    ours = {
        path
        for path, verbs in document["paths"].items()
        if "get" in verbs and not re.match(elsewhere, path)
    }
    assert ours == set(PATHS) - {p for p in PATHS if re.match(elsewhere, p)}


OPEN = {"certifications", "results:watch"}  # objects whose keys are codes


def differences(theirs, ours, where: str = "") -> list[str]:
    "What a recorded answer has that ours lacks, or has in another type; null fits everything."
    if theirs is None or ours is None:
        return []
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if where.rpartition(".")[2] in OPEN:
            return differences([*theirs.values()], [*ours.values()], where)
        lost = [f"{where}.{key} is missing" for key in theirs.keys() - ours.keys()]
        return lost + [
            d
            for key in theirs.keys() & ours.keys()
            for d in differences(theirs[key], ours[key], f"{where}.{key}")
        ]
    if isinstance(theirs, list) and isinstance(ours, list):
        return differences(theirs[0], ours[0], f"{where}[]") if theirs and ours else []
    number = (int, float)
    same = type(theirs) is type(ours) or all(
        isinstance(x, number) and not isinstance(x, bool) for x in (theirs, ours)
    )
    return (
        [] if same else [f"{where}: {type(ours).__name__} where TMDB has {type(theirs).__name__}"]
    )


def ours_for(path: str, rich: dict[str, str]) -> str:
    "The same path with ids of the synthetic catalogue."
    for kind in ("movie", "collection", "company", "keyword"):
        path = re.sub(rf"/3/{kind}/(\d+|tt\d+)", f"/3/{kind}/{rich[f'{kind}_id']}", path)
    return re.sub(r"/3/find/.*", f"/3/find/{rich['external_id']}", path)


def test_answers_have_the_keys_and_types_of_the_recordings(made, rich, recordings):
    wrong, compared = [], 0
    for name, recording in recordings.items():
        path, params = recording["request"]["path"], dict(recording["request"]["params"])
        failed = name.startswith("ERR")
        if params.get("query"):
            params["query"] = "collection" if "collection" in path else "film 1"
        answer = get(
            made,
            path if failed else ours_for(path, rich),
            params={k: v for k, v in params.items() if k not in ("year",)},
        )
        theirs = recording["response"]
        if answer.status_code != theirs["status"]:
            wrong.append(f"{name}: {answer.status_code} where TMDB has {theirs['status']}")
        elif failed:
            wrong += [f"{name}: {answer.json()}"] if answer.json() != theirs["body"] else []
        else:
            wrong += [f"{name}{d}" for d in differences(theirs["body"], answer.json())]
        if answer.headers["Content-Type"] != theirs["headers"]["Content-Type"]:
            wrong.append(f"{name}: {answer.headers['Content-Type']}")
        if ("ETag" in theirs["headers"]) and not answer.headers["ETag"].startswith('W/"'):
            wrong.append(f"{name}: no weak ETag")
        compared += 1
    assert wrong == [] and compared == 87


def test_saved_answers_come_back_as_they_were_recorded(recordings, tmp_path):
    film = recordings["movie_47964"]["response"]["body"]
    sections = (
        "credits keywords recommendations similar release_dates releases translations".split()
    )
    saved = {name: recordings[f"movie_47964_{name}"]["response"]["body"] for name in sections}
    films = [
        film | saved,
        recordings["movie_tt1345836__append_to_response=credits,images,keywords"]["response"][
            "body"
        ],
    ]
    (tmp_path / "films.jsonl.gz").write_bytes(
        gzip.compress("\n".join(map(json.dumps, films)).encode())
    )
    with fake_tmdb(tmp_path) as tmdb:
        assert body(tmdb, "movie/47964") == film
        for name, section in saved.items():
            assert body(tmdb, f"movie/47964/{name}") == section, name
        assert (
            body(tmdb, "movie/tt1345836", append_to_response="credits,images,keywords") == films[1]
        )
        assert body(tmdb, "collection/1570")["parts"][0]["title"] == film["title"]
        assert {
            p["name"] for p in body(tmdb, "search/person", query="bruce willis")["results"]
        } == {"Bruce Willis"}


def test_dumps_of_any_form_are_served(shared):
    for dump in sorted((shared / "exercise18").glob("*.gz")):
        with fake_tmdb(dump) as tmdb:
            assert len(everything(tmdb, "discover/movie")) == 18
            film = body(tmdb, "movie/299534", append_to_response="credits")
            assert film["budget"] == 356_000_000 and film["credits"]["cast"][0]["credit_id"]
            assert {"tagline", "homepage", "belongs_to_collection"} <= film.keys()


def test_error_table_is_tmdbs(shared):
    theirs = json.loads((shared / "error_codes.json").read_text())["codes"]
    table = {e["status_code"]: (e["http_status"], e["status_message"]) for e in theirs}
    assert all(table[code] == error for code, error in ERRORS.items())


# Errors, secrets, paging


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("movie/4", 404, 34),  # every fourth id is left out
        ("movie/999999999", 404, 34),
        ("movie/99999999999999999999", 404, 6),
        ("movie/0", 404, 6),
        ("movie/abc", 404, 6),
        ("movie/-1", 404, 6),
        ("movie/tt0000001", 404, 34),
        ("movie/1/nothing", 404, 34),
        ("nothing", 404, 34),
        ("credit/1", 404, 34),
        ("collection/999999", 404, 34),
        ("movie/popular?page=0", 400, 22),
        ("movie/popular?page=-1", 400, 22),
        ("movie/popular?page=501", 400, 22),
        ("discover/movie?page=501", 400, 22),
        ("movie/changes?page=x", 400, 22),
        ("movie/changes?start_date=2026-01-01&end_date=2026-01-16", 422, 20),
        ("movie/1/changes?start_date=2026-01-01&end_date=2026-01-16", 422, 20),
        ("movie/changes?start_date=yesterday", 400, 23),
        ("discover/movie?vote_count.gte=many", 422, 5),
        ("discover/movie?primary_release_date.gte=soon", 422, 5),
        ("movie/1?append_to_response=" + ",".join(["videos"] * 21), 400, 27),
        ("movie/1/account_states", 401, 3),
        ("account", 401, 3),
        ("find/tt1", 422, 5),
    ],
)
def test_errors(made, path, status, code):
    answer = get(made, f"/3/{path}")
    assert (answer.status_code, answer.json()["status_code"], answer.json()["success"]) == (
        status,
        code,
        False,
    )


def test_methods(made):
    assert (
        requests.post(f"{made.url}/3/movie/1", headers=BEARER, timeout=9).json()["status_code"]
        == 42
    )
    assert (
        requests.post(
            f"{made.url}/3/movie/1/rating", json={"value": 8}, headers=BEARER, timeout=9
        ).json()["status_code"]
        == 3
    )
    head = requests.head(f"{made.url}/3/movie/1", headers=BEARER | PLAIN, timeout=9)
    assert head.content == b"" and int(head.headers["Content-Length"]) > 100


def test_secrets(made):
    path = f"{made.url}/3/movie/1"
    assert requests.get(path, params={"api_key": KEY}, timeout=9).status_code == 200
    assert requests.get(path, headers=BEARER, timeout=9).status_code == 200
    for wrong in (
        {},
        {"params": {"api_key": TOKEN}},
        {"headers": {"Authorization": f"Bearer {KEY}"}},
        {"headers": {"Authorization": TOKEN[:-1]}},
    ):
        answer = requests.get(path, timeout=9, **wrong)
        assert (answer.status_code, answer.json()["status_code"]) == (401, 7)
    assert (
        requests.get(path, params={"api_key": "fake-key-without-rights"}, timeout=9).json()[
            "status_code"
        ]
        == 14
    )
    assert (
        requests.get(path, params={"api_key": "fake-suspended-key"}, timeout=9).json()[
            "status_code"
        ]
        == 10
    )
    assert body(made, "authentication") == {
        "success": True,
        "status_code": 1,
        "status_message": "Success.",
    }
    assert made.stats()["secrets"] == {"query": 4, "header": 4, "none": 1}


def test_secrets_of_the_callers_choice(monkeypatch):
    monkeypatch.setenv("FAKE_TMDB_TOKEN", "from.the.environment")
    with fake_tmdb("synthetic:9", key="by-option") as tmdb:
        assert (
            get(
                tmdb, "/3/movie/1", headers={"Authorization": "Bearer from.the.environment"}
            ).status_code
            == 200
        )
        assert get(tmdb, "/3/movie/1?api_key=by-option", headers={}).status_code == 200
        assert get(tmdb, f"/3/movie/1?api_key={KEY}", headers={}).status_code == 401


def test_pages(made):
    found = everything(made, "discover/movie", include_adult="true", include_video="true")
    first = body(made, "discover/movie", include_adult="true", include_video="true")
    assert first["total_results"] == len(found) == len({f["id"] for f in found}) == 600
    assert first["total_pages"] == 30 and len(first["results"]) == 20
    assert body(made, "movie/popular", page=500)["results"] == []
    assert [f["popularity"] for f in found] == sorted(
        (f["popularity"] for f in found), reverse=True
    )
    assert not {"budget", "revenue", "runtime", "status"} & found[0].keys()


def test_pages_are_counted_honestly_above_500():
    with fake_tmdb("synthetic:12000") as tmdb:
        page = body(tmdb, "discover/movie", include_adult="true", include_video="true", page=500)
        assert (page["total_pages"], page["total_results"], len(page["results"])) == (
            600,
            12_000,
            20,
        )
        assert get(tmdb, "/3/discover/movie?page=501").status_code == 400
        changed = body(
            tmdb, "movie/changes", start_date=f"{DAY - timedelta(14)}", end_date=f"{DAY}"
        )
        assert (
            len(changed["results"]) == 100
            and changed["total_pages"] == -(-changed["total_results"] // 100) > 5
        )


def test_items_that_come_again_on_the_next_page(made):
    quiet = {f["id"] for f in everything(made, "movie/popular")}
    made.faults("repeat:n=3")
    noisy = [f["id"] for f in everything(made, "movie/popular")]
    pages = body(made, "movie/popular")["total_pages"]
    assert set(noisy) == quiet and len(noisy) == len(quiet) + 3 * (pages - 1)
    first, second = (body(made, "movie/popular", page=n)["results"] for n in (1, 2))
    assert first[-3:] == second[:3]


def test_headers(made):
    answer = get(made, "/3/movie/1")
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    assert answer.headers["Content-Encoding"] == "gzip" and answer.headers[
        "Cache-Control"
    ].startswith("public, max-age=")
    assert (
        answer.headers["Connection"] == "keep-alive"
        and "Content-Encoding" not in get(made, "/3/movie/1", headers=BEARER | PLAIN).headers
    )
    again = get(made, "/3/movie/1", headers=BEARER | {"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_one_connection_serves_many_requests(made):
    with requests.Session() as session:
        assert all(
            session.get(f"{made.url}/3/movie/{n}", headers=BEARER, timeout=9).status_code == 200
            for n in (1, 2, 3, 5)
        )
    assert made.stats()["most_connections"] == 1


# Films and lists


def test_append_to_response(made):
    names = (
        "credits,images,videos,keywords,release_dates,alternative_titles,translations,"
        "recommendations,similar,watch/providers,reviews"
    )
    film = body(made, "movie/1", append_to_response=f"{names},lists,external_ids,nonsense")
    assert list(film)[-13:] == [*names.split(","), "lists", "external_ids"]
    for name in names.split(","):
        alone = body(made, f"movie/1/{name}")
        alone.pop("id", None)
        assert film[name] == alone and "id" not in film[name]
    assert set(film) - {*names.split(","), "lists", "external_ids"} == set(body(made, "movie/1"))


def test_the_sample_is_served_whole(real):
    film = body(real, "movie/299534-avengers-endgame", append_to_response="credits")
    assert film["title"] == "Avengers: Endgame" and film["revenue"] == 2_799_439_100
    assert (
        film["overview"] == film["homepage"] == film["tagline"] == ""
        and film["poster_path"] is None
    )
    assert film["belongs_to_collection"] == {
        "id": 86311,
        "name": "The Avengers Collection",
        "poster_path": None,
        "backdrop_path": None,
    }
    assert "fetched_at" not in film and film["origin_country"] == ["US"]
    directors = [p["id"] for p in film["credits"]["crew"] if p["job"] == "Director"]
    assert len(directors) == 2 and {
        p["department"] for p in film["credits"]["crew"] if p["job"] == "Director"
    } == {"Directing"}
    found = everything(real, "discover/movie", include_adult="true", include_video="true")
    assert len(found) == len({f["id"] for f in found}) == 1000
    assert 299534 in {f["id"] for f in body(real, f"person/{directors[0]}/movie_credits")["crew"]}


def test_the_two_searches_of_the_brief(real):
    willis = body(real, "search/person", query="Bruce Willis")["results"][0]
    films = everything(
        real,
        "discover/movie",
        with_cast=willis["id"],
        with_genres="878,28",
        sort_by="vote_average.desc",
    )
    assert films and all({878, 28} <= set(f["genre_ids"]) for f in films)
    thurman, tarantino = (
        body(real, "search/person", query=q)["results"][0]["id"]
        for q in ("Uma Thurman", "Quentin Tarantino")
    )
    titles = {
        f["title"]
        for f in everything(real, "discover/movie", with_cast=thurman, with_crew=tarantino)
    }
    assert {"Kill Bill: Vol. 1", "Kill Bill: Vol. 2", "Pulp Fiction"} <= titles


@pytest.fixture(scope="module")
def whole(made) -> list[dict]:
    "All synthetic films with credits and keywords."
    keys = [
        f["id"]
        for f in everything(made, "discover/movie", include_adult="true", include_video="true")
    ]
    with requests.Session() as session:
        path = f"{made.url}/3/movie/{{}}?append_to_response=credits,keywords"
        return [session.get(path.format(key), headers=BEARER, timeout=9).json() for key in keys]


def ids(rows) -> set[int]:
    "Ids in a list."
    return {row["id"] for row in rows}


FILTERS = [
    ({"with_genres": "18,35"}, lambda f: {18, 35} <= ids(f["genres"])),
    ({"with_genres": "18|35"}, lambda f: {18, 35} & ids(f["genres"])),
    ({"without_genres": "18,35"}, lambda f: not {18, 35} & ids(f["genres"])),
    ({"primary_release_date.gte": "1999-05-01"}, lambda f: f["release_date"] >= "1999-05-01"),
    ({"primary_release_date.lte": "1999-05-01"}, lambda f: "" < f["release_date"] <= "1999-05-01"),
    (
        {"release_date.gte": "1990-01-01", "release_date.lte": "1999-12-31"},
        lambda f: "1990" < f["release_date"] < "2000",
    ),
    ({"year": "2024"}, lambda f: f["release_date"][:4] == "2024"),
    ({"primary_release_year": "2023"}, lambda f: f["release_date"][:4] == "2023"),
    ({"with_original_language": "fr"}, lambda f: f["original_language"] == "fr"),
    ({"with_original_language": "fr|de"}, lambda f: f["original_language"] in ("fr", "de")),
    (
        {"with_origin_country": "JP"},
        lambda f: "JP" in [c["iso_3166_1"] for c in f["production_countries"]],
    ),
    (
        {"vote_count.gte": "10", "vote_average.gte": "6", "vote_average.lte": "7"},
        lambda f: f["vote_count"] > 9 and 6 <= f["vote_average"] <= 7,
    ),
    ({"vote_count.lte": "10"}, lambda f: f["vote_count"] <= 10),
    ({"with_runtime.gte": "90", "with_runtime.lte": "120"}, lambda f: 90 <= f["runtime"] <= 120),
    (
        {"with_people": "3|5|40"},
        lambda f: {3, 5, 40} & (ids(f["credits"]["cast"]) | ids(f["credits"]["crew"])),
    ),
    ({"with_cast": "3|5|40"}, lambda f: {3, 5, 40} & ids(f["credits"]["cast"])),
    ({"with_crew": "3|5|40"}, lambda f: {3, 5, 40} & ids(f["credits"]["crew"])),
    ({"with_companies": "7"}, lambda f: 7 in ids(f["production_companies"])),
    (
        {"with_companies": "7|8", "without_keywords": "9"},
        lambda f: (
            {7, 8} & ids(f["production_companies"]) and 9 not in ids(f["keywords"]["keywords"])
        ),
    ),
    ({"with_keywords": "9"}, lambda f: 9 in ids(f["keywords"]["keywords"])),
]


@pytest.mark.parametrize(
    ("params", "passes"),
    FILTERS,
    ids=["&".join(f"{k}={v}" for k, v in params.items()) for params, _ in FILTERS],
)
def test_discover(made, whole, params, passes):
    expected = {f["id"] for f in whole if passes(f) and not f["adult"] and not f["video"]}
    assert ids(everything(made, "discover/movie", **params)) == expected and 0 < len(expected) < 580


def test_adult_films_only_on_demand(made, whole):
    adult = {f["id"] for f in whole if f["adult"] and not f["video"]}
    assert (
        adult
        and ids(everything(made, "discover/movie", include_adult="true"))
        - ids(everything(made, "discover/movie"))
        == adult
    )


@pytest.mark.parametrize(
    "name",
    [
        "popularity",
        "revenue",
        "primary_release_date",
        "vote_average",
        "vote_count",
        "title",
        "original_title",
    ],
)
def test_discover_sorts(made, whole, name):
    by_id = {f["id"]: f for f in whole}
    for side in ("asc", "desc"):
        values = [
            by_id[f["id"]][name.removeprefix("primary_")]
            for f in everything(made, "discover/movie", sort_by=f"{name}.{side}")
        ]
        assert values == sorted(values, reverse=side == "desc")


def test_lists(made, whole):
    now, soon = body(made, "movie/now_playing"), body(made, "movie/upcoming")
    assert now["dates"]["maximum"] == soon["dates"]["minimum"] and now["results"]
    for page in (now, soon):
        assert all(
            page["dates"]["minimum"] <= f["release_date"] <= page["dates"]["maximum"]
            for f in page["results"]
        )
    assert all(f["vote_count"] >= 200 for f in body(made, "movie/top_rated")["results"])
    assert body(made, "movie/latest")["id"] == max(ids(whole))
    assert [f["id"] for f in body(made, "trending/movie/day")["results"]] == [
        f["id"] for f in body(made, "movie/popular")["results"]
    ]
    assert {f["media_type"] for f in body(made, "trending/movie/week")["results"]} == {"movie"}


def test_people_collections_companies(made, whole, rich):
    person = int(rich["person_id"])
    career = body(made, f"person/{person}", append_to_response="movie_credits")["movie_credits"]
    assert ids(career["cast"]) == {f["id"] for f in whole if person in ids(f["credits"]["cast"])}
    assert ids(career["crew"]) == {f["id"] for f in whole if person in ids(f["credits"]["crew"])}
    group = int(rich["collection_id"])
    parts = {
        f["id"]
        for f in whole
        if f["belongs_to_collection"] and f["belongs_to_collection"]["id"] == group
    }
    assert ids(body(made, f"collection/{group}")["parts"]) == parts and len(parts) > 1
    company = int(rich["company_id"])
    theirs = {
        f["id"]
        for f in whole
        if company in ids(f["production_companies"]) and not f["adult"] and not f["video"]
    }
    assert ids(everything(made, f"company/{company}/movies")) == theirs and body(
        made, f"company/{company}"
    )["name"].endswith(f" {company}")
    assert ids(
        body(made, f"find/{rich['external_id']}", external_source="imdb_id")["movie_results"]
    ) == {int(rich["movie_id"])}


def test_search(made, real):
    assert body(made, "search/movie", query="synthetic film 77")["results"][0]["id"] == 77
    assert body(made, "search/collection", query="nothing like it") == {
        "page": 1,
        "results": [],
        "total_pages": 1,
        "total_results": 0,
    }
    assert body(real, "search/movie", query="avatar", year=2009)["results"][0]["id"] == 19995
    assert body(real, "search/collection", query="avengers")["results"][0]["id"] == 86311
    assert "Marvel Studios" in [
        c["name"] for c in body(real, "search/company", query="marvel")["results"]
    ]
    kinds = {r["media_type"] for r in body(real, "search/multi", query="james")["results"]}
    assert kinds <= {"movie", "person"} and "person" in kinds


# Changes and the export


def test_changes_of_a_synthetic_catalogue(made):
    days = [
        ids(
            everything(
                made,
                "movie/changes",
                start_date=f"{DAY - timedelta(n)}",
                end_date=f"{DAY - timedelta(n)}",
            )
        )
        for n in range(15)
    ]
    assert all(days) and ids(
        everything(made, "movie/changes", start_date=f"{DAY - timedelta(14)}", end_date=f"{DAY}")
    ) == set().union(*days)
    assert ids(everything(made, "movie/changes")) == days[0] | days[1]


def test_edits_show_in_films_lists_and_changes(real):
    assert body(real, "movie/changes")["results"] == []
    before = body(real, "movie/597")
    real.change(597, title="Titanic, renamed", vote_count=10**6)
    real.delete(19995, day=f"{DAY - timedelta(5)}")
    real.add(
        {
            "id": 10**7,
            "title": "Brand new",
            "popularity": 10**6,
            "credits": {"cast": [{"id": 10**8, "name": "New Person"}]},
        }
    )
    assert body(real, "movie/597") == before | {"title": "Titanic, renamed", "vote_count": 10**6}
    assert get(real, "/3/movie/19995").json()["status_code"] == 34
    assert (
        body(real, "movie/popular")["results"][0]["id"] == body(real, "movie/latest")["id"] == 10**7
    )
    assert body(real, "search/movie", query="renamed")["results"][0]["id"] == 597
    assert (
        ids(body(real, "discover/movie", with_cast=10**8)["results"])
        == {10**7}
        == ids(body(real, f"person/{10**8}/movie_credits")["cast"])
    )
    assert body(real, "movie/changes")["results"] == [
        {"id": 10**7, "adult": False},
        {"id": 597, "adult": False},
    ]
    week = body(real, "movie/changes", start_date=f"{DAY - timedelta(7)}", end_date=f"{DAY}")[
        "results"
    ]
    assert week[-1] == {"id": 19995, "adult": None} and len(week) == 3
    entry = {c["key"]: c["items"][0] for c in body(real, "movie/597/changes")["changes"]}["title"]
    assert (entry["original_value"], entry["value"]) == ("Titanic", "Titanic, renamed")
    assert body(real, "movie/597/changes", end_date=f"{DAY - timedelta(3)}")["changes"] == []
    assert 19995 not in ids(everything(real, "discover/movie")) and 19995 not in ids(export(real))
    real.reset()
    assert body(real, "movie/597") == before and get(real, "/3/movie/19995").status_code == 200
    with pytest.raises(ValueError, match="no film 4"):
        real.change(4, title="?")


def export(tmdb: FakeTmdb, kind: str = "movie", day=DAY) -> list[dict]:
    "The lines of a daily export, asked for without a secret."
    answer = get(tmdb, f"/p/exports/{kind}_ids_{day:%m_%d_%Y}.json.gz", headers={})
    assert answer.status_code == 200 and "Content-Encoding" not in answer.headers
    return [json.loads(line) for line in gzip.decompress(answer.content).splitlines()]


def test_export(made, whole, shared):
    lines = {
        r["file"].split("_ids_")[0]: r["line"]
        for r in json.loads((shared / "daily_export_first_lines.json").read_text())["first_lines"]
    }
    assert (
        ids(export(made)) | ids(export(made, "adult_movie")) == ids(whole)
        and ids(export(made)) & ids(export(made, "adult_movie")) == set()
    )
    for kind in ("movie", "person", "collection", "keyword", "production_company"):
        assert (
            differences(lines[kind], export(made, kind)[0]) == []
            and export(made, kind)[0].keys() == lines[kind].keys()
        )
    assert (
        export(made, day=DAY - timedelta(90))
        and get(made, f"/p/exports/movie_ids_{DAY + timedelta(1):%m_%d_%Y}.json.gz").status_code
        == 404
    )
    assert get(made, "/p/exports/movie_ids_nonsense.json.gz").status_code == 404


# Faults


@pytest.mark.parametrize(
    ("status", "code"),
    [(401, 7), (403, 45), (404, 34), (429, 25), (500, 11), (502, 43), (503, 46), (504, 24)],
)
def test_statuses(made, status, code):
    made.faults(f"{status}:ids=1")
    answer = get(made, "/3/movie/1")
    assert (answer.status_code, answer.json()["status_code"]) == (
        status,
        code,
    ) and "Retry-After" not in answer.headers
    assert get(made, "/3/movie/2").status_code == 200


def test_statuses_without_json(made):
    made.faults("520:ids=1,204:ids=2")
    assert (
        get(made, "/3/movie/1").status_code,
        get(made, "/3/movie/1").headers["Content-Type"],
    ) == (520, "text/html")
    assert (get(made, "/3/movie/2").status_code, get(made, "/3/movie/2").content) == (204, b"")


def test_retry_after(made):
    for value in ("2", "-5", "soon", "1000000000", "date+60", "date-60"):
        made.faults(f"429:retry_after={value}")
        sent = get(made, "/3/movie/1").headers["Retry-After"]
        if value.startswith("date"):
            assert (
                abs(
                    (parsedate_to_datetime(sent) - datetime.now(UTC)).total_seconds()
                    - int(value[4:])
                )
                < 30
            )
        else:
            assert sent == value


def test_rate_limit(made):
    made.faults("rate:n=5:retry_after=1")
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: get(made, f"/3/movie/{n}"), [1] * 40))
    refused = [a for a in answers if a.status_code == 429]
    assert (
        refused
        and refused[0].json()["status_message"]
        == "Your request count (6) is over the allowed limit of (5)."
    )
    assert refused[0].headers["Retry-After"] == "1" and len(answers) - len(refused) >= 5
    assert made.stats()["statuses"] == {"200": len(answers) - len(refused), "429": len(refused)}


def test_rate_limit_as_an_option():
    with fake_tmdb("synthetic:9", rate=3, latency_ms=1) as tmdb, ThreadPoolExecutor(10) as pool:
        statuses = [a.status_code for a in pool.map(lambda n: get(tmdb, "/3/movie/1"), range(30))]
        assert statuses.count(200) >= 3 and 429 in statuses
        assert tmdb.stats()["busiest_second"] >= 4


def test_selection(made):
    def statuses(*keys):
        return [get(made, f"/3/movie/{key}").status_code for key in keys]

    made.faults("500:times=2:ids=1+2")
    assert statuses(1, 1, 1, 2, 2, 2, 3) == [500, 500, 200, 500, 500, 200, 200]
    made.reset()
    made.faults("401:after=2")
    assert statuses(1, 2, 3, 5) == [200, 200, 401, 401]
    made.reset()
    made.faults("500:first=2")
    assert statuses(1, 2, 3, 5) == [500, 500, 200, 200]
    made.faults("500:path=/3/discover")
    assert statuses(1) == [200] and get(made, "/3/discover/movie").status_code == 500
    made.faults("500:share=0.3:seed=7")
    some = statuses(*range(1, 120, 2))
    assert 5 < some.count(500) < 35 and statuses(*range(1, 120, 2)) == some
    made.faults("500:share=0.3:seed=8")
    assert statuses(*range(1, 120, 2)) != some
    made.faults("500:share=0.5:by=request")
    assert set(statuses(*[1] * 40)) == {200, 500}


def test_wrong_specs_are_refused(made):
    for spec, reason in {
        "nonsense": "unknown fault",
        "500:day=1": "knows no 'day'",
        "stall:s=long": "could not convert",
    }.items():
        with pytest.raises(ValueError, match=reason):
            made.faults(spec)
    command = [sys.executable, "-m", "tests.fake_tmdb", "--faults", "nonsense"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (
        ended.returncode == 2 and "unknown fault 'nonsense'" in ended.stderr and ended.stdout == ""
    )


BODIES = {
    "empty": b"",
    "null": b"null",
    "array": b"[]",
    "string": b'"x"',
    "object": b"{}",
}


@pytest.mark.parametrize("kind", BODIES)
def test_other_bodies(made, kind):
    made.faults(kind)
    answer = get(made, "/3/movie/1")
    assert (answer.status_code, answer.content) == (200, BODIES[kind])


def test_spoilt_json(made):
    good = get(made, "/3/movie/1").json()

    def spoilt(spec):
        made.faults(spec)
        answer = get(made, "/3/movie/1")
        assert answer.status_code == 200
        return answer

    assert spoilt("extra").json() == good | {"softcore": False}
    assert spoilt("missing:keys=title+budget").json() == {
        k: v for k, v in good.items() if k not in ("title", "budget")
    }
    assert spoilt("retype:keys=budget").json()["budget"] == str(good["budget"])
    pairs = json.loads(
        spoilt("duplicate:key=budget").content, object_pairs_hook=lambda pairs: pairs
    )
    assert [v for k, v in pairs if k == "budget"] == [good["budget"], "twice"]
    assert b'"popularity":NaN' in spoilt("nan").content
    with pytest.raises(UnicodeDecodeError):
        spoilt("utf8").content.decode()
    with pytest.raises(ValueError):
        spoilt("cut_json").json()
    assert spoilt("html").headers["Content-Type"] == "text/html" and spoilt("html").text.startswith(
        "<!DOCTYPE html>"
    )
    assert (
        spoilt("other").json()["id"] != 1
        and spoilt("other:id=2").json() == get(made, "/3/movie/2").json()
    )
    assert spoilt("header:name=Set-Cookie:value=a%3Ab").headers["Set-Cookie"] == "a:b"
    assert spoilt("header").headers["Vary"] == "*"


def test_shrinking_lists(made):
    pages = body(made, "movie/popular")["total_pages"]
    made.faults("shrink:n=2")
    assert [body(made, "movie/popular", page=n)["total_pages"] for n in (1, 2, 3)] == [
        pages,
        pages - 2,
        pages - 4,
    ]


def test_redirects(made):
    made.faults("redirect:to=http%3A//elsewhere.invalid:status=301:key=1")
    answer = get(made, f"/3/movie/1?api_key={KEY}", headers={})
    assert (answer.status_code, answer.headers["Location"]) == (
        301,
        f"http://elsewhere.invalid/3/movie/1?api_key={KEY}",
    )


def test_large_bodies(made):
    made.faults("big:mb=12:ids=1,bomb:mb=64:ids=2")
    assert (
        len(get(made, "/3/movie/1").content) > 12 << 20
        and get(made, "/3/movie/1").json()["id"] == 1
    )
    packed = get(made, "/3/movie/2", stream=True)
    assert int(packed.headers["Content-Length"]) < 1 << 18 and len(packed.content) == 64 << 20


def test_spoilt_exports(made):
    lines = len(export(made))
    made.faults("bad_line:path=/p/exports")
    data = gzip.decompress(
        get(made, f"/p/exports/movie_ids_{DAY:%m_%d_%Y}.json.gz").content
    ).splitlines()
    assert len(data) == lines + 1 and data[-1] == b'{"adult":false,"id":'
    made.faults("cut_file:path=/p/exports")
    with pytest.raises(EOFError):
        export(made)
    made.faults("404:path=/p/exports")
    assert get(made, f"/p/exports/movie_ids_{DAY:%m_%d_%Y}.json.gz").status_code == 404


def test_faults_of_the_wire(made):
    good, _ = raw(made)
    head, _, whole_body = good.partition(b"\r\n\r\n")
    promised = int(re.search(rb"Content-Length: (\d+)", head)[1])
    assert promised == len(whole_body)

    made.faults("reset")
    assert raw(made) == (b"", True)
    made.faults("reset_body")
    data, was_reset = raw(made)
    assert was_reset and data.startswith(b"HTTP/1.1 200") and len(data) < len(good)
    made.faults("cut")
    data, was_reset = raw(made)
    assert (
        not was_reset
        and len(data.partition(b"\r\n\r\n")[2]) == promised // 2
        and b"Content-Length: %d" % promised in data
    )
    made.faults("stall")
    assert raw(made, timeout=0.3) == (b"", False)
    made.faults("stall_body")
    assert len(raw(made, timeout=0.3)[0].partition(b"\r\n\r\n")[2]) == promised // 2
    made.faults("drip:n=1:ms=20")
    assert 0 < len(raw(made, timeout=0.3)[0])
    made.faults("drip:n=100:ms=1")
    assert raw(made)[0].partition(b"\r\n\r\n")[2] == whole_body
    made.faults("cut_chunked")
    data, _ = raw(made)
    assert (
        b"Transfer-Encoding: chunked" in data
        and not data.endswith(b"0\r\n\r\n")
        and b"Content-Length" not in data
    )
    made.faults("close")
    data, _ = raw(made, wanted="keep-alive")
    assert data.partition(b"\r\n\r\n")[2] == whole_body and b"Connection: keep-alive" in data


def test_what_a_client_sees_of_the_wire(made):
    made.faults("chunked")
    assert get(made, "/3/movie/1").json()["id"] == 1
    for spec in ("cut_chunked", "cut", "reset", "reset_body", "cut_gzip"):
        made.faults(spec)
        with pytest.raises(requests.exceptions.RequestException):
            get(made, "/3/movie/1").json()
    made.faults("stall")
    with pytest.raises(requests.exceptions.ReadTimeout):
        get(made, "/3/movie/1", timeout=0.3)


def test_a_slow_answer_holds_up_nobody(made):
    made.faults("stall:ids=1,latency:ms=5:jitter=5:ids=2")
    slow = threading.Thread(target=raw, args=(made,), kwargs={"timeout": 60}, daemon=True)
    slow.start()
    assert all(get(made, f"/3/movie/{n}").status_code == 200 for n in (2, 3, 5, 6))
    assert slow.is_alive()


# The process


def test_the_same_bytes_every_time(made):
    paths = [
        "/3/movie/1?append_to_response=credits,keywords",
        "/3/movie/popular?page=2",
        "/3/person/7/movie_credits",
        "/3/discover/movie?with_genres=18",
    ]
    export_path = f"/p/exports/movie_ids_{DAY:%m_%d_%Y}.json.gz"
    with (
        fake_tmdb("synthetic:600") as again,
        fake_tmdb("synthetic:600:2") as other,
        fake_tmdb("synthetic:9000") as more,
    ):
        for path in paths:
            assert get(made, path).content == get(again, path).content != get(other, path).content
            assert get(made, path).headers["ETag"] == get(again, path).headers["ETag"]
        packed = [
            get(made, path, stream=True).raw.read(decode_content=False)
            for path in (paths[0], export_path)
        ]
        assert [data[:8] for data in packed] == [
            b"\x1f\x8b\x08" + bytes(5)
        ] * 2  # no time of packing
        assert get(made, export_path).content == get(again, export_path).content == packed[1]
        film, same = body(made, "movie/1"), body(more, "movie/1")
        assert {k: film[k] for k in ("title", "budget", "release_date", "popularity")} == {
            k: same[k] for k in ("title", "budget", "release_date", "popularity")
        }


def test_many_requests_at_once_all_get_their_own_film(made):
    keys = [f["id"] for f in everything(made, "discover/movie")]
    made.reset()

    def fetch(n: int) -> bool:
        connection = http.client.HTTPConnection(urlsplit(made.url).netloc, timeout=60)
        good = True
        connection.connect()
        together.wait()  # however busy the machine is, all eight are open at once
        for key in keys[n::8]:
            connection.request("GET", f"/3/movie/{key}?append_to_response=credits", headers=BEARER)
            film = json.loads(connection.getresponse().read())
            good &= film["id"] == key and "credits" in film
        together.wait()
        connection.close()
        return good

    together = threading.Barrier(8, timeout=60)
    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(fetch, range(8)))
    stats = made.stats(paths=True)
    assert (
        stats["requests"]
        == stats["different_paths"]
        == len(keys)
        == stats["kinds"]["movie/{id}"]
        == stats["statuses"]["200"]
    )
    assert (
        set(stats["paths"].values()) == {1}
        and 8 <= stats["most_connections"] <= 10
        and stats["busiest_second"] <= len(keys)
    )


def test_a_million_films_start_at_once():
    with fake_tmdb("synthetic:1000000") as tmdb:
        assert (
            body(tmdb, "movie/1333333")["id"] == 1333333
            and get(tmdb, "/3/movie/1333334").status_code == 404
        )
        person = (
            body(tmdb, "movie/1333333/credits")["cast"]
            or body(tmdb, "movie/1333331/credits")["cast"]
        )
        assert {1333333, 1333331} & ids(
            body(tmdb, f"person/{person[0]['id']}/movie_credits")["cast"]
        )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_cleanly(number):
    command = [
        sys.executable,
        "-m",
        "tests.fake_tmdb",
        "--catalogue",
        "synthetic:10",
        "--faults",
        "stall:ids=1",
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        tmdb = FakeTmdb(process, process.stdout.readline().strip())
        with requests.Session() as session:
            assert (
                session.get(f"{tmdb.url}/3/movie/2", headers=BEARER, timeout=9).status_code == 200
            )
            threading.Thread(target=raw, args=(tmdb,), daemon=True).start()
            while tmdb.stats()["requests"] < 2:
                pass
            process.send_signal(number)
            assert process.wait(20) == 0
        assert process.stderr.read() == ""


def test_it_listens_on_loopback_only(made):
    url = urlsplit(made.url)
    assert url.hostname == "127.0.0.1"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("192.0.2.1", 9))  # sends nothing: asks which address would be used
        outside = s.getsockname()[0]
    with pytest.raises(OSError), socket.create_connection((outside, url.port), 2):
        pass


def test_missing_catalogue():
    with pytest.raises(RuntimeError, match="exit code 2"), fake_tmdb("no/such/place"):
        pass


def test_killed(tmp_path):
    with fake_tmdb("synthetic:5") as tmdb:
        tmdb.kill()
        with pytest.raises(requests.exceptions.ConnectionError):
            get(tmdb, "/3/movie/1")


NEVER_EMPTY = {
    "alternative_titles": "titles",
    "keywords": "keywords",
    "lists": "results",
    "release_dates": "results",
    "reviews": "results",
    "translations": "translations",
    "videos": "results",
    "watch/providers": "results",
}


def test_no_list_is_empty(made, real):
    assert body(real, "movie/now_playing", region="DE")["results"]
    for tmdb, film in ((made, 1), (real, 597)):
        for section, key in NEVER_EMPTY.items():
            assert body(tmdb, f"movie/{film}/{section}")[key], section
        for path in ("now_playing", "upcoming", "popular", "top_rated"):
            assert body(tmdb, f"movie/{path}")["results"], path
        assert body(tmdb, "genre/tv/list")["genres"]
        assert body(tmdb, "watch/providers/movie")["results"]
        keyword = body(tmdb, f"movie/{film}/keywords")["keywords"][0]
        assert body(tmdb, f"keyword/{keyword['id']}/movies")["results"]


def test_language_and_region(made, tmp_path):
    film = everything(made, "discover/movie", with_original_language="fr")[0]
    english, french = (body(made, f"movie/{film['id']}", language=x) for x in ("en-US", "fr-FR"))
    assert french["title"] == english["original_title"] != english["title"]
    assert english["overview"] and not french["overview"]
    page = body(made, "discover/movie", with_original_language="fr", language="fr")
    assert page["results"][0]["title"] == french["title"]
    texts = {"title": "Schiff", "overview": "Es sinkt."}
    rows = [{"iso_639_1": "de", "iso_3166_1": "DE", "data": texts}]
    saved = {"id": 1, "title": "Ship", "translations": {"translations": rows}}
    (tmp_path / "a.json").write_text(json.dumps([saved]))
    with fake_tmdb(str(tmp_path / "a.json")) as tmdb:
        german = body(tmdb, "movie/1", language="de-DE")
        assert (german["title"], german["overview"]) == ("Schiff", "Es sinkt.")
        assert body(tmdb, "movie/1", language="ja-JP")["title"] == "Ship"
    whole, part = (ids(everything(made, "discover/movie", **q)) for q in ({}, {"region": "JP"}))
    assert 0 < len(part) < len(whole)
    assert ids(everything(made, "discover/movie", region="jp")) == whole
