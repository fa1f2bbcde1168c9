"`make sample` on a stand-in for TMDB: the films of the sample, with today's facts."

import os
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import orjson
import zstandard

from tests.fake_tmdb import fake_tmdb
from tests.fake_tmdb.server import TOKEN

ROOT = Path(__file__).parent.parent
FORBIDDEN = {"overview", "tagline", "homepage", "poster_path", "backdrop_path"}


def films(path: Path) -> list[dict]:
    "The lines of a sample, without the error that belongs in quarantine."
    lines = zstandard.ZstdDecompressor().stream_reader(path.read_bytes()).read().splitlines()
    return [film for film in map(orjson.loads, lines) if "id" in film]


def renew(out: Path, **env: str) -> subprocess.CompletedProcess:
    "`make sample` into another file."
    script = [sys.executable, ROOT / "data/sample/make_sample.py", "--renew", "--out", out]
    clean = {k: v for k, v in os.environ.items() if not k.startswith("TMDB_")}
    return subprocess.run(
        script, env=clean | env, capture_output=True, text=True, timeout=300, check=False
    )


def test_sample_is_renewed(tmp_path):
    out = tmp_path / "new.jsonl.zst"
    with fake_tmdb("sample") as tmdb:
        tmdb.change(597, revenue=2_264_812_968)
        env = {"TMDB_BASE_URL": tmdb.url, "TMDB_READ_TOKEN": TOKEN, "TMDB_RATE_PER_SECOND": "0"}
        done = renew(out, **env)
    assert not done.returncode, done.stderr
    old, new = films(ROOT / "data/sample/movies.jsonl.zst"), films(out)
    assert Counter(f["id"] for f in new) == Counter(f["id"] for f in old)
    assert [f["revenue"] for f in new if f["id"] == 597][-1] == 2_264_812_968
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    fresh = {f["id"] for f in new if f.get("fetched_at", "").startswith(today)}
    assert fresh == {f["id"] for f in old}
    assert not any(FORBIDDEN & f.keys() for f in new)


def test_sample_without_a_token_says_what_to_do(tmp_path):
    done = renew(tmp_path / "new.jsonl.zst", TMDB_READ_TOKEN="", TMDB_API_KEY="")
    assert done.returncode and "TMDB_READ_TOKEN" in done.stderr and "Traceback" not in done.stderr
    assert not list(tmp_path.iterdir())
