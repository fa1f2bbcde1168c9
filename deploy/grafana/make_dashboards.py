"""Write the dashboards as JSON that Grafana takes: python deploy/grafana/make_dashboards.py

A development tool: it needs grafana-foundation-sdk, whose newest line is pinned in settings.ini.
The JSON is committed, so that nobody else needs it.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import (
    barchart,
    bargauge,
    common,
    dashboard,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.variants import Dataquery
from grafana_foundation_sdk.models.common import (
    GraphDrawStyle,
    LegendDisplayMode,
    LegendPlacement,
    StackingMode,
    TableAutoCellOptions,
    VisibilityMode,
    VizOrientation,
)
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    DynamicConfigValue,
    GridPos,
    Threshold,
)

REPORTS = "http://127.0.0.1:8090/"  # where compose.yaml shows the folder reports/
FOLDER = Path(__file__).parent / "dashboards"
SOURCE = DataSourceRef(type_val="grafana-postgresql-datasource", uid="tmdb-postgres")
PROMETHEUS = DataSourceRef(type_val="prometheus", uid="tmdb-prometheus")
GREEN, AMBER, RED, YELLOW = "green", "orange", "red", "yellow"
# Series with a meaning have a colour of their own; the others take those of the palette in turn.
COLOURS = {"critical": RED, "error": AMBER, "warn": YELLOW, "failed": RED, "success": GREEN}


class Postgres(Dataquery):
    "A query of the PostgreSQL data source, which the SDK has no class for."

    def __init__(self, query: str, form: str):
        self.query, self.form = " ".join(query.split()), form

    def build(self) -> "Postgres":
        "Itself: it is its own builder."
        return self

    def to_json(self) -> dict[str, Any]:
        "As Grafana stores it."
        return {
            "refId": "A", "datasource": SOURCE, "format": self.form, "editorMode": "code",
            "rawQuery": True, "rawSql": self.query,
        }  # fmt: skip


class Metrics(Dataquery):
    "A query of the Prometheus data source: its newest value, or its course."

    def __init__(self, query: str, name: str, ref: str, now: bool):
        self.query, self.name, self.ref, self.now = " ".join(query.split()), name, ref, now

    def build(self) -> "Metrics":
        "Itself: it is its own builder."
        return self

    def to_json(self) -> dict[str, Any]:
        "As Grafana stores it."
        return {
            "refId": self.ref, "datasource": PROMETHEUS, "editorMode": "code", "expr": self.query,
            "legendFormat": self.name, "instant": self.now, "range": not self.now,
        }  # fmt: skip


class Panel(NamedTuple):
    "A panel without its place."

    kind: str  # stat, lines, bars, table, chart or gauge
    width: int  # of 24
    title: str
    description: str
    unit: str  # of Grafana: s, percentunit, short, none, ...
    query: str | dict[str, str]  # of PostgreSQL; or of Prometheus, by the names of its series
    limits: tuple[tuple[float | None, str], ...] = (
        (None, GREEN),
    )  # from which value on a colour holds


def drawn(panel: Panel) -> Any:
    "The builder of the kind of a panel, large enough to be read from across a room."
    if panel.kind == "stat":
        return (
            stat.Panel()
            .text(common.VizTextDisplayOptions().title_size(20).value_size(44))
            .reduce_options(
                common.ReduceDataOptions().calcs(["lastNotNull"]).values(False).fields("/.*/")
            )
        )
    if panel.kind == "gauge":
        shown = common.ReduceDataOptions().calcs(["lastNotNull"]).values(True)
        return (
            bargauge.Panel()
            .orientation(VizOrientation.HORIZONTAL)
            .text(common.VizTextDisplayOptions().title_size(18).value_size(24))
            .min(0)
            .max(100)
            .reduce_options(shown)
        )
    if panel.kind == "table":
        return table.Panel().filterable(True).cell_options(TableAutoCellOptions(wrap_text=True))
    if panel.kind == "chart":
        return (
            barchart.Panel()
            .fill_opacity(80)
            .line_width(1)
            .x_tick_label_rotation(-45)
            .x_tick_label_max_length(30)
        )
    lines = timeseries.Panel().legend(
        common.VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.RIGHT)
        .show_legend(True)
    )
    if panel.kind == "bars":
        bars = lines.draw_style(GraphDrawStyle.BARS).fill_opacity(80)
        return bars.stacking(common.StackingConfig().mode(StackingMode.NORMAL).group("A"))
    return lines.show_points(VisibilityMode.ALWAYS).line_width(3).point_size(8)


def coloured(panel: Any, kind: str) -> Any:
    "A builder of a panel over time in which series with a meaning have the colour of it."
    for name, colour in COLOURS.items() if kind in ("lines", "bars") else ():
        fixed = {"mode": "fixed", "fixedColor": colour}
        panel = panel.override_by_name(name, [DynamicConfigValue(id_val="color", value=fixed)])
    return panel


def targets(panel: Panel) -> list[Dataquery]:
    "The queries of a panel."
    if isinstance(panel.query, str):
        over_time = panel.kind in ("lines", "bars")
        return [Postgres(panel.query, "time_series" if over_time else "table")]
    named = zip("ABCDEFGH", panel.query.items(), strict=False)
    return [Metrics(query, name, ref, panel.kind == "stat") for ref, (name, query) in named]


def built(panel: Panel, place: GridPos) -> Any:
    "The builder of a panel at its place."
    limits = dashboard.ThresholdsConfig().steps(
        [Threshold(value, colour) for value, colour in panel.limits]
    )
    made = coloured(drawn(panel), panel.kind).title(panel.title).description(panel.description)
    for target in targets(panel):
        made = made.with_target(target)
    source = SOURCE if isinstance(panel.query, str) else PROMETHEUS
    return made.unit(panel.unit).thresholds(limits).datasource(source).grid_pos(place)


def made(
    uid: str, title: str, description: str, since: str, rows: list[tuple[int, list[Panel]]]
) -> dict[str, Any]:
    "A dashboard of rows, each with its height; its panels from left to right."
    board = (
        dashboard.Dashboard(title)
        .uid(uid)
        .description(description)
        .tags(["tmdb"])
        .timezone("browser")
        .time(since, "now")
        .refresh("5m")
        .link(dashboard.DashboardLink("Reports").type("link").icon("doc").url(REPORTS).target_blank(True))
    )  # fmt: skip
    y = 0
    for height, panels in rows:
        x = 0
        for panel in panels:
            board = board.with_panel(built(panel, GridPos(h=height, w=panel.width, x=x, y=y)))
            x += panel.width
        y += height
    return json.loads(json.dumps(board.build(), cls=JSONEncoder))


def of_runs(name: str, labelled: bool = False) -> str:
    "The query for a number of each run over time, a line for each of its labels if it has some."
    metric = "m.label" if labelled else f"'{name.replace('_', ' ')}'"
    return f"""select r.finished as time, {metric} as metric, m.value from tmdb.metrics m
        join tmdb.runs r using (run_id)
        where m.name = '{name}' and $__timeFilter(r.finished) order by 1, 2"""


LAST = "from tmdb.runs order by finished desc limit 1"
PIPELINE = [
    (4, [
        Panel("stat", 4, "Last run",
              "How the newest published run ended, whether it succeeded or not.", "string",
              f"select status {LAST}"),
        Panel("stat", 4, "Since the last success",
              "Time since the newest run that succeeded ended.", "s",
              "select extract(epoch from now() - max(finished)) as seconds from tmdb.runs "
              "where status = 'ok'",
              ((None, GREEN), (26 * 3600, AMBER), (2 * 86400, RED))),
        Panel("stat", 4, "Duration", "How long the newest run took.", "s",
              f"select seconds {LAST}"),
        Panel("stat", 4, "Films", "Films in the current run, after cleaning.", "none",
              "select films from tmdb.runs where current"),
        Panel("stat", 4, "Failures",
              "What failed in the newest run, all kinds together: films, records, answers, cache, "
              "stages.", "none",
              "select sum(value) as failures from tmdb.metrics where name = 'failures' "
              f"and run_id = (select run_id {LAST})",
              ((None, GREEN), (1, AMBER), (100, RED))),
        Panel("stat", 4, "Runs", "Published runs in the chosen time.", "none",
              "select count(*) as runs from tmdb.runs where $__timeFilter(finished)"),
    ]),
    (8, [
        Panel("bars", 12, "Time by stage", "How long each stage of a run took; a bar is a run.",
              "s", of_runs("stage_seconds", True)),
        Panel("lines", 12, "Time of a run", "From the start of the engine to the last page.", "s",
              of_runs("run_seconds")),
    ]),
    (8, [
        Panel("bars", 8, "Requests to TMDB",
              "Requests that were sent to TMDB, each try counted. "
              "A run of files or of the sample sends none.",
              "none",
              """select r.finished as time, 'requests' as metric, coalesce(m.value, 0) as value
              from tmdb.runs r left join tmdb.metrics m
              on m.run_id = r.run_id and m.name = 'api_calls'
              where $__timeFilter(r.finished) order by 1"""),
        Panel("bars", 8, "Failures by kind",
              "Films that were not fetched, records in quarantine, answers that were broken, "
              "faults of the cache, stages that failed.",
              "none", of_runs("failures", True)),
        Panel("lines", 8, "Rows by table",
              "Rows of the tables of a run; credits are left out, "
              "for there are some sixty to a film.",
              "short",
              of_runs("rows", True).replace(" and $", " and m.label <> 'credits' and $")),
    ]),
    (12, [
        Panel("table", 24, "The last 50 runs",
              "Newest first. The current run is the one that the dashboard of films shows. "
              "From cache: the share of TMDB's answers that came fresh from the cache.", "none",
              """select finished, r.run_id as run, status, gate, score, films,
              round(seconds::numeric, 1) as seconds, source, engine,
              round((100 * c.value)::numeric) as "from cache in %",
              "current", failed_stage, error from tmdb.runs r left join tmdb.metrics c
              on c.run_id = r.run_id and c.name = 'cache_hit_ratio'
              order by finished desc limit 50"""),
    ]),
]  # fmt: skip

LATEST_QUALITY = (
    "run_id = (select run_id from tmdb.runs where score is not null order by finished desc limit 1)"
)
QUALITY = [
    (4, [
        Panel("stat", 6, "Score",
              "Score of quality of the newest run that was looked at, 0 to 100.", "none",
              "select score from tmdb.runs where score is not null order by finished desc limit 1",
              ((None, RED), (70, AMBER), (80, GREEN))),
        Panel("stat", 6, "Gate", "Whether the quality gate let the newest run pass.", "string",
              "select gate from tmdb.runs where gate is not null order by finished desc limit 1"),
        Panel("stat", 6, "Broken rules",
              "Rules that more records break than the rule allows, in the newest run.", "none",
              "select count(*) as rules from tmdb.quality_rules "
              f"where not passed and {LATEST_QUALITY}", ((None, GREEN), (1, AMBER))),
        Panel("stat", 6, "Flagged films", "Films of the current run that break at least one rule.",
              "none",
              "select count(distinct movie_id) as films from tmdb.flags"),
    ]),
    (8, [
        Panel("lines", 12, "Score over runs", "Score of quality of each run, 0 to 100.", "none",
              of_runs("quality_score")),
        Panel("lines", 12, "Dimensions over runs", "Score of each dimension of quality, 0 to 100.",
              "none",
              of_runs("quality_dimension_score", True)),
    ]),
    (8, [
        Panel("gauge", 12, "Dimensions now",
              "Score of each dimension of quality in the newest run, 0 to 100.", "none",
              f"select dimension, score from tmdb.quality_dimensions where {LATEST_QUALITY} "
              "order by dimension",
              ((None, RED), (70, AMBER), (80, GREEN))),
        Panel("bars", 12, "Broken rules by severity",
              "Rules that more records break than the rule allows.", "none",
              of_runs("rules_broken", True)),
    ]),
    (10, [
        Panel("table", 14, "Failing rules",
              "Rules that the newest run breaks, the largest share of the records that were asked "
              "first.",
              "none",
              f"""select rule, dimension, severity, about, failed, evaluated,
              round((100 * share)::numeric, 2) as "share in %"
              from tmdb.quality_rules where not passed and {LATEST_QUALITY}
              order by share desc, rule_id"""),
        Panel("table", 10, "Flagged films",
              "The films of the current run with the most broken rules.", "none",
              """select title, count(*) as rules, string_agg(distinct rule_id, ', ') as broken
              from tmdb.flags
              group by movie_id, title order by 2 desc, title limit 50"""),
    ]),
]  # fmt: skip

RANKED = """select rank, title, extract(year from release_date)::int as year,
    round(value::numeric, 2) as "{value}"
    from tmdb.{name} order by rank"""
FILMS = [
    (4, [
        Panel("stat", 6, "Films", "Films of the current run.", "none",
              "select count(*) as films from tmdb.movies"),
        Panel("stat", 6, "Known revenue", "Sum of the revenues that are known, in million USD.",
              "suffix: M USD",
              "select sum(revenue_musd) as revenue from tmdb.movies"),
        Panel("stat", 6, "People", "People who are credited in the films, by TMDB id.", "none",
              "select count(distinct person_id) as people from tmdb.credits"),
        Panel("stat", 6, "As of", "When the current run ended.", "dateTimeAsIso",
              "select (extract(epoch from finished) * 1000)::bigint as ended from tmdb.runs "
              "where current"),
    ]),
    (10, [
        Panel("table", 8, "Highest revenue",
              "Worldwide gross in million USD, not adjusted for prices.", "none",
              RANKED.format(name="highest_revenue", value="revenue (M USD)")),
        Panel("table", 8, "Highest return",
              "Revenue / budget, among films whose budget is known and not tiny.", "none",
              RANKED.format(name="highest_roi", value="revenue / budget")),
        Panel("table", 8, "Highest rated",
              "Mean rating, 0 to 10, among films with enough votes; n is the votes.", "none",
              RANKED.format(name="highest_rated", value="rating\", vote_count as \"n")),
    ]),
    (9, [
        Panel("chart", 12, "Genres by films",
              "Films of each genre; a film counts in each of its genres, "
              "so bars add up to more than all.",
              "none",
              "select genre, films from tmdb.genres order by rank"),
        Panel("chart", 12, "Typical return by genre",
              "Median of revenue / budget of the n films in the numbers on money; "
              "genres with enough films for a firm number.", "none",
              """select genre || ' (n=' || n_return || ')' as genre,
              median_return as "median of revenue / budget" from tmdb.genre_returns
              where shown = 'firm' order by median_return desc"""),
    ]),
    (9, [
        Panel("chart", 24, "Revenue by year",
              "Sum of the n known revenues by the year of release, in million USD, "
              "not adjusted for prices.", "suffix: M USD",
              """select "year" || ' (n=' || n_revenue || ')' as "year",
              total_revenue_musd as revenue from tmdb.yearly
              where total_revenue_musd is not null order by 1"""),
    ]),
    (10, [
        Panel("table", 12, "Directors",
              "By the total revenue of their films, co-directed ones too; "
              "n is the films with a known revenue.",
              "none",
              """select rank, director, films,
              round(total_revenue_musd::numeric) as "revenue (M USD)", n_revenue as n,
              round(mean_rating::numeric, 2) as "mean rating" from tmdb.directors
              order by rank limit 50"""),
        Panel("table", 12, "Franchises",
              "By the total revenue of their films; n is the films with a known revenue.", "none",
              """select rank, collection as franchise, films,
              round(total_revenue_musd::numeric) as "revenue (M USD)", n_revenue as n,
              round(mean_rating::numeric, 2) as "mean rating" from tmdb.franchises
              order by rank limit 50"""),
    ]),
]  # fmt: skip

SPARK = "metrics_tmdb_driver_appStatus_"  # what the Connect server counts, whoever uses it
SERVICES = [
    (4, [
        Panel("stat", 4, "Spark workers",
              "Workers that the master of Spark knows as alive.", "none",
              {"workers": "max(metrics_master_aliveWorkers_Value)"},
              ((None, RED), (1, AMBER), (2, GREEN))),
        Panel("stat", 4, "Silent services",
              "Services that do not answer Prometheus: those of Spark, "
              "and what serves the file of metrics.", "none",
              {"services": "count(up == 0) or vector(0)"}, ((None, GREEN), (1, RED))),
        Panel("stat", 4, "Failed Spark tasks",
              "Tasks that failed since the Connect server started. Spark tries them again.", "none",
              {"tasks": f"sum({SPARK}tasks_failedTasks_Count)"}, ((None, GREEN), (1, AMBER))),
        Panel("stat", 4, "Running Airflow tasks", "Tasks that Airflow is running now.", "none",
              {"tasks": "sum(airflow_executor_running_tasks)"}),
        Panel("stat", 4, "Unreadable DAGs", "Files of DAGs that Airflow could not read.", "none",
              {"files": "max(airflow_dag_processing_import_errors)"}, ((None, GREEN), (1, RED))),
        Panel("stat", 4, "Heartbeats a minute", "Heartbeats of Airflow's scheduler.", "none",
              {"heartbeats": "60 * sum(rate(airflow_scheduler_heartbeat_total[5m]))"},
              ((None, RED), (1, GREEN))),
    ]),
    (9, [
        Panel("lines", 12, "Spark jobs and stages",
              "What the Connect server finished in ten minutes, whoever asked for it.", "none",
              {"jobs": f"sum(increase({SPARK}jobs_succeededJobs_Count[10m]))",
               "stages": f"sum(increase({SPARK}stages_completedStages_Count[10m]))",
               "failed": f"sum(increase({SPARK}stages_failedStages_Count[10m]))"}),
        Panel("lines", 12, "Spark tasks",
              "Tasks that executors finished in ten minutes; a stage has one or more.", "none",
              {"tasks": f"sum(increase({SPARK}tasks_completedTasks_Count[10m]))",
               "failed": f"sum(increase({SPARK}tasks_failedTasks_Count[10m]))"}),
    ]),
    (9, [
        Panel("lines", 12, "Airflow tasks",
              "Tasks that ended in ten minutes, by how they ended, and those that run.", "none",
              {"{{state}}": "sum by (state) (last_over_time(airflow_ti_finish_total[10m]))",
               "running": "sum(airflow_executor_running_tasks)"}),
        Panel("lines", 12, "Duration of Airflow tasks",
              "Mean of the last day, for each task of the DAG.", "s",
              {"{{task_id}}":
               "sum by (task_id) (last_over_time(airflow_task_duration_milliseconds_sum[1d])) "
               "/ sum by (task_id) (last_over_time(airflow_task_duration_milliseconds_count[1d])) "
               "/ 1000"}),
    ]),
]  # fmt: skip


def dashboards() -> dict[str, dict[str, Any]]:
    "Every dashboard, by the name of its file."
    return {
        "pipeline": made(
            "tmdb-pipeline",
            "TMDB pipeline",
            "Runs that were published: time, calls, failures, rows.",
            "now-30d",
            PIPELINE,
        ),
        "quality": made(
            "tmdb-quality",
            "Data quality",
            "What the rules of quality found, run by run.",
            "now-30d",
            QUALITY,
        ),
        "films": made(
            "tmdb-films", "Films", "The published numbers of the current run.", "now-30d", FILMS
        ),
        "services": made(
            "tmdb-services",
            "Services",
            "Spark and Airflow as Prometheus sees them in Compose.",
            "now-6h",
            SERVICES,
        ),
    }


def text(board: dict[str, Any]) -> str:
    "A dashboard as the file holds it."
    return json.dumps(board, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, board in dashboards().items():
        (FOLDER / f"{name}.json").write_text(text(board), encoding="utf-8")
