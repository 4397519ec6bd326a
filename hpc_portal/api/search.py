"""Find jobs, campaigns, projects and templates by a part of their name."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from hpc_portal.api.accepted import accepted_locale
from hpc_portal.api.schemas import ListReply
from hpc_portal.api.search_schemas import FoundReply
from hpc_portal.app import search as verbs
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["search"])


@router.get("/search")
def search(
    request: Request,
    services: PortalServices,
    actor: CurrentActor,
    text: Annotated[str, Query(max_length=verbs.MOST_CHARACTERS)] = "",
) -> ListReply[FoundReply]:
    """What you may open and is called like that, a few of each kind; a job also by its id."""
    with services.reading() as session:
        found = verbs.search(services, session, actor, text, locale=accepted_locale(request))
    return ListReply(items=[FoundReply.model_validate(one) for one in found])
