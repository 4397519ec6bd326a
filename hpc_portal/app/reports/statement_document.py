"""A month's statement of a project or an organisation, as a document in either language."""

from datetime import date

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import AnyRow
from hpc_portal.app.errors import NotFound, ProjectNotFound
from hpc_portal.app.permissions import Action
from hpc_portal.app.reports import written
from hpc_portal.app.reports.document import Amount, Cell, Column, Document, Edition, Named, Table
from hpc_portal.app.reports.phrases import asset_name, say
from hpc_portal.app.reports.storage_table import storage_table
from quotas.money import VND
from quotas.periods import next_month
from quotas.statement import Statement, StatementLine, statement
from quotas.storage_report import StorageUsed, storage_used
from quotas.tables import Organisation, Project

_COLUMNS = ("opening", "granted", "moved", "charged", "late", "refunded", "expired", "closing")


def project_statement(
    connection: Connection, actor: Actor, account: str, *, month: date, edition: Edition
) -> Document:
    """What the month brought to one project.

    Raises:
        ProjectNotFound: there is none, or the actor may not see it.
    """
    row: AnyRow | None = connection.execute(
        select(col(Project.id), col(Project.name), col(Organisation.name).label("organisation"))
        .join(Organisation, col(Organisation.id) == col(Project.organisation_id))
        .where(col(Project.account) == account, permissions.visible_projects(actor))
    ).first()
    if row is None:
        raise ProjectNotFound(account)
    facts = {"account": account, "name": row.name, "organisation": row.organisation}
    return statement_document(
        statement(connection, month=month, project_id=row.id),
        storage_used(connection, since=month, until=next_month(month), projects=[row.id]).get(row.id),
        key=f"statement-{account}-{month:%Y-%m}",
        subtitle=say("statement_of_project", edition.language, **facts),
        edition=edition,
    )


def organisation_statement(
    connection: Connection, actor: Actor, slug: str, *, month: date, edition: Edition
) -> Document:
    """What the month brought to all projects of an organisation together; for its managers.

    Raises:
        NotFound: there is none, or the actor does not belong to it.
        NotAllowed: the actor belongs to it, but may not see all its projects.
    """
    row: AnyRow | None = connection.execute(
        select(col(Organisation.id), col(Organisation.name)).where(
            col(Organisation.slug) == slug, permissions.visible_organisations(actor)
        )
    ).first()
    if row is None:
        raise NotFound("organisation", slug)
    permissions.require(actor, Action.VIEW, organisation_id=row.id)
    return statement_document(
        statement(connection, month=month, organisation_id=row.id),
        storage_used(connection, since=month, until=next_month(month), by_organisation=True).get(row.id),
        key=f"statement-{slug}-{month:%Y-%m}",
        subtitle=say("statement_of_organisation", edition.language, organisation=row.name),
        edition=edition,
    )


def statement_document(
    found: Statement, stored: StorageUsed | None, *, key: str, subtitle: str, edition: Edition
) -> Document:
    """Budget by asset, what the use cost (list price, subsidy, net), and what was stored. Pure."""
    language = edition.language
    lines = sorted(found.lines, key=lambda line: (line.asset != VND, line.asset))
    facts = [(say("state", language), say("closed" if found.is_closed else "open", language))]
    if found.sha256:
        facts.append((say("fingerprint", language), found.sha256))
    return Document(
        key=key,
        edition=edition,
        title=say("statement", language, month=written.month(found.month, language)),
        subtitle=subtitle,
        facts=facts,
        tables=[
            Table(
                key="budget",
                title=say("budget", language),
                columns=[
                    Column("asset", say("resource", language)),
                    Column("unit", say("unit", language), is_for_programs=True),
                    *(Column(name, say(name, language), is_number=True) for name in _COLUMNS),
                ],
                rows=[_row(line, language) for line in lines],
                note=say("statement_note", language),
            ),
            Table(
                key="cost",
                title=say("price", language),
                columns=[
                    Column("item", say("item", language)),
                    Column("vnd", say("amount", language), is_number=True),
                ],
                rows=[
                    [Named("list_price", say("gross", language)), Amount(VND, found.list_vnd)],
                    [Named("subsidy", say("subsidy", language)), Amount(VND, -found.subsidy_vnd)],
                ],
                total=[Named("net", say("net", language)), Amount(VND, found.vnd)],
            ),
            *([storage_table([((), stored)], (), language)] if stored else ()),
        ],
        warning="" if found.is_closed else say("provisional", language),
    )


def _row(line: StatementLine, language: str) -> list[Cell]:
    amounts = [Amount(line.asset, getattr(line, name)) for name in _COLUMNS]
    return [Named(line.asset, asset_name(line.asset, language)), amounts[0].unit, *amounts]
