"""Reports say what the records say, to the đồng and the second, of what the asking person may see."""

from datetime import date

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.errors import InvalidEntry, NotFound, ProjectNotFound
from hpc_portal.app.reports.document import Edition
from hpc_portal.app.reports.period import Period
from hpc_portal.app.reports.scope import visible_tenants
from hpc_portal.app.reports.usage import UsageQuery, UsageReport, report_of, report_usage
from hpc_portal.app.reports.usage_document import SHOWN_MEASURES, usage_document
from quotas.amounts import BYTES_PER_GIB
from quotas.usage_report import Dimension, Usage
from tests.integration.reports.conftest import NOW, Books

AUTUMN = Period(date(2026, 10, 1), date(2026, 11, 30))
NOVEMBER = Period(date(2026, 11, 1), date(2026, 11, 30))


def ask(books: Books, actor: Actor, *by: Dimension, period: Period = AUTUMN, **where: str) -> UsageReport:
    named = {Dimension(key): name for key, name in where.items()}
    with books.city.services.reading() as session:
        return report_usage(session.connection(), actor, UsageQuery(by, period, named))


def lines(report: UsageReport) -> dict[tuple[object, ...], int]:
    return {tuple(row.of.values()): row.usage.vnd for row in report.rows}


def test_an_auditor_sees_every_organisation_to_the_dong(november: Books) -> None:
    report = ask(november, november.auditor, Dimension.ORGANISATION, Dimension.MONTH)
    assert lines(report) == {
        ("chips-org", date(2026, 10, 1)): 180,
        ("chips-org", date(2026, 11, 1)): 72_000 + 1_440 + 180,
        ("rivals-org", date(2026, 11, 1)): 1_000,
    }
    assert report.total.vnd == 74_800
    assert report.total.list_vnd - report.total.subsidy_vnd == report.total.vnd
    assert report.total.gpu_seconds == 7200
    assert report.covers_all


def test_a_member_sees_their_project_and_nothing_of_the_others(november: Books) -> None:
    report = ask(november, november.city.rivals.member, Dimension.PROJECT)
    assert lines(report) == {("rivals",): 1_000}
    assert not report.covers_all
    assert report.total == report.rows[0].usage


def test_a_filter_never_widens_what_may_be_seen(november: Books) -> None:
    with pytest.raises(ProjectNotFound):
        ask(november, november.city.rivals.member, Dimension.USER, project="chips")
    with pytest.raises(NotFound):
        ask(november, november.city.rivals.member, Dimension.USER, organisation="chips-org")
    assert lines(ask(november, november.city.rivals.member, Dimension.USER, user="chips-member")) == {}
    assert lines(ask(november, november.city.rivals.member, Dimension.USER, user="nobody")) == {}


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (Dimension.USER, {("chips-member",): 73_440, ("chips-lead",): 180, ("rivals-member",): 1_000}),
        (Dimension.WORKLOAD, {("ai.training",): 73_440, ("",): 1_180}),
        (Dimension.STATE, {("COMPLETED",): 73_620, ("FAILED",): 1_000}),
        (Dimension.GPU_TYPE, {("h100",): 73_440, ("",): 1_180}),
        (Dimension.PARTITION, {("main",): 74_620}),
        (Dimension.CLUSTER, {("memory",): 74_620}),
        (
            Dimension.DAY,
            {(date(2026, 11, 1),): 180, (date(2026, 11, 10),): 73_440, (date(2026, 11, 11),): 1_000},
        ),
    ],
)
def test_every_respect_of_november_adds_up(
    november: Books, by: Dimension, expected: dict[tuple[object, ...], int]
) -> None:
    report = ask(november, november.auditor, by, period=NOVEMBER)
    assert lines(report) == expected
    assert report.total.vnd == 74_620


def test_part_of_a_month_is_exact_too(november: Books) -> None:
    first_ten = Period(date(2026, 11, 2), date(2026, 11, 10))
    assert ask(november, november.auditor, period=first_ten).total.vnd == 73_440


def test_waits_and_what_was_measured_are_kept_apart_from_what_was_not(november: Books) -> None:
    total = ask(november, november.auditor).total
    assert (total.waited_runs, total.waited_seconds) == (1, 60)
    assert (total.gpu_measured_seconds, total.gpu_busy_seconds) == (7200, 1800)
    assert (total.cpu_measured_seconds, total.used_cpu_seconds) == (14_400, 3_600)


