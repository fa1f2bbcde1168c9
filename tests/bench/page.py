"""Results as a table on the terminal, and as a page with plots, machine and versions."""

import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from importlib.metadata import version
from io import StringIO
from math import log2
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator
from rich.table import Table as Grid

from tests.bench.contest import CONTESTANTS, PARTS, YARDSTICK, Result
from tests.bench.equality import RANKINGS, TABLES, TOLERANCE
from tests.bench.measure import SAMPLING
from tmdb_analysis.pages.page import html_page
from tmdb_analysis.report.style import (
    BLUE,
    CHART_STYLE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    RED,
    format_log_axis,
)

HEADS = (
    *("part", "films", "contestant", "wall, s", f"x {YARDSTICK}", "spread"),
    *("CPU, s", "cores", "memory", "read", "written"),
)
COLOURS = dict(
    zip([one.name for one in CONTESTANTS], (GREY, BLUE, GREEN, ORANGE, INK, RED), strict=True)
)
STYLE = "main svg { max-width: 100%; height: auto; background: #fff; }"


def yardstick_of(result: Result, results: Sequence[Result]) -> Result | None:
    "The result of the yardstick at the same part and size."
    same = (result.films, result.part, YARDSTICK)
    return next((r for r in results if (r.films, r.part, r.contestant) == same), None)


def cells(result: Result, results: Sequence[Result]) -> list[str]:
    "The texts of a row of the table, in the order of HEADS."
    if result.error:
        return [result.part, f"{result.films:,}", result.contestant, "failed", *["–"] * 7]
    wall, cpu, memory = (result.median(name) or 0.0 for name in ("seconds", "cpu", "memory"))
    times = [run.seconds for run in result.runs]
    ratio = result.ratio(yardstick_of(result, results))
    moved = [result.median(name) for name in ("read", "written")]
    return [
        result.part,
        f"{result.films:,}",
        result.contestant,
        f"{wall:,.1f}",
        "–" if ratio is None else f"{ratio:.1f}",
        f"{(max(times) - min(times)) / wall:.0%}",
        f"{cpu:,.1f}",
        f"{cpu / wall:.1f}",
        f"{memory / 1e6:,.0f}",
        *("–" if n is None else f"{n / 1e6:,.0f}" for n in moved),
    ]


def terminal_table(results: Sequence[Result]) -> Grid:
    "The results for the terminal."
    grid = Grid(box=None, pad_edge=False)
    for i, head in enumerate(HEADS):
        grid.add_column(head, justify="left" if i in (0, 2) else "right", no_wrap=True)
    for result in results:
        grid.add_row(*cells(result, results))
    return grid


def html_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    "A table as HTML."
    head = "".join(f"<th>{escape(text)}</th>" for text in heads)
    wholes = [[escape(text.replace(", ", ",\u00a0")) for text in row] for row in rows]
    body = ["".join(f"<td>{text}</td>" for text in row) for row in wholes]
    lines = "".join(f"<tr>{row}</tr>" for row in body)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


