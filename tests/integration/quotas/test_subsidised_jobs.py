"""Subsidised jobs: the rule is pinned for a job's whole life, and money is held and charged net."""

from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Row, insert, select, update

from quotas.charge import charge_run, correct_run
from quotas.errors import InvalidAmount
from quotas.hold import hold
from quotas.runs import RunUsage
from quotas.set_subsidy import (
    current_subsidies,
    end_subsidy_rule,
    load_subsidy,
    make_subsidy_rule,
    read_subsidy_rules,
    subsidy_of,
)
from quotas.subsidies import Subsidy
from quotas.subsidy_tables import Programme, ProgrammeProject
from quotas.tables import AccountingRecord, OrganisationKind, table_of
from schedulers.jobstate import JobState
from tests.integration.quotas.books import END, START, USER, Books

_RECORDS = table_of(AccountingRecord)


def subsidise(books: Books, basis_points: int, **facts: Any) -> int:  # noqa: ANN401 - columns of a rule
    with books.engine.begin() as conn:
        facts = {"valid_from": books.at, "reason": "a test", **facts}
        return make_subsidy_rule(conn, basis_points=basis_points, actor_id=USER, at=books.at, **facts)


def applying(books: Books) -> Subsidy:
    with books.engine.begin() as conn:
        alone = subsidy_of(conn, books.project_id, books.at)
        assert current_subsidies(conn, books.at).of(books.project_id, books.at) == alone
        return alone


def hold_subsidised(books: Books, units: int = 1, **unit: int) -> UUID:
    with books.engine.begin() as conn:
        held = hold(
            conn,
            project_id=books.project_id,
            job_id=uuid4(),
            unit=unit,
            units=units,
            partition="main",
            price_list=books.price_list,
            subsidy=subsidy_of(conn, books.project_id, books.at),
            at=books.at,
        )
    return held.job_id


def ran(
    run_key: str, *, closes_unit: bool = True, state: JobState = JobState.COMPLETED, **used: int
) -> RunUsage:
    return RunUsage(
        run_key=run_key,
        user_id=USER,
        tres_seconds=used,
        elapsed_seconds=1,
        state=state,
        started_at=START + timedelta(hours=1),
        ended_at=START + timedelta(hours=2),
        closes_unit=closes_unit,
    )


def records(books: Books, run_key: str) -> list[Row[Any]]:
    with books.engine.begin() as conn:
        return list(
            conn.execute(
                select(_RECORDS).where(_RECORDS.c.run_key == run_key).order_by(_RECORDS.c.revision)
            ).all()
        )


def test_money_is_held_and_charged_net_and_the_record_says_why(books: Books) -> None:
    books.grant(VND=1000)
    rule = subsidise(books, 2500, organisation_kind=OrganisationKind.STARTUP)
    job = hold_subsidised(books, cpu=101)  # list 101, a quarter is 25.25
    assert books.balances["VND"].held == 76
    books.settle(job, ran("run-1", cpu=50))  # list 50, a quarter is 12.5
    assert books.balances["VND"].consumed == 37
    assert books.balances["VND"].available == 963
    (record,) = records(books, "run-1")
    assert (record.vnd + record.subsidy_vnd, record.subsidy_vnd, record.vnd) == (50, 13, 37)
    assert record.subsidy_rule_id == rule


def test_a_job_keeps_its_rule_and_its_prices_whatever_comes_after(books: Books) -> None:
    books.grant(VND=1000)
    rule = subsidise(books, 5000)
    job = hold_subsidised(books, units=3, cpu=100)
    assert books.balances["VND"].held == 150
    with books.engine.begin() as conn:
        assert end_subsidy_rule(conn, rule_id=rule, valid_to=books.at, actor_id=USER, at=books.at)
    books.publish_twice_as_dear()
    books.settle(job, ran("first", cpu=100))
    books.settle(job, ran("requeued", cpu=60, closes_unit=False))
    books.settle(job, ran("again", cpu=100), ran("last", cpu=10))
    assert books.balances["VND"].consumed == 50 + 30 + 50 + 5
    assert books.balances["VND"].held == 0
    assert applying(books).rule_id is None


def test_a_longer_and_a_shorter_walltime_are_held_net_at_the_pinned_rule(books: Books) -> None:
    books.grant(VND=1000)
    subsidise(books, 5000)
    job = hold_subsidised(books, cpu=100)
    books.top_up(job, cpu=300)
    assert books.balances["VND"].held == 150
    books.trim(job, cpu=40)
    assert books.balances["VND"].held == 20


