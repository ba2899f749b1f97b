"""A measurement in a process of its own, so that its CPU and its peak memory are nobody else's."""

from __future__ import annotations

import importlib
import json
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


def in_child(function: Callable[..., dict[str, Any]], **arguments: Any) -> dict[str, Any]:
    """What the function, one of a module, returns in a new process, with that process' ``peak_mb``.

    Arguments and result travel as JSON. Raises ``CalledProcessError`` if it fails.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.child", name, json.dumps(arguments)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return found


@contextmanager
def cpu() -> Iterator[Callable[[], float]]:
    """Within and after the context, the seconds of CPU this process has spent in it, all threads."""
    begun = _spent()
    ended: list[float] = []
    yield lambda: (ended[0] if ended else _spent()) - begun
    ended.append(_spent())


def _spent() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _main(name: str, arguments: str) -> None:
    module, _, function = name.partition(":")
    found = getattr(importlib.import_module(module), function)(**json.loads(arguments))
    print(json.dumps({**found, "peak_mb": _peak_mb()}))


def _peak_mb() -> float:
    """The most memory this process has had. Not ``ru_maxrss``: on Linux that begins with the parent's."""
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) / 1024


if __name__ == "__main__":
    _main(*sys.argv[1:])
