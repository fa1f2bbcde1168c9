"""The local TMDB as a command: python -m tests.fake_tmdb --catalogue sample"""

import argparse
import asyncio
import os

from .catalogue import catalogue
from .server import KEY, TOKEN, App, run


def main() -> None:
    "Read the options, serve until told to stop."
    parser = argparse.ArgumentParser(
        prog="python -m tests.fake_tmdb", description="A local TMDB for tests, on loopback only."
    )
    parser.add_argument("--port", type=int, default=0, help="0: any free one")
    parser.add_argument(
        "--catalogue",
        default="sample",
        help="sample, synthetic:N[:SEED], or a file or folder of saved answers",
    )
    parser.add_argument("--faults", default="", help="what goes wrong, see README.md")
    parser.add_argument(
        "--latency-ms", type=float, default=0, help="the same as the fault latency:ms=N"
    )
    parser.add_argument("--rate", type=int, default=0, help="the same as the fault rate:n=N")
    parser.add_argument(
        "--token",
        default=os.environ.get("FAKE_TMDB_TOKEN") or TOKEN,
        help="the bearer token that is accepted",
    )
    parser.add_argument(
        "--key", default=os.environ.get("FAKE_TMDB_KEY") or KEY, help="the api_key that is accepted"
    )
    args = parser.parse_args()
    spec = [f"latency:ms={args.latency_ms}"] * bool(args.latency_ms) + [args.faults] * bool(
        args.faults
    )
    spec += [f"rate:n={args.rate}"] * bool(args.rate)
    try:
        app = App(catalogue(args.catalogue), ",".join(spec), args.token, args.key)
    except (ValueError, OSError) as e:
        parser.error(str(e))
    asyncio.run(run(app, args.port))


main()
