"""Requests to Graph held against Microsoft's own description of its calendar API (OpenAPI 3.0).

Beyond the schema: nothing the schema does not know (it allows more fields than Graph does), no query
parameter the operation does not have, and immutable ids asked for every time.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from typing import Any

from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from reconciler.simulators.wire import SeenRequest
from tests.support.real_data import real

_ROOT = "urn:graph"


def objections(seen: Iterable[SeenRequest]) -> list[str]:
    """What is wrong with the requests to Graph among these; empty when all is well."""
    ours = (request for request in seen if request.path.startswith("/v1.0/"))
    return [f"{request.method} {request.path}: {what}" for request in ours for what in _of(request)]


def _of(request: SeenRequest) -> Iterable[str]:
    path = request.path.removeprefix("/v1.0")
    item = next((item for pattern, item in _paths() if pattern.fullmatch(path)), None)
    if item is None or request.method.lower() not in item:
        return ["no such operation"]
    operation = item[request.method.lower()]
    return [*_query(request, operation), *_headers(request), *_body(request, operation)]


def _query(request: SeenRequest, operation: dict[str, Any]) -> Iterable[str]:
    parameters = document()["components"]["parameters"]
    named = (parameters[one["$ref"].rpartition("/")[2]] for one in operation.get("parameters", ()))
    known = {one["name"] for one in named if one["in"] == "query"} | {"$skiptoken"}
    return [f"no parameter {name}" for name in request.query if name not in known]


def _headers(request: SeenRequest) -> Iterable[str]:
    if 'IdType="ImmutableId"' not in request.headers.get("prefer", ""):
        yield "does not ask for immutable ids"
    if not request.headers.get("client-request-id"):
        yield "has no client-request-id"


def _body(request: SeenRequest, operation: dict[str, Any]) -> Iterable[str]:
    if "requestBody" not in operation:
        return ["has a body"] if request.body else []
    schema = _absolute(operation["requestBody"]["content"]["application/json"]["schema"])
    validator = OAS30Validator(schema, registry=_registry(), format_checker=oas30_format_checker)
    content = json.loads(request.body)
    found = [f"{'/'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(content)]
    return found + _unknown(content, "microsoft.graph.event")


def _unknown(content: dict[str, Any], name: str) -> list[str]:
    """Fields that the resource does not have, at its first level and below it."""
    fields = _fields(name)
    found = [f"{name} has no field {field}" for field in content if field not in fields]
    for field, value in content.items():
        inner = _resource_of(fields.get(field, {}))
        for one in value if isinstance(value, list) else [value]:
            if inner and isinstance(one, dict):
                found += _unknown(one, inner)
    return found


def _fields(name: str) -> dict[str, Any]:
    schema = document()["components"]["schemas"][name]
    fields: dict[str, Any] = dict(schema.get("properties", {}))
    for part in schema.get("allOf", ()):
        fields |= _fields(part["$ref"].rpartition("/")[2]) if "$ref" in part else part["properties"]
    return fields


def _resource_of(field: dict[str, Any]) -> str | None:
    """The resource a field holds, or holds a list of."""
    if "items" in field:
        return _resource_of(field["items"])
    for part in (field, *field.get("anyOf", ())):
        if "$ref" in part:
            name = str(part["$ref"]).rpartition("/")[2]
            return name if "properties" in json.dumps(document()["components"]["schemas"][name]) else None
    return None


@cache
def document() -> dict[str, Any]:
    """Microsoft's description, of the part that concerns calendars."""
    found: dict[str, Any] = json.loads(real("graph-calendar-openapi.json").read_text())
    return found


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    return [
        (re.compile(re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))), item)
        for template, item in document()["paths"].items()
    ]


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            name: f"{_ROOT}{value}" if name == "$ref" else _absolute(value) for name, value in schema.items()
        }
    return [_absolute(one) for one in schema] if isinstance(schema, list) else schema


@cache
def _registry() -> Registry[Any]:
    resource = Resource(contents=_absolute(document()), specification=DRAFT4)
    return Registry().with_resource(_ROOT, resource)
