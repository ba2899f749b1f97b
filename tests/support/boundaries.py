"""Kills a process of its own, for good and without a word, at a chosen boundary of what it does."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import sqlalchemy as sa

from reconciler.ledger.database import Database, open_database


def killed_at(boundary: int, url: str, work: Callable[[Database], object]) -> bool:
    """Do ``work`` in another process, killed (SIGKILL) before its n-th statement or commit.

    Whether it was killed: false once ``boundary`` is beyond the last one. Fails if the work failed.
    """
    child = os.fork()
    if child == 0:
        try:
            database = open_database(url)
            _arm(database.engine, boundary)
            work(database)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    assert killed or status == 0, "the work itself failed"
    return killed


def _arm(engine: sa.Engine, boundary: int) -> None:
    passed = 0

    def count(*anything: object) -> None:
        nonlocal passed
        if passed == boundary:
            os.kill(os.getpid(), signal.SIGKILL)
        passed += 1

    sa.event.listen(engine, "before_cursor_execute", count)
    sa.event.listen(engine, "commit", count)
