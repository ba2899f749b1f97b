"""Credentials of connections, sealed, in a table of their own in the state database."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import sqlalchemy as sa

from reconciler.errors import ConfigurationError, ReauthorizationNeeded
from reconciler.model import Connection, ConnectionState
from reconciler.tokens.cipher import KEY_ID_BYTES, KEY_ID_OFFSET, Cipher, missing_key

_token = sa.table("token", sa.column("connection_id", sa.Integer), sa.column("sealed", sa.LargeBinary))
_connection = sa.table(
    "connection",
    sa.column("id", sa.Integer),
    sa.column("person", sa.String),
    sa.column("provider", sa.String),
    sa.column("subject", sa.String),
    sa.column("state", sa.String),
)
_BATCH = 500


class Transactions(Protocol):
    """The state database, as far as it is needed here. Its errors are ``StateUnreadable``."""

    def reading(self) -> AbstractContextManager[sa.Connection]:
        """A transaction that writes nothing."""

    def writing(self) -> AbstractContextManager[sa.Connection]:
        """A transaction, committed at its end."""


class Credentials(dict[str, str]):
    """Credentials that do not show themselves, whatever prints them: logs, tracebacks, a debugger."""

    def __repr__(self) -> str:
        return f"Credentials({', '.join(sorted(self))}: hidden)"

    __str__ = __repr__


class SqlTokens:
    """The token store: what is written is sealed for one connection of one person at one vendor account."""

    def __init__(self, database: Transactions, cipher: Cipher) -> None:
        self._database = database
        self._cipher = cipher

    def __repr__(self) -> str:
        return f"SqlTokens({self._cipher!r})"

    def get(self, connection: Connection) -> Credentials:
        """The credentials of a connection.

        Raises ``ReauthorizationNeeded`` if there are none, ``StateUnreadable`` if they cannot be decrypted.
        """
        with self._database.reading() as transaction:
            sealed = transaction.scalar(sa.select(_token.c.sealed).where(_of(connection)))
        if sealed is None:
            raise ReauthorizationNeeded(
                "There are no credentials for this connection",
                whose=f"connection {connection.id}",
                next_step="Its owner has to connect again.",
            )
        return Credentials(json.loads(self._cipher.open(bytes(sealed), _purpose(connection))))

    def put(self, connection: Connection, credentials: Mapping[str, str]) -> None:
        """Store or replace; raises ``ReauthorizationNeeded`` if the connection was disconnected meanwhile."""
        with self._database.writing() as transaction:
            _refuse_disconnected(transaction, connection)
            self.put_within(transaction, connection, credentials)

    def put_within(
        self, transaction: sa.Connection, connection: Connection, credentials: Mapping[str, str]
    ) -> None:
        """Store or replace in the transaction that makes the connection."""
        sealed = self._cipher.seal(json.dumps(dict(credentials)).encode(), _purpose(connection))
        replaced = transaction.execute(_token.update().where(_of(connection)).values(sealed=sealed))
        if not replaced.rowcount:
            transaction.execute(_token.insert().values(connection_id=connection.id, sealed=sealed))

    def remove(self, connection: Connection) -> None:
        """Destroy; nothing if there are none."""
        with self._database.writing() as transaction:
            transaction.execute(_token.delete().where(_of(connection)))

    def check(self) -> None:
        """Raise ``ConfigurationError`` if anything stored is sealed under keys that we lack, naming each."""
        identity = sa.func.substr(_token.c.sealed, KEY_ID_OFFSET + 1, KEY_ID_BYTES)
        columns = identity, sa.func.count(), sa.func.min(_token.c.connection_id)
        with self._database.reading() as transaction:
            used = [
                (bytes(key), count, first)
                for key, count, first in transaction.execute(sa.select(*columns).group_by(identity))
            ]
        if missing := [
            missing_key(key, count, first) for key, count, first in used if not self._cipher.knows(key)
        ]:
            raise ConfigurationError(missing)

    def rotate(self) -> int:
        """Seal everything under the newest key; how many were not yet. Can be interrupted and run again.

        Raises ``ConfigurationError``, before anything is changed, if a key is missing.
        """
        self.check()
        count = 0
        while batch := self._under_older_keys():
            with self._database.writing() as transaction:
                for row in batch:
                    count += self._seal_again(transaction, row)
        return count

    def _under_older_keys(self) -> Sequence[sa.Row[Any]]:
        identity = sa.func.substr(_token.c.sealed, KEY_ID_OFFSET + 1, KEY_ID_BYTES)
        statement = (
            sa.select(_token.c.sealed, _connection)
            .join_from(_token, _connection, _connection.c.id == _token.c.connection_id)
            .where(identity != self._cipher.newest)
            .order_by(_token.c.connection_id)
            .limit(_BATCH)
        )
        with self._database.reading() as transaction:
            return transaction.execute(statement).all()

    def _seal_again(self, transaction: sa.Connection, row: sa.Row[Any]) -> int:
        purpose = _purpose(row)
        sealed = self._cipher.seal(self._cipher.open(bytes(row.sealed), purpose), purpose)
        # Only if it is still what was read: the daemon may have stored a newer one meanwhile.
        return transaction.execute(
            _token.update()
            .where(_token.c.connection_id == row.id, _token.c.sealed == row.sealed)
            .values(sealed=sealed)
        ).rowcount


def _of(connection: Connection) -> sa.ColumnElement[bool]:
    return _token.c.connection_id == connection.id


def _purpose(connection: Connection | sa.Row[Any]) -> tuple[str, ...]:
    return ("token", str(connection.id), connection.person, connection.provider, connection.subject)


def _refuse_disconnected(transaction: sa.Connection, connection: Connection) -> None:
    # Locked, so that a disconnection that comes now waits, and then destroys what is stored here.
    state = transaction.scalar(
        sa.select(_connection.c.state).where(_connection.c.id == connection.id).with_for_update()
    )
    if state in (None, ConnectionState.DISCONNECTED.value):
        raise ReauthorizationNeeded(
            "This connection was disconnected meanwhile; nothing was stored",
            whose=f"connection {connection.id}",
        )
