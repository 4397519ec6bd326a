"""What kinds, states and roles of tenants are called, and how a part of a budget is shown."""

from collections.abc import Mapping
from dataclasses import dataclass

from hpc_portal.app.service_accounts.tables import ServiceEnd
from hpc_portal.app.tenants.class_queries import SeatState
from hpc_portal.web.language import Language
from hpc_portal.web.show_quota import asset_label, share_percent, show_asset
from hpc_portal.web.words import Word
from quotas.amounts import Asset
from quotas.balance import AssetBalance
from quotas.money import VND
from quotas.tables import OrganisationKind, TenantState
from workloads.template import N_

TENANT_STATES = {
    TenantState.ACTIVE: Word("circle-check", N_("Active"), "good"),
    TenantState.SUSPENDED: Word("player-pause", N_("No new jobs"), "wait"),
    TenantState.CLOSED: Word("lock", N_("Closed"), "off"),
}

KINDS = {
    OrganisationKind.UNIVERSITY: N_("University"),
    OrganisationKind.TRAINING_CENTRE: N_("Training centre"),
    OrganisationKind.STARTUP: N_("Startup"),
    OrganisationKind.CITY: N_("City"),
}

ROLES = {"manager": N_("Manager"), "lead": N_("Lead"), "member": N_("Member")}

SEAT_STATES = {
    SeatState.INVITED: Word("mail", N_("Invited"), "wait"),
    SeatState.JOINED: Word("circle-check", N_("Joined"), "good"),
    SeatState.OVERDUE: Word("hourglass", N_("Invitation ran out"), "late"),
    SeatState.CLOSED: Word("lock", N_("Closed"), "off"),
}

SERVICE_ENDS = {
    ServiceEnd.ENDED: N_("Ended"),
    ServiceEnd.EXPIRED: N_("Its time is over"),
    ServiceEnd.PROJECT_CLOSED: N_("Ended with its project"),
    ServiceEnd.NO_OWNER: N_("Ended: nobody answers for it any more"),
}
"""Why a service account is over."""


@dataclass(frozen=True, slots=True)
class ShownPart:
    """One asset of a part, as text and as a share."""

    asset: Asset
    label: str
    granted: str
    used: str
    held: str
    available: str
    percent: int


def show_parts(by_asset: Mapping[Asset, AssetBalance], language: Language) -> tuple[ShownPart, ...]:
    """Every asset, đồng first."""
    assets = sorted(by_asset.items(), key=lambda item: (item[0] != VND, item[0]))
    return tuple(
        ShownPart(
            asset,
            asset_label(asset, language),
            show_asset(asset, amounts.granted, language),
            show_asset(asset, amounts.consumed, language),
            show_asset(asset, amounts.held, language),
            show_asset(asset, amounts.available, language),
            share_percent(amounts),
        )
        for asset, amounts in assets
    )
