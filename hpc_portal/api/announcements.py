"""What the city announces: read and put aside by everybody, made and withdrawn by administrators."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Header
from pydantic import Field

from hpc_portal.api.one_form import Flag
from hpc_portal.api.schemas import Body, CreatedReply, ListReply, Reply, Text
from hpc_portal.app.announcements.announce import NewAnnouncement, announce, withdraw_announcement
from hpc_portal.app.announcements.dismiss import dismiss_announcement
from hpc_portal.app.announcements.read import AnnouncementStanding, list_announcements, list_in_force
from hpc_portal.auth.deps import CurrentActor, PortalServices
from schedulers.instant import Instant

router = APIRouter(tags=["announcements"])


class AnnouncementBody(Body):
    """What to announce, in both languages."""

    text_vi: Text = Field(examples=["Bảo trì cụm từ 22:00 thứ Bảy đến 06:00 Chủ nhật."])
    text_en: Text = Field(examples=["Maintenance from Saturday 22:00 to Sunday 06:00."])
    starts_at: Instant | None = Field(default=None, examples=["2026-12-05T15:00:00Z"])
    """null: at once."""
    ends_at: Instant = Field(examples=["2026-12-05T23:00:00Z"])
    organisation: Text = ""
    """A slug; empty for everybody."""
    is_urgent: Flag = False


class AnnouncementReply(Reply):
    """One announcement."""

    id: UUID
    organisation: str
    """Empty for everybody."""
    is_urgent: bool
    text_vi: str
    text_en: str
    starts_at: datetime
    ends_at: datetime
    announced_by: str
    """Empty for the operator on the machine."""
    announced_at: datetime
    standing: AnnouncementStanding
    is_dismissed: bool
    """By you."""


@router.get("/announcements")
def show_mine(
    services: PortalServices, actor: CurrentActor, *, with_dismissed: Flag = True
) -> ListReply[AnnouncementReply]:
    """What is announced to you now, urgent ones in front."""
    with services.reading() as session:
        found = list_in_force(session, actor, at=services.clock.now(), with_dismissed=with_dismissed)
    return ListReply(items=[AnnouncementReply.model_validate(one) for one in found])


@router.get("/announcements/all")
def show_all(services: PortalServices, actor: CurrentActor) -> ListReply[AnnouncementReply]:
    """Coming, present and past ones, whoever they are for; for administrators and auditors."""
    with services.reading() as session:
        found = list_announcements(session, actor, at=services.clock.now())
    return ListReply(items=[AnnouncementReply.model_validate(one) for one in found])


@router.post("/announcements", status_code=HTTPStatus.CREATED)
def make(
    services: PortalServices,
    actor: CurrentActor,
    body: AnnouncementBody,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=150)],
) -> CreatedReply:
    """Announce something; for administrators. The same Idempotency-Key never announces twice."""
    wanted = NewAnnouncement(
        text_vi=body.text_vi,
        text_en=body.text_en,
        starts_at=body.starts_at,
        ends_at=body.ends_at,
        organisation=body.organisation,
        is_urgent=body.is_urgent,
    )
    return CreatedReply(id=announce(services, actor, wanted, key=idempotency_key))


@router.delete("/announcements/{announcement_id}", status_code=HTTPStatus.NO_CONTENT)
def withdraw(services: PortalServices, actor: CurrentActor, announcement_id: UUID) -> None:
    """Take it back; for administrators."""
    withdraw_announcement(services, actor, announcement_id)


@router.put("/announcements/{announcement_id}/dismissal", status_code=HTTPStatus.NO_CONTENT)
def dismiss(services: PortalServices, actor: CurrentActor, announcement_id: UUID) -> None:
    """Put it aside: it does not stand on your pages any more."""
    dismiss_announcement(services, actor, announcement_id)
