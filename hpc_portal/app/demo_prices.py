"""What makes the demo's prices and limits worth looking at: subsidies, a programme, limits of every level."""

import contextlib
from datetime import timedelta

from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.errors import NameTaken
from hpc_portal.app.limits.set import change_limit
from hpc_portal.app.limits.target import Target
from hpc_portal.app.prices.draft import draft_prices
from hpc_portal.app.prices.subsidise import add_to_programme, create_programme, make_rule
from hpc_portal.app.services import Services
from quotas.limits import LimitKind, LimitOwner
from quotas.price_tables import PriceDraft
from quotas.subsidy_tables import SubsidyRuleRow
from quotas.tables import OrganisationKind

_PROGRAMME = "chip-design"
_LIMITS = (
    (Target(LimitOwner.ORGANISATION, organisation="songhan"), LimitKind.GPUS_RUNNING, 8),
    (Target(LimitOwner.PROJECT, project="songhan-fifo"), LimitKind.JOBS_RUNNING, 200),
    (Target(LimitOwner.PROJECT, everybody=True), LimitKind.WALLTIME_SECONDS, 7 * 86_400),
    (Target(LimitOwner.USER, everybody=True), LimitKind.JOBS_QUEUED, 2000),
)


def seed_prices(services: Services) -> None:
    """Subsidies, limits and a draft; what exists already stays as it is."""
    with contextlib.suppress(NameTaken):
        create_programme(services, OPERATOR, slug=_PROGRAMME, name="Ươm tạo thiết kế vi mạch")
    add_to_programme(services, OPERATOR, programme=_PROGRAMME, account="songhan-fifo")
    for target, kind, value in _LIMITS:
        change_limit(services, OPERATOR, target, kind=kind, value=value, reason="demo")
    with services.engine.connect() as connection:
        has_rules = connection.execute(select(col(SubsidyRuleRow.id))).first() is not None
        has_drafts = connection.execute(select(col(PriceDraft.id))).first() is not None
    if not has_rules:
        _make_rules(services)
    if not has_drafts:
        draft_prices(services, OPERATOR, name="Quý tới")


def _make_rules(services: Services) -> None:
    make_rule(
        services,
        OPERATOR,
        basis_points=2500,
        organisation_kind=OrganisationKind.UNIVERSITY,
        reason="Hỗ trợ nghiên cứu",
    )
    make_rule(
        services,
        OPERATOR,
        basis_points=5000,
        organisation_kind=OrganisationKind.TRAINING_CENTRE,
        reason="Hỗ trợ đào tạo",
    )
    make_rule(
        services,
        OPERATOR,
        basis_points=4000,
        programme=_PROGRAMME,
        cap_vnd=2_000_000,
        valid_to=services.clock.now() + timedelta(days=365),
        reason="Ươm tạo doanh nghiệp vi mạch",
    )
