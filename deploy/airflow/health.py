"""Tell whether Airflow can run the DAG. Exit code 0, or 1 with the reason in one line.

python health.py URL scheduler       the scheduler has a fresh heartbeat
python health.py URL dag_processor   so has the DAG processor, and it read all DAGs without an error

URL is that of the API server. The script asks the REST API as the user admin, with the password
from the file of the simple auth manager.
It needs Python alone: it starts often, and Airflow takes seconds to import.
"""

import json
import os
import sys
import urllib.request
from pathlib import Path

DAG = "tmdb"


def ask(url: str, token: str | None = None, send: dict | None = None) -> dict:
    "The JSON answer of the API."
    head = {"Content-Type": "application/json"}
    head |= {"Authorization": f"Bearer {token}"} if token else {}
    body = None if send is None else json.dumps(send).encode()
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(urllib.request.Request(url, body, head), timeout=10) as answer:
        return json.load(answer)


def sign_in(url: str) -> str:
    "A token of the user admin."
    path = os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    password = json.loads(Path(path).read_text(encoding="utf-8"))["admin"]
    user = {"username": "admin", "password": password}
    return ask(f"{url}/auth/token", send=user)["access_token"]


def problem(url: str, part: str) -> str | None:
    "Why Airflow cannot run the DAG, or None."
    state = ask(f"{url}/api/v2/monitor/health")[part]["status"]
    if state != "healthy":
        return f"{part} has no fresh heartbeat"
    if part != "dag_processor":
        return None
    token = sign_in(url)
    errors = ask(f"{url}/api/v2/importErrors", token)["import_errors"]
    if errors:
        last = errors[0]["stack_trace"].strip().splitlines()[-1]
        return f"Airflow cannot read {errors[0]['filename']}: {last}"
    known = ask(f"{url}/api/v2/dags?dag_id_pattern={DAG}", token)["dags"]
    return None if DAG in {dag["dag_id"] for dag in known} else f"Airflow has no DAG {DAG} yet"


def main(url: str, part: str) -> int:
    "The exit code."
    try:
        reason = problem(url, part)
    except (OSError, ValueError, LookupError) as e:
        reason = f"{url} does not answer as Airflow does: {e!r}"
    if reason:
        print(reason)
    return int(bool(reason))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
