"""Publish a site template, and retire one: each version for good, each deed in the audit log."""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.templates.tables import SiteTemplateRow, SiteTemplateVersion
from quotas.tables import Organisation, OrganisationKind, Project, table_of
from workloads import catalog
from workloads.errors import FieldProblem, InvalidSiteTemplate, TemplateNotFound
from workloads.site.document import Document
from workloads.site.read_document import placed, read_document
from workloads.template import N_

_BEGIN = {
    "postgresql": postgresql.insert(table_of(SiteTemplateRow)).on_conflict_do_nothing(),
    "sqlite": sqlite.insert(table_of(SiteTemplateRow)).on_conflict_do_nothing(),
}
_LOCK = (
    update(SiteTemplateRow)
    .values(version=col(SiteTemplateRow.version))
    .returning(col(SiteTemplateRow.version), col(SiteTemplateRow.retired_at))
)


@dataclass(frozen=True, slots=True)
class PublishedVersion:
    """What is in force now, and whether this call changed anything."""

    name: str
    version: int
    is_new: bool


def validate_template(services: Services, actor: Actor, text: str, *, source: str) -> Document:
    """Check a document as `publish_template` would; writes nothing.

    Raises:
        NotAllowed: the actor is no administrator.
        InvalidSiteTemplate: every problem with its line and key.
    """
    permissions.require(actor, Action.PUBLISH_TEMPLATES)
    text = _lines(text)
    document = _read(text, source)
    with services.engine.connect() as connection:
        _require_known(connection, document, text, source)
    return document


def publish_template(
    services: Services, actor: Actor, text: str, *, source: str = "template.toml"
) -> PublishedVersion:
    """Make the document the current version of its template, and offer it again if it was retired.

    The same document as the current one makes no new version. Jobs that were submitted keep theirs.

    Raises:
        NotAllowed, InvalidSiteTemplate: see `validate_template`; nothing was changed.
    """
    permissions.require(actor, Action.PUBLISH_TEMPLATES)
    found = publish(services.engine, actor, text, source=source, at=services.clock.now())
    services.templates.forget()
    return found


def publish(  # noqa: PLR0913 - what, by whom, from where, when
    engine: Engine,
    actor: Actor,
    text: str,
    *,
    source: str,
    at: datetime,
    is_wanted: Callable[[Connection, str, str], bool] = lambda _connection, _name, _digest: True,
) -> PublishedVersion:
    """The deed itself; `is_wanted` may say, in the transaction, that nothing is to be done.

    Raises:
        InvalidSiteTemplate: nothing was changed.
    """
    text = _lines(text)
    document = _read(text, source)
    digest = hashlib.sha256(text.encode()).hexdigest()

    def work(connection: Connection) -> PublishedVersion:
        _require_known(connection, document, text, source)
        first = {"name": document.name, "version": 0, "retired_at": None}
        connection.execute(_BEGIN[connection.dialect.name].values(first))
        row = connection.execute(_LOCK.where(col(SiteTemplateRow.name) == document.name)).one()
        is_current = _digest(connection, document.name, row.version) == digest
        if (is_current and row.retired_at is None) or not is_wanted(connection, document.name, digest):
            return PublishedVersion(document.name, row.version, is_new=False)
        version = row.version if is_current else row.version + 1
        if not is_current:
            connection.execute(
                insert(SiteTemplateVersion).values(
                    name=document.name,
                    version=version,
                    document=text,
                    digest=digest,
                    published_at=at,
                    published_by=actor.user_id if actor.user_id != OPERATOR.user_id else None,
                )
            )
        connection.execute(
            update(SiteTemplateRow)
            .where(col(SiteTemplateRow.name) == document.name)
            .values(version=version, retired_at=None)
        )
        audit.record(
            connection,
            at=at,
            actor=actor,
            action="template.published",
            subject=document.name,
            version=version,
            digest=digest,
            who_may_use=document.who_may_use.model_dump(mode="json"),
            was={"version": row.version, "is_retired": row.retired_at is not None},
        )
        return PublishedVersion(document.name, version, is_new=True)

    return transact(engine, work)


def retire_template(services: Services, actor: Actor, name: str) -> bool:
    """Offer it to nobody any more; False when it was so already. Jobs that were submitted keep it.

    Raises:
        NotAllowed: the actor is no administrator.
        TemplateNotFound: none of that name was ever published.
    """
    permissions.require(actor, Action.PUBLISH_TEMPLATES)
    now = services.clock.now()

    def work(connection: Connection) -> bool:
        row = connection.execute(_LOCK.where(col(SiteTemplateRow.name) == name)).one_or_none()
        if row is None:
            names = connection.execute(select(col(SiteTemplateRow.name))).scalars()
            raise TemplateNotFound(name, tuple(names))
        if row.retired_at is not None:
            return False
        connection.execute(
            update(SiteTemplateRow).where(col(SiteTemplateRow.name) == name).values(retired_at=now)
        )
        audit.record(
            connection, at=now, actor=actor, action="template.retired", subject=name, version=row.version
        )
        return True

    is_new = transact(services.engine, work)
    services.templates.forget()
    return is_new


def _lines(text: str) -> str:
    """With line ends as TOML stores them: browsers send CR LF."""
    return text.replace("\r\n", "\n").removeprefix("\ufeff")


def _read(text: str, source: str) -> Document:
    document = read_document(text, source=source)
    if document.name in catalog.CATALOG:
        problem = N_("The portal itself has a template %(name)s. Choose another name.")
        raise InvalidSiteTemplate(source, [_problem(text, "name", problem, name=document.name)])
    return document


def _require_known(connection: Connection, document: Document, text: str, source: str) -> None:
    if problems := list(_unknown_owners(connection, document, text)):
        raise InvalidSiteTemplate(source, problems)


def _unknown_owners(connection: Connection, document: Document, text: str) -> Iterator[FieldProblem]:
    who = document.who_may_use
    kinds = [kind.value for kind in OrganisationKind]
    lists: Sequence[tuple[str, Sequence[str], set[str]]] = (
        ("organisation_kinds", who.organisation_kinds, set(kinds)),
        ("organisations", who.organisations, _known(connection, col(Organisation.slug), who.organisations)),
        ("projects", who.projects, _known(connection, col(Project.account), who.projects)),
    )
    for key, named, known in lists:
        for name in sorted(set(named) - known):
            if key == "organisation_kinds":
                problem = N_("There is no kind of organisation %(name)s. Choose among %(known)s.")
                yield _problem(text, f"who_may_use.{key}", problem, name=name, known=", ".join(kinds))
            else:
                problem = N_("There is no %(name)s in this portal. Look at its spelling.")
                yield _problem(text, f"who_may_use.{key}", problem, name=name)


def _known(connection: Connection, column: Any, names: Sequence[str]) -> set[str]:  # noqa: ANN401 - a column
    return set(connection.execute(select(column).where(column.in_(names))).scalars()) if names else set()


def _digest(connection: Connection, name: str, version: int) -> str | None:
    statement = select(col(SiteTemplateVersion.digest)).where(
        col(SiteTemplateVersion.name) == name, col(SiteTemplateVersion.version) == version
    )
    digest: str | None = connection.execute(statement).scalar_one_or_none()
    return digest


def _problem(text: str, key: str, problem: str, **facts: object) -> FieldProblem:
    return placed(FieldProblem(key, problem % facts, "document", problem, facts), text)
