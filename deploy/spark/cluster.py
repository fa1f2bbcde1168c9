"""A small Apache Spark cluster on this machine: a master, two workers and a Spark Connect server
that asks for a token.

python deploy/spark/cluster.py up|down|status [--home DIR] [--port 7077] [--connect 15002]
    [--ui 8080]

Everything listens on loopback. Process ids, logs and the token (readable for you alone) are in
HOME/data/spark.

python deploy/spark/cluster.py serve --master URL --host NAME [--memory 1g] [--conf NAME=VALUE ...]

This is for a container: a Connect server in the foreground, on all addresses, for the cluster of
that master.
"""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pyspark

from tmdb_analysis.core.processes import environment_variables
from tmdb_analysis.core.servers import (
    LOOPBACK_OPTIONS,
    QUICK_OPTIONS,
    TOKEN_VARIABLE,
    is_answering,
    is_reachable,
    require_java,
)
from tmdb_analysis.core.settings import TmdbError, settings

SPARK = Path(pyspark.__file__).parent
WORKERS, CORES, WORKER_MB, EXECUTOR_MB = (
    2,
    2,
    2048,
    640,
)  # an executor of the Connect server, and one of a run, fit on each worker
SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"


def commands(place: Path, port: int, connect: int, ui: int) -> dict[str, list]:
    "Each process by name, in the order in which they start."
    master = f"spark://127.0.0.1:{port}"
    launch = [SPARK / "bin/spark-class", "org.apache.spark.deploy"]
    found = {
        "master": [
            launch[0],
            f"{launch[1]}.master.Master",
            "--host",
            "127.0.0.1",
            "--port",
            port,
            "--webui-port",
            ui,
        ]
    }
    for i in range(1, WORKERS + 1):
        where = [
            "--host",
            "127.0.0.1",
            "--webui-port",
            ui + i,
            "-c",
            CORES,
            "-m",
            f"{WORKER_MB}m",
            "-d",
            place / f"worker{i}",
        ]
        found[f"worker{i}"] = [launch[0], f"{launch[1]}.worker.Worker", *where, master]
    conf = LOOPBACK_OPTIONS | {
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": connect,
        "spark.executor.memory": f"{EXECUTOR_MB}m",
        "spark.executor.cores": 1,
        "spark.cores.max": WORKERS,  # the other cores are for runs with --engine spark://
        "spark.local.dir": place / "local",
        "spark.sql.warehouse.dir": place / "warehouse",
        "spark.sql.shuffle.partitions": WORKERS,
    }
    return found | {"connect": server(master, "1g", conf)}


def server(master: str, memory: str, more: dict) -> list:
    "The command of a Connect server, with the settings that make Spark quick for this package."
    conf = QUICK_OPTIONS | {"spark.ui.enabled": "false"} | more
    options = [word for name, value in conf.items() for word in ("--conf", f"{name}={value}")]
    submit = [SPARK / "bin/spark-submit", "--master", master, "--driver-memory", memory]
    return [*submit, *options, "--class", SERVER, "spark-internal"]


def serve(master: str, host: str, memory: str, connect: int, more: list[str]) -> None:
    "Become the Connect server of a cluster elsewhere, whose parts reach it under the name `host`."
    conf = {
        "spark.connect.grpc.binding.address": "0.0.0.0",
        "spark.connect.grpc.binding.port": connect,
        "spark.driver.host": host,
        "spark.sql.warehouse.dir": "/tmp/warehouse",
        **dict(word.split("=", 1) for word in more),
    }
    command = [str(word) for word in server(master, memory, conf)]
    env = os.environ | {"SPARK_HOME": str(SPARK), "PYSPARK_PYTHON": sys.executable}
    os.execve(command[0], command, env)


def running(place: Path, name: str) -> int | None:
    """The id of a process that was started here and is still there; an id that another process has
    by now does not count."""
    try:
        pid = int((place / f"{name}.pid").read_text())
    except (OSError, ValueError):
        return None
    told = subprocess.run(
        ["ps", "-ww", "-o", "stat=,args=", "-p", str(pid)],
        capture_output=True,
        text=True,
        check=False,
    ).stdout
    return pid if "spark" in told and not told.startswith("Z") else None


def token(place: Path) -> str:
    "The token of the Connect server: that of the settings, or one that is made once."
    path = place / "token"
    given = settings().spark.spark_token
    if given or not path.exists():
        path.touch(0o600)
        path.chmod(0o600)
        path.write_text((given.get_secret_value() if given else secrets.token_urlsafe(24)) + "\n")
    return path.read_text().strip()


def start(place: Path, name: str, command: list, more: dict[str, str]) -> None:
    "Start a process in a group of its own, unless it is there."
    if running(place, name):
        return
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_"))} | more
    env |= {
        "SPARK_HOME": str(SPARK),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "PYSPARK_PYTHON": sys.executable,
    }
    with open(place / f"{name}.log", "wb") as log:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=place,
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    (place / f"{name}.pid").write_text(str(process.pid))


