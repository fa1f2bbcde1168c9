"""Write the alerts as YAML that Grafana takes at its start: python deploy/grafana/make_alerts.py"""

from pathlib import Path
from typing import Any, NamedTuple

import yaml

FILE = Path(__file__).parent / "provisioning" / "alerting" / "tmdb.yaml"
HEAD = (
    "# Alerts on what `tmdb publish` has written. Made by make_alerts.py; change them there.\n"
    "# Where they go is Grafana's business: give a contact point and a notification policy for the "
    "label team=tmdb.\n"
)


class Alert(NamedTuple):
    "An alert on one number."

    uid: str
    title: str
    query: str  # gives one row with one number
    above: float | None  # it fires above this,
    below: float | None  # or below this
    wait: str  # how long it has to be so
    unknown: str  # what no number means: Alerting or OK
    severity: str
    summary: str


LAST = "from tmdb.runs order by finished desc limit 1"
SUCCESS = (
    "select extract(epoch from now() - max(finished)) / 3600 as hours from tmdb.runs "
    "where status = 'ok'"
)
ALERTS = [
    Alert("tmdb-run-failed", "The last run failed",
          f"select (status <> 'ok')::int as failed {LAST}", 0, None, "0s", "OK", "critical",
          "The newest published run failed; the table of runs says in which stage and why."),
    Alert("tmdb-gate-failed", "The quality gate said no",
          f"select coalesce((gate = 'fail')::int, 0) as failed {LAST}", 0, None, "0s", "OK",
          "critical",
          "The quality gate stopped the newest published run; "
          "films and KPIs are those of the run before."),
    Alert("tmdb-no-success-daily", "No successful run in 26 hours", SUCCESS, 26, None, "10m",
          "Alerting", "warning",
          "No run has succeeded in 26 hours. For a daily schedule; "
          "pause this rule for a weekly one."),
    Alert("tmdb-no-success-two-days", "No successful run in two days", SUCCESS, 2 * 24, None, "10m",
          "Alerting", "critical",
          "No run has succeeded in two days. For a daily schedule; "
          "pause this rule for a weekly one."),
    Alert("tmdb-no-success-weekly", "No successful run in 8 days", SUCCESS, 8 * 24, None, "10m",
          "Alerting", "critical", "No run has succeeded in 8 days."),
    Alert("tmdb-score-low", "The score of quality is below 80",
          "select score from tmdb.runs where score is not null order by finished desc limit 1",
          None, 80, "0s", "OK", "warning",
          "The score of quality of the newest run is below 80; the dashboard of data quality says "
          "which dimension."),
    Alert("tmdb-films-fewer", "A tenth of the films is gone",
          """select a.films::float / nullif(b.films, 0) as share from tmdb.runs a join tmdb.runs b
          on b.finished < a.finished and b.status = 'ok' and b.source = a.source where a."current"
          order by b.finished desc limit 1""",
          None, 0.9, "0s", "OK", "warning",
          "The current run has less than 90 % of the films of "
          "the run of the same source before it."),
    Alert("tmdb-failures", "More than one film in a hundred was not fetched",
          """select f.value / nullif(f.value + n.value, 0) as share from tmdb.metrics f
          join tmdb.metrics n using (run_id)
          join tmdb.runs r using (run_id) where f.name = 'failures' and f.label = 'films'
          and n.name = 'rows' and n.label = 'raw'
          order by r.finished desc limit 1""",
          0.01, None, "0s", "OK", "warning",
          "TMDB did not give more than 1 % of the films that the newest fetch asked for."),
    Alert("tmdb-cache-cold", "The cache answers too little",
          """select avg(value) as share
          from (select m.value from tmdb.metrics m join tmdb.runs r using (run_id)
          where m.name = 'cache_hit_ratio' order by r.finished desc limit 3) last""",
          None, 0.2, "0s", "OK", "info",
          "Over the last three fetches "
          "less than a fifth of the answers came fresh from the cache."),
]  # fmt: skip

SINCE = {"from": 86400, "to": 0}  # Grafana wants it; the queries do not look at it


def rule(alert: Alert) -> dict[str, Any]:
    "An alert as Grafana provisions it: the query A, and the condition B on its number."
    kind, limit = ("gt", alert.above) if alert.above is not None else ("lt", alert.below)
    query = {
        "refId": "A",
        "format": "table",
        "editorMode": "code",
        "rawQuery": True,
        "rawSql": " ".join(alert.query.split()),
    }
    condition = {
        "refId": "B",
        "type": "threshold",
        "expression": "A",
        "conditions": [{"evaluator": {"type": kind, "params": [limit]}}],
    }
    return {
        "uid": alert.uid,
        "title": alert.title,
        "condition": "B",
        "data": [
            {
                "refId": "A",
                "datasourceUid": "tmdb-postgres",
                "relativeTimeRange": dict(SINCE),
                "model": query,
            },
            {
                "refId": "B",
                "datasourceUid": "__expr__",
                "relativeTimeRange": dict(SINCE),
                "model": condition,
            },
        ],
        "for": alert.wait,
        "noDataState": alert.unknown,
        "execErrState": "Error",
        "labels": {"team": "tmdb", "severity": alert.severity},
        "annotations": {"summary": alert.summary},
    }


def text() -> str:
    "The file."
    groups = [
        {
            "orgId": 1,
            "name": "tmdb",
            "folder": "TMDB",
            "interval": "5m",
            "rules": [rule(alert) for alert in ALERTS],
        }
    ]
    return HEAD + yaml.safe_dump(
        {"apiVersion": 1, "groups": groups}, sort_keys=False, allow_unicode=True, width=140
    )


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
