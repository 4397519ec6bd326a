"""The menu: every page that it leads to, in groups, each with what a reader must be allowed to do."""

from dataclasses import dataclass
from enum import StrEnum

from hpc_portal.app.actor import Actor
from hpc_portal.app.permissions import Action, may, may_somewhere
from workloads.template import N_


class Group(StrEnum):
    """A part of the menu under one heading; shown in this order."""

    WORK = N_("Work")
    BUDGET = N_("Budget")
    ADMINISTRATION = N_("Administration")
    SELF = N_("Yourself")


@dataclass(frozen=True, slots=True)
class Entry:
    """One page in the menu."""

    href: str
    icon: str
    """An id of the vendored sprite."""
    text: str
    group: Group
    needs: Action | None = None
    """None: everybody who is signed in."""
    everywhere: bool = False
    """`needs` is asked for the whole city; otherwise any organisation or project where it holds will do."""
    on_phone: bool = False
    """One of the few in the bar of a small screen; the others are behind its last entry."""
    key: str = ""
    """The letter that opens it after a `g`."""


def _for_the_city(href: str, icon: str, text: str) -> Entry:
    """A page for those who see the whole city: administrators and auditors."""
    return Entry(href, icon, text, Group.ADMINISTRATION, needs=Action.AUDIT, everywhere=True)


ENTRIES = (
    Entry("/", "home", N_("Overview"), Group.WORK, on_phone=True, key="h"),
    Entry("/submit", "rocket", N_("New job"), Group.WORK, on_phone=True, key="n"),
    Entry("/jobs", "list-details", N_("Jobs"), Group.WORK, on_phone=True, key="j"),
    Entry("/campaigns", "grid-dots", N_("Campaigns"), Group.WORK, key="c"),
    Entry("/files", "folder", N_("Files"), Group.WORK, key="f"),
    Entry("/clusters", "server-2", N_("Clusters"), Group.WORK, key="k"),
    Entry("/quota", "wallet", N_("Quota"), Group.BUDGET, on_phone=True, key="q"),
    Entry("/requests", "receipt-2", N_("Requests"), Group.BUDGET, key="r"),
    Entry("/allocations", "calendar", N_("Allocations"), Group.BUDGET),
    Entry("/refunds", "receipt-refund", N_("Refunds"), Group.BUDGET),
    Entry("/reports", "chart-bar", N_("Reports"), Group.BUDGET, key="b"),
    Entry("/limits", "adjustments", N_("Limits"), Group.BUDGET),
    Entry("/prices", "coin", N_("Prices"), Group.BUDGET),
    Entry("/organisations", "users", N_("Members and classes"), Group.BUDGET),
    _for_the_city("/admin", "eye", N_("What needs attention")),
    _for_the_city("/requests/inbox", "inbox", N_("Review requests")),
    _for_the_city("/admin/organisations", "building", N_("Organisations")),
    _for_the_city("/admin/projects", "folder", N_("Projects")),
    _for_the_city("/admin/prices", "table", N_("Prices and subsidies")),
    _for_the_city("/admin/templates", "test-pipe", N_("Site templates")),
    _for_the_city("/admin/books", "scale", N_("Books")),
    _for_the_city("/admin/drift", "arrows-exchange", N_("Drift against Slurm")),
    _for_the_city("/admin/people", "user", N_("People")),
    _for_the_city("/admin/service-accounts", "key", N_("Service accounts")),
    _for_the_city("/admin/announcements", "bell", N_("Announcements")),
    _for_the_city("/admin/audit", "shield-check", N_("Audit log")),
    Entry("/settings", "settings", N_("Settings"), Group.SELF, key="s"),
    Entry("/help", "help-circle", N_("Help"), Group.SELF),
)
"""Add a page here to have it in the menu."""


@dataclass(frozen=True, slots=True)
class Link:
    """One entry as a page shows it."""

    href: str
    icon: str
    text: str
    is_current: bool
    on_phone: bool
    key: str


@dataclass(frozen=True, slots=True)
class MenuPart:
    """A heading and what is under it."""

    heading: str
    links: tuple[Link, ...]


def menu(actor: Actor, path: str) -> tuple[MenuPart, ...]:
    """What this reader can open, group by group; `path` is the page that they are on."""
    here = max((entry.href for entry in ENTRIES if _leads_to(entry.href, path)), key=len, default="")
    parts = []
    for group in Group:
        links = tuple(
            Link(entry.href, entry.icon, entry.text, entry.href == here, entry.on_phone, entry.key)
            for entry in ENTRIES
            if entry.group is group and is_open_to(entry, actor)
        )
        if links:
            parts.append(MenuPart(group.value, links))
    return tuple(parts)


def _leads_to(href: str, path: str) -> bool:
    return path == href if href == "/" else path == href or path.startswith(f"{href}/")


def is_open_to(entry: Entry, actor: Actor) -> bool:
    """Whether the menu shows the page to this reader."""
    if entry.needs is None:
        return True
    return may(actor, entry.needs) if entry.everywhere else may_somewhere(actor, entry.needs)
