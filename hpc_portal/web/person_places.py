"""A place in an organisation or project for somebody who has an account already, or another role there."""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.accounts.set_membership import set_organisation_membership, set_project_membership
from hpc_portal.app.offered import Choice, chosen, not_offered
from hpc_portal.app.permissions import Action
from hpc_portal.app.tables import OrganisationRole, ProjectRole
from hpc_portal.web.entry_form import entered_of
from hpc_portal.web.person import PersonPage, person_page

router = APIRouter(include_in_schema=False)

_ONE = "/admin/people/{username}"


@router.post(_ONE + "/organisations")
async def set_place(page: Annotated[PersonPage, Depends(person_page)]) -> Response:
    """Make them a member or manager of an organisation."""

    def deed(slug: str, role: OrganisationRole, seen: str) -> None:
        set_organisation_membership(
            page.services, page.actor, organisation=slug, username=page.username, role=role, seen=seen
        )

    return await _change(page, "organisation", OrganisationRole, deed)


@router.post(_ONE + "/projects")
async def set_place_in_project(page: Annotated[PersonPage, Depends(person_page)]) -> Response:
    """Make them a member or lead of a project of their organisations."""

    def deed(account: str, role: ProjectRole, seen: str) -> None:
        set_project_membership(
            page.services, page.actor, account=account, username=page.username, role=role, seen=seen
        )

    return await _change(page, "project", ProjectRole, deed)


async def _change(
    page: PersonPage, field: str, roles: type[Choice], deed: Callable[[str, Choice, str], None]
) -> Response:
    role, seen = f"{field}_role", f"{field}_seen"
    entered = entered_of(await page.request.form(), (field, role, seen))

    def work() -> None:
        permissions.require(page.actor, Action.GRANT)
        if not entered[field]:
            raise not_offered(field)
        deed(entered[field], chosen(roles, entered[role], field), entered[seen])

    return await page.change(work, entered)
