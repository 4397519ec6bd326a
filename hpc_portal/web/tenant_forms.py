"""What the forms of tenants have in common: do it, then go on, or show the page again with what is wrong."""

import asyncio
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import TypeVar

from fastapi import Request
from starlette.datastructures import FormData
from starlette.responses import RedirectResponse, Response

from hpc_portal.app.errors import InvitationOver, NotAllowed, NotFound, PortalError
from hpc_portal.app.tenants.change_state import JobsThen, StateChange
from hpc_portal.app.tenants.hand_over import HandOver
from hpc_portal.auth.identify import Identities
from hpc_portal.web.problems import ShownProblem, problems_of
from hpc_portal.web.render import pages_of
from quotas.errors import QuotaError
from quotas.tables import TenantState

T = TypeVar("T")

Page = Callable[[Sequence[ShownProblem]], Response]
"""Renders the form's page with problems."""


async def carry_out(
    request: Request, deed: Callable[[], T], page: Page, then: str | Callable[[T], Response]
) -> Response:
    """Run the verb in a thread; then redirect, or answer with what it made, or show what is wrong.

    It may have changed what people may do, which is then looked up anew. What the reader may not see or do
    is left to the error pages.
    """
    identities: Identities = request.app.state.identities
    try:
        result = await asyncio.to_thread(deed)
    except (NotFound, NotAllowed, InvitationOver):
        raise
    except (PortalError, QuotaError) as error:
        problems = problems_of(error, pages_of(request).language(request))
        response = await asyncio.to_thread(page, problems)
        response.status_code = HTTPStatus.UNPROCESSABLE_ENTITY
        return response
    identities.forget()
    if isinstance(then, str):
        return RedirectResponse(then, HTTPStatus.SEE_OTHER)
    return await asyncio.to_thread(then, result)


def text_of(form: FormData, name: str) -> str:
    """A field's text, without space around it; "" for a missing one or a file."""
    value = form.get(name, "")
    return value.replace("\r\n", "\n").strip() if isinstance(value, str) else ""


def read_state(form: FormData) -> StateChange:
    """What a form of a state asks for; a state that there is not leaves an active tenant as it is."""
    state, jobs = text_of(form, "state"), text_of(form, "jobs")
    return StateChange(
        TenantState(state) if state in set(TenantState) else TenantState.ACTIVE,
        text_of(form, "reason"),
        read_jobs(jobs),
    )


def read_jobs(text: str) -> JobsThen:
    """What becomes of the jobs; nothing, unless it is said."""
    return JobsThen(text) if text in set(JobsThen) else JobsThen.KEEP


def read_hand_over(form: FormData) -> HandOver:
    """Who leads from now on."""
    return HandOver(text_of(form, "successor"), text_of(form, "former"))


def read_emails(form: FormData) -> list[str]:
    """Addresses, separated by anything usual."""
    text = text_of(form, "emails")
    for mark in ",;\n\t":
        text = text.replace(mark, " ")
    return text.split()
