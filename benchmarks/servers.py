"""Databases on the servers of this machine, where there are some."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from tests.support.databases import MARIADB, POSTGRESQL, Server


@contextmanager
def postgresql() -> Iterator[str | None]:
    """The URL of a new database while the context lasts; ``None`` where there is no server:
    ``TEST_POSTGRESQL`` names one elsewhere than on loopback."""
    with _lent(Server(POSTGRESQL, "postgres"), "ENCODING 'UTF8' TEMPLATE template0") as url:
        yield url


@contextmanager
def mariadb() -> Iterator[str | None]:
    """The same with ``TEST_MARIADB``."""
    with _lent(Server(MARIADB), "CHARACTER SET utf8mb4") as url:
        yield url


@contextmanager
def _lent(server: Server, options: str) -> Iterator[str | None]:
    try:
        server.reach()
    except sa.exc.OperationalError:
        yield None
        return
    url = server.create(options)
    try:
        yield url
    finally:
        server.drop(url)
