"""A local TMDB for tests: `with fake_tmdb("sample") as tmdb:` starts it as a process of its own and
gives its address."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

ROOT = Path(__file__).parents[2]


class FakeTmdb:
    "A running local TMDB."

    def __init__(self, process: subprocess.Popen, url: str) -> None:
        self.process, self.url = process, url

    def post(self, path: str, data: bytes = b"") -> None:
        "Turn one of the switches; ValueError says why it did not turn."
        self.read(Request(f"{self.url}/_fake/{path}", data, method="POST"))

    def read(self, request: Request | str) -> Any:
        "The JSON of one of the tests' own paths."
        try:
            with build_opener(ProxyHandler({})).open(request, timeout=60) as answer:
                return json.load(answer)
        except HTTPError as e:
            raise ValueError(json.load(e)["status_message"]) from None

    def stats(self, paths: bool = False) -> dict:
        """Requests by kind and status, busiest second, connections; with paths, how often each was
        asked for."""
        return self.read(f"{self.url}/_fake/stats" + ("?paths=1" if paths else ""))

    def faults(self, spec: str = "") -> None:
        "Only these faults from now on."
        self.post("faults", spec.encode())

    def reset(self) -> None:
        "As it was at the start: statistics, faults, catalogue."
        self.post("reset")

    def edit(self, *edits: dict) -> None:
        "Edits of the catalogue, see Catalogue.edit."
        self.post("catalogue", json.dumps(edits).encode())

    def change(self, id: int, day: str | None = None, **fields: Any) -> None:
        "Change fields of a film; /movie/changes reports it under that day (today)."
        self.edit({"op": "change", "id": id, "fields": fields} | ({"day": day} if day else {}))

    def delete(self, id: int, day: str | None = None) -> None:
        "Delete a film."
        self.edit({"op": "delete", "id": id} | ({"day": day} if day else {}))

    def add(self, film: dict, day: str | None = None) -> None:
        "Add a film, or replace one."
        self.edit({"op": "add", "film": film} | ({"day": day} if day else {}))

    def kill(self) -> None:
        "End it at once, as a crash would."
        self.process.kill()
        self.process.wait()


@contextmanager
def fake_tmdb(
    catalogue: str | Path = "sample",
    *,
    faults: str = "",
    rate: int = 0,
    latency_ms: float = 0,
    **more: Any,
) -> Iterator[FakeTmdb]:
    "A local TMDB for the length of a block; `port`, `token` and `key` as on the command line."
    options = {
        "catalogue": catalogue,
        "faults": faults,
        "rate": rate,
        "latency-ms": latency_ms,
    } | more
    words = [word for name, value in options.items() if value for word in (f"--{name}", str(value))]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fake_tmdb", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().strip()
        if not url:
            raise RuntimeError(f"the local TMDB did not start: exit code {process.wait()}")
        yield FakeTmdb(process, url)
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.stdout.close()
