"""One's own notices."""

from http import HTTPStatus
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query

from hpc_portal.api.notices_schemas import GroupChoiceBody, GroupChoiceReply
from hpc_portal.api.request_schemas import CountReply, NoticeChoiceBody, NoticeReply, ReadBody
from hpc_portal.api.schemas import ListReply, PageReply
from hpc_portal.app.notices import choices, read
from hpc_portal.app.notices.groups import Choice, NoticeGroup
from hpc_portal.auth.deps import CurrentActor, PortalServices

router = APIRouter(tags=["notices"])


@router.get("/notices")
def list_notices(
    services: PortalServices,
    actor: CurrentActor,
    cursor: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
    lang: Literal["vi", "en"] | None = None,
) -> PageReply[NoticeReply]:
    """What you were told, newest first; in the language of your account where none is given."""
    with services.reading() as session:
        found = read.list_notices(session, actor, locale=lang or actor.locale, before=cursor, limit=limit)
    return PageReply(
        items=[
            NoticeReply(
                id=item.id,
                kind=item.kind,
                at=item.at,
                is_read=item.is_read,
                title=item.said.title,
                body=item.said.body,
                path=item.said.path,
            )
            for item in found.items
        ],
        next_cursor=found.next_cursor,
    )


@router.get("/notices/unread")
def unread(services: PortalServices, actor: CurrentActor) -> CountReply:
    """How many are new."""
    with services.reading() as session:
        return CountReply(count=read.count_unread(session, actor))


@router.post("/notices/read")
def mark(services: PortalServices, actor: CurrentActor, body: ReadBody) -> CountReply:
    """Mark as read: these, or all; how many were new."""
    return CountReply(count=read.mark_read(services, actor, body.ids))


@router.put("/notices/choice", status_code=HTTPStatus.NO_CONTENT)
def choose(services: PortalServices, actor: CurrentActor, body: NoticeChoiceBody) -> None:
    """Have notices of every group by mail, too, or only here."""
    choices.choose_mail(services, actor, mail=body.mail)


@router.get("/notices/choices")
def list_choices(services: PortalServices, actor: CurrentActor) -> ListReply[GroupChoiceReply]:
    """How you are told of each group of notices."""
    with services.reading() as session:
        found = choices.choices_of(session, actor)
    return ListReply(
        items=[
            GroupChoiceReply(
                group=group,
                on_page=choice.on_page,
                by_mail=choice.by_mail,
                by_webhook=choice.by_webhook,
            )
            for group, choice in found.items()
        ]
    )


@router.put("/notices/choices/{group}", status_code=HTTPStatus.NO_CONTENT)
def choose_for_group(
    services: PortalServices, actor: CurrentActor, group: NoticeGroup, body: GroupChoiceBody
) -> None:
    """Choose how to be told of one group."""
    choice = Choice(body.on_page, body.by_mail, body.by_webhook)
    choices.choose(services, actor, {group: choice})
