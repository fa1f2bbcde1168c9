"""What every TMDB knows before its first film, from reference.json: errors, genres, countries,
jobs, and what blank fields look like."""

from pathlib import Path

import orjson

TABLES = orjson.loads((Path(__file__).parent / "reference.json").read_bytes())
ERRORS = {int(code): tuple(error) for code, error in TABLES["errors"].items()}
GENRES = {int(key): name for key, name in TABLES["genres"].items()}
TV_GENRES = {int(key): name for key, name in TABLES["tv_genres"].items()}
COUNTRIES, LANGUAGES, BLANK = TABLES["countries"], TABLES["languages"], TABLES["blank"]
DEPARTMENTS = {job: department for department, jobs in TABLES["jobs"].items() for job in jobs}
PLACES = [
    {"iso_3166_1": code, "english_name": name, "native_name": name}
    for code, name in COUNTRIES.items()
]


def scale(country: str, steps: list[str]) -> list[dict]:
    "The certifications of a country."
    return [
        {"certification": step, "meaning": f"Step {n} of the scale of {country}.", "order": n}
        for n, step in enumerate(steps, 1)
    ]


PROVIDER = {
    "display_priority": 0,
    "logo_path": "/fake-provider.jpg",
    "provider_id": 8,
    "provider_name": "A provider",
}
OFFERED = PROVIDER | {"display_priorities": dict.fromkeys(COUNTRIES, 0)}

CONSTANT = {
    "authentication": {"success": True, "status_code": 1, "status_message": "Success."},
    "authentication/guest_session/new": {
        "success": True,
        "guest_session_id": "0" * 32,
        "expires_at": "2099-01-01 00:00:00 UTC",
    },
    "authentication/token/new": {
        "success": True,
        "expires_at": "2099-01-01 00:00:00 UTC",
        "request_token": "0" * 40,
    },
    "certification/movie/list": {
        "certifications": {c: scale(c, steps) for c, steps in TABLES["certifications"].items()}
    },
    "certification/tv/list": {"certifications": {}},  # there are no series here
    "configuration": {"change_keys": TABLES["change_keys"], "images": TABLES["images"]},
    "configuration/countries": PLACES,
    "configuration/jobs": [
        {"department": department, "jobs": jobs} for department, jobs in TABLES["jobs"].items()
    ],
    "configuration/languages": [
        {"iso_639_1": code, "english_name": name, "name": name} for code, name in LANGUAGES.items()
    ],
    "configuration/primary_translations": TABLES["primary_translations"],
    "configuration/timezones": [
        {"iso_3166_1": code, "zones": [zone]} for code, zone in TABLES["timezones"].items()
    ],
    "genre/movie/list": {"genres": [{"id": key, "name": name} for key, name in GENRES.items()]},
    "genre/tv/list": {"genres": [{"id": key, "name": name} for key, name in TV_GENRES.items()]},
    "watch/providers/regions": {"results": PLACES},
    "watch/providers/movie": {"results": [OFFERED]},
    "watch/providers/tv": {"results": [OFFERED]},
}
