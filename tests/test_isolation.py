"Nobody but the owner of a run can reach its engine, which runs whatever code it is sent."

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tmdb_analysis.core.engine import server
from tmdb_analysis.core.processes import other_users
from tmdb_analysis.core.servers import TOKEN_VARIABLE, java_version
from tmdb_analysis.core.settings import Spark

ATTACK = """
import os, sys
from pyspark.sql import SparkSession
from pyspark.sql.connect import functions as F
from pyspark.sql.connect.client.core import DefaultChannelBuilder
from pyspark.sql.connect.client import retries
import pyspark.sql.connect.session, pyspark.cloudpickle
import grpc, pandas, pyarrow
DefaultChannelBuilder("sc://127.0.0.1:9").toChannel().close()
user, address = int(sys.argv[1]), sys.argv[2]
os.setgroups([]), os.setresgid(user, user, user), os.setresuid(user, user, user)
try:
    spark = SparkSession.builder.remote(address).getOrCreate()
    spark.client.set_retry_policies([])
    who = F.udf(lambda _: f"code ran as {os.getuid()}", "string")
    print(spark.range(1).select(who("id")).first()[0], flush=True)
except BaseException as e:
    print("refused:", " ".join(str(e).split())[:300], flush=True)
os._exit(0)
"""


def attack(address: str, user: int) -> str:
    "What comes of sending code to an engine as some user, without what its owner knows."
    env = {k: v for k, v in os.environ.items() if not k.startswith("SPARK_")}
    words = [sys.executable, "-c", ATTACK, str(user), address]
    done = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120, cwd="/")
    return done.stdout or done.stderr


def children(pid: int | None = None) -> list[psutil.Process]:
    "The processes below a process; this one's if none is named."
    return psutil.Process(pid).children(recursive=True)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    "Those of some processes that run; a dead one may stay a zombie until its new parent looks."
    found = []
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


@pytest.fixture
def as_root():
    "Only root can become somebody else."
    if sys.platform != "linux" or os.getuid():
        pytest.skip("only root on Linux can try it as another user")


def test_another_user_cannot_run_code_through_the_embedded_engine(as_root):
    with server(Spark()) as address:
        assert "code ran as 0" in attack(address, 0), "the attack itself works"
        assert "refused" in attack(address, 65534)


def test_the_port_of_the_embedded_engine_is_in_no_network_but_its_own(as_root):
    before = set(children())
    with server(Spark()):
        inside = [process for process in children() if process not in before]
        folders = [Path("/proc", str(process.pid), "fd") for process in inside]
        descriptors = [descriptor for folder in folders for descriptor in folder.iterdir()]
        sockets = {os.readlink(descriptor) for descriptor in descriptors}
        lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
        listening = {f"socket:[{line[9]}]" for line in lines if line[3] == "0A"}
        assert inside and not sockets & listening
    assert not alive(inside)


KILLED = """
import os, signal, sys
from tmdb_analysis.core.settings import Spark
from tmdb_analysis.core.engine import server
with server(Spark(engine=sys.argv[1])) as address:
    print(address, flush=True)
    sys.stdin.read()
"""


def test_a_killed_owner_leaves_no_engine_and_no_relay():
    words = [sys.executable, "-c", KILLED, "sail"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        owner.stdout.readline()
        left = children(owner.pid)
        owner.kill()
    assert left
    end = time.monotonic() + 20
    while still := alive(left):
        assert time.monotonic() < end, still
        time.sleep(0.05)


def test_an_ordinary_user_gets_a_network_as_well(as_root):
    code = (
        "import ctypes, os, socket, sys\n"
        "from tmdb_analysis.core.processes import enter_private_network\n"
        "os.setgroups([]), os.setresgid(1234, 1234, 1234), os.setresuid(1234, 1234, 1234)\n"
        "libc, told = ctypes.CDLL(None), ctypes.c_int()\n"
        "libc.prctl(4, 1), libc.prctl(1, 15); enter_private_network()\n"
        "socket.create_server(('127.0.0.1', int(sys.argv[1])))\n"
        "libc.prctl(2, ctypes.byref(told)); print(os.getuid(), told.value)"
    )
    with socket.create_server(("127.0.0.1", 0)) as ours:
        words = [sys.executable, "-c", code, str(ours.getsockname()[1])]
        done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    if "cannot create a network namespace" in done.stderr:
        pytest.skip("no user namespace can be made here")
    assert done.stdout.split() == ["1234", "15"], done.stderr


# A machine that allows no network of its own, as most containers do

FORBIDDEN = 'echo 0 > /proc/sys/user/max_net_namespaces && exec "$@"'


def forbidden(*words: str) -> list[str]:
    "A command where no network namespace can be made."
    return ["unshare", "--user", "--map-root-user", "sh", "-c", FORBIDDEN, "sh", *words]


@pytest.fixture
def no_namespaces():
    "What the tests of this kind need."
    trial = forbidden("true")
    if not shutil.which("unshare") or subprocess.run(trial, capture_output=True).returncode:
        pytest.skip("no user namespace can be made here")


@pytest.mark.integration
def test_where_it_cannot_be_closed_doctor_and_the_run_say_so(no_namespaces, tmp_path):
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TMDB_", "SPARK_"))}
    code = "import sys; from tmdb_analysis.use.cli import main; sys.exit(main(sys.argv[1:]))"
    said = "can run code as you through the engine's port: use --engine spark"
    words = forbidden(sys.executable, "-c", code, "doctor", "--home", str(tmp_path))
    told = subprocess.run(words, env=env, capture_output=True, text=True, timeout=120).stdout
    assert "engine access" in told and (said in " ".join(told.split())) == bool(other_users())
    words = forbidden(sys.executable, "-c", code, "demo", "--home", str(tmp_path))
    pipes = dict(stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with subprocess.Popen(words, env=env, **pipes) as run:
        first = run.stderr.readline() if other_users() else said
        run.terminate()
        run.communicate(timeout=60)
    assert said in first


@pytest.mark.integration
def test_apache_spark_asks_for_a_token_that_stands_on_no_command_line(tmp_path):
    if java_version() not in (17, 21):
        pytest.skip("Apache Spark needs Java 17 or 21")
    before = os.environ.get(TOKEN_VARIABLE)
    with server(Spark(engine="spark")) as address:
        token = os.environ[TOKEN_VARIABLE]
        assert "refused" in attack(address, os.getuid())
        assert "code ran as" in attack(address + f"/;token={token}", os.getuid())
        lines = [" ".join(process.cmdline()) for process in alive(children())]
        assert any("SparkConnectServer" in line for line in lines)
        assert not [line for line in lines if token in line]
    assert os.environ.get(TOKEN_VARIABLE) == before
