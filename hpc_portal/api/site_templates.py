"""Publish site templates, look at them and retire them: what administrators do."""

from typing import Annotated

from fastapi import APIRouter, Query, Request

from hpc_portal.api.accepted import accepted_locale
from hpc_portal.api.schemas import ListReply
from hpc_portal.api.site_templates_schemas import (
    CheckedReply,
    PublishedReply,
    TemplateBody,
    TemplateDocumentReply,
    TemplateVersionReply,
)
from hpc_portal.app.templates.publish import publish_template, retire_template, validate_template
from hpc_portal.app.templates.queries import get_version, list_versions
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["templates"])

Version = Annotated[int | None, Query(ge=1, le=10**9, description="Default: the current one.")]


@router.get("/site-templates")
def list_templates(
    request: Request, services: PortalServices, actor: CurrentActor, name: str = ""
) -> ListReply[TemplateVersionReply]:
    """Every version of every site template, or of the one named; for who sees the whole city."""
    with services.reading() as session:
        found = list_versions(session, actor, accepted_locale(request), name=name)
    return ListReply(items=[TemplateVersionReply.model_validate(item) for item in found])


@router.get("/site-templates/{name}")
def show_template(
    request: Request, services: PortalServices, actor: CurrentActor, name: str, version: Version = None
) -> TemplateDocumentReply:
    """One version with its document."""
    with services.reading() as session:
        found = get_version(session, actor, name, version, accepted_locale(request))
    return TemplateDocumentReply.model_validate(found)


@router.post("/site-templates/check")
def check(
    request: Request, services: PortalServices, actor: CurrentActor, body: TemplateBody
) -> CheckedReply:
    """Everything that publishing would check; nothing is stored. `problems` names each line and key."""
    found = validate_template(services, actor, body.document, source=body.source)
    return CheckedReply(name=found.name, title=found.title.say(accepted_locale(request)))


@router.post("/site-templates")
def publish(services: PortalServices, actor: CurrentActor, body: TemplateBody) -> PublishedReply:
    """Make the document the current version of the template that it names; the same again changes nothing."""
    found = publish_template(services, actor, body.document, source=body.source)
    return PublishedReply.model_validate(found)


@router.post("/site-templates/{name}/retire", status_code=204)
def retire(services: PortalServices, actor: CurrentActor, name: str) -> None:
    """Offer it to nobody any more; jobs that were submitted keep it."""
    retire_template(services, actor, name)
