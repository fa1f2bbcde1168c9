"""Make .venv from requirements.lock, unless it is ready. Without make: python3 deploy/set_up.py

pip installs one package, the locked uv, and uv installs the rest: pip before 23.3 refuses the lock
when a newer version of one of its packages appears. `set_up.py uv ...` runs uv, set as in set-up.
"""

import ast
import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import ssl
import subprocess
import sys
import tempfile
from pathlib import Path

VERSION = ".".join(map(str, sys.version_info[:2]))
if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(f"Python 3.11 or newer is needed, and this is {VERSION}. Run this with a newer one")

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.lock"
VENV = ROOT / ".venv"
BASE = os.path.realpath(sys._base_executable)  # makes .venv, also when .venv/bin/python runs this
PYTHON, UV, READY = VENV / "bin/python", VENV / "bin/uv", VENV / ".ready"
SPARE = VENV / "cache"  # of downloads, for a user without a home
# A setting of pip, the variable of uv for it, then other variables that would set the same.
SETTINGS = {
    "index-url": ["UV_DEFAULT_INDEX", "UV_INDEX_URL"],
    "extra-index-url": ["UV_INDEX", "UV_EXTRA_INDEX_URL"],
    "find-links": ["UV_FIND_LINKS"],
    "trusted-host": ["UV_INSECURE_HOST"],
    "timeout": ["UV_HTTP_TIMEOUT"],
    "default-timeout": ["UV_HTTP_TIMEOUT"],
    "cert": ["SSL_CERT_FILE"],
    "client-cert": ["SSL_CLIENT_CERT"],
    "proxy": ["ALL_PROXY", "all_proxy", "HTTPS_PROXY", "https_proxy"],
}
# What a tool says when it fails, and what the reader needs to know. The first that fits counts.
NETWORK = (
    "Temporary failure in name resolution|Name or service not known|dns error|Connection refused",
    "Network is unreachable|No route to host|timed out|Tunnel connection failed[^'\"]*",
    "network was disabled|error sending request|NewConnectionError",
)
REASONS = {
    r".*(?:No space left|Disk quota exceeded).*": "the disk is full ({said}). "
    "Free 4 GB, then try again",
    r".*(?:Permission denied|Read-only file system|Operation not permitted).*": "{said}. "
    "Make a clone of your own, or delete .venv as the user who made it",
    r"UnknownIssuer|CERTIFICATE_VERIFY_FAILED": "the certificate of the package index is not "
    "trusted. Name the file of its authority, as in PIP_CERT=/etc/ssl/our-ca.pem make setup",
    "|".join(NETWORK): "no package index can be reached ({said}). "
    "Connect to the network, or set index-url for pip, then run the same command again",
    r"from versions: none": "no package index that can be reached has uv. "
    "Connect to the network, or set index-url for pip, then run the same command again",
}


class Failed(Exception):
    "A tool ended badly. Its output is the text."


def run(*command, env=None, lock=None) -> str:
    "The output of a command. A command that outlives this process keeps the lock."
    done = subprocess.run(
        [str(part) for part in command],
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        pass_fds=[lock] if lock else [],
    )
    if done.returncode:
        raise Failed(done.stdout or f"{command[0]} ended with {done.returncode}")
    return done.stdout


def state() -> str:
    "What .venv is made from, and for: it is ready while this is the same."
    names = ("requirements.lock", "settings.ini", "setup.py")
    inputs = hashlib.sha256(b"".join((ROOT / name).read_bytes() for name in names))
    return f"{inputs.hexdigest()} Python {VERSION} {BASE} {ROOT}"


def is_ready() -> bool:
    "Is .venv whole, of this Python, in this place, and in step with the lock?"
    whole = all(map(os.path.exists, (PYTHON, UV, READY, VENV / "pyvenv.cfg")))
    return whole and READY.read_bytes() == os.fsencode(state())


def cache() -> Path:
    "A folder for downloads that this user may write to."
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))
    for name in (folder / "uv", folder / "tmdb_analysis"):
        there = next(place for place in (name, *name.parents) if os.path.exists(place))
        if not folder.is_absolute() or not os.access(there, os.W_OK | os.X_OK):
            return SPARE
    return folder


def pip_settings() -> dict:
    "What pip is set to, by files and environment, as in index-url: [URL]."
    found = {}
    for line in run(PYTHON, "-m", "pip", "config", "list").splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        if section in ("global", "install", ":env:") and value[:1] in "'\"":
            found.setdefault(section, {})[key] = ast.literal_eval(value).split()
    return {**found.get("global", {}), **found.get("install", {}), **found.get(":env:", {})}


