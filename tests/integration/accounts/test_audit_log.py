"""The audit log: complete, in order, and nobody can rewrite it without that being seen."""

import csv
import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import Connection, delete, text, update
from sqlalchemy.exc import IntegrityError

from hpc_portal.app import audit
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.chain import BEFORE_THE_FIRST
from hpc_portal.app.audit_log.export import as_csv, as_json_lines
from hpc_portal.app.audit_log.read import EVERYTHING, AuditFilter, list_audit, walk_audit
from hpc_portal.app.audit_log.tables import AuditHead, AuditRecord
from hpc_portal.app.audit_log.verify import ChainEnd, Verified, verify_chain
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotAllowed
from quotas.append_only import append_only_ddl, drop_append_only_ddl
from tests.small_city import City, build_city

NOW = datetime(2026, 11, 26, 8, tzinfo=UTC)


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def record(city: City, subject: str, *, actor: Actor = OPERATOR, **facts: object) -> None:
    def work(connection: Connection) -> None:
        audit.record(connection, at=NOW, actor=actor, action="test.done", subject=subject, **facts)

    transact(city.services.engine, work)


def verified(city: City, known: ChainEnd | None = None) -> Verified:
    with city.services.reading() as session:
        return verify_chain(session.connection(), known=known)


def tamper(city: City, *statements: str) -> None:
    """What somebody could do who owns the database: without the triggers."""
    with city.services.engine.begin() as connection:
        dialect = connection.dialect.name
        for ddl in drop_append_only_ddl(dialect, ("audit_record",)):
            connection.execute(text(ddl))
        for statement in statements:
            connection.execute(text(statement))
        for ddl in append_only_ddl(dialect, ("audit_record",)):
            connection.execute(text(ddl))


def problems(found: Verified) -> list[tuple[int, str]]:
    return [(one.sequence, one.problem) for one in found.broken]


def test_an_empty_log_holds(city: City) -> None:
    assert verified(city) == Verified(ChainEnd(0, BEFORE_THE_FIRST), ())


def test_records_are_numbered_without_gaps_though_transactions_fail(city: City) -> None:
    record(city, "first")

    def fails(connection: Connection) -> None:
        audit.record(connection, at=NOW, actor=OPERATOR, action="test.done", subject="never")
        raise LookupError

    with pytest.raises(LookupError):
        transact(city.services.engine, fails)
    record(city, "second")
    with city.services.reading() as session:
        kept = [(entry.sequence, entry.subject) for entry in list_audit(session, OPERATOR).items]
    assert kept == [(2, "second"), (1, "first")]
    assert verified(city).broken == ()


def test_many_at_once_make_one_chain(city: City) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: record(city, f"deed {number}"), range(40)))
    found = verified(city)
    assert (found.end.sequence, found.broken) == (40, ())


def test_the_database_refuses_to_rewrite_it(city: City) -> None:
    record(city, "kept")
    for statement in (update(AuditRecord).values(subject="other"), delete(AuditRecord)):
        with (
            pytest.raises(IntegrityError, match="is append-only"),
            city.services.engine.begin() as connection,
        ):
            connection.execute(statement)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        (
            "UPDATE audit_record SET subject = 'other' WHERE sequence = 2",
            [(2, "was changed after it was written")],
        ),
        ("DELETE FROM audit_record WHERE sequence = 2", [(3, "1 records before it are missing")]),
        ("DELETE FROM audit_record WHERE sequence = 3", [(3, "the end of the log was cut off")]),
    ],
    ids=["changed", "taken out", "cut off"],
)
def test_whoever_rewrites_it_is_found_out(
    city: City, statement: str, expected: list[tuple[int, str]]
) -> None:
    for number in range(1, 4):
        record(city, f"deed {number}")
    tamper(city, statement)
    assert problems(verified(city)) == expected


def test_a_known_end_shows_even_a_log_that_was_written_anew(city: City) -> None:
    for number in range(1, 4):
        record(city, f"deed {number}")
    known = verified(city).end
    record(city, "deed 4")
    assert verified(city, known).broken == ()
    tamper(city, "DELETE FROM audit_record", "DELETE FROM audit_head")
    for number in range(1, 5):
        record(city, f"other deed {number}")
    assert verified(city).broken == ()
    assert problems(verified(city, known)) == [(3, "is not the record that was known before")]


