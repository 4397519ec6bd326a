"""What a job costs, line by line: estimated, held and charged; reads only."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import Connection, func, select
from sqlmodel import col

from hpc_portal.app.jobs.queries import JobDetail
from quotas.hold_tables import QuotaHold
from quotas.holds import window
from quotas.pricing import PriceList, price
from quotas.publish_prices import current_price_list, load_price_list
from quotas.tables import AccountingRecord
from schedulers.tres import Tres, times


@dataclass(frozen=True, slots=True)
class JobCostLine:
    """One resource of all tasks together."""

    tres: Tres
    rate_vnd_per_hour: int
    estimated_seconds: int
    """TRES x seconds, at most."""
    used_seconds: int
    """TRES x seconds of the runs that ended and are charged."""
    charged_vnd: int


@dataclass(frozen=True, slots=True)
class JobCost:
    """Estimated, held and charged."""

    held_vnd: int
    """The part of the estimate whose tasks have not ended; of a rolling hold, what is set aside at a time."""
    charged_vnd: int
    lines: tuple[JobCostLine, ...]


def job_cost(connection: Connection, job: JobDetail) -> JobCost:
    """The cost of a job that the caller has checked to be visible.

    Lines are priced run by run, as they were charged, so that they sum to what was charged.
    """
    hold = connection.execute(
        select(
            col(QuotaHold.price_list_id),
            func.max(col(QuotaHold.units_open)),
            func.max(col(QuotaHold.units_total)),
            func.max(col(QuotaHold.units_at_once)),
        )
        .where(col(QuotaHold.job_id) == job.id)
        .group_by(col(QuotaHold.price_list_id))
    ).first()
    price_list = (
        load_price_list(connection, hold[0]) if hold else current_price_list(connection, job.submitted_at)
    )
    used, charged = _charges(connection, job, price_list)
    walltime = job.spec.resources.walltime_seconds or 0
    estimated = times(job.spec.resources.tres, walltime * job.tasks_total)
    lines = tuple(
        JobCostLine(
            line.tres,
            line.rate_vnd_per_hour,
            estimated.get(line.tres, 0),
            used[line.tres],
            charged[line.tres],
        )
        for line in price(estimated, job.partition, price_list).lines
    )
    units_held, units_total = (window(hold[1], hold[3]), hold[2]) if hold else (0, 1)
    return JobCost(job.estimated_vnd * units_held // units_total, sum(charged.values()), lines)


def _charges(
    connection: Connection, job: JobDetail, price_list: PriceList
) -> tuple[Counter[Tres], Counter[Tres]]:
    used: Counter[Tres] = Counter()
    charged: Counter[Tres] = Counter()
    rows = connection.execute(
        select(
            col(AccountingRecord.run_key),
            col(AccountingRecord.is_charged),
            col(AccountingRecord.tres_seconds),
        )
        .where(col(AccountingRecord.job_id) == job.id)
        .order_by(col(AccountingRecord.revision))
    )
    newest = {run_key: (is_charged, tres_seconds) for run_key, is_charged, tres_seconds in rows}
    for tres_seconds in (used for is_charged, used in newest.values() if is_charged):
        used.update(tres_seconds)
        for line in price(tres_seconds, job.partition, price_list).lines:
            charged[line.tres] += line.vnd
    return used, charged
