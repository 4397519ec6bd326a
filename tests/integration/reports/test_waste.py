"""What was held and not used, in hours and in money, of what the asking person may see."""

from datetime import UTC, datetime

import pytest

from hpc_portal.app.actor import Actor
from hpc_portal.app.reports.document import Document, Edition
from hpc_portal.app.reports.plain import plain
from hpc_portal.app.reports.usage import UsageQuery
from hpc_portal.app.reports.waste import waste_document
from hpc_portal.app.reports.waste_report import WasteReport, report_waste
from quotas.usage_report import Dimension
from tests.integration.reports.conftest import NOW, Books
from tests.integration.reports.test_memory import NOVEMBER, ran

IDLE_CPU_VND, IDLE_GPU_VND = 3 * 360, 54_000
"""Three of four core-hours, and one and a half of two H100-hours."""


def ask(books: Books, actor: Actor, *by: Dimension, **where: str) -> WasteReport:
    query = UsageQuery(
        by or (Dimension.PROJECT,), NOVEMBER, {Dimension(key): one for key, one in where.items()}
    )
    with books.city.services.reading() as session:
        return report_waste(session.connection(), actor, query, at=NOW)


def document(books: Books, actor: Actor, language: str = "en") -> Document:
    return waste_document(ask(books, actor), Edition(language, NOW))


def rows(found: Document, key: str) -> list[dict[str, object]]:
    table = next(table for table in found.tables if table.key == key)
    return [
        dict(zip((column.key for column in table.columns), map(plain, row), strict=True))
        for row in table.rows
    ]


def test_what_was_idle_is_priced_at_what_it_costs_and_memory_with_it(november: Books) -> None:
    # 4 GiB held for an hour by runs with memory, 3 of 4 never touched in 100 seconds of them.
    november.charge(
        november.city.chips,
        "with memory",
        started_at=datetime(2026, 11, 12, tzinfo=UTC),
        seconds=3600,
        tres={"cpu": 1, "mem": 4096},
    )
    ran(november, november.city.chips, 1, asked=4096, peak=1024)
    report = ask(november, november.auditor)
    chips, rivals = report.lines
    untouched_vnd = round(3 * 100 / 3600 * 36)
    assert chips.of == {Dimension.PROJECT: "chips"}
    assert (chips.idle_cpu_seconds, chips.idle_gpu_seconds) == (10_800, 5_400)
    assert chips.memory.untouched == 3072 * 100
    assert chips.unused_vnd == IDLE_CPU_VND + IDLE_GPU_VND + untouched_vnd
    assert (rivals.of, rivals.unused_vnd) == ({Dimension.PROJECT: "rivals"}, 0), "nobody measured it"
    assert report.total.unused_vnd == chips.unused_vnd


def test_templates_and_people_who_left_the_most_come_first(november: Books) -> None:
    november.charge(
        november.city.rivals,
        "idle",
        started_at=datetime(2026, 11, 12, tzinfo=UTC),
        seconds=3600,
        tres={"cpu": 100},
        used_cpu_seconds=0,
        workload="lint",
    )
    found = document(november, november.auditor)
    people = [(row["project"], row["user"], row["unused_vnd"]) for row in rows(found, "people")]
    assert people == [("chips", "chips-member", 55_080), ("rivals", "rivals-member", 36_000)]
    templates = rows(found, "templates")
    assert [(row["workload"], row["cpu_idle_seconds"]) for row in templates] == [
        ("ai.training", 10_800),
        ("lint", 360_000),
    ]
    assert [row["unused_vnd"] for row in rows(found, "waste")] == [55_080, 36_000]


def test_sentences_say_it_in_both_languages(november: Books) -> None:
    english, vietnamese = (document(november, november.auditor, language).notes for language in ("en", "vi"))
    assert english[0].startswith("Of what jobs held and was measured, they used 25")
    assert "55,080" in english[0]
    assert "chips-member" in english[2]
    assert len(english) == len(vietnamese)
    assert "55.080" in vietnamese[0]
    assert document(november, november.city.rivals.member).notes == [], "nothing was measured there"


@pytest.mark.parametrize("by", [Dimension.USER, Dimension.WORKLOAD, Dimension.PARTITION, Dimension.DAY])
def test_a_member_is_told_of_nobody_elses_projects(november: Books, by: Dimension) -> None:
    ran(november, november.city.chips, 1, asked=4096, peak=1024)
    report = ask(november, november.city.rivals.member, by)
    everything = [*report.lines, *report.templates.lines, *report.people.lines]
    assert {line.usage.cpu_seconds for line in everything} == {10_000}
    assert {line.of[Dimension.PROJECT] for line in report.people.lines} == {"rivals"}
    assert not report.memory
    assert report.total.idle_gpu_seconds == 0


def test_a_filter_narrows_hours_memory_and_money_alike(november: Books) -> None:
    ran(november, november.city.chips, 1, asked=4096, peak=1024)
    report = ask(november, november.auditor, project="rivals")
    assert (report.total.usage.cpu_seconds, report.total.unused_vnd, report.memory) == (10_000, 0, {})
    assert ask(november, november.auditor, user="chips-member").total.idle_gpu_seconds == 5_400


def test_where_nothing_is_known_to_be_left_nobody_is_named_for_it(november: Books) -> None:
    """Also not by an empty table, which says that nothing was used."""
    report = ask(november, november.auditor, project="rivals")
    assert report.total.usage.cpu_seconds
    assert [table.key for table in waste_document(report, Edition("en", NOW)).tables] == ["waste"]