def test_the_head_alone_cannot_be_moved(city: City) -> None:
    record(city, "deed 1")
    with city.services.engine.begin() as connection:
        connection.execute(update(AuditHead).values(hash="1" * 64))
    assert problems(verified(city)) == [(1, "the end of the log was cut off")]


def test_it_says_who_from_where_and_what_was_before(city: City) -> None:
    lead = city.chips.lead
    record(city, "chips", actor=lead, role="lead", was="member")
    record(city, "rivals")
    with city.services.reading() as session:
        [entry] = list_audit(session, OPERATOR, wanted=AuditFilter(username=lead.username)).items
        [mine] = list_audit(session, OPERATOR, wanted=AuditFilter(username="operator")).items
    assert (entry.username, entry.subject, entry.facts) == (
        lead.username,
        "chips",
        {"role": "lead", "was": "member"},
    )
    assert (mine.username, mine.address) == (None, OPERATOR.address)


@pytest.mark.parametrize(
    ("wanted", "subjects"),
    [
        (EVERYTHING, ["b", "a"]),
        (AuditFilter(action="test"), ["b", "a"]),
        (AuditFilter(action="test.done"), ["b", "a"]),
        (AuditFilter(action="tes"), []),
        (AuditFilter(subject="a"), ["a"]),
        (AuditFilter(since=NOW), ["b", "a"]),
        (AuditFilter(until=NOW), []),
        (AuditFilter(address=OPERATOR.address), ["b", "a"]),
        (AuditFilter(address="192.0.2.1"), []),
    ],
)
def test_it_can_be_filtered(city: City, wanted: AuditFilter, subjects: list[str]) -> None:
    record(city, "a")
    record(city, "b")
    with city.services.reading() as session:
        assert [entry.subject for entry in list_audit(session, OPERATOR, wanted=wanted).items] == subjects


def test_pages_follow_each_other(city: City) -> None:
    for number in range(5):
        record(city, f"deed {number}")
    with city.services.reading() as session:
        first = list_audit(session, OPERATOR, limit=3)
        rest = list_audit(session, OPERATOR, limit=3, before=int(first.next_cursor or 0))
    assert [entry.sequence for entry in (*first.items, *rest.items)] == [5, 4, 3, 2, 1]
    assert rest.next_cursor is None


def test_an_export_has_every_record_in_order_and_can_go_on(city: City) -> None:
    for number in range(3):
        record(city, f"deed {number}", note='with "quotes", commas\nand lines')
    with city.services.reading() as session:
        connection = session.connection()
        lines = list(as_json_lines(walk_audit(connection, OPERATOR)))
        table = "".join(as_csv(walk_audit(connection, OPERATOR, after=1)))
    told = [json.loads(line) for line in lines]
    assert [one["sequence"] for one in told] == [1, 2, 3]
    assert [one["previous_hash"] for one in told[1:]] == [one["hash"] for one in told[:-1]]
    rows = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [row["subject"] for row in rows] == ["deed 1", "deed 2"]
    assert json.loads(rows[0]["facts"]) == {"note": 'with "quotes", commas\nand lines'}


def test_no_cell_is_a_formula(city: City) -> None:
    record(city, '=HYPERLINK("http://evil")')
    with city.services.reading() as session:
        written = "".join(as_csv(walk_audit(session.connection(), OPERATOR)))
    [row] = csv.DictReader(io.StringIO(written, newline=""))
    assert row["subject"].startswith("'=")


def test_members_may_not_read_it(city: City) -> None:
    with city.services.reading() as session:
        with pytest.raises(NotAllowed):
            list_audit(session, city.chips.lead)
        with pytest.raises(NotAllowed):
            walk_audit(session.connection(), city.chips.lead)


def test_one_transaction_may_do_two_things(city: City) -> None:
    def twice(connection: Connection) -> None:
        for subject in ("a", "b"):
            audit.record(connection, at=NOW, actor=OPERATOR, action="test.done", subject=subject)

    transact(city.services.engine, twice)
    assert verified(city).broken == ()
    with city.services.reading() as session:
        count = session.connection().execute(text("SELECT count(*) FROM audit_record")).scalar_one()
    assert count == 2
