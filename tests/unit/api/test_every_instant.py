"""No operation of the API takes an instant, a day or a flag in another form than it describes."""

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from hpc_portal.api import routes
from hpc_portal.api.schemas import Body
from schedulers.jobspec import JobSpec

LENIENT = (
    ({"format": "date-time"}, "0"),
    ({"format": "date"}, "0"),
    ({"type": "boolean"}, "on"),
)
"""How each kind is described, and what pydantic alone would take for it."""


def fields() -> Iterator[tuple[str, FieldInfo]]:
    """Of every body, and of every query."""
    bodies: list[type[BaseModel]] = [*_bodies(), JobSpec]
    for body in bodies:
        for name, field in body.model_fields.items():
            yield f"{body.__name__}.{name}", field
    app = FastAPI()
    routes.install(app)
    for route in _routes(app.routes):
        for parameter in get_flat_params(route.dependant):
            yield f"{route.path}?{parameter.alias}", parameter.field_info


def _bodies(kind: type[Body] = Body) -> Iterator[type[Body]]:
    for one in kind.__subclasses__():
        yield one
        yield from _bodies(one)


def _routes(found: Iterable[Any]) -> Iterator[APIRoute]:
    for route in found:
        if isinstance(route, APIRoute):
            yield route
        elif hasattr(route, "original_router"):
            yield from _routes(route.original_router.routes)


def test_none_is_lenient() -> None:
    tried, lenient = 0, []
    for name, field in fields():
        whole = TypeAdapter(field.rebuild_annotation())
        described = whole.json_schema()
        forms = [described, *described.get("anyOf", [])]
        for kind, value in LENIENT:
            if not any(kind.items() <= form.items() for form in forms):
                continue
            tried += 1
            with contextlib.suppress(ValidationError):
                whole.validate_python(value)
                lenient.append(f"{name} takes {value!r}")
    assert tried > 50, "the walk found too few to be true"
    assert not lenient, "\n".join(lenient)
