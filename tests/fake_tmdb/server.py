"""The HTTP side: keep-alive connections on loopback, secrets, caching headers, packing, statistics,
and the switches of the tests."""

import asyncio
import gzip
import hashlib
import signal
import socket
import struct
import time
import traceback
from collections import Counter, deque
from datetime import date, timedelta
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson

from .api import ApiError, answer, export_rows, kind_of, today
from .catalogue import Catalogue
from .faults import JSON, Call, Reply, Step, failure, packed, parse

TOKEN, KEY = "fake.v4.token", "fake-v3-key"  # accepted unless the caller sets others
NO_RIGHTS, SUSPENDED = "fake-key-without-rights", "fake-suspended-key"
AGE = {
    "movie/changes": 600,
    "movie/{id}/changes": 600,
    "movie/latest": 0,
    "trending/movie/day": 600,
}
LARGE = 20_000  # films; what lists of a larger catalogue need is worked out beside the loop
PHRASES = {status.value: status.phrase for status in HTTPStatus}


class Request(NamedTuple):
    "A request; the names of its headers are in lower case."

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""


class Stats:
    "What tests ask for afterwards."

    def __init__(self) -> None:
        self.requests = self.busiest_second = self.most_connections = 0
        self.kinds, self.statuses, self.secrets, self.paths = (
            Counter(),
            Counter(),
            Counter(),
            Counter(),
        )
        self.recent: deque[float] = deque()

    def count(self, request: Request, kind: str) -> None:
        "Take note of a request."
        now = time.monotonic()
        self.recent.append(now)
        while self.recent[0] <= now - 1:
            self.recent.popleft()
        self.requests += 1
        self.busiest_second = max(self.busiest_second, len(self.recent))
        self.kinds[kind] += 1
        self.paths[request.path] += 1
        self.secrets[
            "header"
            if "authorization" in request.headers
            else "query"
            if "api_key" in request.query
            else "none"
        ] += 1

    def report(self, with_paths: bool) -> dict:
        "The answer of /_fake/stats."
        names = ("requests", "busiest_second", "most_connections", "kinds", "secrets") + (
            "paths",
        ) * with_paths
        statuses = {str(status): n for status, n in self.statuses.items() if n}
        return {name: getattr(self, name) for name in names} | {
            "statuses": statuses,
            "different_paths": len(self.paths),
        }


class App:
    "The local TMDB: a catalogue, its secrets and its faults."

    def __init__(
        self, cat: Catalogue, faults: str = "", token: str = TOKEN, key: str = KEY
    ) -> None:
        self.cat, self.token, self.key, self.first_faults = cat, token, key, faults
        self.connections = 0
        self.rendered = lru_cache(maxsize=1024)(self.render)
        self.reset()

    def reset(self) -> None:
        "As it was at the start."
        self.stats, self.faults = Stats(), parse(self.first_faults)
        self.cat.undo()
        self.rendered.cache_clear()

    def refusal(self, request: Request) -> int:
        "The code of an error about secrets, or 0."
        key, token = (
            request.query.get("api_key"),
            request.headers.get("authorization", "").removeprefix("Bearer ").strip(),
        )
        refused = {SUSPENDED: 10, NO_RIGHTS: 14}
        return (
            0
            if key == self.key or token == self.token
            else refused.get(token) or refused.get(key) or 7
        )

    def render(self, method: str, path: str, query: frozenset) -> Reply:
        "An answer; equal for equal requests until the catalogue is edited."
        try:
            body = orjson.dumps(answer(self.cat, method, path[3:], dict(query)))
        except ApiError as e:
            return Reply(e.status, orjson.dumps(e.body))
        tag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        return Reply(
            200,
            body,
            JSON
            | {
                "Cache-Control": f"public, max-age={AGE.get(kind_of(path[3:]), 21600)}",
                "ETag": f'W/"{tag}"',
            },
        )

    def export(self, path: str) -> Reply:
        "A daily export of ids, of one of the last 90 days."
        name, _, rest = path.rpartition("/")[2].partition("_ids_")
        try:
            month, day, year = map(int, rest.removesuffix(".json.gz").split("_"))
            if not today() - timedelta(90) <= date(
                year, month, day
            ) <= today() or not rest.endswith(".json.gz"):
                raise ValueError
            lines = b"".join(orjson.dumps(row) + b"\n" for row in export_rows(self.cat, name))
        except (ValueError, ApiError):
            return Reply(
                404, b"<Error><Code>NoSuchKey</Code></Error>", {"Content-Type": "application/xml"}
            )
        return Reply(200, packed(lines), {"Content-Type": "application/gzip"})

    def plain(self, request: Request) -> Reply:
        "The answer without faults."
        if request.path.startswith("/p/exports/"):
            return self.export(request.path)
        if not request.path.startswith("/3/"):
            return Reply(404, failure(34))
        if code := self.refusal(request):
            return Reply(401, failure(code), JSON | {"Cache-Control": "public, max-age=300"})
        query = frozenset((k, v) for k, v in request.query.items() if k != "api_key")
        reply = self.rendered(
            "GET" if request.method == "HEAD" else request.method, request.path.rstrip("/"), query
        )
        return Reply(reply.status, reply.body, reply.headers.copy())

    async def reply(self, request: Request) -> Reply:
        "The answer, with the faults that hit it."
        export = request.path.startswith("/p/exports/")
        self.stats.count(request, "export" if export else kind_of(request.path[3:]))
        call = Call(
            self.stats.requests,
            request.path,
            request.query,
            lambda path, q: self.rendered("GET", path, frozenset(q.items())).body,
        )
        beside = len(self.cat.ids) > LARGE and not kind_of(request.path[3:]).startswith(
            "movie/{id}"
        )
        reply = await asyncio.to_thread(self.plain, request) if beside else self.plain(request)
        for fault in self.faults:
            if fault.hits(call):
                reply = fault.apply(reply, call)
        return reply

    def switch(self, request: Request) -> Reply:
        "The tests' own paths: stats, faults, catalogue, reset."
        name = request.path.removeprefix("/_fake/")
        if name == "stats":
            return Reply(200, orjson.dumps(self.stats.report("paths" in request.query)))
        if request.method != "POST" or name not in ("faults", "catalogue", "reset"):
            return Reply(404, failure(34))
        try:
            if name == "faults":
                self.faults = parse(request.body.decode())
            elif name == "catalogue":
                edits = orjson.loads(request.body)
                self.rendered.cache_clear()
                for edit in edits if isinstance(edits, list) else [edits]:
                    self.cat.edit(**{"day": today().isoformat()} | edit)
            else:
                self.reset()
        except (ValueError, KeyError, TypeError) as e:
            return Reply(
                400, orjson.dumps({"success": False, "status_message": f"{type(e).__name__}: {e}"})
            )
        return Reply(200, b'{"success":true}')

    async def respond(self, request: Request) -> Reply:
        "An answer that is ready to be written."
        ours = request.path.startswith("/_fake/")
        try:
            reply = self.switch(request) if ours else await self.reply(request)
        except Exception:  # a mistake of the local TMDB, not of the client
            traceback.print_exc()
            reply = Reply(500, failure(11))
        finish(request, reply)
        self.stats.statuses[reply.status] += not ours
        return reply

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        "One connection, until one side ends it."
        self.connections += 1
        try:
            while request := await receive(reader):
                self.stats.most_connections = max(self.stats.most_connections, self.connections)
                if not await send(request, await self.respond(request), reader, writer):
                    break
        except (
            OSError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
            ValueError,
            asyncio.CancelledError,
        ):
            pass  # the other side went away or does not speak HTTP, or the server ends
        finally:
            self.connections -= 1
            writer.close()


