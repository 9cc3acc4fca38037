"""On what a number was measured: the machine, the interpreter, the commit and the command."""

import datetime
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path
from typing import Final

from benchmarks.processes import ROOT
from router.telemetry.core import running

CORES: Final[set[str]] = set()
"""Which core ran in the routers that were measured: their own word for it."""


def machine() -> dict[str, object]:
    """Return the machine and what runs on it; a rate means nothing without."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name") or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_mb": int((_field("/proc/meminfo", "MemTotal") or "0 kB").split()[0]) // 1024,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "python_build": _build(),
        "core": core(),
        "uvloop": version("uvloop"),
        "load_before": os.getloadavg()[0],
    }


def core() -> str:
    """Return which core was measured; where no router was started, that of this process."""
    return ", ".join(sorted(CORES)) or running()


def circumstances() -> dict[str, object]:
    """Machine, commit, date and command."""
    return {
        "machine": machine(),
        "commit": commit(),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "command": " ".join(["python -m benchmarks", *sys.argv[1:]]),
    }


def commit() -> str:
    """The commit, with `-dirty` where files differ from it; `unknown` outside a repository."""
    git = shutil.which("git")
    if git is None:
        return "unknown"
    found = subprocess.run(
        [git, "describe", "--always", "--dirty", "--abbrev=12"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stdout.strip() or "unknown"


def _build() -> str:
    """How the interpreter was built, which can matter as much as how the core was."""
    options = str(sysconfig.get_config_var("CONFIG_ARGS"))
    found = [name for name in ("enable-optimizations", "with-lto") if f"--{name}" in options]
    return ", ".join(found) or "not optimised"


def _field(path: str, name: str) -> str | None:
    """Return the value behind `name:` in a file of /proc."""
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return None
    values = (line.partition(":")[2].strip() for line in lines if line.startswith(name))
    return next(values, None)
