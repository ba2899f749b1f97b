"""Graph's JSON batching: up to twenty requests in one, each answered by itself.

Source: https://learn.microsoft.com/graph/json-batching.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request, Response

from reconciler.simulators.microsoft_errors import GraphProblem
from reconciler.simulators.wire import Call, json_response

Answer = Callable[[Request], Response]
_SUCCESS = range(200, 400)


def run_batch(call: Call, answer: Answer) -> Response:
    """Every item through ``answer``; the answers come in another order than the requests went."""
    items = _items(call.request)
    done: dict[str, dict[str, Any]] = {}
    for item in items:
        failed = any(done[one]["status"] not in _SUCCESS for one in item.get("dependsOn", []))
        done[item["id"]] = _failed_dependency(item) if failed else _one(call.request, item, answer)
    return json_response({"responses": list(reversed(done.values()))})


def _items(request: Request) -> list[dict[str, Any]]:
    try:
        items = json.loads(request.get_data())["requests"]
        ids = [item["id"] for item in items]
        known = all(set(item.get("dependsOn", [])) <= set(ids[:place]) for place, item in enumerate(items))
        complete = all(isinstance(item["method"], str) and item["url"].startswith("/") for item in items)
        typed = all("body" not in item or "headers" in item for item in items)
    except (ValueError, KeyError, TypeError, AttributeError) as problem:
        raise GraphProblem(400, "BadRequest", "Invalid batch payload format.") from problem
    if not 1 <= len(items) <= 20:
        raise GraphProblem(
            400, "BadRequest", "Number of batch request steps exceeds the maximum value of 20."
        )
    if len(set(ids)) != len(ids) or not (known and complete and typed):
        raise GraphProblem(400, "BadRequest", "Invalid batch payload format.")
    return list(items)


def _one(outer: Request, item: dict[str, Any], answer: Answer) -> dict[str, Any]:
    headers = {"Authorization": outer.headers.get("Authorization", ""), **item.get("headers", {})}
    path, _, query = item["url"].partition("?")
    body = item.get("body")
    builder = EnvironBuilder(
        path=f"/v1.0{path}",
        query_string=query,
        base_url=outer.host_url,
        method=item["method"],
        headers=headers,
        data=None if body is None else json.dumps(body),
    )
    response = answer(Request(builder.get_environ()))
    shown: dict[str, Any] = {
        "id": item["id"],
        "status": response.status_code,
        "headers": dict(response.headers.items()),
    }
    if response.get_data():
        shown["body"] = json.loads(response.get_data())
    return shown


def _failed_dependency(item: dict[str, Any]) -> dict[str, Any]:
    error = {"code": "FailedDependency", "message": "A request this one depends on has failed."}
    return {"id": item["id"], "status": 424, "headers": {}, "body": {"error": error}}