def environment() -> dict:
    "Variables for pip and uv. What the user has set for one of them holds for the other as well."
    env = {
        "UV_INDEX_STRATEGY": "unsafe-best-match",  # as pip does; the lock has versions and hashes
        "UV_COMPILE_BYTECODE": "1",  # else each process of a run compiles all that it imports
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        **os.environ,
        "PIP_USER": "0",
    }
    env.pop("PYTHONPATH", None)
    found = pip_settings()
    for key, names in SETTINGS.items():
        values = found.get(key, [])
        if key == "find-links":  # uv stops at a folder that is not there, pip warns of it
            values = [value for value in values if "://" in value or os.path.exists(ROOT / value)]
        if values and not any(name in os.environ for name in names):
            env[names[0]] = ("," if key == "find-links" else " ").join(values)
    index = env.get("UV_DEFAULT_INDEX") or env.get("UV_INDEX_URL")
    if index and "index-url" not in found:
        env["PIP_INDEX_URL"] = index
    paths = ssl.get_default_verify_paths()
    if paths.cafile or (paths.capath and os.listdir(paths.capath)):  # as pip does since 24.2
        env.setdefault("UV_SYSTEM_CERTS", "1")
    if cache() == SPARE:
        env.setdefault("UV_CACHE_DIR", str(SPARE / "uv"))
    return env


def install_uv(env, lock):
    "Put the locked uv into .venv, and keep its wheel: the next time needs no network."
    pin = re.search(r"^uv==.*(\n    --hash=.*)+", LOCK.read_text(encoding="utf-8"), re.M)[0]
    wheels = cache() / "tmdb_analysis"
    wheels.mkdir(parents=True, exist_ok=True)
    pip = [PYTHON, "-m", "pip"]
    with tempfile.NamedTemporaryFile("w", suffix=".txt", dir=VENV) as file:
        file.write(pin + "\n")
        file.flush()
        what = ["--quiet", "--no-deps", "--only-binary", ":all:"]
        what += ["--require-hashes", "-r", file.name]
        kept = [*pip, "install", "--no-index", "--find-links", wheels, *what]
        try:
            run(*kept, env=env, lock=lock)
        except Failed:
            run(*pip, "download", "--dest", wheels, *what, env=env, lock=lock)
            run(*kept, env=env, lock=lock)


def alone(lock):
    "Wait until no other set-up works here, not even what one that was killed has left behind."
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        print("Another set-up works here. Waiting for its end ...", file=sys.stderr)
        fcntl.flock(lock, fcntl.LOCK_EX)
    except OSError:
        pass  # a file system without locks


def make(lock):
    "Make .venv from nothing."
    READY.unlink(missing_ok=True)
    if not importlib.util.find_spec("ensurepip"):
        package = f"python{VERSION}-venv"
        sys.exit(f"{BASE} has no ensurepip. On Debian and Ubuntu: apt-get install {package}")
    print("Making .venv from requirements.lock; the first time takes a minute.", file=sys.stderr)
    run(BASE, "-m", "venv", "--clear", "--without-pip", VENV, lock=lock)
    run(PYTHON, "-Im", "ensurepip", "--upgrade", "--default-pip", lock=lock)
    env = environment()
    install_uv(env, lock)
    sync = [UV, "pip", "sync", "--quiet", "--python", PYTHON]
    sync += ["--require-hashes", "--build-constraints", LOCK, LOCK]
    try:  # what is kept needs no network
        run(*sync, "--offline", env=env, lock=lock)
    except Failed:
        run(*sync, env=env, lock=lock)
    own = ["--no-deps", "--no-build-isolation", "--editable", ROOT]
    run(UV, "pip", "install", "--quiet", "--python", PYTHON, *own, env=env, lock=lock)
    new = READY.with_suffix(".new")
    new.write_bytes(os.fsencode(state()))
    new.replace(READY)


def explained(output: str) -> str:
    "One line on why a tool failed, or all that it said."
    for pattern, text in REASONS.items():
        said = re.findall(pattern, output)
        if said:
            return text.format(said=said[-1].strip().removeprefix("cause: "))
    return "\n".join(dict.fromkeys(output.splitlines()))


def main():
    try:
        lock = os.open(ROOT, os.O_RDONLY)
        if sys.argv[1:2] == ["uv"]:
            print(run(UV, *sys.argv[2:], env=environment()), end="")
            return
        if is_ready():
            return
        for place in (ROOT, VENV):
            if os.path.exists(place) and not os.access(place, os.W_OK):
                raise Failed(f"Permission denied: {place}")
        alone(lock)
        if not is_ready():
            make(lock)
    except (Failed, OSError) as problem:
        sys.exit("Set-up failed: " + explained(str(problem)))
    except KeyboardInterrupt:
        sys.exit("Set-up was stopped. The next command begins it anew")
    finally:
        shutil.rmtree(SPARE, ignore_errors=True)


if __name__ == "__main__":
    main()
