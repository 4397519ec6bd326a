"""What was charged to budgets on each of the last days, by asset: what forecasts start from."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from itertools import groupby
from operator import itemgetter
from typing import TypeAlias
from uuid import UUID

from sqlalchemy import Connection, select

from hpc_portal.app.reports.forecast import HISTORY_WEEKS
from quotas.amounts import Asset
from quotas.money import divide_half_up
from quotas.tables import table_of
from quotas.usage_report import CHARGED, Dimension, charged_by_day
from quotas.usage_tables import UsageAsset
from schedulers import tres

DailyUse: TypeAlias = Mapping[Asset, Mapping[date, int]]
"""By asset, then by local day."""

_LICENCE, _GPU_OF_TYPE = tres.license_tres(""), f"{tres.GPU}:"
_ASSETS = table_of(UsageAsset)


def daily_use(
    connection: Connection,
    of: Dimension,
    *,
    today: date,
    only: Collection[UUID] | None = None,
    assets: Mapping[UUID, Collection[Asset]] | None = None,
) -> dict[UUID, DailyUse]:
    """By project or allocation, of the last weeks; those that used nothing are missing.

    With `assets`, of these owners and these assets of each alone; days then need not be told apart by types
    of GPUs that nobody asks about. Licences are told apart by month only: a day's licence-seconds are shared
    out as those of the months are.
    """
    asked = None if assets is None else set().union(*assets.values())
    since = today - timedelta(weeks=HISTORY_WEEKS)
    found: dict[UUID, dict[Asset, dict[date, int]]] = defaultdict(lambda: defaultdict(dict))
    licences = _licence_shares(connection, of, since)
    kinds = [kind for kind in CHARGED if asked is None or kind in {_kind(asset) for asset in asked}]
    rows = charged_by_day(
        connection,
        of,
        since=since,
        until=today,
        assets=kinds,
        with_gpu_types=asked is None or any(one.startswith((_GPU_OF_TYPE, _LICENCE)) for one in asked),
        only=only,
    )
    for owner, days in groupby(rows, key=itemgetter(0)):
        wanted = None if assets is None else assets.get(owner, ())
        places = [
            (place, kind)
            for place, kind in enumerate(kinds)
            if wanted is None or any(_kind(asset) == kind for asset in wanted)
        ]
        shares = licences.get(owner, {})
        for _, day, gpu_type, amounts in days if places else ():
            for place, kind in places:
                if not (charged := amounts[place]):
                    continue
                for asset, amount in _told_apart(kind, charged, gpu_type, shares):
                    if amount and (wanted is None or asset in wanted):
                        by_day = found[owner][asset]
                        by_day[day] = by_day.get(day, 0) + amount
    return {owner: dict(by_asset) for owner, by_asset in found.items()}


def _kind(asset: Asset) -> Asset:
    """Which of `CHARGED` it is part of."""
    if asset.startswith(_GPU_OF_TYPE):
        return tres.GPU
    return _LICENCE if asset.startswith(_LICENCE) else asset


def _told_apart(
    kind: Asset, amount: int, gpu_type: str, licences: Mapping[Asset, int]
) -> Iterator[tuple[Asset, int]]:
    """The assets of a kind. A run with several types of GPUs counts for the untyped line only."""
    if kind == _LICENCE:
        whole = sum(licences.values())
        yield from ((asset, divide_half_up(amount * part, whole)) for asset, part in licences.items())
        return
    yield kind, amount
    if kind == tres.GPU and gpu_type and gpu_type != "untyped" and "+" not in gpu_type:
        yield tres.gpu_tres(gpu_type), amount


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
