"""Microsoft's own schema of the calendar API, to hold every answer of the simulator against."""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
from openapi_schema_validator import OAS30Validator, oas30_format_checker
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

_SLICE = Path(__file__).resolve().parents[4] / "shared" / "data" / "graph-calendar-openapi.json"
_ROOT = "urn:graph"


@cache
def document() -> dict[str, Any] | None:
    """The slice; None where it is not at hand, which a continuous-integration run does not forgive."""
    if _SLICE.exists():
        return json.loads(_SLICE.read_text())
    if os.environ.get("CI") == "true":
        pytest.fail(f"{_SLICE} is missing")
    return None


def mismatches(answer: requests.Response) -> list[str]:
    """What in an answer the schema does not allow, for the paths the schema knows."""
    given = document()
    path = answer.request.path_url.partition("?")[0]
    if given is None or not path.startswith("/v1.0/") or not answer.content:
        return []
    schema = _schema(given, path.removeprefix("/v1.0"), answer.request.method.lower(), answer.status_code)
    if schema is None:
        return []
    validator = OAS30Validator(schema, registry=_registry(), format_checker=oas30_format_checker)
    return [f"{'/'.join(map(str, one.path))}: {one.message}" for one in validator.iter_errors(answer.json())]


def _schema(given: dict[str, Any], path: str, method: str, status: int) -> dict[str, Any] | None:
    for template, item in given["paths"].items():
        pattern = re.sub(r"\\\{[^}]*\\\}", "[^/]+", re.escape(template))
        if re.fullmatch(pattern, path) and method in item:
            answers = item[method]["responses"]
            documented = next(name for name in answers if name != "default")
            found = answers[documented if status < 400 else "default"]
            found = given["components"]["responses"]["error"] if "$ref" in found else found
            return _absolute(found["content"]["application/json"]["schema"]) if "content" in found else None
    return None


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
