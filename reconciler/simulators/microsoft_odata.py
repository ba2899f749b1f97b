"""The OData of Graph's events: $filter, $expand, $select, $orderby.

Grammar: http://docs.oasis-open.org/odata/odata/v4.01 part 2, only the part that the events resource accepts.
Extended properties: https://learn.microsoft.com/graph/api/singlevaluelegacyextendedproperty-get.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from reconciler.simulators.microsoft_errors import GraphProblem
from reconciler.simulators.microsoft_store import StoredEvent
from reconciler.simulators.microsoft_times import parse_wall

_TOKENS = re.compile(r"\s*(?:('(?:[^']|'')*')|([A-Za-z_@$][\w./@-]*)|([\d][\d:.TZ+-]*)|([():,]))")
_PROPERTY_ID = re.compile(r"(\w+)\s+(\{[0-9a-fA-F-]{36}\})\s+(Name|Id)\s+(\S.*)")
_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": lambda left, right: bool(left == right),
    "ne": lambda left, right: bool(left != right),
    "gt": lambda left, right: left is not None and bool(left > right),
    "ge": lambda left, right: left is not None and bool(left >= right),
    "lt": lambda left, right: left is not None and bool(left < right),
    "le": lambda left, right: left is not None and bool(left <= right),
    "startswith": lambda left, right: str(left or "").startswith(right),
    "contains": lambda left, right: right in str(left or ""),
}
_TIMES = frozenset({"start/dateTime", "end/dateTime", "createdDateTime", "lastModifiedDateTime"})
_PLAIN = frozenset({"subject", "isAllDay", "showAs", "iCalUId", "isCancelled", "type", "sensitivity"})


@dataclass(frozen=True)
class Compare:
    """``path op value``; in a lambda the path is ``id`` or ``value`` of an extended property."""

    path: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Both:
    """``left and right``."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Either:
    """``left or right``."""

    left: Node
    right: Node


@dataclass(frozen=True)
class Not:
    """``not inner``."""

    inner: Node


@dataclass(frozen=True)
class AnyProperty:
    """singleValueExtendedProperties/Any(...): some one property meets the whole condition."""

    condition: Node


Node = Compare | Both | Either | Not | AnyProperty
Look = Callable[[str], Any]


def bad_query(message: str) -> GraphProblem:
    """The refusal of a query that cannot be parsed."""
    return GraphProblem(400, "RequestBroker--ParseUri", message)


def property_id(text: object) -> str:
    """An extended property's id in Graph's spelling (the GUID in lower case); 400 if malformed."""
    match = _PROPERTY_ID.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        raise GraphProblem(400, "ErrorInvalidProperty", f"The extended property id '{text}' is not valid.")
    kind, space, by, name = match.groups()
    return f"{kind} {space.lower()} {by} {name}"