@mpl.rc_context(CHART_STYLE | {"svg.fonttype": "none", "svg.hashsalt": "bench"})
def plot(results: Sequence[Result]) -> str:
    "Time and memory against films, a column for each part, as an SVG element."
    there = {r.contestant for r in results}
    parts = [part for part in PARTS if any(r.part == part for r in results)]
    fig = Figure((3.2 * len(parts) + 0.8, 5.6), layout="constrained")
    results = [r for r in results if not r.error]
    axes = fig.subplots(2, len(parts), sharex=True, sharey="row", squeeze=False)
    measures = (("seconds", 1.0, "wall time, s"), ("memory", 1e9, "memory, GB"))
    for row, (name, unit, label) in zip(axes, measures, strict=True):
        row[0].set_ylabel(label)
        for ax, part in zip(row, parts, strict=True):
            for contestant in (one.name for one in CONTESTANTS if one.name in there):
                mine = [r for r in results if (r.part, r.contestant) == (part, contestant)]
                colour = COLOURS[contestant]
                ys = [(r.median(name) or 0) / unit for r in mine]
                ax.plot([r.films for r in mine], ys, "o-", color=colour, label=contestant, ms=4)
            ax.set(xscale="log", yscale="log", title=part if name == "seconds" else None)
            ax.grid(color="#eeeeee")
        format_log_axis(row[0].yaxis, "{:g}".format)
    sizes = sorted({r.films for r in results})
    axes[1][0].set_xticks(sizes, [f"{n / 1000:,g}k" for n in sizes])
    axes[1][0].xaxis.set_minor_locator(NullLocator())
    for ax in axes[1]:
        ax.set_xlabel("films")
    handles, labels = axes[0][0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    file = StringIO()
    fig.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    alt = "Wall time and memory of each contestant against the number of films; see the table."
    text = file.getvalue()
    return text[text.index("<svg") :].replace("<svg", f'<svg role="img" aria-label="{alt}"', 1)


def growth_rows(results: Sequence[Result]) -> list[list[str]]:
    "How many times longer a contestant takes for twice the films, from each size to the next."
    rows = []
    for part in PARTS:
        for one in CONTESTANTS:
            mine = [r for r in results if (r.part, r.contestant) == (part, one.name)]
            mine = [r for r in mine if not r.error]
            for small, large in zip(mine, mine[1:], strict=False):
                times = (large.median("seconds") or 0) / (small.median("seconds") or 1)
                factor = times ** (1 / log2(large.films / small.films))
                sizes = f"{small.films:,} to {large.films:,}"
                rows.append([part, one.name, sizes, f"{factor:.2f}"])
    return rows


def processor() -> str:
    "The model of the processor."
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
        return models[0]
    except (OSError, IndexError):
        return platform.machine()


def commit() -> str:
    "The commit of the checkout; empty without git."
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(
            command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False
        )
    except OSError:
        return ""
    return done.stdout.strip()


def facts(loads: Sequence[float]) -> dict[str, str]:
    "Machine, versions and date."
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    names = "duckdb polars pandas pyarrow pyspark pysail".split()
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "processor": processor(),
        "cores": f"{cores}",
        "memory": f"{memory / 1e9:.0f} GB",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "load average before and after": f"{loads[0]:.1f} and {loads[-1]:.1f}",
        "versions": f"Python {platform.python_version()}, "
        + ", ".join(f"{name} {version(name)}" for name in names),
        "commit": commit() or "–",
    }


def bench_page(
    results: Sequence[Result],
    about: dict[str, str],  # from `facts`
    repeat: str,  # the command that does it again
) -> str:
    "The page as HTML."
    tables = "".join(
        f"<h3>{name[0].upper()}{name[1:]}: {escape(words)}</h3>"
        + html_table(HEADS[1:], [cells(r, results)[1:] for r in results if r.part == name])
        for name, words in PARTS.items()
        if any(r.part == name for r in results)
    )
    others = ", ".join(name for name in TABLES if name not in RANKINGS)
    rounds = max(len(r.runs) for r in results)
    growth = growth_rows(results)
    content = f"""
<h2>Results</h2>
<p>Each number is the median of {rounds} {"round" if rounds == 1 else "rounds"}. The contestants
take turns. Each run is a process of its own, so times include the start of Python and of the
engine. CPU time and memory are those of all processes of a contestant together, and cores is CPU
time / wall time. "x {YARDSTICK}" is wall time / wall time of {YARDSTICK} in the same round. Spread
is slowest - fastest round, as a share of the median: where it is large, the machine was busy.
Memory, read and written are in MB.</p>
{tables}
<figure>{plot(results)}</figure>
<h2>What was measured</h2>
<p>The films are invented; their unknown values, ties and casts follow TMDB. A seed makes them the
same everywhere. The tables are {escape(others)}, and {len(RANKINGS)} rankings. Before any time
counts, all contestants must have written equal tables: the same rows in the same order, and
fractions that differ by at most 1/{1 / TOLERANCE:,.0f}. The pandas script makes some tables and
columns only, and only of small catalogues. The package also writes the KPI tables as CSV. Its
chain does far more than the scripts: quality rules, intervals, coverage, search, charts and
pages. "plain calls" makes the calls of the chain's stages in one process, without notebooks and
pages.</p>
<p>Memory is sampled every {SAMPLING:g} seconds; memory that processes share counts once for each
of them. Bytes are those of read and write calls, whether from disk or from memory. Polars maps
files into memory, which needs no calls.</p>
"""
    if growth:
        heads = ("part", "contestant", "films", "times longer for twice the films")
        content += f"<h2>Growth</h2>{html_table(heads, growth)}"
    machine = html_table(("fact", "value"), list(about.items()))
    content += f"<h2>Machine</h2>{machine}<h2>Repeat it</h2><pre>{escape(repeat)}</pre>"
    title = "Speed and memory"
    subtitle = "This package beside hand-written DuckDB, Polars and pandas, on the same films."
    return html_page(title, subtitle, content, style=STYLE)
