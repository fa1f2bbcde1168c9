"""Faults on demand: a small language, and a table of short functions.

    kind[:key=value]...[,kind...]        such as   503:share=0.1:times=1,stall:ids=597+550:s=5

README.md lists the kinds, and the keys that say which requests a fault hits.
"""

import gzip
import hashlib
import inspect
import re
import time
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import lru_cache
from typing import Any
from urllib.parse import unquote, urlencode

import orjson

from .reference import ERRORS

Step = bytes | float | None  # send bytes, wait seconds, reset the connection
JSON = {"Content-Type": "application/json; charset=utf-8"}
PAGE = "<!DOCTYPE html><html><head><title>{0}</title></head><body><h1>{0}</h1></body></html>"


@dataclass
class Reply:
    """An answer on its way out. `wire` says how head and body are written, when it is not just so;
    such a connection ends."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=JSON.copy)
    delay: float = 0.0
    wire: Callable[[bytes, bytes], Iterable[Step]] | None = None


@dataclass
class Call:
    """A request as a fault sees it. `ask` gives the body for another path and query; `memory` is
    the fault's own."""

    number: int
    path: str
    query: dict[str, str]
    ask: Callable[[str, dict[str, str]], bytes]
    memory: dict = field(default_factory=dict)


Kind = Callable[..., Reply]


def failure(code: int, message: str = "") -> bytes:
    "The body of an error."
    return orjson.dumps(
        {"success": False, "status_code": code, "status_message": message or ERRORS[code][1]}
    )


def retry_header(value: str) -> dict[str, str]:
    "Retry-After: seconds, any text, or date+N and date-N for an HTTP date N seconds from now."
    if re.fullmatch(r"date[+-]\d+", value):
        value = formatdate(time.time() + int(value[4:]), usegmt=True)
    return {"Retry-After": value} if value else {}


# Other answers

CODES = {
    401: 7,
    403: 45,
    404: 34,
    405: 42,
    422: 5,
    429: 25,
    500: 11,
    501: 2,
    502: 43,
    503: 46,
    504: 24,
}


def status(
    reply: Reply, call: Call, status: int = 500, code: int = 0, retry_after: str = ""
) -> Reply:
    "That status with TMDB's error, or with a page of HTML where TMDB has none (520)."
    code, headers = code or CODES.get(status, 0), retry_header(retry_after)
    body = (
        b"" if status < 400 else failure(code) if code else PAGE.format(f"Error {status}").encode()
    )
    return Reply(
        status,
        body,
        headers if status < 400 else (JSON if code else {"Content-Type": "text/html"}) | headers,
    )


def rate(reply: Reply, call: Call, n: int = 40, retry_after: str = "") -> Reply:
    "At most n answers in any second; 429 to the others."
    answered, now = call.memory.setdefault("answered", deque()), time.monotonic()
    while answered and answered[0] <= now - 1:
        answered.popleft()
    if len(answered) < n:
        answered.append(now)
        return reply
    return Reply(
        429,
        failure(25, ERRORS[25][1].replace("#", str(n + 1)).replace("40", str(n))),
        JSON | retry_header(retry_after),
    )


def redirect(
    reply: Reply, call: Call, status: int = 302, to: str = "http://elsewhere.invalid", key: int = 0
) -> Reply:
    "To another host; with key=1 the whole query, secret and all, stands in the address."
    return Reply(
        status, b"", {"Location": to + call.path + ("?" + urlencode(call.query)) * bool(key)}
    )


def says(text: str) -> Kind:
    "A fault that answers 200 with that body."
    return lambda reply, call: Reply(200, text.encode())


def other(reply: Reply, call: Call, id: int = 0) -> Reply:
    "Another film's answer."
    asked = re.search(r"\d+", call.path[2:])
    some = [film["id"] for film in orjson.loads(call.ask("/3/movie/popular", {}))["results"]]
    foreign = id or next(key for key in some if not asked or key != int(asked[0]))
    reply.body = call.ask("/3" + re.sub(r"\d+", str(foreign), call.path[2:], count=1), call.query)
    return reply


def repeat(reply: Reply, call: Call, n: int = 2) -> Reply:
    "The last n items of a page come again on the next one."
    if reply.status == 200 and b'"total_pages"' in reply.body:
        reply.body = call.ask(call.path, call.query | {"_repeat": str(n)})
    return reply


