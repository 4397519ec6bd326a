"""Memory that was asked for and never touched, of what the asking person may see."""

from datetime import UTC, date, datetime

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import NotFound
from hpc_portal.app.reports.memory_waste import MemoryUse
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.usage import UsageQuery
from hpc_portal.app.reports.waste_report import report_waste
from quotas.usage_report import Dimension
from tests.integration.reports.conftest import NOW, Books
from tests.small_city import Tenant

NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))
START = datetime(2026, 11, 10, tzinfo=UTC)


def ran(  # noqa: PLR0913 - the facts of a run, by keyword
    books: Books,
    tenant: Tenant,
    number: int,
    *,
    asked: int,
    peak: int,
    at: datetime = START,
    workload: str = "",
    gpus: dict[str, int] | None = None,
) -> None:
    """A run of 100 seconds; a peak of 0 was not measured."""
    held = {"mem": asked, **(gpus or {})}
    books.charge(
        tenant,
        str(number),
        started_at=at,
        seconds=100,
        tres=held,
        peak_mem_mib=peak or None,
        workload=workload,
    )


def ask(
    books: Books, actor: Actor, *by: Dimension, where: dict[Dimension, str] | None = None
) -> dict[tuple[str | date, ...], MemoryUse]:
    query = UsageQuery(by or (Dimension.PROJECT,), NOVEMBER, where or {})
    with books.city.services.reading() as session:
        return dict(report_waste(session.connection(), actor, query, at=NOW).memory)


def test_what_was_asked_less_the_peak_was_never_touched(books: Books) -> None:
    chips, rivals = books.city.chips, books.city.rivals
    ran(books, chips, 1, asked=1024, peak=256)
    ran(books, chips, 2, asked=2048, peak=4096)  # more than it asked for is no saving elsewhere
    ran(books, rivals, 3, asked=512, peak=0)  # nobody measured it
    ran(books, rivals, 4, asked=512, peak=128, at=datetime(2026, 10, 31, tzinfo=UTC))  # before
    found = ask(books, books.auditor)
    assert found == {("chips",): MemoryUse(2, 307_200, 230_400)}
    assert found["chips",].untouched == 76_800


def test_a_member_sees_the_memory_of_their_project_only(books: Books) -> None:
    ran(books, books.city.chips, 1, asked=1024, peak=256)
    ran(books, books.city.rivals, 2, asked=1024, peak=512)
    assert set(ask(books, books.city.rivals.member)) == {("rivals",)}
    assert set(ask(books, books.auditor)) == {("chips",), ("rivals",)}
    with pytest.raises(NotFound):
        ask(books, books.city.rivals.member, where={Dimension.PROJECT: "chips"})
    assert not ask(books, books.city.rivals.member, where={Dimension.USER: "chips-member"})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (Dimension.ORGANISATION, "chips-org"),
        (Dimension.PROJECT, "chips"),
        (Dimension.USER, "chips-member"),
        (Dimension.CLUSTER, "memory"),
        (Dimension.PARTITION, "main"),
        (Dimension.WORKLOAD, "acme-flow"),
        (Dimension.STATE, "COMPLETED"),
        (Dimension.GPU_TYPE, "h100"),
    ],
)
def test_runs_are_told_apart_and_narrowed_as_roll_ups_are(books: Books, key: Dimension, value: str) -> None:
    gpu = {"gres/gpu": 1, "gres/gpu:h100": 1}
    ran(books, books.city.chips, 1, asked=1024, peak=256, workload="acme-flow", gpus=gpu)
    use = MemoryUse(1, 102_400, 25_600)
    assert ask(books, books.auditor, key) == {(value,): use}
    assert ask(books, books.auditor, Dimension.DAY, where={key: value}) == {(date(2026, 11, 10),): use}
    if key not in {Dimension.ORGANISATION, Dimension.PROJECT, Dimension.USER}:
        assert ask(books, books.auditor, where={key: "other"}) == {}
