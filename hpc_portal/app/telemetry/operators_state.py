"""What operators have to see before it is needed: standbys, backup, disk, webhooks, checks, the clock."""

import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from prometheus_client.core import GaugeMetricFamily, Metric
from sqlalchemy import Connection, case, func, select
from sqlmodel import col

from hpc_portal.app.accounting.last_checks import last_checked
from hpc_portal.app.backup.last import due_since, last_backup
from hpc_portal.app.clock_apart import seconds_apart
from hpc_portal.app.ids import first_id_at
from hpc_portal.app.notices.tables import WebhookDelivery
from hpc_portal.app.standbys import count_standing_by

_LOOKED_BACK = timedelta(hours=1)
_OUTCOMES = ("delivered", "given_up", "failing", "waiting")


def read_operators_state(
    connection: Connection, now: datetime, *, workspaces: Path | None, backup_late_hours: int
) -> Iterator[Metric]:
    """All of it, in the transaction of the other metrics."""
    yield from _standbys(connection, now)
    yield from _backup(connection, now, late_hours=backup_late_hours)
    yield from _webhooks(connection, now)
    yield from _checks(connection, now)
    if (apart := seconds_apart(connection)) is not None:
        yield GaugeMetricFamily(
            "hpc_clock_apart_seconds", "Between this process's machine and the database's.", value=apart
        )
    if (free := _free(workspaces)) is not None:
        yield GaugeMetricFamily(
            "hpc_workspaces_disk_free_ratio", "Of the workspaces' disk, as this process sees it.", value=free
        )


def _standbys(connection: Connection, now: datetime) -> Iterator[Metric]:
    found = GaugeMetricFamily(
        "hpc_controllers_standing_by", "Controllers that wait for a lease.", labels=("lease",)
    )
    for lease, number in count_standing_by(connection, at=now).items():
        found.add_metric([lease], number)
    yield found


def _backup(connection: Connection, now: datetime, *, late_hours: int) -> Iterator[Metric]:
    if last := last_backup(connection):
        age = (now - last.ended_at).total_seconds()
        yield GaugeMetricFamily("hpc_backup_age_seconds", "Since the last good backup ended.", value=age)
        yield GaugeMetricFamily("hpc_backup_size_bytes", "Its size.", value=last.size_bytes)
        yield GaugeMetricFamily("hpc_backup_took_seconds", "How long it took.", value=last.took_seconds)
    since = due_since(connection, late_hours=late_hours)
    overdue = max(0.0, (now - since).total_seconds()) if since else 0.0
    yield GaugeMetricFamily(
        "hpc_backup_overdue_seconds", "By how much the next backup is late, or the first one.", value=overdue
    )


def _webhooks(connection: Connection, now: datetime) -> Iterator[Metric]:
    is_open = (col(WebhookDelivery.delivered_at).is_(None), col(WebhookDelivery.given_up_at).is_(None))
    since = connection.execute(select(func.min(col(WebhookDelivery.not_before))).where(*is_open)).scalar()
    overdue = max(0.0, (now - since).total_seconds()) if since else 0.0
    yield GaugeMetricFamily("hpc_webhooks_overdue_seconds", "By how much the oldest is late.", value=overdue)
    outcome = case(
        (col(WebhookDelivery.delivered_at).is_not(None), "delivered"),
        (col(WebhookDelivery.given_up_at).is_not(None), "given_up"),
        (col(WebhookDelivery.attempts) > 0, "failing"),
        else_="waiting",
    )
    counted = connection.execute(
        select(outcome, func.count())
        .where(col(WebhookDelivery.id) >= first_id_at(now - _LOOKED_BACK))
        .group_by(outcome)
    )
    numbers = dict.fromkeys(_OUTCOMES, 0)
    for name, number in counted:
        numbers[name] = number
    found = GaugeMetricFamily(
        "hpc_webhook_deliveries", "Posts to webhooks of the last hour.", labels=("outcome",)
    )
    for name, number in numbers.items():
        found.add_metric([name], number)
    yield found


def _checks(connection: Connection, now: datetime) -> Iterator[Metric]:
    found = GaugeMetricFamily(
        "hpc_check_age_seconds", "Since a nightly check of the books was last finished.", labels=("check",)
    )
    for name, checked_at in last_checked(connection).items():
        found.add_metric([name], (now - checked_at).total_seconds())
    yield found


def _free(root: Path | None) -> float | None:
    """None: nobody said where it is, or it is not there yet."""
    try:
        disk = shutil.disk_usage(root) if root else None
    except OSError:
        return None
    return disk.free / disk.total if disk else None
