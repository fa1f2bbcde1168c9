"""The files in deploy/: the services of the compose file fit together, the images fit the locks,
and the DAG knows this version.

These tests need no container engine."""

import ast
import json
import re
import shutil
import subprocess
import sys
import threading
from base64 import b64decode
from configparser import ConfigParser
from fnmatch import fnmatch
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml

from deploy.airflow.make_dag import TARGET, text
from deploy.audit.vulnerabilities import verdict
from tests.test_docs import blocks
from tmdb_analysis.core import settings as errors
from tmdb_analysis.core.records import stage_records
from tmdb_analysis.core.servers import JAVA_NEEDED
from tmdb_analysis.core.settings import SECTION_OF, TmdbError
from tmdb_analysis.films import validate
from tmdb_analysis.tmdb import transport

ROOT = Path(__file__).parent.parent
DEPLOY = ROOT / "deploy"
TEXT = (DEPLOY / "compose.yaml").read_text(encoding="utf-8")
COMPOSE = yaml.safe_load(TEXT)
SERVICES = COMPOSE["services"]
DOCKERFILE = DEPLOY / "docker/Dockerfile"
FORM = json.loads(TARGET.read_text(encoding="utf-8"))["params"]
VARIABLE = re.compile(r"\$\{(\w+)(:[-?][^}]*)?\}")
WITHOUT_HEALTHCHECK = {"airflow-init"}  # it ends, and others wait for that
tool = Path(sys.executable).parent


def variables(path: Path) -> dict[str, str]:
    "The variables of a file."
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def examples() -> dict[str, str]:
    "The variables of deploy/.env.example."
    return variables(DEPLOY / ".env.example")


def copied(dockerfile: Path) -> list[str]:
    "What a Dockerfile copies from the context."
    lines = [
        line.split()[1:-1]
        for line in dockerfile.read_text(encoding="utf-8").splitlines()
        if line.startswith("COPY ") and not line.startswith("COPY --from=")
    ]
    return [source for sources in lines for source in sources]


def mounts(service: dict) -> list[tuple[str, str]]:
    "What a service mounts, and where."
    return [
        (volume.split(":")[0], volume.split(":", 1)[1]) for volume in service.get("volumes", [])
    ]


def test_compose_keeps_to_the_specification():
    subprocess.run(
        [
            tool / "check-jsonschema",
            "--builtin-schema",
            "vendor.compose-spec",
            DEPLOY / "compose.yaml",
        ],
        check=True,
    )


@pytest.mark.parametrize("name", SERVICES)
def test_what_a_service_names_is_there(name):
    service = SERVICES[name]
    waits = service.get("depends_on", {})
    assert waits.keys() <= SERVICES.keys()
    for other, how in waits.items():
        ends = other in WITHOUT_HEALTHCHECK
        assert how["condition"] == ("service_completed_successfully" if ends else "service_healthy")
    mode = service.get("network_mode", "")
    assert networks(name).keys() <= COMPOSE["networks"].keys() and bool(networks(name)) != bool(
        mode
    )
    assert not mode or mode.removeprefix("service:") in waits
    for source, target in mounts(service):
        if source.startswith("."):
            assert (DEPLOY / source).exists() and target.endswith(":ro"), source
        else:
            assert source in COMPOSE["volumes"], source


def test_the_reports_are_served_read_only():
    service, config = SERVICES["reports"], (DEPLOY / "nginx/nginx.conf").read_text(encoding="utf-8")
    home = next(target for source, target in mounts(service) if source == "home")
    assert home.endswith(":ro") and service["read_only"]
    assert "root " + home.removesuffix(":ro") + "/reports;" in config
    port = re.search(r"listen (\d+);", config)[1]
    assert service["ports"] == [f"127.0.0.1:${{REPORTS_PORT:-{port}}}:{port}"]
    assert examples()["REPORTS_PORT"] == port
    boards = [path.read_text(encoding="utf-8") for path in DEPLOY.glob("grafana/dashboards/*.json")]
    assert boards and all(f"http://127.0.0.1:{port}/" in board for board in boards)


def networks(name: str) -> dict:
    "The networks of a service, with what it is called in each."
    joined = SERVICES[name].get("networks", [])
    return joined if isinstance(joined, dict) else dict.fromkeys(joined, {})