class _Parser:
    """Recursive descent over one expression."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_tokens(text))
        self._place = 0
        self._variable: str | None = None

    def whole(self) -> Node:
        node = self._either()
        if self._peek() is not None:
            raise bad_query(f"Syntax error at '{self._peek()}'.")
        return node

    def properties(self) -> Node:
        """An expression about an extended property itself, as in $expand."""
        self._variable = ""
        return self.whole()

    def _either(self) -> Node:
        node = self._both()
        while self._take("or"):
            node = Either(node, self._both())
        return node

    def _both(self) -> Node:
        node = self._unary()
        while self._take("and"):
            node = Both(node, self._unary())
        return node

    def _unary(self) -> Node:
        if self._take("not"):
            return Not(self._unary())
        if self._take("("):
            node = self._either()
            self._need(")")
            return node
        name = self._next()
        if name.lower() == "singlevalueextendedproperties/any":
            return self._lambda()
        if name in ("startswith", "contains"):
            self._need("(")
            path = self._path(self._next())
            self._need(",")
            value = self._literal(path, self._next())
            self._need(")")
            return Compare(path, name, value)
        return self._comparison(self._path(name))

    def _comparison(self, path: str) -> Node:
        operator = self._next()
        if operator not in ("eq", "ne", "gt", "ge", "lt", "le"):
            raise bad_query(f"Unknown operator '{operator}'.")
        return Compare(path, operator, self._literal(path, self._next()))

    def _lambda(self) -> Node:
        if self._variable is not None:
            raise bad_query("Nested lambda.")
        self._need("(")
        self._variable = self._next()
        self._need(":")
        condition = self._either()
        self._need(")")
        self._variable = None
        return AnyProperty(condition)

    def _path(self, name: str) -> str:
        if self._variable is None:
            if name in _TIMES or name in _PLAIN:
                return name
            raise GraphProblem(400, "ErrorInvalidUrlQueryFilter", f"Filtering by '{name}' is not supported.")
        prefix = f"{self._variable}/" if self._variable else ""
        if name.startswith(prefix) and name[len(prefix) :] in ("id", "value"):
            return name[len(prefix) :]
        raise bad_query(f"Could not find a property named '{name}'.")

    def _literal(self, path: str, token: str) -> Any:
        if path in _TIMES:
            return _instant(token.strip("'"))
        if token.startswith("'"):
            text = token[1:-1].replace("''", "'")
            return property_id(text) if path == "id" else text.lower() if path == "value" else text
        truth = {"true": True, "false": False}
        if token in truth:
            return truth[token]
        raise bad_query(f"Unrecognised literal '{token}'.")

    def _peek(self) -> str | None:
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def _next(self) -> str:
        token = self._peek()
        if token is None:
            raise bad_query("Expression expected.")
        self._place += 1
        return token

    def _take(self, token: str) -> bool:
        if self._peek() != token:
            return False
        self._place += 1
        return True

    def _need(self, token: str) -> None:
        if not self._take(token):
            raise bad_query(f"'{token}' expected, found '{self._peek()}'.")


def _tokens(text: str) -> Iterator[str]:
    place, end = 0, len(text.rstrip())
    while place < end:
        match = _TOKENS.match(text, place)
        if match is None:
            raise bad_query(f"Syntax error at position {place} in '{text}'.")
        yield next(group for group in match.groups() if group)
        place = match.end()


def _instant(text: str) -> datetime:
    when = parse_wall(text if "T" in text else text + "T00:00:00")
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when


def parse_filter(text: str) -> Node:
    """A $filter on events; GraphProblem 400 where Graph would not understand it."""
    return _Parser(text).whole()


def matches(node: Node, event: StoredEvent) -> bool:
    """Whether the filter lets the event through; GraphProblem 400 if it compares what cannot be compared."""
    try:
        return _holds(node, event, lambda path: _field(event, path))
    except TypeError as problem:
        message = "A binary operator with incompatible types was detected."
        raise GraphProblem(400, "ErrorInvalidUrlQueryFilter", message) from problem


def _holds(node: Node, event: StoredEvent | None, look: Look) -> bool:
    match node:
        case Both(left, right):
            return _holds(left, event, look) and _holds(right, event, look)
        case Either(left, right):
            return _holds(left, event, look) or _holds(right, event, look)
        case Not(inner):
            return not _holds(inner, event, look)
        case AnyProperty(condition):
            assert event is not None
            return any(property_meets(condition, *pair) for pair in event.properties.items())
        case Compare(path, operator, value):
            return _OPERATORS[operator](look(path), value)


def property_meets(condition: Node, name: str, value: str) -> bool:
    """Names are compared exactly, values without regard to case."""
    return _holds(condition, None, lambda path: name if path == "id" else value.lower())


def _field(event: StoredEvent, path: str) -> Any:
    match path:
        case "start/dateTime":
            return event.start.instant
        case "end/dateTime":
            return event.end.instant
        case "createdDateTime":
            return event.created
        case "lastModifiedDateTime":
            return event.modified
        case "type":
            return event_type(event)
        case _:
            return event.fields.get(path)


def event_type(event: StoredEvent) -> str:
    """Single, series master or occurrence."""
    if event.occurrence_of:
        return "occurrence"
    return "seriesMaster" if event.fields.get("recurrence") else "singleInstance"


def index_key(node: Node | None) -> tuple[str, str] | None:
    """A property id and value that every match must have, where the filter says so."""
    match node:
        case Both(left, right):
            return index_key(left) or index_key(right)
        case AnyProperty(Both(Compare("id", "eq", name), Compare("value", "eq", value))):
            return name, value
        case AnyProperty(Both(Compare("value", "eq", value), Compare("id", "eq", name))):
            return name, value
    return None


def asks_for(node: Node | None, event: StoredEvent) -> bool:
    """Whether the event bears some property the filter asks for, or is asked for by its own uid."""
    match node:
        case Both(left, right) | Either(left, right):
            return asks_for(left, event) or asks_for(right, event)
        case AnyProperty() | Compare("iCalUId", "eq"):
            return matches(node, event)
    return False


def asks_for_property(node: Node | None) -> bool:
    """Whether the filter looks at extended properties at all."""
    match node:
        case Both(left, right) | Either(left, right):
            return asks_for_property(left) or asks_for_property(right)
        case Not(inner):
            return asks_for_property(inner)
    return isinstance(node, AnyProperty)


def parse_expand(text: str | None) -> Node | None:
    """$expand: only singleValueExtendedProperties, and only with the filter Graph insists on."""
    if not text:
        return None
    match = re.fullmatch(r"\s*singleValueExtendedProperties\s*\(\s*\$filter\s*=(.*)\)\s*", text, re.DOTALL)
    if match is None:
        raise GraphProblem(400, "ErrorInvalidUrlQuery", f"$expand={text} is not supported.")
    return _Parser(match.group(1)).properties()


def parse_orderby(text: str) -> tuple[Callable[[StoredEvent], Any], bool]:
    """$orderby by one property: the sort key, and whether descending."""
    path, _, direction = text.strip().partition(" ")
    if (path not in _TIMES and path != "subject") or direction not in ("", "asc", "desc"):
        raise GraphProblem(400, "ErrorInvalidUrlQuery", f"$orderby={text} is not supported.")
    return (lambda event: _field(event, path) or ""), direction == "desc"
