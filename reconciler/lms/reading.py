"""What an adapter says of its tables, within one snapshot; :mod:`reconciler.lms.source` does the rest."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from reconciler.errors import LmsUnreadable
from reconciler.lms.engine import columns_of, stream
from reconciler.lms.registrations import Seat
from reconciler.model import Account, Person, Refusal, Role, SeatStatus, Session


class Shape(NamedTuple):
    """Which restrictions a selection has: statements differ by that alone, and their values are sent."""

    since: bool = False
    people: bool = False
    sessions: bool = False


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rows are meant. What is ``None`` restricts nothing.

    ``since``: of sessions current then; ``session``, ``sessions``: of this one, of these; ``people``: of
    these people, where rows belong to somebody.
    """

    since: datetime | None = None
    people: Sequence[str] | None = None
    session: str | None = None
    sessions: Sequence[str] | None = None

    @property
    def shape(self) -> Shape:
        """What restricts it."""
        return Shape(self.since is not None, self.people is not None, self.session_ids is not None)

    @property
    def session_ids(self) -> Sequence[str] | None:
        """The sessions named, if any are."""
        return self.sessions if self.session is None else [self.session]


SeatRow = Sequence[Any]
"""A row of the stream: a person's id, then session, reference and two columns that say what kind of seat it
is (all ``None`` for somebody without any), then what :meth:`Reading.who` reads."""


class Who(NamedTuple):
    """What the stream tells of a person. ``address`` is as it is stored."""

    account: str
    identity: str
    active: bool
    address: str | None


class Reading(ABC):
    """One snapshot of an LMS. Used by one thread, with the connection that holds the snapshot."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    @abstractmethod
    def accounts(self) -> Mapping[str, Account]:
        """Every account, by id."""

    @abstractmethod
    def sessions(self, selection: Selection) -> Iterator[Session]:
        """The sessions meant; ones that are past may be among them."""

    @abstractmethod
    def current(self, since: datetime) -> Iterator[str]:
        """The ids of the sessions current at ``since``; ones that are past may be among them."""

    @abstractmethod
    def seat_rows(self, since: datetime) -> Iterator[SeatRow]:
        """Everybody, ordered by id by code point, with each seat in a session current at ``since``. As the
        database gives them: to make values of a million rows would cost more than to read them."""

    @abstractmethod
    def who(self, row: SeatRow) -> Who:
        """The person of a row of the stream."""

    @abstractmethod
    def kind(self, first: Any, second: Any) -> tuple[Role, SeatStatus | None]:
        """Role and status, by the two columns of the stream that say so."""

    @abstractmethod
    def people(self, ids: Sequence[str]) -> Iterator[Person]:
        """Those of these people whom the LMS knows."""

    @abstractmethod
    def seats(self, selection: Selection) -> Iterator[tuple[str, Seat]]:
        """The seats that people have or had, each with its person's id; not restricted by ``since``."""

    @abstractmethod
    def strays(self, since: datetime) -> Iterator[Refusal]:
        """What the stream will not show because it belongs to nobody."""

    @abstractmethod
    def doubts(self) -> Iterator[str]:
        """What looks wrong in the rows, one sentence each."""

    def stream(self, query: sa.Select[Any], values: Mapping[str, object] | None = None) -> Iterator[Any]:
        """The rows of a query with these values, a few thousand in memory at a time."""
        return stream(self.connection, query, values)


class Incomplete(LmsUnreadable):
    """Tables, columns or settings are missing; ``problems`` has one sentence for each."""

    def __init__(self, problems: Sequence[str], address: str) -> None:
        super().__init__(
            "; ".join(problems),
            whose=address,
            next_step="Add what is missing, or grant the right to read it; the next cycle looks again.",
        )
        self.problems = tuple(problems)


def columns_found(
    connection: Connection,
    needed: Mapping[str, Sequence[str]],
    prefix: str,
    schema: str | None,
    address: str,
) -> dict[str, dict[str, str]]:
    """The columns of the tables needed, by their name without prefix; raises :class:`Incomplete`."""
    found = columns_of(connection, [f"{prefix}{table}" for table in needed], schema)
    problems = []
    for table, columns in needed.items():
        name = f"{prefix}{table}"
        if name not in found:
            problems.append(f"{name}: no such table or view, or no right to read it")
        else:
            problems += [f"{name}: no column {column}" for column in columns if column not in found[name]]
    if problems:
        raise Incomplete(problems, address)
    return {table: found[f"{prefix}{table}"] for table in needed}


def grouped(rows: Iterable[Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    """Rows by their first column, without it."""
    groups: dict[str, list[Sequence[Any]]] = {}
    for key, *rest in rows:
        groups.setdefault(key, []).append(rest)
    return groups


def names(people: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """The names of these people (name, id), each person once and in order: that of rows means nothing."""
    return tuple(name for name, _id in sorted(set(people)) if name)


def whole_number(text: str) -> int | None:
    """The number that this id is, in the only form a database gives one; ``None`` for any other id."""
    if not (text.isascii() and text.isdigit() and len(text) < 19) or (text[0] == "0" and text != "0"):
        return None
    return int(text)
