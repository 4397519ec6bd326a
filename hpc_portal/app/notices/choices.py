"""How people want to be told: read what holds for each group, and choose."""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, select, update
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow, transact
from hpc_portal.app.notices.groups import Choice, MailPace, NoticeGroup, choice_of
from hpc_portal.app.notices.tables import NoticeChoice, NoticeGroupChoice
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.tables import table_of

_CHOICES = table_of(NoticeChoice)
_GROUP_CHOICES = table_of(NoticeGroupChoice)


def stored_choice(row: AnyRow) -> Choice | None:
    """From a row with the columns of NoticeGroupChoice; None where an outer join found none."""
    if row.on_page is None:
        return None
    return Choice(row.on_page, MailPace(row.by_mail), row.by_webhook)


def choices_of(session: Session, actor: Actor) -> dict[NoticeGroup, Choice]:
    """What holds for the actor, group by group."""
    connection = session.connection()
    wants = wants_mail(session, actor)
    rows = connection.execute(
        select(NoticeGroupChoice.__table__).where(col(NoticeGroupChoice.user_id) == actor.user_id)  # type: ignore[attr-defined]
    )
    stored = {row.notice_group: stored_choice(row) for row in rows}
    return {group: choice_of(group, stored.get(group.value), wants_mail=wants) for group in NoticeGroup}


def choices_for_jobs(
    connection: Connection, people: Collection[UUID]
) -> dict[UUID, dict[NoticeGroup, Choice]]:
    """What these people chose by themselves, for those groups that they chose about."""
    found: dict[UUID, dict[NoticeGroup, Choice]] = {}
    for row in connection.execute(
        select(NoticeGroupChoice.__table__).where(col(NoticeGroupChoice.user_id).in_(people))  # type: ignore[attr-defined]
    ):
        choice = stored_choice(row)
        if choice and row.notice_group in set(NoticeGroup):
            found.setdefault(row.user_id, {})[NoticeGroup(row.notice_group)] = choice
    return found


def choose(services: Services, actor: Actor, choices: Mapping[NoticeGroup, Choice]) -> None:
    """Store how to be told of these groups; the others stay as they are."""

    def work(connection: Connection) -> None:
        for group, choice in sorted(choices.items()):
            values: dict[str, Any] = {
                "on_page": choice.on_page,
                "by_mail": choice.by_mail.value,
                "by_webhook": choice.by_webhook,
            }
            key = {"user_id": actor.user_id, "notice_group": group.value}
            connection.execute(insert_once(_GROUP_CHOICES)[connection.dialect.name], {**key, **values})
            connection.execute(update(NoticeGroupChoice).filter_by(**key).values(values))

    transact(services.engine, work)


def wants_mail(session: Session, actor: Actor) -> bool:
    """Whether notices come by mail where nothing was chosen for a group; yes, until somebody says no."""
    found: bool | None = (
        session.connection()
        .execute(select(col(NoticeChoice.mail)).where(col(NoticeChoice.user_id) == actor.user_id))
        .scalar()
    )
    return found is not False


def choose_mail(services: Services, actor: Actor, *, mail: bool) -> None:
    """Have notices by mail, too, or only in the portal: of every group, also of those chosen before."""
    row = {"user_id": actor.user_id, "mail": mail}

    def work(connection: Connection) -> None:
        connection.execute(insert_once(_CHOICES)[connection.dialect.name], row)
        connection.execute(
            update(NoticeChoice).where(col(NoticeChoice.user_id) == actor.user_id).values(mail=mail)
        )
        changed = update(NoticeGroupChoice).where(col(NoticeGroupChoice.user_id) == actor.user_id)
        if mail:
            changed = changed.where(
                col(NoticeGroupChoice.on_page), col(NoticeGroupChoice.by_mail) == MailPace.OFF.value
            )
        pace = MailPace.AT_ONCE if mail else MailPace.OFF
        connection.execute(changed.values(by_mail=pace.value))

    transact(services.engine, work)
