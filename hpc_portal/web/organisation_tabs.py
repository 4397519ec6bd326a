"""What the pages of an organisation have in common: its head and its tabs."""

from typing import Any

from hpc_portal.app.tenants.queries import OrganisationDetails
from hpc_portal.web.project_tabs import Tab
from hpc_portal.web.tenant_words import KINDS, ROLES, TENANT_STATES
from workloads.template import N_

_OVERVIEW = Tab("overview", "", N_("Overview"))
_USAGE = Tab("usage", "/usage", N_("Usage"))
_MEMBERS = Tab("members", "/members", N_("Members"))


def organisation_facts(details: OrganisationDetails, tab: str) -> dict[str, Any]:
    """What `organisation/layout.html` needs; with the tabs in which there is anything for the reader."""
    tabs = [_OVERVIEW]
    if details.projects:
        tabs.append(_USAGE)
    if details.members:
        tabs.append(_MEMBERS)
    return {
        "tenant": details,
        "home": f"/organisations/{details.slug}",
        "tab": tab,
        "tabs": tabs,
        "states": TENANT_STATES,
        "kinds": KINDS,
        "roles": ROLES,
        "problems": (),
        "invited": (),
    }
