"""Find what a person may open by a part of its name: jobs, campaigns, projects and templates."""

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from uuid import UUID

from sqlmodel import Session

from hpc_portal.app.accounts.queries import list_visible_projects
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import CampaignFilter, list_campaigns
from hpc_portal.app.jobs.job_filter import JobFilter
from hpc_portal.app.jobs.queries import list_jobs
from hpc_portal.app.services import Services
from hpc_portal.app.templates.find import offered
from workloads.site.words import Locale
from workloads.template import N_

MOST_OF_A_KIND = 6
MOST_CHARACTERS = 200


class FoundKind(StrEnum):
    """What was found; in the order in which people see them."""

    TEMPLATE = N_("Template")
    JOB = N_("Job")
    CAMPAIGN = N_("Campaign")
    PROJECT = N_("Project")


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that can be opened."""

    kind: FoundKind
    name: str
    hint: str
    """Of the same kind and name there may be many: whose it is, or in which state."""
    path: str
    """Of its page."""


def search(  # noqa: PLR0913 - who, what, and in which words
    services: Services,
    session: Session,
    actor: Actor,
    text: str,
    *,
    locale: Locale = "en",
    say: Callable[[str], str] = str,
) -> list[Found]:
    """At most `MOST_OF_A_KIND` of each kind, the newest first; without a text the person's latest jobs.

    `say` translates the titles of templates.

    Upper and lower case are one. Names of templates and projects are found without their diacritics, too.
    A job is also found by its whole id. `text` is cut at `MOST_CHARACTERS`.
    """
    wanted = text.strip()[:MOST_CHARACTERS]
    if not wanted:
        return list(_jobs(session, actor, JobFilter(user=actor.username)))
    if job_id := _as_id(wanted):
        return list(_jobs(session, actor, JobFilter(job_ids=(job_id,))))
    return [
        *_templates(((one.name, say(one.title)) for one in offered(services, actor, locale)), fold(wanted)),
        *_jobs(session, actor, JobFilter(name=wanted)),
        *_campaigns(session, actor, wanted),
        *_projects(session, actor, fold(wanted)),
    ]


def fold(text: str) -> str:
    """Lower case without diacritics: what somebody types who leaves them out.

    >>> fold("Tác vụ đo")
    'tac vu do'
    """
    plain = "".join(char for char in unicodedata.normalize("NFD", text) if not unicodedata.combining(char))
    return plain.casefold().replace("đ", "d")


def _as_id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _templates(offers: Iterator[tuple[str, str]], wanted: str) -> Iterator[Found]:
    matching = (pair for pair in offers if wanted in fold(" ".join(pair)))
    for name, title in islice(matching, MOST_OF_A_KIND):
        yield Found(FoundKind.TEMPLATE, title, name, f"/submit/{name}")


def _jobs(session: Session, actor: Actor, wanted: JobFilter) -> Iterator[Found]:
    for job in list_jobs(session, actor, wanted, limit=MOST_OF_A_KIND).items:
        yield Found(FoundKind.JOB, job.name, f"{job.project} · {job.user}", f"/jobs/{job.id}")


def _campaigns(session: Session, actor: Actor, wanted: str) -> Iterator[Found]:
    named = CampaignFilter(part_of_name=wanted)
    for one in list_campaigns(session, actor, named, limit=MOST_OF_A_KIND).items:
        yield Found(FoundKind.CAMPAIGN, one.name, f"{one.project} · {one.user}", f"/campaigns/{one.id}")


def _projects(session: Session, actor: Actor, wanted: str) -> Iterator[Found]:
    seen = list_visible_projects(session, actor)
    matching = (one for one in seen if wanted in fold(f"{one.account} {one.name}"))
    for project in islice(matching, MOST_OF_A_KIND):
        yield Found(FoundKind.PROJECT, project.account, project.name, f"/projects/{project.account}")