# Spoilt bodies


def fields(change: Callable[..., dict]) -> Kind:
    "A fault that replaces fields of a JSON object; None takes a field out."

    def fault(reply: Reply, call: Call, **options: Any) -> Reply:
        body = orjson.loads(reply.body) if reply.status == 200 and reply.body[:1] == b"{" else {}
        new = change(body, **options) if body else {}
        if new:
            reply.body = orjson.dumps(
                {k: v for k, v in (body | new).items() if k not in new or v is not None}
            )
        return reply

    fault.__signature__ = inspect.signature(change)  # type: ignore[attr-defined]
    return fault


def spoilt(change: Callable[..., bytes], encoding: str = "") -> Kind:
    "A fault that changes the bytes of a body."

    def fault(reply: Reply, call: Call, **options: Any) -> Reply:
        reply.body = change(reply.body, **options)
        if encoding:
            reply.headers["Content-Encoding"] = encoding
        return reply

    fault.__signature__ = inspect.signature(change)  # type: ignore[attr-defined]
    return fault


@lru_cache(maxsize=2)
def bomb(mb: int) -> bytes:
    "So many megabytes of blanks, packed."
    packer = zlib.compressobj(9, wbits=31)
    return b"".join(packer.compress(b" " * (1 << 20)) for _ in range(mb)) + packer.flush()


def packed(body: bytes) -> bytes:
    "In gzip, once, and the same bytes every time."
    return body if body[:2] == b"\x1f\x8b" else gzip.compress(body, 1, mtime=0)