def test_a_revision_is_priced_by_the_rule_that_the_run_had(books: Books) -> None:
    books.grant(VND=1000)
    rule = subsidise(books, 5000)
    job = hold_subsidised(books, cpu=100)
    books.settle(job, ran("run-1", cpu=100))
    with books.engine.begin() as conn:
        end_subsidy_rule(conn, rule_id=rule, valid_to=books.at, actor_id=USER, at=books.at)
        correct_run(conn, job_id=job, run=ran("run-1", cpu=80), at=books.at)
    assert books.balances["VND"].consumed == 40
    assert [(r.vnd, r.subsidy_vnd, r.subsidy_rule_id) for r in records(books, "run-1")] == [
        (50, 50, rule),
        (40, 40, rule),
    ]


def test_a_job_from_outside_has_the_rule_of_when_it_started(books: Books) -> None:
    books.grant(VND=1000)
    rule = subsidise(books, 5000, valid_to=START + timedelta(minutes=90))  # it starts after one hour
    books.at = START + timedelta(days=1)
    assert applying(books).rule_id is None
    with books.engine.begin() as conn:
        charge_run(
            conn,
            job_id=uuid4(),
            project_id=books.project_id,
            partition="main",
            run=ran("outside", cpu=100),
            at=books.at,
        )
    assert [(r.vnd, r.subsidy_vnd, r.subsidy_rule_id) for r in records(books, "outside")] == [(50, 50, rule)]


def test_a_run_that_is_not_charged_has_neither_price_nor_subsidy(books: Books) -> None:
    books.grant(VND=1000)
    subsidise(books, 5000)
    job = hold_subsidised(books, cpu=100)
    books.settle(job, ran("run-1", state=JobState.NODE_FAIL, cpu=100))
    assert [(r.vnd, r.subsidy_vnd) for r in records(books, "run-1")] == [(0, 0)]


def test_without_a_line_for_money_the_prices_are_recorded_all_the_same(books: Books) -> None:
    books.grant(cpu=1000)
    subsidise(books, 5000)
    job = hold_subsidised(books, cpu=100)
    books.settle(job, ran("run-1", cpu=100))
    assert [(r.vnd, r.subsidy_vnd) for r in records(books, "run-1")] == [(50, 50)]
    assert books.balances["cpu"].consumed == 100


def test_the_whole_price_may_be_subsidised(books: Books) -> None:
    books.grant(VND=0)
    subsidise(books, 10_000)
    job = hold_subsidised(books, cpu=100)
    books.settle(job, ran("run-1", cpu=100))
    assert [(r.vnd, r.subsidy_vnd) for r in records(books, "run-1")] == [(0, 100)]


def test_a_project_in_a_programme_has_its_rule_while_it_takes_part(books: Books) -> None:
    with books.engine.begin() as conn:
        conn.execute(
            insert(table_of(Programme)), {"slug": "chips", "name": "Thiết kế vi mạch", "created_at": START}
        )
    rule = subsidise(books, 3000, programme="chips")
    assert applying(books).rule_id is None
    takes_part = table_of(ProgrammeProject)
    with books.engine.begin() as conn:
        conn.execute(
            insert(takes_part), {"project_id": books.project_id, "programme": "chips", "added_at": START}
        )
    assert applying(books) == Subsidy(rule, 3000)
    with books.engine.begin() as conn:
        conn.execute(update(takes_part).values(removed_at=START + timedelta(days=1)))
    assert applying(books).rule_id == rule
    books.at = START + timedelta(days=1)
    assert applying(books).rule_id is None


def test_a_rule_that_has_not_begun_is_ended_without_ever_having_applied(books: Books) -> None:
    rule = subsidise(books, 5000, valid_from=START + timedelta(days=5))
    with books.engine.begin() as conn:
        assert end_subsidy_rule(conn, rule_id=rule, valid_to=START, actor_id=USER, at=START)
        assert not end_subsidy_rule(conn, rule_id=rule, valid_to=END, actor_id=USER, at=START)
        assert load_subsidy(conn, rule) == Subsidy(rule, 5000)
        assert read_subsidy_rules(conn, START + timedelta(days=5)) == []


@pytest.mark.parametrize(
    "facts",
    [
        {"basis_points": 10_001},
        {"basis_points": -1},
        {"basis_points": 100, "cap_vnd": -1},
        {"basis_points": 100, "valid_from": START - timedelta(seconds=1)},
        {"basis_points": 100, "valid_to": START},
    ],
    ids=["more than all", "negative", "negative cap", "in the past", "no time at all"],
)
def test_a_rule_that_makes_no_sense_is_refused_and_changes_nothing(
    books: Books, facts: dict[str, Any]
) -> None:
    with pytest.raises(InvalidAmount):
        subsidise(books, **facts)
    with books.engine.begin() as conn:
        assert read_subsidy_rules(conn, START) == []
