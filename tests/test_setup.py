"""`make setup` in a fresh clone, with the oldest pip that a Python of this version brings.

An index offers newer versions than the lock, as the real one will tomorrow. The machine's own cache
of downloads is used, so that this takes seconds.
"""

import http.server
import importlib.util
import io
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from tests.make_environment import locked

ROOT = Path(__file__).parent.parent
MINOR = sys.version_info.minor
OLDEST_PIP = {11: "22.3", 12: "23.2.1", 13: "24.2"}.get(MINOR)
NEWER = ["coverage", "pandas", "pytest", "setuptools", "uv"]
DEAD = "http://127.0.0.1:9"
NO_NETWORK = dict.fromkeys(("ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"), DEAD) | {"PIP_RETRIES": "0"}
AS_NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone"),
]


def fake_wheel(name: str) -> bytes:
    "A wheel of version 999 that holds nothing."
    info, content = f"{name}-999.dist-info", io.BytesIO()
    with zipfile.ZipFile(content, "w") as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 999\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n")
        wheel.writestr(f"{info}/RECORD", "")
    return content.getvalue()


class NewerVersions(http.server.BaseHTTPRequestHandler):
    "A package index that has version 999 of some packages; it notes who asks for what."

    def do_GET(self):
        name = self.path.strip("/").split("/")[1]
        self.server.asked.add((self.headers.get("User-Agent", "").split("/")[0], name))
        is_page = self.path.startswith("/simple/") and name in NEWER
        file = f"/files/{name}/{name}-999-py3-none-any.whl"
        self.send_response(200 if is_page or self.path == file else 404)
        self.send_header("Content-Type", "text/html" if is_page else "application/zip")
        self.end_headers()
        if is_page:
            self.wfile.write(f'<a href="{file}">{file.split("/")[-1]}</a>'.encode())
        elif self.path == file:
            self.wfile.write(fake_wheel(name))

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def index():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), NewerVersions)
    server.asked = set()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def copy_of_checkout(place: Path) -> Path:
    "What a clone would have."
    names = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.split("\0")
    for name in filter(None, names):
        if (ROOT / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, place / name)
    return place


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    place = copy_of_checkout(tmp_path_factory.mktemp("set up") / "a clone")
    yield place
    shutil.rmtree(place, ignore_errors=True)


@pytest.fixture(scope="module")
def caches(tmp_path_factory) -> dict:
    "uv keeps what it has fetched for this machine, but its own wheel is fetched anew."
    uv = [Path(sys.executable).parent / "uv", "cache", "dir"]
    folder = subprocess.run(uv, check=True, capture_output=True, text=True).stdout.strip()
    return {"UV_CACHE_DIR": folder, "XDG_CACHE_HOME": str(tmp_path_factory.mktemp("cache"))}


@pytest.fixture(scope="module")
def old_python(tmp_path_factory) -> Path:
    "This Python, but the environments that it makes have the oldest pip."
    if not OLDEST_PIP:
        pytest.skip("nobody has noted the first pip of this Python")
    place, version = tmp_path_factory.mktemp("python"), f"python3.{MINOR}"
    base, lib = Path(sys.base_prefix), place / "lib" / version
    (place / "bin").mkdir()
    lib.mkdir(parents=True)
    shutil.copy(base / "bin" / version, place / "bin")
    for source, target in ((base / "lib" / version, lib), (base / "lib", place / "lib")):
        for entry in source.iterdir():
            if entry.name not in ("ensurepip", "site-packages", version):
                (target / entry.name).symlink_to(entry)
    packages = [f"pip=={OLDEST_PIP}"] + ["setuptools==65.5.0"] * (MINOR == 11)
    install = [str(Path(sys.executable).parent / "uv"), "pip", "install", "--quiet", *packages]
    subprocess.run([*install, "--target", place / "pip"], check=True)  # from now on uv has it
    command = [*install, "--offline", "--python"]
    (lib / "ensurepip").mkdir()
    (lib / "ensurepip/__init__.py").touch()
    (lib / "ensurepip/__main__.py").write_text(
        f"import subprocess, sys\nsubprocess.run({command} + [sys.executable], check=True)\n",
        encoding="utf-8",
    )
    return place / "bin" / version


def variables(**more) -> dict:
    "The environment without what an outer make has put there."
    return {k: v for k, v in os.environ.items() if "MAKE" not in k and k != "PYTHON"} | more