def names_in(network: str) -> set[str]:
    "The names that stand for one address alone, which is in this network."
    found = set()
    for name in SERVICES:
        joined = networks(name)
        found |= {name} if joined.keys() == {network} else set()
        found |= set(joined.get(network, {}).get("aliases", []))
        found -= {
            alias
            for other in joined.keys() - {network}
            for alias in joined[other].get("aliases", [])
        }
    return found


def test_spark_meets_under_names_that_are_in_the_engine_network_alone():
    command = SERVICES["spark-master"]["command"]
    master = command[command.index("--host") + 1]
    port = command[command.index("--port") + 1]
    assert master in names_in("engine")
    text = "\n".join(word for name in SERVICES for word in SERVICES[name].get("command", []))
    assert re.findall(r"spark://[^\s\"]+", text) == [f"spark://{master}:{port}"] * 3
    driver = next(
        word for word in SERVICES["spark-connect"]["command"] if word.startswith("--host=")
    )
    assert driver.removeprefix("--host=") == "spark-connect" and "spark-connect" in names_in(
        "engine"
    )
    computing = (
        "spark-worker-1",
        "spark-worker-2",
        "spark-connect",
        "airflow-scheduler",
        "jupyter",
    )
    assert all("engine" in networks(name) for name in computing)


def test_airflow_sends_its_metrics_in_the_engine_network_alone():
    "The receivers ask nobody for a password: their names must stand for that network alone."
    assert COMPOSE["networks"]["engine"]["internal"]
    words = SERVICES["vmagent"]["command"]
    written = next(word.split("=", 1)[1] for word in words if word.startswith("-remoteWrite.url="))
    assert urlsplit(written).hostname in networks("prometheus")["engine"]["aliases"]
    assert "--web.enable-remote-write-receiver" in SERVICES["prometheus"]["command"]
    for name in (name for name in SERVICES if name.startswith("airflow")):
        env = SERVICES[name]["environment"]
        sent = urlsplit(env["OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"])
        assert sent.hostname == "vmagent" and f"-httpListenAddr=:{sent.port}" in words
        assert {sent.hostname, urlsplit(written).hostname} <= names_in("engine")
        assert "engine" in networks(name)
        assert "service_instance" in env["OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"]


def test_a_health_check_asks_more_than_its_own_page():
    asked = {name: service["healthcheck"].get("test", []) for name, service in SERVICES.items()}
    for name in ("spark-worker-1", "spark-worker-2"):
        assert asked[name] == ["CMD", "python", "/srv/health.py", "worker"]
    assert asked["spark-connect"][2:4] == ["/srv/health.py", "connect"]
    assert (
        "airflow-api" in asked["airflow-scheduler"][3]
        and asked["airflow-scheduler"][4] == "scheduler"
    )
    assert asked["airflow-dag-processor"][4] == "dag_processor"


@pytest.fixture
def answers():
    """A server on loopback that gives the JSON of each path; its address, and the answers to fill
    in."""
    found = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            known = self.path in found
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(json.dumps(found.get(self.path)).encode())

        do_POST = do_GET

        def log_message(self, *words):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", found
        server.shutdown()


def health(path: str, *words: str, **env: str) -> tuple[int, str]:
    "Exit code and output of a health check, which has nothing but Python."
    command = [sys.executable, "-I", DEPLOY / path / "health.py", *words]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    assert not done.stderr and done.stdout.count("\n") == done.returncode
    return done.returncode, done.stdout


