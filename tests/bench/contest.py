"The contestants, and one catalogue: each part by each of them, in turn."

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.equality import RESULTS, assert_equal, table_path
from tests.bench.measure import Usage, measure
from tmdb_analysis.core.servers import JAVA_NEEDED, java_version

PARTS = {
    "ingest": "JSON lines to the typed table raw",
    "tables": "the table raw to 19 tables of films, credits, franchises and KPIs",
    "chain": "JSON lines to all tables; for this package, everything that tmdb run does",
}
YARDSTICK, PACKAGE = "DuckDB", "package, sail"


@dataclass(frozen=True)
class Contestant:
    "A way to make the tables, in a process of its own."

    name: str
    parts: tuple[str, ...]  # of PARTS
    command: Callable[[str, Path, Path], list[str]]  # of a part, its input and its folder
    most_films: int = 10**9  # larger catalogues are left out
    complete: bool = True  # whether it makes all tables with all columns
    quick_parts: tuple[str, ...] | None = None  # parts with --quick; None: all


def script(module: str, *more: str) -> Callable[[str, Path, Path], list[str]]:
    "The command of a module of this folder."
    return lambda part, source, folder: [
        *(sys.executable, "-m", f"tests.bench.{module}", part, str(source), str(folder)),
        *more,
    ]


def plain_calls(part: str, source: Path, folder: Path) -> list[str]:
    "The command of the plain calls, with one thread for NumPy, like the kernel of a run."
    return ["env", "OPENBLAS_NUM_THREADS=1", *script("plain_calls")(part, source, folder)]


def package(engine: str) -> Callable[[str, Path, Path], list[str]]:
    "The commands of this package with an engine; the chain is the command of users."
    tmdb = str(Path(sys.executable).parent / "tmdb")

    def command(part: str, source: Path, folder: Path) -> list[str]:
        if part != "chain":
            return script("package", engine)(part, source, folder)
        files = ["--source", "files", "--input", str(source), "--home", str(folder)]
        return [tmdb, "run", *files, "--run-id", "bench", "--engine", engine]

    return command


SPARK_PARTS = ("tables", "chain")  # `ingest` needs no engine
CONTESTANTS = (
    Contestant(YARDSTICK, ("ingest", "tables", "chain"), script("duckdb_script")),
    Contestant("Polars", ("ingest", "tables", "chain"), script("polars_script")),
    Contestant("pandas", ("chain",), script("pandas_script"), most_films=50_000, complete=False),
    Contestant(PACKAGE, ("ingest", "tables", "chain"), package("sail")),
    Contestant("plain calls", ("chain",), plain_calls, most_films=50_000),
    Contestant("package, spark", SPARK_PARTS, package("spark"), quick_parts=("tables",)),
)


@dataclass
class Result:
    "One contestant at one part of one size: what each of its runs used."

    films: int
    part: str
    contestant: str
    runs: list[Usage] = field(default_factory=list)
    error: str = ""  # why it failed; it then has no numbers

    def median(self, name: str) -> float | None:
        "The median of a field of the runs; None if it is unknown."
        values = [getattr(run, name) for run in self.runs]
        return None if None in values else median(values)

    def ratio(self, yardstick: "Result | None") -> float | None:
        "The median, over the rounds, of its time / that of the yardstick in the same round."
        if yardstick is None or self.error or yardstick.error:
            return None
        pairs = zip(self.runs, yardstick.runs, strict=True)
        return median(mine.seconds / theirs.seconds for mine, theirs in pairs)

    def row(self) -> dict[str, Any]:
        "The result as JSON."
        return asdict(self)


@dataclass(frozen=True)
class Choice:
    "What to compare."

    rounds: int = 3
    parts: tuple[str, ...] = tuple(PARTS)
    without: tuple[str, ...] = ()  # words in the names of contestants to leave out
    is_quick: bool = False

    def contestants(self, part: str, films: int) -> list[Contestant]:
        "The contestants of a part and a size; Apache Spark only where its Java is."
        absent = [*self.without, *([] if java_version() in JAVA_NEEDED else ["spark"])]

        def is_in(one: Contestant) -> bool:
            needed = one.name in (YARDSTICK, PACKAGE)
            parts = one.quick_parts if self.is_quick and one.quick_parts else one.parts
            left_out = films > one.most_films or any(w.lower() in one.name.lower() for w in absent)
            return part in parts and (needed or not left_out)

        return list(filter(is_in, CONTESTANTS))


def compete(
    catalogue: Path,  # JSON lines
    films: int,
    choice: Choice,
    work: Path,  # folder for results; they are deleted
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[Result]:
    """The results of one size; none after a part in which the package failed.

    Raises AssertionError if a contestant's tables of the first round differ from the package's; no
    time counts then."""
    raw = work / "raw.parquet"
    for part in choice.parts:
        contestants = choice.contestants(part, films)
        results = {one.name: Result(films, part, one.name) for one in contestants}
        for number in range(choice.rounds):
            turn = number % len(contestants)
            for one in contestants[turn:] + contestants[:turn]:
                result, folder = results[one.name], work / part / one.name
                if result.error:
                    continue
                folder.mkdir(parents=True)
                tell(f"{films:,} films, {part}, round {number + 1} of {choice.rounds}: {one.name}")
                source = raw if part == "tables" else catalogue
                try:
                    result.runs.append(measure(one.command(part, source, folder), work / "log"))
                except RuntimeError as e:
                    result.error = str(e)
                    tell(result.error)
            if number == 0:
                if results[PACKAGE].error:
                    yield from results.values()
                    return
                check(
                    part, [one for one in contestants if not results[one.name].error], work / part
                )
                if part == "ingest":
                    table_path(work / part / PACKAGE, "raw").rename(raw)
            shutil.rmtree(work / part)
        yield from results.values()


def check(part: str, contestants: list[Contestant], folder: Path) -> None:
    "Raise AssertionError unless all contestants made the tables of the package."
    for one in contestants:
        if one.name != PACKAGE:
            try:
                assert_equal(folder / PACKAGE, folder / one.name, RESULTS[part], one.complete)
            except AssertionError as e:
                raise AssertionError(f"{part}, {PACKAGE} and {one.name}: {e}") from e
