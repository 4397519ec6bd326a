"""The API's own description: beside what FastAPI finds in the handlers, how each operation refuses."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI

_PUBLIC = frozenset(
    {"/api/v1/tokens/sign-in", "/api/v1/invitations/look", "/api/v1/open-data", "/api/openapi.json"}
)
"""Nobody signs in for these."""
_PROBLEM = "Problem"
_WHY: Mapping[int, str] = {
    400: "The body is not what its content type says.",
    401: "No token or session came, or one that is not good any more.",
    403: "Your role or your token does not allow it, or another site sent it.",
    404: "There is no such thing, or none that you can see.",
    409: "As things stand it cannot be done: a budget, a limit, a state, a name that is taken.",
    413: "The body is too large.",
    422: "Some values make no sense; `problems` names them.",
    429: "Too many attempts; `Retry-After` says when to try again.",
    503: "Something that is needed for it does not answer now; try again.",
    507: "There is no room for it.",
}
_ALWAYS = (404, 422, 503)
_OF_CHANGES = (400, 409, 413, 429, 507)
_METHODS_THAT_CHANGE = frozenset({"post", "put", "patch", "delete"})


def install_description(app: FastAPI) -> None:
    """Let the application describe itself so; made once, when it is first asked for."""
    plain = app.openapi

    def describe() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = with_refusals(plain())
        return app.openapi_schema

    app.openapi = describe  # type: ignore[method-assign]  # as FastAPI documents it


def with_refusals(described: dict[str, Any]) -> dict[str, Any]:
    """Every operation with the statuses of its refusals, all of them `application/problem+json`."""
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            refusals = {str(status): _refusal(status) for status in _statuses(path, method)}
            operation["responses"] = {**operation["responses"], **refusals}
    schemas = described.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas[_PROBLEM] = _problem()
    return described


def _statuses(path: str, method: str) -> list[int]:
    known = () if path in _PUBLIC and method not in _METHODS_THAT_CHANGE else (401, 403)
    return sorted({*known, *_ALWAYS, *(_OF_CHANGES if method in _METHODS_THAT_CHANGE else ())})


def _refusal(status: int) -> dict[str, Any]:
    schema = {"$ref": f"#/components/schemas/{_PROBLEM}"}
    return {"description": _WHY[status], "content": {"application/problem+json": {"schema": schema}}}


def _problem() -> dict[str, Any]:
    """RFC 9457, as `problems.problem_reply` writes it."""
    text = {"type": "string"}
    field = {
        "type": "object",
        "properties": {"field": text, "message": text},
        "required": ["field", "message"],
    }
    return {
        "type": "object",
        "description": "Why something was refused, in the reader's language.",
        "properties": {
            "type": {**text, "description": "A stable name, such as `/problems/budget-exceeded`."},
            "title": text,
            "status": {"type": "integer"},
            "detail": {**text, "description": "What went wrong, and what to do."},
            "instance": {**text, "description": "The path that was asked for."},
            "request_id": {**text, "description": "Tell it to the administrators."},
            "problems": {"type": "array", "items": field},
            "change_request": {
                "type": "object",
                "description": "The request for quota that would let it through: POST `body` to `href`.",
                "properties": {"href": text, "body": {"type": "object"}, "page": text},
                "required": ["href", "body", "page"],
            },
        },
        "required": ["type", "title", "status", "detail", "instance", "request_id"],
    }