def set_up(clone: Path, *words, before=(), **env) -> subprocess.CompletedProcess:
    return subprocess.run(
        [*before, "make", "setup", *words],
        cwd=clone,
        env=variables(**env),
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=600,
    )


def installed(clone: Path) -> dict:
    "The versions in .venv, but those of pip and of the package itself."
    uv = [clone / ".venv/bin/uv", "pip", "freeze", "--python", clone / ".venv/bin/python"]
    lines = subprocess.run(uv, check=True, capture_output=True, text=True).stdout.splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    pins.pop("pip", None)
    return pins


def in_step(clone: Path) -> bool:
    command = [clone / ".venv/bin/tmdb", "--version"]
    subprocess.run(command, check=True)
    return installed(clone) == locked(platform.python_version())


def told(done: subprocess.CompletedProcess) -> list[str]:
    "What a set-up that failed says, without make's own line."
    assert done.returncode and "Traceback" not in done.stderr, done.stderr
    lines = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    return [line for line in lines if not line.startswith("Making .venv")]


def test_exactly_the_locked_versions_arrive(clone, old_python, index, caches):
    clean = [Path(sys.executable).parent / "uv", "cache", "clean", "--quiet", "coverage"]
    subprocess.run(clean, check=True)  # else nothing is missing, and no index is asked
    extra = f"http://127.0.0.1:{index.server_port}/simple"
    done = set_up(
        clone,
        f"PYTHON={old_python}",
        PIP_EXTRA_INDEX_URL=extra,
        PIP_FIND_LINKS="/nonexistent",
        **caches,
    )
    assert not done.returncode, done.stderr
    assert "WARNING" not in done.stderr and len(done.stderr.splitlines()) == 1
    pip = [clone / ".venv/bin/python", "-m", "pip"]
    version = subprocess.run([*pip, "--version"], check=True, capture_output=True, text=True).stdout
    assert version.split()[1] == OLDEST_PIP, "the test has lost its old pip"
    assert {("pip", "uv"), ("uv", "coverage")} <= index.asked, "uv does not ask the index of pip"
    assert in_step(clone)
    packages = clone / f".venv/lib/python3.{MINOR}/site-packages"
    assert list(packages.glob("pandas/__pycache__/*.pyc")), "each process would compile pandas"
    made = (clone / ".venv/.ready").stat().st_mtime_ns
    again = set_up(clone, **NO_NETWORK, **caches)
    assert not again.returncode and not again.stderr
    assert (clone / ".venv/.ready").stat().st_mtime_ns == made