def half(body: bytes) -> bytes:
    "The first half."
    return body[: len(body) // 2]


# The wire


def latency(reply: Reply, call: Call, ms: float = 50.0, jitter: float = 0.0) -> Reply:
    "Wait before the answer, up to `jitter` longer; other connections go on."
    reply.delay += (ms + jitter * share_of(f"{call.number}")) / 1000
    return reply


def header(reply: Reply, call: Call, name: str = "Vary", value: str = "*") -> Reply:
    "One more header, or another value of one."
    reply.headers[name] = value
    return reply


def wired(steps: Callable[..., Iterable[Step]], **headers: str) -> Kind:
    "A fault of the wire: how head and body are written."

    def fault(reply: Reply, call: Call, **options: Any) -> Reply:
        reply.wire = lambda head, body: steps(head, body, **options)
        reply.headers |= {name.replace("_", "-"): value for name, value in headers.items()}
        return reply

    fault.__signature__ = inspect.signature(steps)  # type: ignore[attr-defined]
    return fault


def drip(head: bytes, body: bytes, n: int = 1, ms: float = 1000.0) -> Iterator[Step]:
    "n bytes of the body at a time."
    yield head
    for start in range(0, len(body), n):
        yield body[start : start + n]
        yield ms / 1000


KINDS: dict[str, Kind] = {
    "status": status,  # also written as the number alone
    "rate": rate,
    "redirect": redirect,
    "html": lambda reply, call: Reply(
        200, PAGE.format("Please log in to this network").encode(), {"Content-Type": "text/html"}
    ),
    **{
        kind: says(text)
        for kind, text in {
            "empty": "",
            "null": "null",
            "array": "[]",
            "string": '"x"',
            "object": "{}",
        }.items()
    },
    "other": other,
    "repeat": repeat,
    # spoilt bodies
    "extra": fields(lambda body, key="softcore": {key: False}),
    "missing": fields(lambda body, keys="title": dict.fromkeys(keys.split("+"))),
    "retype": fields(
        lambda body, keys="budget": {key: str(body[key]) for key in keys.split("+") if key in body}
    ),
    "shrink": fields(
        lambda body, n=1: {
            k: max(1, v - n * (body["page"] - 1)) for k, v in body.items() if k == "total_pages"
        }
    ),
    "duplicate": spoilt(lambda body, key="title": body[:-1] + f',"{key}":"twice"}}'.encode()),
    "nan": spoilt(
        lambda body, key="popularity": re.sub(
            rb'("%s"):[^,}]+' % key.encode(), rb"\1:NaN", body, count=1
        )
    ),
    "utf8": spoilt(lambda body: body.replace(b'"title":"', b'"title":"\xff\xfe', 1)),
    "cut_json": spoilt(half),
    "bad_line": spoilt(
        lambda body: packed(gzip.decompress(body) + b'{"adult":false,"id":\n')
    ),  # of an export
    "big": spoilt(
        lambda body, mb=10: body[:-1] + b',"padding":"' + b"x" * (mb << 20) + b'"}', "identity"
    ),
    "bomb": spoilt(lambda body, mb=200: bomb(mb), "gzip"),
    "cut_gzip": spoilt(lambda body: half(packed(body)), "gzip"),
    "cut_file": spoilt(half, "identity"),  # an export that ends too early
    # the wire
    "latency": latency,
    "header": header,
    "stall": wired(lambda head, body, s=3600.0: [s, head + body]),
    "stall_body": wired(
        lambda head, body, s=3600.0: [head + half(body), s, body[len(body) // 2 :]]
    ),
    "drip": wired(drip),
    "reset": wired(lambda head, body: [None]),
    "reset_body": wired(lambda head, body: [head + half(body), 0.05, None]),
    "cut": wired(lambda head, body: [head + half(body)]),
    "chunked": wired(
        lambda head, body: [head, b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)],
        Transfer_Encoding="chunked",
    ),
    "cut_chunked": wired(
        lambda head, body: [head, b"%x\r\n%b\r\n" % (len(body), body)], Transfer_Encoding="chunked"
    ),
    "close": wired(lambda head, body: [head + body]),
}
SELECT: dict[str, Any] = {
    "ids": "",
    "path": "/3/",
    "share": 1.0,
    "seed": 0,
    "by": "path",
    "after": 0,
    "first": 0,
    "times": 0,
}


def share_of(name: str) -> float:
    "A number from 0 to 1 that depends on a name only."
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") / 2**56


@dataclass
class Fault:
    "One fault of a spec: which requests it hits, and what it does to them."

    kind: str
    options: dict[str, Any]
    select: dict[str, Any]
    seen: Counter = field(default_factory=Counter)
    memory: dict = field(default_factory=dict)

    def hits(self, call: Call) -> bool:
        "Whether it hits a request."
        s = self.select
        name = (
            call.path
            + "?"
            + urlencode(sorted((k, v) for k, v in call.query.items() if k != "api_key"))
        )
        if (
            not call.path.startswith(s["path"])
            or s["ids"]
            and not set(s["ids"].split("+")) & set(call.path.split("/")[2:])
        ):
            return False
        if call.number <= s["after"] or 0 < s["first"] < call.number:
            return False
        if (
            s["share"] < 1
            and share_of(f"{s['seed']} {call.number if s['by'] == 'request' else name}")
            >= s["share"]
        ):
            return False
        self.seen[name] += bool(s["times"])
        return not s["times"] or self.seen[name] <= s["times"]

    def apply(self, reply: Reply, call: Call) -> Reply:
        "What it makes of a reply."
        call.memory, delay = self.memory, reply.delay
        reply = KINDS[self.kind](reply, call, **self.options)
        reply.delay = max(reply.delay, delay)  # also for a new reply
        return reply


def parse(spec: str) -> list[Fault]:
    "The faults of a spec; ValueError says what is wrong with it."
    return [
        one(*part.strip().split(":")) for part in spec.replace("\n", ",").split(",") if part.strip()
    ]


def one(kind: str, *words: str) -> Fault:
    """One fault, from its kind and its `key=value` words; %3A and %2C stand for a colon and a comma
    in a value."""
    options: dict[str, Any] = {"status": int(kind)} if kind.isdecimal() else {}
    kind, select = ("status" if options else kind), dict(SELECT)
    if kind not in KINDS:
        raise ValueError(f"unknown fault {kind!r}: {', '.join(sorted(KINDS))} or a status")
    known = {
        name: p.default
        for name, p in inspect.signature(KINDS[kind]).parameters.items()
        if p.default is not p.empty
    }
    for word in words:
        name, _, value = word.partition("=")
        place, defaults = (options, known) if name in known else (select, SELECT)
        if name not in defaults:
            raise ValueError(f"fault {kind!r} knows no {name!r}: {', '.join([*known, *SELECT])}")
        place[name] = type(defaults[name])(unquote(value))
    return Fault(kind, options, select)