def alive_workers(ui: int) -> int:
    "How many workers the master knows."
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            f"http://127.0.0.1:{ui}/json/", timeout=5
        ) as page:
            return int(json.load(page)["aliveworkers"])
    except (OSError, ValueError, KeyError):
        return 0


def wait(place: Path, name: str, ready, seconds: float = 180) -> None:
    "Wait until a process is ready. Raises `TmdbError` when it ends or takes too long."
    deadline = time.monotonic() + seconds
    while not ready():
        if not running(place, name) or time.monotonic() > deadline:
            raise TmdbError(
                f"the {name} did not start: see {place / name}.log; "
                "`make cluster-down` stops the others"
            )
        time.sleep(0.2)


def up(place: Path, port: int, connect: int, ui: int) -> None:
    "Start what does not run, wait until it is ready, and say what to type. Raises `TmdbError`."
    require_java()
    place.mkdir(parents=True, exist_ok=True)
    for name, number in {"master": port, "connect": connect}.items():
        if not running(place, name) and is_reachable("127.0.0.1", number):
            raise TmdbError(
                f"port {number} is taken by something else: choose another with "
                f"--{'port' if name == 'master' else name}"
            )
    secret, chain = token(place), commands(place, port, connect, ui)
    small = {
        "SPARK_DAEMON_MEMORY": "256m",
        "SPARK_MASTER_OPTS": "-Dspark.master.rest.enabled=false",
    }
    start(place, "master", chain["master"], small)
    wait(place, "master", lambda: is_reachable("127.0.0.1", port))
    for i in range(1, WORKERS + 1):
        start(place, f"worker{i}", chain[f"worker{i}"], small)
    wait(place, f"worker{WORKERS}", lambda: alive_workers(ui) >= WORKERS)
    start(place, "connect", chain["connect"], {TOKEN_VARIABLE: secret})
    with environment_variables({TOKEN_VARIABLE: None}):
        wait(place, "connect", lambda: is_answering(f"sc://127.0.0.1:{connect}", 1))
    print(
        f"cluster up: master spark://127.0.0.1:{port} (http://127.0.0.1:{ui}), "
        f"{WORKERS} workers, Connect at sc://localhost:{connect}"
    )
    print(f"  tmdb run --engine spark://127.0.0.1:{port}")
    print(f"  TMDB_SPARK_TOKEN=$(cat {place / 'token'}) tmdb run --engine sc://localhost:{connect}")
    print("  make cluster-down")


def down(place: Path, seconds: float = 20) -> None:
    "Stop all of it, with everything that it started; what does not end in time is killed."
    groups = [pid for name in commands(place, 0, 0, 0) if (pid := running(place, name))]
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in groups[::-1]:
            try:
                os.killpg(pid, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + seconds
        while (
            groups := [pid for pid in groups if group_lives(pid)]
        ) and time.monotonic() < deadline:
            time.sleep(0.1)
    for path in [*place.glob("*.pid"), place / "token"]:
        path.unlink(missing_ok=True)
    print("cluster down")


def group_lives(pid: int) -> bool:
    "Whether a process group has a member that is not a zombie."
    told = subprocess.run(
        ["ps", "-A", "-o", "pgid=,stat="], capture_output=True, text=True, check=True
    ).stdout
    return any(
        line.split()[0] == str(pid) and not line.split()[1].startswith("Z")
        for line in told.splitlines()
    )


def status(place: Path) -> int:
    "Say which processes run; gives 1 unless all of them do."
    found = {name: running(place, name) for name in commands(place, 0, 0, 0)}
    for name, pid in found.items():
        print(f"{name:<8} {f'runs ({pid})' if pid else 'down'}")
    return int(not all(found.values()))


def main(argv: list[str] | None = None) -> int:
    "The command; gives its exit code."
    parser = argparse.ArgumentParser(description="A small Apache Spark cluster on this machine.")
    parser.add_argument("verb", choices=("up", "down", "status", "serve"))
    parser.add_argument("--home", help="folder that has data/ (default: that of the settings)")
    parser.add_argument("--port", type=int, default=7077, help="of the master")
    parser.add_argument("--connect", type=int, default=15002, help="of the Connect server")
    parser.add_argument(
        "--ui", type=int, default=8080, help="of the master's page; those of the workers follow"
    )
    parser.add_argument("--master", help="serve: the master, as spark://host:7077")
    parser.add_argument("--host", help="serve: the name of this machine for the others")
    parser.add_argument("--memory", default="1g", help="serve: of the server")
    parser.add_argument(
        "--conf", action="append", default=[], help="serve: a setting of Spark, as name=value"
    )
    args = parser.parse_args(argv)
    if args.verb == "serve":
        if not (args.master and args.host) or not all("=" in word for word in args.conf):
            parser.error("serve needs --master URL and --host NAME; each --conf is name=value")
        serve(args.master, args.host, args.memory, args.connect, args.conf)
    try:
        place = settings(home=args.home).pipeline.home / "data" / "spark"
        if args.verb == "up":
            up(place, args.port, args.connect, args.ui)
        elif args.verb == "down":
            down(place)
        return status(place) if args.verb == "status" else 0
    except TmdbError as e:
        print(e, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