def stopped(clone: Path, number: int, packages: int, **env) -> str:
    "What a set-up says that a signal stops when so many entries are in site-packages."
    running = subprocess.Popen(
        ["make", "setup"],
        cwd=clone,
        env=variables(**env),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    there = clone / f".venv/lib/python3.{MINOR}/site-packages"
    while running.poll() is None and not (there.exists() and len(os.listdir(there)) >= packages):
        time.sleep(0.01)
    os.killpg(running.pid, number)
    said = running.communicate(timeout=60)[1]
    assert running.returncode and not (clone / ".venv/.ready").exists()
    return said


def test_a_stopped_set_up_is_healed_without_a_network(clone, caches):
    assert (clone / ".venv/.ready").exists(), "the test before this one makes it"
    shutil.rmtree(clone / ".venv/lib")
    for link in (clone / ".venv/bin").glob("python*"):  # as when its Python was removed
        link.unlink()
        link.symlink_to("/nonexistent/python")
    said = stopped(clone, signal.SIGINT, packages=1, **caches)
    assert "Set-up was stopped" in said and "Traceback" not in said
    stopped(clone, signal.SIGKILL, packages=60, **caches)
    done = set_up(clone, **NO_NETWORK, **caches)
    assert not done.returncode and in_step(clone), done.stderr


@pytest.fixture
def script(tmp_path):
    "The script, with a .venv of its own that is ready."
    spec = importlib.util.spec_from_file_location("set_up", ROOT / "deploy/set_up.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    place = tmp_path / "checkout"
    for name in ("requirements.lock", "settings.ini", "setup.py"):
        (place / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, place)
    for name in ("LOCK", "VENV", "PYTHON", "UV", "READY", "SPARE", "ROOT"):
        setattr(module, name, place / getattr(module, name).relative_to(ROOT))
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", module.VENV], check=True)
    module.UV.touch()
    module.READY.write_bytes(os.fsencode(module.state()))
    assert module.is_ready()
    return module


@pytest.mark.parametrize("name", ["requirements.lock", "settings.ini", "setup.py"])
def test_what_the_environment_is_made_from_has_changed(script, name):
    with (script.ROOT / name).open("a", encoding="utf-8") as file:
        file.write("\n")
    assert not script.is_ready()


@pytest.mark.parametrize("name", ["ROOT", "BASE", "VERSION"])
def test_the_environment_is_for_another_place_or_python(script, name):
    ready = script.READY.read_text(encoding="utf-8")
    script.READY.write_text(ready.replace(str(getattr(script, name)), "another"), encoding="utf-8")
    assert not script.is_ready()


@pytest.mark.parametrize("name", ["bin/python", "bin/uv", "pyvenv.cfg", ".ready"])
def test_the_environment_is_not_whole(script, name):
    (script.VENV / name).unlink()
    assert not script.is_ready()


@pytest.fixture
def bare(tmp_path) -> Path:
    return copy_of_checkout(tmp_path / "clone")


def test_no_network_is_one_line(bare, tmp_path):
    empty = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "UV_CACHE_DIR": str(tmp_path / "uv")}
    lines = told(set_up(bare, **NO_NETWORK, **empty, PIP_INDEX_URL=f"{DEAD}/simple"))
    assert len(lines) == 1 and "Connect to the network" in lines[0]


def test_an_old_python_is_one_line(bare, tmp_path):
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n", encoding="utf-8")
    old.chmod(0o755)
    for python in (old, tmp_path / "no python"):
        lines = told(set_up(bare, f"PYTHON={python}"))
        assert len(lines) == 1 and "make PYTHON=" in lines[0] and str(python) in lines[0]


def test_a_python_that_cannot_make_environments_is_one_line(bare, tmp_path, old_python):
    place = tmp_path / "python"
    shutil.copytree(old_python.parent.parent, place, symlinks=True)
    shutil.rmtree(place / f"lib/python3.{MINOR}/ensurepip")
    lines = told(set_up(bare, f"PYTHON={place / 'bin' / old_python.name}"))
    assert len(lines) == 1 and f"apt-get install python3.{MINOR}-venv" in lines[0]


def test_another_users_checkout_is_one_line(bare):
    python = next(filter(os.path.exists, [f"/usr/bin/python3.{MINOR}", "/usr/bin/python3"]), None)
    if os.getuid() or not python or not shutil.which("setpriv"):
        pytest.skip("this needs root, setpriv and a Python in /usr/bin")
    temporary = Path(tempfile.gettempdir())
    for folder in (bare, *bare.parents):
        if folder.is_relative_to(temporary) and folder != temporary:
            folder.chmod(0o755)
    lines = told(set_up(bare, f"PYTHON={python}", before=AS_NOBODY, HOME="/nonexistent"))
    assert len(lines) == 1 and "Make a clone of your own" in lines[0]


def test_a_full_disk_is_one_line(bare):
    small = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=8M none .venv && "$@"', "sh"]
    (bare / ".venv").mkdir()
    if subprocess.run([*small, "true"], cwd=bare, capture_output=True).returncode:
        pytest.skip("this user may not mount")
    lines = told(set_up(bare, before=small))
    assert len(lines) == 1 and "the disk is full" in lines[0]


def test_uv_is_set_as_pip_is(script, tmp_path, monkeypatch):
    monkeypatch.setattr(script, "PYTHON", Path(sys.executable))
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_", "SSL_"))]:
        monkeypatch.delenv(name)
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = https://global.example.org/simple\ncert = /etc/ca.pem\n"
        "trusted-host = a.example.org\n    b.example.org\n"
        "[install]\nindex-url = https://pip.example.org/simple\n"
        f"find-links = /nonexistent {tmp_path}\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "https://more.example.org/simple file:///srv/simple")
    env = script.environment()
    assert env["UV_DEFAULT_INDEX"] == "https://pip.example.org/simple"
    assert env["UV_INDEX"] == "https://more.example.org/simple file:///srv/simple"
    assert env["UV_FIND_LINKS"] == str(tmp_path) and env["SSL_CERT_FILE"] == "/etc/ca.pem"
    assert env["UV_INSECURE_HOST"] == "a.example.org b.example.org"
    monkeypatch.setenv("UV_INDEX_URL", "https://uv.example.org/simple")
    assert "UV_DEFAULT_INDEX" not in script.environment(), "what the user tells uv counts"
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    assert script.environment()["PIP_INDEX_URL"] == "https://uv.example.org/simple"
