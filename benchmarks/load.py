"""Closed-loop load: so many connections, each sending its next request when it has its answer."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from benchmarks.programs import HOST
from benchmarks.tools import find
from core.environment import PROJECT_ROOT

LUA = Path(__file__).parent / "lua"
CONNECTIONS = 64
MARK = "RESULT "


class Load(msgspec.Struct, frozen=True):
    """What a generator measured. `refused`: answers of 400 and more; `broken`: no answer; latencies in µs."""

    requests: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    refused: int
    broken: int

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


@dataclass(frozen=True, slots=True)
class Script:
    """`name`: of the Lua script, and of the same in `closed_loop`; `arguments`: what it is told."""

    name: str
    arguments: tuple[str, ...] = ()


def generator() -> str:
    return "wrk" if find("wrk") else "Python"


def run(port: int, script: Script, path: str, seconds: int) -> Load:
    """Load a server for some seconds."""
    wrk = find("wrk")
    shape = ["-t", "1", "-c", str(CONNECTIONS), "-d", f"{seconds}s", "-s", f"{script.name}.lua"]
    if wrk:
        return _result([wrk, *shape, f"http://{HOST}:{port}{path}", "--", *script.arguments], LUA, seconds)
    ours = [sys.executable, "-m", "benchmarks.closed_loop", str(port), str(CONNECTIONS), str(seconds)]
    return _result([*ours, script.name, path, *script.arguments], PROJECT_ROOT, seconds)


def _result(command: list[str], folder: Path, seconds: int) -> Load:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=seconds + 30, check=False)
    for line in done.stdout.splitlines():
        if line.startswith(MARK):
            return msgspec.json.decode(line.removeprefix(MARK), type=Load)
    raise RuntimeError(f"{command[0]} measured nothing:\n{done.stdout[-1000:]}{done.stderr[-1000:]}")
