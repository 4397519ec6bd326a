"""The page of a campaign around its tabs: head, figures, what may be done."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from fastapi import Request
from starlette.responses import Response

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.queries import CampaignView, RunView
from hpc_portal.app.campaigns.tables import StoppedBy
from hpc_portal.app.permissions import Action
from hpc_portal.web.campaign_live import is_final
from hpc_portal.web.language import Language
from hpc_portal.web.render import pages_of
from hpc_portal.web.show_campaign import KINDS, LETTERS, MARKS, NEVER_RAN, RUNNING, STOPPED, WAITING, legend
from hpc_portal.web.words import STATES, VERDICTS

_SCRIPT_WORDS = {
    **{verdict.value: word for verdict, word in VERDICTS.items()},
    "running": RUNNING,
    "waiting": WAITING,
    "never_ran": NEVER_RAN,
}
"""By the name that the page's script is told."""


def show_campaign_page(  # noqa: PLR0913, PLR0917 - what every tab shows
    request: Request,
    actor: Actor,
    campaign: CampaignView,
    run: RunView,
    tab: str,
    facts: Mapping[str, Any],
) -> Response:
    """One tab with everything around it; a form that was refused says why."""
    language = pages_of(request).language(request)
    scope = {"organisation_id": campaign.organisation_id, "project_id": campaign.project_id}
    cancel = Action.CANCEL_OWN if actor.looks_after(campaign.user_id) else Action.CANCEL_ANY
    head = {
        "campaign": campaign,
        "run": run,
        "tab": tab,
        "stream": f"job={run.job_id}" if tab == "matrix" and not is_final(run) else "",
        "kinds": KINDS,
        "legend": legend(run),
        "states": STATES,
        "stopped": _stopped(campaign, run, language),
        "words": {
            name: [word.tone, MARKS[word], language.text(word.text)] for name, word in _SCRIPT_WORDS.items()
        },
        "said": {letter: (MARKS[word], language.text(word.text)) for word, letter in LETTERS.items()},
        "may_rerun": permissions.may(actor, Action.SUBMIT, **scope),
        "may_stop": permissions.may(actor, cancel, **scope) and not campaign.is_over,
        "key": uuid4(),
        "problems": [],
    }
    status = HTTPStatus.UNPROCESSABLE_ENTITY if facts.get("problems") else HTTPStatus.OK
    template = f"campaigns/{tab}.html"
    return pages_of(request).render(request, template, {**head, **facts}, status=status)


def _stopped(campaign: CampaignView, run: RunView, language: Language) -> str:
    match run.stopped_by:
        case StoppedBy.FAILURES:
            return language.gettext(
                STOPPED[run.stopped_by], limit=language.number(campaign.stop_failures or 0)
            )
        case StoppedBy.COST:
            return language.gettext(STOPPED[run.stopped_by], limit=language.vnd(campaign.stop_cost_vnd or 0))
        case StoppedBy.PERSON:
            return language.text(STOPPED[run.stopped_by])
    return ""