def test_airflow_is_well_only_when_it_read_the_dag(answers, tmp_path):
    url, found = answers
    (tmp_path / "passwords.json").write_text('{"admin": "secret"}')
    env = {"AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(tmp_path / "passwords.json")}

    def told(part: str) -> tuple[int, str]:
        return health("airflow", url, part, **env)

    assert told("scheduler")[0] == 1
    found["/auth/token"] = {"access_token": "token"}
    found["/api/v2/monitor/health"] = {
        "scheduler": {"status": "unhealthy"},
        "dag_processor": {"status": "healthy"},
    }
    found["/api/v2/dags?dag_id_pattern=tmdb"] = {"dags": []}
    broken = {"filename": "tmdb.py", "stack_trace": "Traceback ...\nIndexError: 2\n"}
    found["/api/v2/importErrors"] = {"import_errors": [broken]}
    assert told("scheduler") == (1, "scheduler has no fresh heartbeat\n")
    assert told("dag_processor") == (1, "Airflow cannot read tmdb.py: IndexError: 2\n")
    found["/api/v2/importErrors"] = {"import_errors": []}
    assert told("dag_processor") == (1, "Airflow has no DAG tmdb yet\n")
    found["/api/v2/dags?dag_id_pattern=tmdb"] = {"dags": [{"dag_id": "tmdb"}]}
    assert told("dag_processor") == (0, "")


def test_every_volume_and_network_is_used():
    assert {
        source for s in SERVICES.values() for source, _ in mounts(s) if not source.startswith(".")
    } == COMPOSE["volumes"].keys()
    assert {network for name in SERVICES for network in networks(name)} == COMPOSE[
        "networks"
    ].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_bounded(name):
    service = SERVICES[name]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), (
        "on loopback only"
    )
    assert (
        service["cap_drop"] == ["ALL"]
        and service["security_opt"] == ["no-new-privileges:true"]
        and "privileged" not in service
    )
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory"}
    assert name in WITHOUT_HEALTHCHECK or service["healthcheck"]["test"]
    assert not any("docker.sock" in source for source, _ in mounts(service))


@pytest.mark.parametrize("name", SERVICES)
def test_an_image_has_a_version_and_a_user(name):
    service = SERVICES[name]
    image, _, tag = service["image"].rpartition(":")
    assert image and re.search(r"\d+\.\d+", tag), service["image"]
    if "build" in service:
        build = service["build"]
        assert (DEPLOY / build["context"]).resolve() == ROOT
        assert ROOT / build["dockerfile"] == DOCKERFILE
        assert f" AS {build['target']}\n" in DOCKERFILE.read_text(encoding="utf-8")
        ini = ConfigParser(delimiters=["="])
        ini.read(ROOT / "settings.ini", encoding="utf-8")
        assert image == f"tmdb-analysis/{build['target']}" and tag == ini["DEFAULT"]["version"]
    elif image.startswith("tmdb-analysis/"):
        assert service["pull_policy"] == "never", "no registry has it"
    else:
        assert service["user"].split(":")[0] not in ("0", "root")


def test_one_service_builds_each_image():
    "A build for each service that uses it would leave copies without a name."
    ours = [s["image"] for s in SERVICES.values() if s["image"].startswith("tmdb-analysis/")]
    built = [service["image"] for service in SERVICES.values() if "build" in service]
    assert sorted(built) == sorted(set(ours)) and len(ours) > len(built)


def test_every_variable_is_in_the_example_and_none_is_there_for_nothing():
    assert {name for name, _ in VARIABLE.findall(TEXT)} == examples().keys()


def test_nothing_starts_without_a_password():
    for name, default in VARIABLE.findall(TEXT):
        if re.search("PASSWORD|SECRET|KEY|TOKEN", name):
            assert examples()[name] == "", f"{name} has a default"
            assert default.startswith(":?") or name == "TMDB_READ_TOKEN", f"{name} may be empty"
    for name, service in SERVICES.items():
        for key, value in service.get("environment", {}).items():
            if re.search("PASSWORD$|SECRET|_KEY$|TOKEN|AUTH$", key):
                assert VARIABLE.fullmatch(str(value)), f"{name}: {key}"


def test_the_docs_make_every_password(tmp_path):
    if not shutil.which("openssl"):
        pytest.skip("no openssl here")
    block = next(block for block in blocks(ROOT / "docs" / "operations.md") if "openssl" in block)
    (tmp_path / "deploy").mkdir()
    file = shutil.copy(DEPLOY / ".env.example", tmp_path / "deploy" / ".env")
    subprocess.run(["bash", "-e"], input=block, text=True, cwd=tmp_path, check=True)
    made = variables(file)
    assert made.keys() == examples().keys() and {name for name in made if not made[name]} <= {
        "TMDB_READ_TOKEN"
    }
    secrets = [made[name] for name, value in examples().items() if made[name] != value]
    assert len(secrets) == len(set(secrets)) > 9 and min(map(len, secrets)) >= 44
    assert len(b64decode(made["AIRFLOW_FERNET_KEY"], b"-_")) == 32
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_package_gets_settings_that_it_knows():
    for service in (s for s in SERVICES.values() if s["image"].startswith("tmdb-analysis/")):
        names = {
            key[5:].lower() for key in service.get("environment", {}) if key.startswith("TMDB_")
        }
        assert names <= SECTION_OF.keys()