def test_the_dearest_line_comes_first_and_days_in_their_order(november: Books) -> None:
    by_user = ask(november, november.auditor, Dimension.USER)
    assert [row.of[Dimension.USER] for row in by_user.rows] == ["chips-member", "rivals-member", "chips-lead"]
    days = [row.of[Dimension.DAY] for row in ask(november, november.auditor, Dimension.DAY).rows]
    assert days == sorted(days, key=str)


def test_a_page_tells_the_dearest_lines_and_the_others_in_one_sum(november: Books) -> None:
    with november.city.services.reading() as session:
        connection = session.connection()
        query = UsageQuery((Dimension.USER, Dimension.STATE), NOVEMBER, {})
        whole = report_usage(connection, november.auditor, query)
        page = report_usage(connection, november.auditor, query, most=1)
        same = report_usage(connection, november.auditor, query, most=3)
    assert page.rows == whole.rows[:1]
    assert (page.total, page.rest and page.rest.vnd) == (whole.total, 1_180)
    assert (same.rows, same.rest) == (whole.rows, None)
    document = usage_document(page, Edition("en", NOW))
    assert [row[0] for row in document.tables[0].rows] == ["chips-member", "All others"]


@pytest.mark.parametrize("by", [(), (Dimension.DAY, Dimension.USER), (Dimension.MONTH, Dimension.PROJECT)])
def test_a_document_needs_only_the_sums_that_it_tells(november: Books, by: tuple[Dimension, ...]) -> None:
    query, edition = UsageQuery(by, AUTUMN, {}), Edition("vi", NOW)
    with november.city.services.reading() as session:
        connection = session.connection()
        whole = report_usage(connection, november.auditor, query)
        tenants = visible_tenants(connection, november.auditor)
        few = report_of(connection, tenants, query, measures=SHOWN_MEASURES)
    assert usage_document(few, edition) == usage_document(whole, edition)
    assert few != whole


def test_days_and_months_are_told_one_by_one(november: Books) -> None:
    query = UsageQuery((Dimension.DAY,), NOVEMBER, {})
    with november.city.services.reading() as session:
        page = report_usage(session.connection(), november.auditor, query, most=1)
    assert (len(page.rows), page.rest) == (3, None)


def test_a_report_by_organisation_says_what_was_stored(november: Books) -> None:
    november.store(november.city.chips, {1: 10, 2: 20})
    november.store(november.city.rivals, {2: 5})

    def stored(actor: Actor, *by: Dimension, **where: str) -> list[tuple[object, ...]]:
        report = ask(november, actor, *by, period=NOVEMBER, **where)
        return [(*of.values(), used.days, used.byte_days // BYTES_PER_GIB) for of, used in report.stored]

    chief, lead = november.auditor, november.city.chips.lead
    assert stored(chief, Dimension.ORGANISATION) == [("chips-org", 2, 30), ("rivals-org", 1, 5)]
    assert stored(chief, Dimension.PROJECT, organisation="rivals-org") == [("rivals", 1, 5)]
    assert stored(lead, Dimension.ORGANISATION) == [("chips-org", 2, 30)]
    assert stored(lead, Dimension.PROJECT, project="chips") == [("chips", 2, 30)]
    assert stored(chief, Dimension.USER) == stored(chief, Dimension.PROJECT, state="FAILED") == []
    document = usage_document(
        ask(november, chief, Dimension.ORGANISATION, period=NOVEMBER), Edition("vi", NOW)
    )
    assert [table.key for table in document.tables] == ["usage", "storage"]


def test_an_empty_city_uses_nothing(books: Books) -> None:
    report = ask(books, books.auditor, Dimension.PROJECT)
    assert (report.rows, report.total) == ([], Usage())


def test_too_much_at_once_is_refused_with_what_to_do(november: Books) -> None:
    four = (Dimension.DAY, Dimension.USER, Dimension.STATE, Dimension.PARTITION)
    with pytest.raises(InvalidEntry, match="at most 3"):
        ask(november, november.auditor, *four)
    with pytest.raises(InvalidEntry, match="at most 3"):
        ask(november, november.auditor, Dimension.DAY, Dimension.DAY)
    with pytest.raises(InvalidEntry, match="at most 400 days"):
        ask(november, november.auditor, Dimension.DAY, period=Period(date(2025, 1, 1), date(2026, 11, 1)))
