"""What the forms have in common with which administrators take on organisations, people and projects."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fastapi import Request
from sqlmodel import Session
from starlette.datastructures import FormData
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NameTaken, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.web.problems import ShownProblem
from hpc_portal.web.render import pages_of
from hpc_portal.web.tenant_forms import text_of
from quotas.errors import InvalidAmount
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class EntryPage:
    """A form of its own page, rendered again and again with what was typed; for administrators only."""

    request: Request
    actor: Actor
    services: Services
    template: str
    facts: Callable[[Session], Mapping[str, Any]]
    """What the form offers."""
    entered: Mapping[str, str] = field(default_factory=dict)

    def show(self, problems: Sequence[ShownProblem] = ()) -> Response:
        """With what is wrong, on top and at the fields.

        Raises:
            NotAllowed: the reader is no administrator.
        """
        permissions.require(self.actor, Action.GRANT)
        with self.services.reading() as session:
            facts = dict(self.facts(session))
        facts |= {"entered": self.entered, "problems": problems, "errors": by_field(problems)}
        return pages_of(self.request).render(self.request, self.template, facts)


def entered_of(form: FormData, names: Sequence[str]) -> dict[str, str]:
    """What was typed into these fields."""
    return {name: text_of(form, name) for name in names}


def by_field(problems: Sequence[ShownProblem]) -> dict[str, str]:
    """What to say at each field."""
    found: dict[str, str] = {}
    for problem in problems:
        found[problem.field] = f"{found.get(problem.field, '')} {problem.text}".strip()
    return found


@contextmanager
def at_fields(taken: Mapping[str, str]) -> Iterator[None]:
    """Say of a name that is taken, and of an amount that makes no sense, in which field it stands.

    `taken` are the fields by the kind of name.

    Raises:
        InvalidEntry: in their stead.
    """
    try:
        yield
    except NameTaken as error:
        text = N_("%(name)s is taken. Choose another name.")
        raise InvalidEntry([Problem(taken.get(error.kind, ""), text, {"name": error.name})]) from error
    except InvalidAmount as error:
        raise InvalidEntry([Problem(error.field, error.text, error.facts)]) from error