def test_all_that_compute_see_the_home():
    place = "/srv/tmdb/home"
    for name in (
        "spark-worker-1",
        "spark-worker-2",
        "spark-connect",
        "airflow-scheduler",
        "jupyter",
    ):
        target = dict(mounts(SERVICES[name]))["home"]
        assert target == place, "executors write large results, too"
    assert f"TMDB_HOME={place}" in DOCKERFILE.read_text(encoding="utf-8")


def test_the_dockerfile_is_sound():
    subprocess.run([tool / "hadolint", DOCKERFILE], check=True)
    content, sources = DOCKERFILE.read_text(encoding="utf-8"), copied(DOCKERFILE)
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    for source in sources:
        assert (ROOT / source).exists() and any(
            source == name or fnmatch(source, f"{name}/*") for name in kept
        ), source
    assert re.findall(r"^USER (.+)$", content, re.M) == ["10001:10001"] * 3
    without = re.search(r"rm -r (\S+)/jars$", content, re.M)[1]
    assert f"SPARK_HOME={without}\n" in content, "pyspark does not start without it"
    assert f"python:{'.'.join(map(str, sys.version_info[:2]))}." in content or sys.version_info[
        :2
    ] != (3, 11)
    assert int(re.search(r"openjdk-(\d+)-jre", content)[1]) in JAVA_NEEDED
    commands = [
        words
        for line in content.replace("\\\n", " ").splitlines()
        if line.startswith("RUN ")
        for words in line[4:].split(" && ")
    ]
    installs = [
        " ".join(words.split()) for words in commands if re.search(r"\bpip (install|sync) ", words)
    ]
    assert len(installs) > 2
    for words in installs:
        of_ours = "--no-deps --no-build-isolation" in words and words.endswith(" /tmp/source")
        assert "--require-hashes" in words or of_ours
        assert words.startswith("uv ") or words.endswith(" -r /tmp/uv.lock"), (
            "pip installs the locked uv alone"
        )


