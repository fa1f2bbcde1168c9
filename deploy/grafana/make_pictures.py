"""Draw what the panels of the dashboards hold, for the documentation:
python deploy/grafana/make_pictures.py postgresql://reader@host/db [http://prometheus:9090]

These are plain figures of the data, one picture a dashboard, not the look of Grafana. The
queries are those of the committed dashboards. The dashboard of services needs Prometheus.
"""

import json
import re
import sys
import textwrap
import time
import urllib.request
from decimal import Decimal
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import matplotlib
import pandas as pd
import psycopg
from PIL import Image

matplotlib.use("agg")
import matplotlib.dates as mdates  # noqa: E402
import matplotlib.pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
IMAGES = HERE.parent.parent / "docs" / "images"
WIDE, ROW = 16, 0.34  # inches: a picture, and a row of the grid of a dashboard
LETTER, LINE = 0.078, 0.17  # inches: the width of a letter of a table, and the height of its line
FIXED = {"red": "#c4162a", "orange": "#ff780a", "yellow": "#f2cc0c", "green": "#37872d"}


class Sources(NamedTuple):
    "What the panels are filled from."

    database: psycopg.Connection
    prometheus: str  # its URL; empty for none


def expanded(query: str, since: str = "now() - interval '30 days'", until: str = "now()") -> str:
    """A query with Grafana's macros filled in, as Grafana does. Raises `ValueError` for one that is
    not known."""
    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 between {since} and {until}", query)
    if "$" in query:
        raise ValueError(f"there is a macro or variable left in {query}")
    return query


def series(target: dict[str, Any], url: str, hours: float = 1) -> pd.DataFrame:
    "The course of a query of Prometheus over the last hours: time, metric, value."
    now = int(time.time())
    words = {"query": target["expr"], "start": now - 3600 * hours, "end": now, "step": 30}
    with urllib.request.urlopen(f"{url}/api/v1/query_range?{urlencode(words)}", timeout=30) as page:
        found = json.load(page)["data"]["result"]
    rows = [
        (pd.Timestamp(at, unit="s", tz="UTC"), legend(target, one["metric"]), float(value))
        for one in found
        for at, value in one["values"]
    ]
    return pd.DataFrame(rows, columns=["time", "metric", "value"])


def legend(target: dict[str, Any], labels: dict[str, str]) -> str:
    "The name of a series: its labels filled in where the legend asks for them."
    return re.sub(r"{{(\w+)}}", lambda found: labels.get(found[1], ""), target["legendFormat"])


def frame(sources: Sources, panel: dict[str, Any]) -> pd.DataFrame:
    "The data of a panel."
    if "expr" in panel["targets"][0]:
        found = pd.concat(series(target, sources.prometheus) for target in panel["targets"])
        return found[["value"]].iloc[-1:] if panel["type"] == "stat" else found
    cursor = sources.database.execute(expanded(panel["targets"][0]["rawSql"]))
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def value(shown: Any, unit: str) -> str:
    "A single value with its unit."
    if unit == "dateTimeAsIso":
        return f"{pd.Timestamp(shown, unit='ms'):%Y-%m-%d %H:%M}"
    if isinstance(shown, str):
        return shown
    if unit == "s" and shown >= 3600:
        return f"{float(shown) / 3600:,.1f} hours"
    text = (
        f"{float(shown):,.4g}"
        if isinstance(shown, float | Decimal) and abs(shown) < 10_000
        else f"{shown:,.0f}"
    )
    return text + {"s": " s"}.get(
        unit, unit.removeprefix("suffix:") if unit.startswith("suffix:") else ""
    )


def colours(panel: dict[str, Any], names: list[str]) -> dict[str, Any]:
    "The colour of each series: that of the dashboard if it says one, else another for each."
    known = {
        rule["matcher"]["options"]: FIXED[rule["properties"][0]["value"]["fixedColor"]]
        for rule in panel["fieldConfig"].get("overrides", [])
    }
    twenty = plt.get_cmap("tab20").colors  # each colour with a lighter one behind it
    palette = cycle([*twenty[::2], *twenty[1::2]])
    return {name: known.get(name) or next(palette) for name in names}


def over_time(axes: Any, panel: dict[str, Any], data: pd.DataFrame) -> None:
    "Lines or bars over the runs."
    wide = data.pivot_table(index="time", columns="metric", values="value").astype(float)
    places = mdates.date2num(pd.to_datetime(wide.index, utc=True).to_pydatetime())
    bars = panel["fieldConfig"]["defaults"]["custom"].get("drawStyle") == "bars"
    width = 0.8 * min((b - a for a, b in zip(places, places[1:], strict=False)), default=0.02)
    base = pd.Series(0.0, index=wide.index)
    for name, colour in colours(panel, list(wide)).items():
        if bars:
            axes.bar(places, wide[name], width, bottom=base, color=colour, label=name)
            base = base + wide[name].fillna(0)
        else:
            axes.plot(places, wide[name], color=colour, label=name, marker=".", linewidth=2)
    locator = mdates.AutoDateLocator(maxticks=7)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(mdates.ConciseDateFormatter(locator))
    axes.set_ylim(0, 1.08 * axes.get_ylim()[1])
    size, between = (8.5, 0.5) if len(wide.columns) < 10 else (7.5, 0.15)
    place = {"loc": "upper left", "bbox_to_anchor": (1, 1.06)}
    axes.legend(fontsize=size, labelspacing=between, frameon=False, **place)


