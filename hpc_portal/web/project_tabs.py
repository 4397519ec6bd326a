"""What the pages of a project have in common: its head, its tabs, and who may do what there."""

from dataclasses import dataclass
from typing import Any

from sqlmodel import Session

from hpc_portal.app.actor import Actor
from hpc_portal.app.tenants.class_queries import list_classes
from hpc_portal.app.tenants.queries import ProjectDetails, get_project_details
from hpc_portal.web.tenant_words import ROLES, TENANT_STATES
from quotas.tables import TenantState
from workloads.template import N_


@dataclass(frozen=True, slots=True)
class Tab:
    """One page of a project."""

    name: str
    path: str
    """After the project's own address."""
    text: str


TABS = (
    Tab("overview", "", N_("Overview")),
    Tab("usage", "/usage", N_("Usage")),
    Tab("charges", "/charges", N_("Charges")),
    Tab("members", "/members", N_("Members")),
    Tab("service-accounts", "/service-accounts", N_("Service accounts")),
    Tab("limits", "/limits", N_("Limits")),
    Tab("requests", "/requests", N_("Requests")),
    Tab("files", "/files", N_("Files")),
    Tab("storage", "/storage", N_("Storage")),
)
_CLASSES = Tab("classes", "/classes", N_("Classes"))


def project_facts(
    session: Session, actor: Actor, account: str, tab: str
) -> tuple[ProjectDetails, dict[str, Any]]:
    """The project, and what `project/layout.html` needs to show it.

    Raises:
        ProjectNotFound: there is none, or the reader may not see it.
    """
    details = get_project_details(session, actor, account)
    classes = list_classes(session, actor, account)
    has_classes = bool(classes) or details.may_split or tab == _CLASSES.name
    facts = {
        "tenant": details,
        "project": details.project,
        "home": f"/projects/{account}",
        "classes": classes,
        "tab": tab,
        "tabs": (*TABS, _CLASSES) if has_classes else TABS,
        "may_make_class": details.may_split and details.project.state is TenantState.ACTIVE,
        "states": TENANT_STATES,
        "roles": ROLES,
        "problems": (),
        "invited": (),
    }
    return details, facts
