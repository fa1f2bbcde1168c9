"""Draw what the panels of the dashboards hold, for the documentation: python deploy/grafana/make_pictures.py postgresql://reader@host/db

These are plain figures of the data, one picture a dashboard, not the look of Grafana. The queries are those of the committed dashboards.
"""

import json
import re
import sys
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
    "A query with Grafana's macros filled in, as Grafana does. Raises `ValueError` for one that is not known."
    query = re.sub(r"\$__timeFilter\(([^)]*)\)", rf"\1 between {since} and {until}", query)
    if "$" in query:
        raise ValueError(f"there is a macro or variable left in {query}")
    return query


def frame(connection: psycopg.Connection, panel: dict[str, Any]) -> pd.DataFrame:
    "The data of a panel."
    cursor = connection.execute(expanded(panel["targets"][0]["rawSql"]))
    return pd.DataFrame(cursor.fetchall(), columns=[column.name for column in cursor.description])


def draw(axes: Any, panel: dict[str, Any], data: pd.DataFrame) -> None:
    "A panel as a plain figure."
    axes.set_title(panel["title"], fontsize=7, loc="left", pad=3)
    kind = panel["type"]
    if data.empty:
        axes.axis("off")
        axes.text(0, 0.4, "no data", fontsize=6)
    elif kind == "timeseries":
        wide = data.pivot_table(index="time", columns="metric", values="value").astype(float)
        wide.index = pd.to_datetime(wide.index, utc=True).strftime("%m-%d %H:%M")
        bars = panel["fieldConfig"]["defaults"]["custom"].get("drawStyle") == "bars"
        look: dict[str, Any] = {"stacked": True} if bars else {"marker": "o", "markersize": 2, "linewidth": 1}
        wide.plot(kind="bar" if bars else "line", ax=axes, **look)
        axes.legend(fontsize=4, frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
        axes.set_xlabel("")
    elif kind in ("barchart", "bargauge"):
        few = data.iloc[:: max(1, len(data) // 24)]
        axes.bar(few.iloc[:, 0].astype(str), few.iloc[:, 1].astype(float))
        axes.tick_params(axis="x", rotation=60)
    else:
        axes.axis("off")
        shown = data.iloc[:8, :6].map(lambda v: f"{v:%m-%d %H:%M}" if isinstance(v, pd.Timestamp) else str("" if v is None else v)[:26])
        if kind == "stat":
            axes.text(0, 0.4, shown.iloc[0, 0], fontsize=12)
        else:
            cells = axes.table(shown.values.tolist(), colLabels=list(shown.columns), loc="upper left", edges="horizontal", cellLoc="left")
            cells.auto_set_font_size(False)
            cells.set_fontsize(4.5)
    axes.tick_params(labelsize=5)


def picture(board: dict[str, Any], connection: psycopg.Connection, path: Path) -> None:
    "All panels of a dashboard in one small picture, each where the dashboard has it."
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"])
    figure = plt.figure(figsize=(11, 0.28 * height), layout="constrained")
    grid = figure.add_gridspec(height, 24)
    for panel in board["panels"]:
        place = panel["gridPos"]
        axes = figure.add_subplot(grid[place["y"] : place["y"] + place["h"], place["x"] : place["x"] + place["w"]])
        draw(axes, panel, frame(connection, panel))
    figure.savefig(path, dpi=110)
    plt.close(figure)
    Image.open(path).convert("RGB").quantize(32).save(path, optimize=True)


if __name__ == "__main__":
    IMAGES.mkdir(parents=True, exist_ok=True)
    with psycopg.connect(sys.argv[1]) as database:
        for file in sorted((HERE / "dashboards").glob("*.json")):
            picture(json.loads(file.read_text(encoding="utf-8")), database, IMAGES / f"grafana_{file.stem}.png")
