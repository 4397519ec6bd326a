"""How cheap each resource can be for each project: what a cluster's limits on money are reckoned by."""

from collections.abc import Mapping
from datetime import datetime
from fractions import Fraction

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.mirror.budgets import LowestRates
from quotas.errors import NoPriceList
from quotas.publish_prices import current_price_list
from quotas.set_subsidy import current_subsidies
from quotas.subsidy_tables import SubsidyRuleRow
from quotas.tables import Organisation, PriceItemRow, PriceListRow, Project
from schedulers.tres import Tres


def lowest_rates(connection: Connection, at: datetime) -> LowestRates:
    """List prices; without a price list nothing can be bought with money."""
    ever = connection.execute(
        select(col(PriceItemRow.tres), func.min(col(PriceItemRow.rate_vnd_per_hour)))
        .join(PriceListRow, col(PriceListRow.id) == col(PriceItemRow.price_list_id))
        .group_by(col(PriceItemRow.tres))
    ).all()
    now: dict[Tres, Fraction] = {}
    try:
        items = current_price_list(connection, at).items
    except NoPriceList:
        items = ()
    for item in items:
        rate = Fraction(item.rate_vnd_per_hour)
        now[item.tres] = min(now.get(item.tres, rate), rate)
    return LowestRates(now, {name: Fraction(rate) for name, rate in ever})


def highest_subsidies(connection: Connection, at: datetime) -> Mapping[str, tuple[int, int]]:
    """By account, in basis points: what applies now, and the most that any rule may ever have given it.

    Jobs keep the subsidy that they were held at, and projects join and leave programmes: the second bounds
    them all.
    """
    rules = connection.execute(
        select(
            col(SubsidyRuleRow.organisation_id),
            col(SubsidyRuleRow.organisation_kind),
            func.max(col(SubsidyRuleRow.basis_points)).label("basis_points"),
        ).group_by(col(SubsidyRuleRow.organisation_id), col(SubsidyRuleRow.organisation_kind))
    ).all()
    if not rules:
        return {}
    current = current_subsidies(connection, at)
    projects = connection.execute(
        select(
            col(Project.id), col(Project.account), col(Project.organisation_id), col(Organisation.kind)
        ).join(Organisation, col(Organisation.id) == col(Project.organisation_id))
    )
    return {
        project.account: (
            current.of(project.id, at).basis_points,
            max(
                (
                    rule.basis_points
                    for rule in rules
                    if rule.organisation_id in {None, project.organisation_id}
                    and rule.organisation_kind in {None, project.kind}
                ),
                default=0,
            ),
        )
        for project in projects
    }
