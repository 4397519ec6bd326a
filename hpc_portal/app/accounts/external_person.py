"""A person as an identity provider tells of them: pure, from the claims of its token."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hpc_portal.app.accounts.checks import cluster_user_problem, email_problem, username_problem
from hpc_portal.app.settings import IdentitySettings
from hpc_portal.app.tables import OrganisationRole, ProjectRole

_NOT_IN_NAMES = re.compile(r"[^a-z0-9._-]+")
_LONGEST = 32
"""A cluster's account name is no longer."""


@dataclass(frozen=True, slots=True)
class ExternalPerson:
    """Who signed in over there."""

    issuer: str
    subject: str
    wanted_name: str
    """A user name that may be taken already; "" when the claim makes none."""
    display_name: str
    email: str
    """Only where the provider has verified it."""
    groups: frozenset[str]

    def names(self) -> Iterator[str]:
        """User names to try, the nearest first."""
        stem = self.wanted_name or "user"
        yield stem
        for number in range(2, 10_000):
            suffix = str(number)
            yield f"{stem[: _LONGEST - len(suffix)]}{suffix}"


def person_of(claims: Mapping[str, object], settings: IdentitySettings) -> ExternalPerson:
    """Read the claims of a verified token."""
    email = _text(claims, "email") if claims.get("email_verified") is True else ""
    name = _text(claims, settings.username_claim).partition("@")[0].lower()
    wanted = _NOT_IN_NAMES.sub("-", name).strip("._-")[:_LONGEST].rstrip("._-")
    groups = claims.get(settings.groups_claim)
    display_name = " ".join(_text(claims, "name").split()) or wanted
    return ExternalPerson(
        issuer=settings.issuer,
        subject=str(claims["sub"]),
        wanted_name=wanted if _is_usable(wanted) else "",
        display_name=display_name[:200] if display_name.isprintable() else wanted,
        email=email if email and email_problem(email) is None else "",
        groups=frozenset(str(group) for group in groups) if isinstance(groups, list) else frozenset(),
    )


def _is_usable(name: str) -> bool:
    """A name of the system's own accounts would let jobs run as them."""
    return username_problem(name) is None and cluster_user_problem(name.replace(".", "_")) is None


def places_of(person: ExternalPerson, settings: IdentitySettings) -> Mapping[str, OrganisationRole | None]:
    """For each organisation that the settings speak of: the role that the groups give; None: no place."""
    found: dict[str, OrganisationRole | None] = {}
    for place in settings.places:
        role = OrganisationRole(place.role) if place.group in person.groups else None
        present = found.setdefault(place.organisation, None)
        if role is OrganisationRole.MANAGER or present is None:
            found[place.organisation] = role
    return found


@dataclass(frozen=True, slots=True)
class GroupPlace:
    """A place in a project, and the group that gives it."""

    role: ProjectRole
    group: str


def projects_of(person: ExternalPerson, settings: IdentitySettings) -> Mapping[str, GroupPlace]:
    """For each project, by account, in which the groups give a place: the highest."""
    found: dict[str, GroupPlace] = {}
    for one in settings.projects:
        if one.group not in person.groups:
            continue
        present = found.get(one.project)
        if present is None or (one.role == "lead" and present.role is not ProjectRole.LEAD):
            found[one.project] = GroupPlace(ProjectRole(one.role), one.group)
    return found


def _text(claims: Mapping[str, object], name: str) -> str:
    value = claims.get(name)
    return value.strip() if isinstance(value, str) else ""