def test_no_secret_can_come_into_an_image():
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    assert (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()[1] == "*"
    assert not [
        name
        for name in kept
        if fnmatch(".env", name)
        or fnmatch("deploy/.env", f"{name}*")
        or name in ("data", "deploy", ".")
    ]


@pytest.mark.parametrize("name", ["requirements.txt", "spark.txt"])
def test_the_images_get_the_versions_of_the_lock_and_no_test_tools(name):
    lock, images = (
        set(re.findall(r"^[a-z0-9][^ ]*==[^ ;]+", path.read_text(encoding="utf-8"), re.M))
        for path in (ROOT / "requirements.lock", DEPLOY / "docker" / name)
    )
    assert images < lock, "run `make lock`"
    assert not [pin for pin in images if re.match("pytest|hypothesis|playwright|mypy|ruff", pin)]


NEEDED = """
import json, runpy, sys
from importlib.metadata import packages_distributions
sys.modules["IPython"] = None  # is used where it is, and a server has none
runpy.run_path("deploy/spark/cluster.py")
import tmdb_analysis.films.ingest  # executors read segments with it
loaded = {name.partition(".")[0] for name, module in sys.modules.items() if module}
known = packages_distributions()
print(json.dumps([owner for name in loaded for owner in known.get(name, [])]))
"""


def test_the_image_of_spark_has_what_its_connect_server_and_the_ingest_import():
    done = subprocess.run(
        [sys.executable, "-c", NEEDED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    needed = {re.sub(r"[_.]", "-", name.lower()) for name in json.loads(done.stdout)}
    lock = (DEPLOY / "docker/spark.txt").read_text(encoding="utf-8")
    assert "pyspark" in needed
    assert needed - set(re.findall(r"^([a-z0-9-]+)==", lock, re.M)) <= {"tmdb-analysis"}


def test_pins_of_airflow_agree():
    wanted = set(
        re.findall(
            r"^[a-z-]+==\S+$",
            (DEPLOY / "airflow/requirements.in").read_text(encoding="utf-8"),
            re.M,
        )
    )
    lock = (DEPLOY / "airflow/requirements.txt").read_text(encoding="utf-8")
    locked = set(re.findall(r"^([a-z0-9-]+==\S+)", lock, re.M))
    assert (
        len(wanted) == 2
        and wanted <= locked
        and "://" not in lock
        and len(locked) <= lock.count("--hash=sha256:")
    )


def test_the_dag_knows_this_version(demo):
    now = text(stage_records(demo))
    assert TARGET.read_text(encoding="utf-8") == now, "run python deploy/airflow/make_dag.py"


@pytest.mark.parametrize("name", FORM)
def test_the_form_can_be_sent_as_it_opens(name):
    "Airflow's form is not sent while a field is null or empty text, unless its type allows null."
    schema = FORM[name]
    default = schema["default"]
    assert default not in (None, "") or "null" in schema["type"]
    jsonschema.validate(default, schema)
    if "null" in schema["type"]:  # what the form sends when the field was emptied
        jsonschema.validate(None, schema)


def test_the_errors_that_are_not_tried_again_exist():
    tree = ast.parse((DEPLOY / "airflow/dags/tmdb.py").read_text(encoding="utf-8"))
    values = {
        node.targets[0].id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
    }
    found = [
        getattr(module, name)
        for name in ast.literal_eval(values["FATAL"])
        for module in (errors, transport, validate)
        if hasattr(module, name)
    ]
    assert {kind.__name__ for kind in found} == ast.literal_eval(values["FATAL"]) and all(
        issubclass(kind, TmdbError) for kind in found
    )


def test_without_docker_it_says_so_in_a_line(tmp_path):
    (tmp_path / "sh").symlink_to(shutil.which("sh"))
    env = {"PATH": str(tmp_path)}
    for verb in ("up", "health-check", "spark-shell"):
        told = subprocess.run(
            [shutil.which("make"), "--no-print-directory", verb],
            cwd=ROOT,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode and told.stderr.startswith("this needs Docker") and not told.stdout


def test_a_machine_that_cannot_have_an_engine_says_why(tmp_path):
    for tool in ("bash", "uname", "id", "dirname"):
        (tmp_path / tool).symlink_to(shutil.which(tool))
    env = {"PATH": str(tmp_path), "TMDB_CONTAINERS": str(tmp_path / "none")}
    done = subprocess.run(
        [tmp_path / "bash", DEPLOY / "tests/engine.sh", "start"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 77 and not done.stdout and not (tmp_path / "none").exists()
    assert re.fullmatch(
        r"skipped: (the engine needs .*|mmdebstrap is not installed)\n", done.stderr
    )


def test_health_check_names_each_service_that_is_missing_or_ill(tmp_path):
    "With a `docker` that knows one state of the stack, because there is no engine here."
    (tmp_path / "deploy").mkdir()
    (tmp_path / "deploy" / ".env").touch()
    shutil.copy(ROOT / "Makefile", tmp_path)
    stub, states = tmp_path / "docker", tmp_path / "states"
    stub.write_text(
        f"""#!/bin/sh
case "$*" in
*"config --services") printf '%s\\n' {" ".join(SERVICES)} ;;
*"ps --quiet jupyter") ;;
*"ps --quiet"*) echo 4711 ;;
*"ps --format"*) cat {states} ;;
inspect*) printf 'an older reason\\nthe reason\\n\\n' ;;
esac
"""
    )
    stub.chmod(0o755)

    def check(ill: set[str], missing: set[str]) -> tuple[int, list[str]]:
        found = {
            name: "unhealthy" if name in ill else "healthy"
            for name in SERVICES
            if name not in missing
        }
        states.write_text("".join(f"{name} {state}\n" for name, state in found.items()))
        env = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        done = subprocess.run(
            ["make", "health-check"],
            cwd=tmp_path,
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, [
            line for line in done.stderr.splitlines() if not line.startswith("make")
        ]

    assert check(set(), WITHOUT_HEALTHCHECK) == (0, [])
    code, said = check({"spark-worker-2"}, {"jupyter"} | WITHOUT_HEALTHCHECK)
    assert code and said == [
        "jupyter is not running: make up",
        "spark-worker-2 is not healthy: the reason",
    ]


def test_an_audit_that_could_not_look_does_not_pass():
    sound = {"name": "six", "version": "1.17.0", "vulns": []}
    bad = {"id": "PYSEC-1", "fix_versions": ["2.1"]}
    broken = {"name": "requests", "version": "2.0", "vulns": [bad]}
    unseen = {"name": "rich", "skip_reason": "not found"}
    assert verdict([sound]) == []
    assert verdict([sound, broken]) == ["requests 2.0: PYSEC-1, fixed in 2.1"]
    assert verdict([sound, unseen])[0].startswith("1 of 2 packages could not be checked")