async def receive(reader: asyncio.StreamReader) -> Request | None:
    "The next request of a connection, or None at its end."
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, version = first.split(" ")
    headers = {
        name.lower(): value.strip()
        for name, _, value in (line.partition(":") for line in lines if line)
    }
    if version == "HTTP/1.0":
        headers.setdefault("connection", "close")
    body = await reader.readexactly(int(headers.get("content-length") or 0))
    url = urlsplit(target)
    return Request(method, unquote(url.path), dict(parse_qsl(url.query)), headers, body)


def finish(request: Request, reply: Reply) -> None:
    "304 for a known ETag, gzip where it is accepted, and the headers that every answer has."
    headers, tag = reply.headers, request.headers.get("if-none-match")
    if (
        tag
        and reply.status == 200
        and tag.removeprefix("W/") == headers.get("ETag", "").removeprefix("W/")
    ):
        reply.status, reply.body = 304, b""
    is_json, accepted = (
        headers.get("Content-Type") == JSON["Content-Type"],
        request.headers.get("accept-encoding", ""),
    )
    if is_json and reply.body and "gzip" in accepted and "Content-Encoding" not in headers:
        reply.body, headers["Content-Encoding"] = zipped(reply.body), "gzip"
    if headers.get("Content-Encoding") == "identity":
        del headers["Content-Encoding"]
    if "Transfer-Encoding" not in headers and reply.status not in (204, 304):
        headers["Content-Length"] = str(len(reply.body))
    headers.setdefault("Date", formatdate(usegmt=True))
    headers.setdefault("Vary", "accept-encoding, Origin")
    headers |= {
        "Server": "fake-tmdb",
        "Connection": "close"
        if request.headers.get("connection", "").lower() == "close"
        else "keep-alive",
    }


@lru_cache(maxsize=1024)
def zipped(body: bytes) -> bytes:
    "A body in gzip, the same bytes every time."
    return gzip.compress(body, 1, mtime=0)


async def send(
    request: Request, reply: Reply, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> bool:
    "Write an answer; says whether the connection goes on."
    lines = [
        f"HTTP/1.1 {reply.status} {PHRASES.get(reply.status, 'Unknown')}",
        *(f"{k}: {v}" for k, v in reply.headers.items()),
        "",
        "",
    ]
    head, body = (
        "\r\n".join(lines).encode("latin-1", "replace"),
        b"" if request.method == "HEAD" else reply.body,
    )
    if reply.delay:
        await pause(reply.delay, reader)
    for step in reply.wire(head, body) if reply.wire else [head + body]:
        if not await write(step, reader, writer):
            return False
    return not reply.wire and reply.headers["Connection"] != "close"


async def write(step: Step, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    "One step of writing an answer; says whether another can follow."
    if isinstance(step, bytes):
        writer.write(step)
        await writer.drain()
    elif step is not None:
        await pause(step, reader)
    else:
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()
    return not writer.is_closing()


async def pause(seconds: float, reader: asyncio.StreamReader) -> None:
    "Wait, but not for someone who has gone."
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and not reader.at_eof():
        await asyncio.sleep(min(left, 0.25))


async def run(app: App, port: int) -> None:
    "Serve on loopback until SIGTERM or SIGINT; the base URL is the first line."
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = await asyncio.start_server(app.serve, "127.0.0.1", port, backlog=1024)
    print(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    await stop.wait()
    server.close()
