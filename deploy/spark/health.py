"""Tell whether a part of a Spark cluster can work. Exit code 0, or 1 with the reason in one line.

python health.py worker [PAGE]           the master lists this worker as alive
python health.py connect MASTER [PORT]   the Connect server listens and has executors

PAGE and MASTER are web pages of Spark, such as http://127.0.0.1:8081. It needs Python alone.
"""

import json
import socket
import sys
import urllib.request


def read_page(url: str) -> dict:
    "The JSON of a page of Spark."
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"{url}/json/", timeout=5) as answer:
        return json.load(answer)


def worker(page: str = "http://127.0.0.1:8081") -> str | None:
    "Why this worker cannot work, or None."
    own = read_page(page)
    if not own["masterwebuiurl"]:
        return "the worker has not reached its master"
    alive = {w["id"] for w in read_page(own["masterwebuiurl"])["workers"] if w["state"] == "ALIVE"}
    return None if own["id"] in alive else "the master does not list this worker as alive"


def connect(master: str, port: str = "15002") -> str | None:
    "Why the Connect server cannot compute, or None."
    socket.create_connection(("127.0.0.1", int(port)), timeout=5).close()
    apps = read_page(master)["activeapps"]
    has_cores = any(app["state"] == "RUNNING" and app["cores"] > 0 for app in apps)
    return None if has_cores else "the Connect server has no executors"


def main(what: str, *given: str) -> int:
    "The exit code."
    try:
        reason = {"worker": worker, "connect": connect}[what](*given)
    except (OSError, ValueError, LookupError) as e:
        reason = f"{what} does not answer: {e!r}"
    if reason:
        print(reason)
    return int(bool(reason))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
