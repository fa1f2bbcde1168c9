"""Speed and memory of this package beside hand-written DuckDB, Polars and pandas.

make bench                              # 20,000, 200,000 and 1,000,000 films, three rounds
make bench ARGS=--quick                 # 20,000 films, one round
make bench ARGS="--films 20000 --rounds 5"
make bench ARGS=--fetch                 # instead: the speed of fetching, and what a crash costs
"""

import argparse
import json
import os
import shlex
import sys
import tempfile
from pathlib import Path

from rich.console import Console

from tests.bench import contest, fetching, page
from tests.bench.catalogue import cached_catalogue
from tmdb_analysis.core.home import write_text

ROOT = Path(__file__).parent.parent.parent
CACHE, REPORT = ROOT / "data" / "bench", ROOT / "reports" / "_bench"  # no run has such a name
SIZES = [20_000, 200_000, 1_000_000]


def options(words: list[str]) -> argparse.Namespace:
    "The options of the command line."
    parser = argparse.ArgumentParser(
        "make bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="20,000 films, one round")
    parser.add_argument("--films", type=int, nargs="+", help="sizes of the catalogue")
    parser.add_argument("--rounds", type=int, help="runs of each contestant; 3 by default")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=list(contest.PARTS),
        choices=contest.PARTS,
        help="what to time",
    )
    parser.add_argument(
        "--without", nargs="+", default=[], metavar="WORD", help="leave out polars, pandas or spark"
    )
    parser.add_argument("--fetch", type=int, nargs="*", metavar="N", help="films and kills")
    args = parser.parse_args(words)
    args.films = sorted(args.films or (SIZES[:1] if args.quick else SIZES))
    args.rounds = args.rounds or (1 if args.quick else 3)
    needed = {"ingest"} if "tables" in args.parts else set()  # it makes the input of tables
    args.parts = tuple(part for part in contest.PARTS if part in needed | {*args.parts})
    return args


def write_page(results: list[contest.Result], loads: list[float], words: list[str]) -> None:
    "Write the page and its numbers."
    about = page.facts(loads)
    arguments = f" ARGS={shlex.quote(' '.join(words))}" if words else ""
    REPORT.mkdir(parents=True, exist_ok=True)
    numbers = {"facts": about, "results": [result.row() for result in results]}
    write_text(REPORT / "results.json", json.dumps(numbers, indent=1) + "\n")
    write_text(REPORT / "index.html", page.bench_page(results, about, f"make bench{arguments}"))


def main(words: list[str]) -> int:
    "Time everything; the exit code, 1 if a contestant fails or makes other tables."
    args = options(words)
    if args.fetch is not None:
        fetching.main(*args.fetch)
        return 0
    console = Console(width=None if sys.stdout.isatty() else 200)
    progress = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
    results: list[contest.Result] = []
    choice = contest.Choice(args.rounds, args.parts, tuple(args.without), args.quick)
    loads = [os.getloadavg()[0]]
    for films in args.films:
        path = cached_catalogue(CACHE, films)
        with tempfile.TemporaryDirectory(prefix="work-", dir=CACHE) as work:
            try:
                results += contest.compete(path, films, choice, Path(work), progress.print)
            except AssertionError as e:
                progress.print(f"bench: {e}")
                return 1
        loads.append(os.getloadavg()[0])
        write_page(results, loads, words)
    console.print(page.terminal_table(results))
    console.print((REPORT / "index.html").as_uri(), soft_wrap=True)
    return int(any(result.error for result in results))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
