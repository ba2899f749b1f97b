"""Whether requests are such as Google's own description of its API allows.

The discovery document of Calendar v3 is bundled with google-api-python-client. Each request a simulator
has seen is held against it: the method exists, its parameters are known, of the right type and not out
of date, the body has only known properties of the right type, and none that Google calls read-only.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import googleapiclient

from reconciler.simulators.wire import SeenRequest

_BASE = "/calendar/v3/"
_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


class Method(NamedTuple):
    """A method of the API, with the pattern of its paths."""

    id: str
    verb: str
    path: re.Pattern[str]
    parameters: dict[str, Any]
    body: dict[str, Any] | None


@cache
def document() -> dict[str, Any]:
    """The discovery document."""
    folder = Path(googleapiclient.__file__).parent / "discovery_cache" / "documents"
    loaded: dict[str, Any] = json.loads((folder / "calendar.v3.json").read_text("utf-8"))
    return loaded


@cache
def _methods() -> list[Method]:
    return [
        Method(
            method["id"],
            method["httpMethod"],
            re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", method["path"])),
            {**document()["parameters"], **method.get("parameters", {})},
            method.get("request"),
        )
        for resource in document()["resources"].values()
        for method in resource["methods"].values()
    ]


def problems(requests: Iterable[SeenRequest]) -> list[str]:
    """What is wrong with these requests, a line each; requests to other services are passed over."""
    return [
        f"{seen.method} {seen.path}: {problem}"
        for seen in requests
        if seen.path.startswith(_BASE)
        for problem in _problems(seen)
    ]


def _problems(seen: SeenRequest) -> Iterator[str]:
    path = seen.path.removeprefix(_BASE)
    fitting = [one for one in _methods() if one.verb == seen.method and one.path.fullmatch(path)]
    if not fitting:
        yield "no such method"
        return
    method = fitting[0]
    for name, values in seen.query.items():
        known = method.parameters.get(name)
        if known is None or known.get("location") != "query":
            yield f"{method.id} has no parameter {name}"
        elif known.get("deprecated") or known.get("description", "").startswith("Deprecated"):
            yield f"parameter {name} is deprecated"
        elif len(values) > 1 and not known.get("repeated"):
            yield f"parameter {name} is repeated"
        else:
            yield from (f"parameter {name}: {wrong}" for one in values if (wrong := _wrong_text(one, known)))
    for name, known in method.parameters.items():
        if known.get("required") and known.get("location") == "query" and name not in seen.query:
            yield f"parameter {name} is missing"
    if method.body is None:
        if seen.body:
            yield f"{method.id} takes no body"
        return
    yield from _wrong(json.loads(seen.body), method.body, "body")


def _wrong_text(text: str, known: dict[str, Any]) -> str | None:
    if "enum" in known and text not in known["enum"]:
        return f"{text} is none of {known['enum']}"
    if known["type"] == "boolean" and text not in ("true", "false"):
        return f"{text} is no boolean"
    if known["type"] == "integer":
        if not re.fullmatch(r"-?\d+", text):
            return f"{text} is no integer"
        if not int(known.get("minimum", text)) <= int(text) <= int(known.get("maximum", text)):
            return f"{text} is out of range"
    return _wrong_format(text, known.get("format"))


def _wrong_format(text: str, name: str | None) -> str | None:
    if name == "date-time" and not re.fullmatch(
        r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", text
    ):
        return f"{text} is no RFC 3339 date and time with an offset"
    try:
        if name == "date":
            date.fromisoformat(text)
        elif name == "date-time":
            datetime.fromisoformat(text)
    except ValueError:
        return f"{text} is no {name}"
    return None


_TYPES: dict[str, type | tuple[type, ...]] = {
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "array": list,
    "object": dict,
}


def _wrong(value: Any, known: dict[str, Any], where: str) -> Iterator[str]:
    if "$ref" in known:
        known = document()["schemas"][known["$ref"]]
    expected = _TYPES[known["type"]]
    if not isinstance(value, expected) or (isinstance(value, bool) and known["type"] != "boolean"):
        yield f"{where} is no {known['type']}"
    elif known["type"] == "array":
        for place, one in enumerate(value):
            yield from _wrong(one, known["items"], f"{where}[{place}]")
    elif known["type"] == "object":
        yield from _wrong_object(value, known, where)
    elif isinstance(value, str) and (wrong := _wrong_format(value, known.get("format"))):
        yield f"{where}: {wrong}"


def _wrong_object(value: dict[str, Any], known: dict[str, Any], where: str) -> Iterator[str]:
    for name, one in value.items():
        schema = known.get("properties", {}).get(name, known.get("additionalProperties"))
        if schema is None:
            yield f"{where} has no property {name}"
        elif schema.get("readOnly") or re.search(r"\bread-only\b", schema.get("description", ""), re.I):
            yield f"{where}.{name} is read-only"
        else:
            yield from _wrong(one, schema, f"{where}.{name}")
