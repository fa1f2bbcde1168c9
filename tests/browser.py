"What the tests of interactive pages share: their data, and waiting for them in a browser."

import gzip
import json
import time
from base64 import b64decode
from collections.abc import Callable
from typing import Any

import pyarrow as pa

from tmdb_analysis.core.schema import CREDITS
from tmdb_analysis.pages.dashboard import DIRECTOR_COLUMNS

CREW = pa.schema([CREDITS.schema.field(name) for name in DIRECTOR_COLUMNS])


def unpacked(text: str) -> Any:
    "The data that a page has packed."
    return json.loads(gzip.decompress(b64decode(text)))


def ready(page) -> None:
    "Wait until the script of a page has run."
    page.wait_for_selector("html[data-ready]", state="attached", timeout=60_000)


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    "Wait until something is true; the policy of a page forbids to wait inside it."
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)
