"""What a job costs, line by line: estimated, held, and charged as list price, subsidy and net; reads only."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, func, select
from sqlmodel import col

from hpc_portal.app.jobs.queries import JobDetail
from quotas.hold_tables import QuotaHold
from quotas.holds import window
from quotas.money import Vnd
from quotas.pricing import PricedLines, PriceList, price
from quotas.publish_prices import current_price_list, load_price_list
from quotas.set_subsidy import load_subsidy, subsidy_of
from quotas.subsidies import Subsidy
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
    list_vnd: Vnd
    """Of those runs."""
    subsidy_vnd: Vnd
    charged_vnd: Vnd
    """Net: exactly the list price less the subsidy."""


@dataclass(frozen=True, slots=True)
class JobCost:
    """Estimated, held and charged."""

    held_vnd: Vnd
    """The part of the estimate whose tasks have not ended; of a rolling hold, what is set aside at a time."""
    list_vnd: Vnd
    subsidy_vnd: Vnd
    charged_vnd: Vnd
    """Net: exactly the list price less the subsidy."""
    lines: tuple[JobCostLine, ...]
    price_list_version: int
    """Of the prices that are pinned for its whole life."""
    subsidy: Subsidy
    """Pinned, too."""


def job_cost(connection: Connection, job: JobDetail) -> JobCost:
    """The cost of a job that the caller has checked to be visible.

    Lines are priced run by run, as they were charged, so that they sum to what was charged.
    """
    hold = connection.execute(
        select(
            col(QuotaHold.price_list_id),
            col(QuotaHold.subsidy_rule_id),
            func.max(col(QuotaHold.units_open)).label("units_open"),
            func.max(col(QuotaHold.units_total)).label("units_total"),
            func.max(col(QuotaHold.units_at_once)).label("units_at_once"),
        )
        .where(col(QuotaHold.job_id) == job.id)
        .group_by(col(QuotaHold.price_list_id), col(QuotaHold.subsidy_rule_id))
    ).first()
    pinned = _Pinned(connection)
    if hold:
        price_list, subsidy = pinned.of(hold.price_list_id, hold.subsidy_rule_id)
    else:
        price_list = current_price_list(connection, job.submitted_at)
        subsidy = subsidy_of(connection, job.project_id, job.submitted_at)
    used, bills = _charges(connection, job, pinned)
    walltime = job.spec.resources.walltime_seconds or 0
    estimated = times(job.spec.resources.tres, walltime * job.tasks_total)
    rates = {line.tres: line.rate_vnd_per_hour for line in price(estimated, job.partition, price_list).lines}
    lines = tuple(
        JobCostLine(
            tres=name,
            rate_vnd_per_hour=rate,
            estimated_seconds=estimated.get(name, 0),
            used_seconds=used[name],
            list_vnd=bills.listed[name],
            subsidy_vnd=bills.subsidised[name],
            charged_vnd=bills.listed[name] - bills.subsidised[name],
        )
        for name, rate in sorted((bills.rates | rates).items())
    )
    units_held, units_total = (
        (window(hold.units_open, hold.units_at_once), hold.units_total) if hold else (0, 1)
    )
    return JobCost(
        held_vnd=job.estimated_vnd * units_held // units_total,
        list_vnd=sum(bills.listed.values()),
        subsidy_vnd=sum(bills.subsidised.values()),
        charged_vnd=sum(bills.listed.values()) - sum(bills.subsidised.values()),
        lines=lines,
        price_list_version=price_list.version,
        subsidy=subsidy,
    )


def price_list_of(connection: Connection, job: JobDetail) -> PriceList:
    """The prices that are pinned for the job's whole life."""
    pinned = connection.execute(
        select(col(QuotaHold.price_list_id)).where(col(QuotaHold.job_id) == job.id).limit(1)
    ).scalar_one_or_none()
    if pinned is None:
        return current_price_list(connection, job.submitted_at)
    return load_price_list(connection, pinned)


@dataclass(slots=True)
class _Bills:
    """Sums by resource."""

    listed: Counter[Tres] = field(default_factory=Counter)
    subsidised: Counter[Tres] = field(default_factory=Counter)
    rates: dict[Tres, Vnd] = field(default_factory=dict)

    def add(self, bill: PricedLines) -> None:
        for line in bill.lines:
            self.listed[line.tres] += line.list_vnd
            self.subsidised[line.tres] += line.subsidy_vnd
            self.rates[line.tres] = line.rate_vnd_per_hour


class _Pinned:
    """Price lists and subsidies by their ids; runs of one job mostly share theirs."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._lists: dict[int, PriceList] = {}
        self._subsidies: dict[int | None, Subsidy] = {}

    def of(self, price_list_id: int, rule_id: int | None) -> tuple[PriceList, Subsidy]:
        if price_list_id not in self._lists:
            self._lists[price_list_id] = load_price_list(self._connection, price_list_id)
        if rule_id not in self._subsidies:
            self._subsidies[rule_id] = load_subsidy(self._connection, rule_id)
        return self._lists[price_list_id], self._subsidies[rule_id]


def _charges(connection: Connection, job: JobDetail, pinned: _Pinned) -> tuple[Counter[Tres], _Bills]:
    used: Counter[Tres] = Counter()
    bills = _Bills()
    rows = connection.execute(
        select(
            col(AccountingRecord.run_key),
            col(AccountingRecord.is_charged),
            col(AccountingRecord.tres_seconds),
            col(AccountingRecord.price_list_id),
            col(AccountingRecord.subsidy_rule_id),
            col(AccountingRecord.partition),
        )
        .where(col(AccountingRecord.job_id) == job.id)
        .order_by(col(AccountingRecord.revision))
    )
    newest: dict[str, Row[Any]] = {row.run_key: row for row in rows}
    for row in newest.values():
        if row.is_charged:
            used.update(row.tres_seconds)
            bills.add(
                price(row.tres_seconds, row.partition, *pinned.of(row.price_list_id, row.subsidy_rule_id))
            )
    return used, bills