def cell(shown: Any) -> str:
    "The text of a cell of a table."
    if shown is None or (isinstance(shown, float) and pd.isna(shown)):
        return ""
    return f"{shown:%m-%d %H:%M}" if isinstance(shown, pd.Timestamp) else str(shown)


def table(axes: Any, data: pd.DataFrame, wide: float, high: float) -> None:
    "The first rows of a table, as many as fit; a long text takes several lines and is never cut."
    axes.axis("off")
    axes.set(xlim=(0, wide), ylim=(high, 0))
    text = [list(data.columns), *(list(map(cell, row)) for row in data.itertuples(index=False))]
    lengths = [max(map(len, column)) + 2 for column in zip(*text[:40], strict=True)]
    fits = (
        most for most in range(200, 8, -1) if sum(min(n, most) for n in lengths) < wide / LETTER
    )
    most = next(fits, 8)
    lengths = [min(length, most) for length in lengths]
    starts = [LETTER * sum(lengths[:i]) for i in range(len(lengths))]
    y = 0.0
    for number, row in enumerate(text):
        pairs = zip(row, lengths, strict=True)
        cells = [textwrap.wrap(part, length - 1) or [""] for part, length in pairs]
        top, y = y + 0.07, y + 0.07 + LINE * max(map(len, cells))
        if y > high:
            return
        for x, lines in zip(starts, cells, strict=True):
            weight = "bold" if number == 0 else "normal"
            axes.text(x, top, "\n".join(lines), fontsize=9, va="top", weight=weight)
        axes.plot([0, wide], [y + 0.02, y + 0.02], color="0.8", linewidth=0.7)


def bars_of(axes: Any, data: pd.DataFrame) -> None:
    "A bar for each row."
    axes.bar(data.iloc[:, 0].astype(str), data.iloc[:, 1].astype(float))
    step = max(1, len(data) // 30)
    tilt = {"rotation": 45, "ha": "right"} if len(data) > 8 else {}
    axes.set_xticks(range(0, len(data), step), list(data.iloc[::step, 0]), **tilt)
    axes.margins(x=0.01)


def draw(axes: Any, panel: dict[str, Any], data: pd.DataFrame, wide: float, high: float) -> None:
    "A panel as a plain figure, so many inches wide and high."
    axes.set_title(panel["title"], fontsize=12, loc="left", pad=6, weight="bold")
    kind = panel["type"]
    if data.empty or kind == "stat":
        unit = panel["fieldConfig"]["defaults"]["unit"]
        shown = "no data" if data.empty else value(data.iloc[0, 0], unit)
        axes.axis("off")
        axes.text(0, 0.85, shown, fontsize=24, va="top", transform=axes.transAxes)
    elif kind == "timeseries":
        over_time(axes, panel, data)
    elif kind == "table":
        table(axes, data, wide, high)
    else:
        bars_of(axes, data)
    axes.tick_params(labelsize=9)
    axes.spines[["top", "right"]].set_visible(False)


def picture(board: dict[str, Any], sources: Sources, path: Path) -> None:
    "All panels of a dashboard in one picture, each where the dashboard has it."
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(WIDE, ROW * rows))
    for panel in board["panels"]:
        place, kind = panel["gridPos"], panel["type"]
        left, right = 0.6, 1.6 if kind == "timeseries" else 0.2
        below = {"barchart": 1.3, "timeseries": 0.4, "bargauge": 0.4}.get(kind, 0.1)
        wide = place["w"] / 24 * WIDE - left - right
        high = place["h"] * ROW - 0.4 - below
        x, y = place["x"] / 24 * WIDE + left, (rows - place["y"] - place["h"]) * ROW + below
        box = (x / WIDE, y / (ROW * rows), wide / WIDE, high / (ROW * rows))
        draw(figure.add_axes(box), panel, frame(sources, panel), wide, high)
    figure.savefig(path, dpi=90)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(sys.argv[1]) as database:
        sources = Sources(database, "".join(sys.argv[2:]))
        for file in sorted((HERE / "dashboards").glob("*.json")):
            board = json.loads(file.read_text(encoding="utf-8"))
            if sources.prometheus or not any("expr" in p["targets"][0] for p in board["panels"]):
                picture(board, sources, IMAGES / f"grafana_{file.stem}.png")
