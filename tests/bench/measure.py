"""What a command and all processes that it starts use: time, processor time, memory, bytes."""

import ctypes
import os
import resource
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

SUBREAPER = 36  # of prctl: processes whose parent has ended become children of this one
SAMPLING = 0.05  # seconds between two looks at the memory
LARGEST_UNIT = 1 if sys.platform == "darwin" else 1024  # bytes, of ru_maxrss


@dataclass
class Usage:
    "What a command used."

    seconds: float  # wall time of the whole process, start and end included
    cpu: float  # seconds of processor time of all its processes
    memory: int  # bytes: the most that all its processes had in memory at once, as sampled
    read: int | None  # bytes that they read from files and pipes; None where Linux does not say
    written: int | None  # bytes that they wrote


def descendants(pid: int) -> list[int]:
    "A process and all processes below it that are there now; Linux only."
    found = [pid]
    for parent in found:
        try:
            for task in os.listdir(f"/proc/{parent}/task"):
                children = Path(f"/proc/{parent}/task/{task}/children").read_text()
                found += map(int, children.split())
        except OSError:
            continue
    return found


def memory_bytes(pid: int) -> tuple[int, int]:
    "The memory of a process now, and the most it has had; 0 if it has ended."
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
        kilobytes = dict(line.split(":\t") for line in lines if line.endswith(" kB"))
        return tuple(int(kilobytes[name].split()[0]) * 1024 for name in ("VmRSS", "VmHWM"))
    except (OSError, KeyError):
        return 0, 0


def io_bytes(pid: int) -> tuple[int, int]:
    "Bytes that a process, and the processes it has waited for, read and wrote; also of a zombie."
    try:
        lines = Path(f"/proc/{pid}/io").read_text().splitlines()
        counts = dict(line.split(": ") for line in lines)
        return int(counts["rchar"]), int(counts["wchar"])
    except (OSError, KeyError, ValueError):
        return 0, 0


class MemorySampler(threading.Thread):
    "The largest memory of a process and all below it, looked at again and again."

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self.pid, self.peak, self.over = pid, 0, threading.Event()

    def run(self) -> None:
        "Look until `over` is set."
        while not self.over.wait(SAMPLING):
            now, most = zip(*map(memory_bytes, descendants(self.pid)), strict=True)
            self.peak = max(self.peak, sum(now), *most)


def reap(pid: int) -> tuple[int, resource.struct_rusage, tuple[int, int]]:
    "Wait for a child: its status, what it and the processes it waited for used, and their bytes."
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    moved = io_bytes(pid)
    _, status, usage = os.wait4(pid, 0)
    return os.waitstatus_to_exitcode(status), usage, moved


def orphans() -> list[int]:
    "Children of this process that a command has left behind."
    try:
        text = Path(f"/proc/self/task/{os.getpid()}/children").read_text()
    except OSError:
        return []
    return [int(pid) for pid in text.split()]


def measure(command: list[str], log: Path) -> Usage:
    "Run a command to its end. Raises `RuntimeError`, with the end of its log, if it fails."
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(SUBREAPER, 1)
    before = set(orphans())
    with open(log, "wb") as file:
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
        sampler = MemorySampler(process.pid)
        sampler.start()
        code, *found = reap(process.pid)
        seconds = time.perf_counter() - start
    sampler.over.set()
    sampler.join()
    process.returncode = code
    if code:
        text = log.read_text(encoding="utf-8", errors="replace")[-2000:]
        raise RuntimeError(f"{' '.join(command)} failed:\n{text}")
    used = [found, *(reap(pid)[1:] for pid in set(orphans()) - before)]
    moved = [sum(io[i] for _, io in used) for i in (0, 1)]
    return Usage(
        seconds,
        sum(usage.ru_utime + usage.ru_stime for usage, _ in used),
        # not ru_maxrss: on Linux, it begins with the memory of the process that starts a command
        sampler.peak or found[0].ru_maxrss * LARGEST_UNIT,
        *(moved if any(moved) else (None, None)),
    )
