"""The program as a process of its own, as often as a test likes, at the price of importing it once.

``python -m tests.support.forking`` reads a line of JSON for each: its arguments, and the file it logs to. It
answers with the process id.
"""

from __future__ import annotations

import json
import os
import signal
import sys

import kombu.transport.redis  # noqa: F401

from reconciler.cli import main


def serve() -> None:
    """Until nobody asks any more."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # whoever ends is gone at once
    print("ready", flush=True)
    while line := sys.stdin.readline():
        asked = json.loads(line)
        child = os.fork()
        if child == 0:
            _become(asked["arguments"], asked["log"])
        print(child, flush=True)


def _become(arguments: list[str], log: str) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    out = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(out, 1)
    os.dup2(out, 2)
    code = 70
    try:
        main(arguments)
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 0
    finally:
        os.write(2, f"ended with {code}\n".encode())
        os._exit(code)


if __name__ == "__main__":
    serve()
