"""What was charged to budgets on each of the last days, by asset: what forecasts start from."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import date, timedelta
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select

from hpc_portal.app.reports.forecast import HISTORY_WEEKS
from quotas.amounts import Asset
from quotas.money import VND, divide_half_up
from quotas.tables import table_of
from quotas.usage_report import Basis, Dimension, Usage, usage_totals
from quotas.usage_tables import UsageAsset
from schedulers import tres

DailyUse: TypeAlias = Mapping[Asset, Mapping[date, int]]
"""By asset, then by local day."""

_LICENCE = "license/"
_MEASURES = (
    *("vnd", "cpu_seconds", "uncharged_cpu_seconds", "mem_mib_seconds"),
    *("gpu_seconds", "uncharged_gpu_seconds", "licence_seconds"),
)
"""What `_charged` reads."""
_ASSETS = table_of(UsageAsset)


def daily_use(
    connection: Connection,
    of: Dimension,
    *,
    today: date,
    only: Collection[UUID] | None = None,
    assets: Collection[Asset] | None = None,
) -> dict[UUID, DailyUse]:
    """By project or allocation, of the last weeks; those that used nothing are missing.

    With `assets`, of these alone; days then need not be told apart by types of GPUs that nobody asks about.
    Licences are told apart by month only: a day's licence-seconds are shared out as those of the months are.
    """
    since = today - timedelta(weeks=HISTORY_WEEKS)
    found: dict[UUID, dict[Asset, dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    licences = _licence_shares(connection, of, since)
    has_types = assets is None or any(one.startswith(f"{tres.GPU}:") for one in assets)
    for one in usage_totals(
        connection,
        by=[of, Dimension.DAY, *([Dimension.GPU_TYPE] if has_types else [])],
        since=since,
        until=today,
        where={} if only is None else {of: list(only)},
        basis=Basis.OCCURRED,
        measures=_MEASURES,
    ):
        owner, day, kind = one.of[of], one.of[Dimension.DAY], one.of.get(Dimension.GPU_TYPE, "")
        for asset, amount in _charged(one.usage, kind, licences.get(owner, {})).items():
            if amount and (assets is None or asset in assets):
                days = found[owner][asset]
                days[day] = days.get(day, 0) + amount
    return {owner: dict(by_asset) for owner, by_asset in found.items()}


def _charged(usage: Usage, gpu_type: str, licences: Mapping[Asset, int]) -> dict[Asset, int]:
    """What of each asset was paid for. A run with several types of GPUs counts for the untyped line only."""
    gpus = usage.gpu_seconds - usage.uncharged_gpu_seconds
    amounts = {
        VND: usage.vnd,
        tres.CPU: usage.cpu_seconds - usage.uncharged_cpu_seconds,
        tres.MEM: usage.mem_mib_seconds,
        tres.GPU: gpus,
    }
    if gpu_type and gpu_type != "untyped" and "+" not in gpu_type:
        amounts[tres.gpu_tres(gpu_type)] = gpus
    whole = sum(licences.values())
    for asset, part in licences.items():
        amounts[asset] = divide_half_up(usage.licence_seconds * part, whole)
    return amounts


def _licence_shares(connection: Connection, of: Dimension, since: date) -> dict[UUID, dict[Asset, int]]:
    """How much of each licence feature the months since then had."""
    owner = _ASSETS.c.project_id if of is Dimension.PROJECT else _ASSETS.c.allocation_id
    rows = connection.execute(
        select(owner.label("owner"), _ASSETS.c.asset, _ASSETS.c.used).where(
            _ASSETS.c.month >= since.replace(day=1), _ASSETS.c.asset.startswith(_LICENCE), _ASSETS.c.used > 0
        )
    )
    found: dict[UUID, dict[Asset, int]] = defaultdict(dict)
    for row in rows:
        found[row.owner][row.asset] = found[row.owner].get(row.asset, 0) + row.used
    return found
