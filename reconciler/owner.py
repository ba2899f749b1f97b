"""Who holds a lease: this very process, named so that another one on the same machine can tell it is dead.

A lease of a process that was killed would keep its people waiting until it runs out. On the same machine
its successor need not wait. Process ids are used again, so a name holds the start time too (proc(5)).
"""

from __future__ import annotations

import os
import socket
from pathlib import Path


def this_process() -> str:
    """``host:pid namespace:pid:start time``; without /proc there is no start time, and nobody can tell."""
    pid = os.getpid()
    return f"{_here()}{pid}:{_started(pid) or ''}"


def is_dead(owner: str) -> bool:
    """Whether this owner (with anything behind a ``/``) was a process of this machine and runs no more."""
    name = owner.partition("/")[0]
    if not name.startswith(_here()):
        return False
    pid, _, started = name.removeprefix(_here()).partition(":")
    if not pid.isdecimal() or not started:
        return False
    return _started(int(pid)) != started


def _here() -> str:
    try:
        namespace = os.readlink("/proc/self/ns/pid")
    except OSError:
        namespace = ""
    return f"{socket.gethostname()}:{namespace}:"


def _started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; ``None`` if it is not there."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace")
    except OSError:
        return None
    # The name in brackets may hold anything; the start time is the 22nd field of all.
    return stat.rpartition(")")[2].split()[19]
