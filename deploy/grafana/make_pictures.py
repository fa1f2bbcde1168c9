"""Draw what the panels of the dashboards hold, for the documentation:
python deploy/grafana/make_pictures.py postgresql://reader@host/db

These are plain figures of the data, one picture a dashboard, not the look of Grafana. The
queries are those of the committed dashboards.
"""

import json
import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd
import psycopg
from PIL import Image

matplotlib.use("agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = Path(__file__).parent
IMAGES = HERE.parent.parent / "docs" / "images"


def expanded(query: str, since: str = "now() - interval '30 days'", until: str = "now()") -> str:
    """A query with Grafana's macros filled in, as Grafana does. Raises `ValueError` for one that is
    not known."""
    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 between {since} and {until}", query)
    if "$" in query:
        raise ValueError(f"there is a macro or variable left in {query}")
    return query


def frame(connection: psycopg.Connection, panel: dict[str, Any]) -> pd.DataFrame:
    "The data of a panel."
    cursor = connection.execute(expanded(panel["targets"][0]["rawSql"]))
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def value(shown: Any, unit: str) -> str:
    "A single value with its unit."
    if unit == "dateTimeAsIso":
        return f"{pd.Timestamp(shown, unit='ms'):%Y-%m-%d %H:%M}"
    if isinstance(shown, str):
        return shown
    text = (
        f"{float(shown):,.4g}"
        if isinstance(shown, float | Decimal) and abs(shown) < 10_000
        else f"{shown:,.0f}"
    )
    return text + {"s": " s"}.get(
        unit, unit.removeprefix("suffix:") if unit.startswith("suffix:") else ""
    )


def over_time(axes: Any, panel: dict[str, Any], data: pd.DataFrame) -> None:
    "Lines or bars over the runs."
    wide = data.pivot_table(index="time", columns="metric", values="value").astype(float)
    wide.index = pd.to_datetime(wide.index, utc=True).strftime("%m-%d %H:%M:%S")
    bars = panel["fieldConfig"]["defaults"]["custom"].get("drawStyle") == "bars"
    look: dict[str, Any] = (
        {"stacked": True} if bars else {"marker": "o", "markersize": 2, "linewidth": 1}
    )
    wide.plot(kind="bar" if bars else "line", ax=axes, rot=0, **look)
    axes.legend(fontsize=4, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    axes.set_xlabel("")


def draw(axes: Any, panel: dict[str, Any], data: pd.DataFrame) -> None:
    "A panel as a plain figure."
    axes.set_title(panel["title"], fontsize=7, loc="left", pad=3)
    kind = panel["type"]
    if kind == "timeseries" and not data.empty:
        over_time(axes, panel, data)
    elif kind in ("barchart", "bargauge"):
        axes.bar(data.iloc[:, 0].astype(str), data.iloc[:, 1].astype(float))
        step = max(1, len(data) // 24)
        tilt = {"rotation": 60, "ha": "right"} if len(data) > 8 else {}
        axes.set_xticks(range(0, len(data), step), list(data.iloc[::step, 0]), **tilt)
    else:
        axes.axis("off")
        cells = data.iloc[:9, :7].map(
            lambda v: (
                f"{v:%m-%d %H:%M}"
                if isinstance(v, pd.Timestamp)
                else str("" if v is None else v)[:34]
            )
        )
        if kind == "table":
            widths = [0.06 + cells[c].str.len().max() for c in cells]
            drawn = axes.table(
                cells.values.tolist(), colLabels=list(cells.columns), loc="upper left",
                edges="horizontal", cellLoc="left",
                colWidths=[width / sum(widths) for width in widths],
            )  # fmt: skip
            drawn.auto_set_font_size(False)
            drawn.set_fontsize(4.5)
        else:
            axes.text(
                0,
                0.3,
                "no data"
                if data.empty
                else value(data.iloc[0, 0], panel["fieldConfig"]["defaults"]["unit"]),
                fontsize=11,
            )
    axes.tick_params(labelsize=5)


def picture(board: dict[str, Any], connection: psycopg.Connection, path: Path) -> None:
    "All panels of a dashboard in one small picture, each where the dashboard has it."
    rows = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(11, 0.26 * rows))
    for panel in board["panels"]:
        place, wide = panel["gridPos"], 0.065 if panel["type"] == "timeseries" else 0.015
        low = 0.24 if panel["type"] == "barchart" else 0.12
        left, bottom = place["x"] / 24 + 0.03, 1 - (place["y"] + place["h"] * (1 - low)) / rows
        axes = figure.add_axes(
            (left, bottom, place["w"] / 24 - 0.03 - wide, place["h"] * (0.86 - low) / rows)
        )
        draw(axes, panel, frame(connection, panel))
    figure.savefig(path, dpi=110)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(32).save(path, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(sys.argv[1]) as database:
        for file in sorted((HERE / "dashboards").glob("*.json")):
            picture(
                json.loads(file.read_text(encoding="utf-8")),
                database,
                IMAGES / f"grafana_{file.stem}.png",
            )
