"""Roll-ups say what the records say, whatever order they come in; a closed month never changes."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from quotas.charge import charge_run
from quotas.check_statements import StatementDifference, check_statements
from quotas.close_month import broken_statements, close_month
from quotas.errors import MonthNotClosable, MonthRefusal
from quotas.periods import closed_months
from quotas.rebuild_usage import compare_day, fold_unfolded
from quotas.runs import RunUsage
from quotas.settle import settle_runs
from quotas.statement import Statement, StatementLine, statement
from quotas.tables import table_of
from quotas.usage_report import Basis, Dimension, Usage, UsageTotal, usage_totals
from quotas.usage_tables import AccountingBooks, ClosedStatement, UsageAsset, UsageDay, UsageSum
from schedulers.jobstate import JobState
from tests.integration.quotas.books import START, USER, Books, run

NOVEMBER, DECEMBER, JANUARY = date(2026, 11, 1), date(2026, 12, 1), date(2027, 1, 1)
NIGHT = datetime(2026, 11, 30, 16, tzinfo=UTC)
"""23:00 of the last of November in Da Nang."""
EARLY_DECEMBER = datetime(2026, 12, 2, tzinfo=UTC)
JOB = UUID(int=11)
ROLL_UPS = (UsageDay, UsageSum, UsageAsset)


def usage(key: str, started_at: datetime, seconds: int, **facts: object) -> RunUsage:
    """A run with one CPU, unless it is said otherwise."""
    plain = run(key, seconds=seconds)
    whole = replace(plain, started_at=started_at, ended_at=started_at + timedelta(seconds=seconds))
    return replace(whole, **facts)  # type: ignore[arg-type]


def charge(books: Books, *runs: RunUsage, job_id: UUID = JOB) -> None:
    for one in runs:
        with books.engine.begin() as conn:
            charge_run(
                conn,
                job_id=job_id,
                project_id=books.project_id,
                partition="main",
                run=one,
                at=books.at,
            )


def totals(
    books: Books,
    *by: Dimension,
    since: date = NOVEMBER,
    until: date = JANUARY,
    where: Mapping[Dimension, object] | None = None,
    basis: Basis = Basis.POSTED,
) -> list[UsageTotal]:
    with books.engine.begin() as conn:
        return usage_totals(conn, by=by, since=since, until=until, where=where, basis=basis)


def cpu_by(books: Books, dimension: Dimension, basis: Basis = Basis.POSTED) -> dict[object, int]:
    return {one.of[dimension]: one.usage.cpu_seconds for one in totals(books, dimension, basis=basis)}


def statement_of(books: Books, month: date) -> Statement:
    with books.engine.begin() as conn:
        return statement(conn, month=month, project_id=books.project_id)


def line_of(books: Books, month: date, asset: str = "VND") -> StatementLine:
    [line] = [line for line in statement_of(books, month).lines if line.asset == asset]
    return line


def close(books: Books, month: date, at: datetime, *, unsettled: int = 0, reason: str = "") -> None:
    with books.engine.begin() as conn:
        close_month(conn, month=month, actor_id=USER, reason=reason, unsettled=unsettled, at=at)


def rows_of(books: Books) -> list[object]:
    with books.engine.begin() as conn:
        return [_rows(conn, model) for model in ROLL_UPS]


def _rows(conn: Connection, model: type) -> list[tuple[object, ...]]:
    table = table_of(model)
    keys = list(table.primary_key)
    rows = conn.execute(select(table).order_by(*keys))
    return [tuple(row) for row in rows if any(row[len(keys) :])]


def differences(books: Books, *days: date) -> list[object]:
    with books.engine.begin() as conn:
        return [found for day in days for found in compare_day(conn, day)]


def statement_differences(books: Books) -> list[StatementDifference]:
    with books.engine.begin() as conn:
        return list(check_statements(conn))


def test_a_run_over_midnight_counts_in_both_days_and_both_months(books: Books) -> None:
    books.grant(VND=10_000)
    charge(books, usage("a", NIGHT, 3 * 3600))
    assert cpu_by(books, Dimension.DAY) == {date(2026, 11, 30): 3600, DECEMBER: 7200}
    assert cpu_by(books, Dimension.MONTH) == {NOVEMBER: 3600, DECEMBER: 7200}
    [november, december] = totals(books, Dimension.MONTH)
    assert (november.usage.runs, december.usage.runs) == (0, 1)
    assert (november.usage.vnd, december.usage.vnd) == (3600, 7200)


def test_every_respect_can_be_asked_for_and_sums_to_the_same(books: Books) -> None:
    books.grant(VND=10**6)
    facts = {"cluster": "dask", "used_cpu_seconds": 40, "waited_seconds": 7}
    gpus = {"cpu": 50, "gres/gpu": 50, "gres/gpu:h100": 50, "license/vcs": 100, "mem": 5}
    charge(
        books,
        usage("a", START, 50, tres_seconds=gpus, workload="train", gpu_busy_seconds=30, **facts),
        usage("b", START, 100, state=JobState.FAILED, user_id=UUID(int=8), workload="vcs", **facts),
        usage("c", START, 30, state=JobState.NODE_FAIL, **facts),
    )
    for dimension in Dimension:
        for until in (DECEMBER, date(2026, 11, 30)):  # from monthly sums, and from daily ones
            whole = totals(books, dimension, until=until)
            assert sum(one.usage.runs for one in whole) == 3
            assert sum(one.usage.cpu_seconds for one in whole) == 180
    [everything] = totals(books)
    assert everything.usage == Usage(
        runs=3,
        uncharged_runs=1,
        elapsed_seconds=180,
        cpu_seconds=180,
        gpu_seconds=50,
        mem_mib_seconds=5,
        licence_seconds=100,
        uncharged_cpu_seconds=30,
        cpu_measured_seconds=180,
        used_cpu_seconds=120,
        gpu_measured_seconds=50,
        gpu_busy_seconds=30,
        waited_runs=3,
        waited_seconds=21,
        list_vnd=50 + 500 + 200 + 100,
        vnd=50 + 500 + 200 + 100,
    )
    assert cpu_by(books, Dimension.GPU_TYPE) == {"": 130, "h100": 50}
    assert cpu_by(books, Dimension.STATE) == {"COMPLETED": 50, "FAILED": 100, "NODE_FAIL": 30}
    assert cpu_by(books, Dimension.WORKLOAD) == {"": 30, "train": 50, "vcs": 100}
    assert cpu_by(books, Dimension.USER) == {USER: 80, UUID(int=8): 100}


def test_a_question_can_be_narrowed(books: Books) -> None:
    books.grant(VND=10**6)
    charge(books, usage("a", START, 50, workload="train"), usage("b", START, 100, workload="vcs"))
    [one] = totals(books, where={Dimension.WORKLOAD: "vcs"})
    assert one.usage.cpu_seconds == 100
    [both] = totals(books, where={Dimension.WORKLOAD: ["vcs", "train"], Dimension.MONTH: NOVEMBER})
    assert both.usage.cpu_seconds == 150
    assert totals(books, where={Dimension.WORKLOAD: []}) == []
    assert totals(books, where={Dimension.PROJECT: uuid4()}) == []


def test_a_revision_leaves_only_the_difference_on_the_same_days(books: Books) -> None:
    books.grant(VND=10_000)
    charge(books, usage("a", NIGHT, 3 * 3600))
    charge(books, usage("a", NIGHT, 1800))
    assert cpu_by(books, Dimension.DAY) == {date(2026, 11, 30): 1800}
    [whole] = totals(books)
    assert (whole.usage.runs, whole.usage.vnd) == (1, 1800)
    assert differences(books, date(2026, 11, 30), DECEMBER) == []


def test_settling_twice_counts_once(books: Books) -> None:
    books.grant(VND=1000)
    job_id = books.hold(cpu=100).job_id
    books.settle(job_id, run("a", seconds=60))
    before = rows_of(books)
    books.settle(job_id, run("a", seconds=60))
    assert rows_of(books) == before


def test_what_fails_is_not_counted(books: Books) -> None:
    books.grant(VND=1000)
    job_id = books.hold(cpu=100).job_id
    before = rows_of(books)

    def fail() -> None:
        with books.engine.begin() as conn:
            settle_runs(conn, job_id=job_id, runs=[run("a", seconds=60)], at=books.at)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert rows_of(books) == before


records = st.lists(
    st.builds(
        usage,
        st.sampled_from(["r1", "r2", "r3", "r4"]),
        st.sampled_from([NIGHT + timedelta(hours=hour) for hour in range(-30, 6, 7)]),
        st.integers(min_value=1, max_value=200_000),
        state=st.sampled_from([JobState.COMPLETED, JobState.NODE_FAIL]),
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda one: one.run_key,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(stream=records, data=st.data())
def test_any_order_and_repetition_of_records_gives_the_same_roll_ups(
    books: Books, stream: Sequence[RunUsage], data: st.DataObject
) -> None:
    other = data.draw(st.permutations([*stream, *stream]))
    folded = []
    for number, order in enumerate((stream, other)):
        fresh = replace(books, project_id=_new_project(books, number))
        fresh.grant(VND=10**9, key=str(uuid4()))
        prefix = uuid4().hex
        charge(fresh, *(replace(one, run_key=prefix + one.run_key) for one in order), job_id=uuid4())
        where = {Dimension.PROJECT: fresh.project_id}
        dimensions = (Dimension.DAY, Dimension.STATE)
        folded.append([(t.of, t.usage) for t in totals(fresh, *dimensions, where=where)])
    assert folded[0] == folded[1]
    whole = sum(sum(one.tres_seconds.values()) for one in stream)
    assert sum(usage.cpu_seconds for _, usage in folded[0]) == whole
    days = {day for of, _ in folded[0] for day in [of[Dimension.DAY]]}
    assert differences(books, *days) == []


def _new_project(books: Books, number: int) -> UUID:
    from tests.integration.quotas.books import insert_project  # noqa: PLC0415

    with books.engine.begin() as conn:
        return insert_project(conn, f"p{number}-{uuid4().hex[:12]}")


def test_the_statement_of_an_open_month_closes_at_what_is_there(books: Books) -> None:
    books.grant(VND=1000, cpu=500)
    books.at = START + timedelta(days=3)
    job_id = books.hold(cpu=100).job_id
    books.settle(job_id, run("a", seconds=60))
    books.hold(cpu=50)
    line = line_of(books, NOVEMBER)
    assert (line.opening, line.granted, line.charged, line.closing) == (0, 1000, -60, 940)
    available, held, _ = books.state()
    assert line.closing == available + held
    assert line_of(books, NOVEMBER, "cpu").closing == 440
    assert line_of(books, DECEMBER).opening == 940


def test_a_closed_month_is_stored_word_for_word(books: Books) -> None:
    books.grant(VND=100_000)
    charge(books, usage("a", NIGHT, 3 * 3600))
    before = statement_of(books, NOVEMBER)
    close(books, NOVEMBER, EARLY_DECEMBER)
    after = statement_of(books, NOVEMBER)
    assert after.is_closed
    assert after.sha256 is not None
    assert replace(after, is_closed=False, sha256=None) == before
    with books.engine.begin() as conn:
        [period] = closed_months(conn)
        assert broken_statements(conn) == []
    assert (period.month, period.closed_by) == (NOVEMBER, USER)


def test_a_late_record_of_a_closed_month_is_posted_to_the_open_one(books: Books) -> None:
    books.grant(VND=100_000)
    charge(books, usage("a", NIGHT, 1800))
    close(books, NOVEMBER, EARLY_DECEMBER)
    frozen = statement_of(books, NOVEMBER)
    books.at = EARLY_DECEMBER + timedelta(hours=1)
    charge(books, usage("late", NIGHT, 3 * 3600), job_id=UUID(int=12))
    assert statement_of(books, NOVEMBER) == frozen
    line = line_of(books, DECEMBER)
    assert (line.opening, line.charged, line.late, line.closing) == (98_200, -7200, -3600, 87_400)
    available, held, _ = books.state()
    assert line.closing == available + held
    assert cpu_by(books, Dimension.MONTH) == {NOVEMBER: 1800, DECEMBER: 10_800}
    assert cpu_by(books, Dimension.MONTH, Basis.OCCURRED) == {NOVEMBER: 5400, DECEMBER: 7200}
    assert differences(books, date(2026, 11, 30), DECEMBER) == []


def test_a_revision_of_a_closed_month_is_a_late_adjustment(books: Books) -> None:
    books.grant(VND=100_000)
    charge(books, usage("a", NIGHT, 3000))
    close(books, NOVEMBER, EARLY_DECEMBER)
    charge(books, usage("a", NIGHT, 1000))
    assert line_of(books, NOVEMBER).charged == -3000
    line = line_of(books, DECEMBER)
    assert (line.opening, line.charged, line.late, line.closing) == (97_000, 0, 2000, 99_000)
    charge(books, usage("a", NIGHT, 1500))
    assert line_of(books, DECEMBER).late == 1500
    assert differences(books, date(2026, 11, 30)) == []
    close(books, DECEMBER, EARLY_DECEMBER + timedelta(days=31))
    charge(books, usage("a", NIGHT, 900))
    assert line_of(books, DECEMBER).late == 1500
    assert line_of(books, JANUARY).late == 600
    assert statement_differences(books) == []
    assert differences(books, date(2026, 11, 30)) == []


@pytest.mark.parametrize("model", ROLL_UPS)
def test_the_database_refuses_to_change_a_closed_month(books: Books, model: type) -> None:
    books.grant(VND=100_000)
    charge(books, usage("a", START, 3000))
    close(books, NOVEMBER, EARLY_DECEMBER)
    table = table_of(model)
    column = table.c.charged if model is UsageAsset else table.c.runs
    with books.engine.begin() as conn:
        row = dict(conn.execute(select(table).limit(1)).mappings().one())
    with pytest.raises(IntegrityError, match="never changes"), books.engine.begin() as conn:
        conn.execute(update(table).values({column.name: column + 1}))
    with pytest.raises(IntegrityError, match="never changes"), books.engine.begin() as conn:
        conn.execute(delete(table))
    with pytest.raises(IntegrityError, match="never changes"), books.engine.begin() as conn:
        conn.execute(insert(table), {**row, "project_id": uuid4()})


def test_a_closed_month_never_opens_again(books: Books) -> None:
    close(books, NOVEMBER, EARLY_DECEMBER)
    for change in (update(AccountingBooks).values(open_from=NOVEMBER), delete(AccountingBooks)):
        with pytest.raises(IntegrityError, match="never opens again"), books.engine.begin() as conn:
            conn.execute(change)


def refusal(books: Books, month: date, at: datetime, **facts: int) -> MonthNotClosable:
    with books.unchanged(), pytest.raises(MonthNotClosable) as refused:
        close(books, month, at, **facts)  # type: ignore[arg-type]
    return refused.value


def test_months_are_closed_in_order_once_and_when_they_are_over(books: Books) -> None:
    books.grant(VND=1000)
    midnight = datetime(2026, 11, 30, 17, tzinfo=UTC)
    close_month_first = refusal(books, DECEMBER, EARLY_DECEMBER + timedelta(days=31))
    assert (close_month_first.why, close_month_first.earlier) == (MonthRefusal.EARLIER_IS_OPEN, NOVEMBER)
    assert refusal(books, NOVEMBER, midnight + timedelta(minutes=59)).why is MonthRefusal.NOT_OVER
    assert refusal(books, NOVEMBER, EARLY_DECEMBER, unsettled=3).why is MonthRefusal.UNSETTLED
    close(books, NOVEMBER, EARLY_DECEMBER, unsettled=3, reason="the accounting of the cluster is lost")
    assert refusal(books, NOVEMBER, EARLY_DECEMBER).why is MonthRefusal.CLOSED


def test_a_stored_statement_that_somebody_changed_is_found(books: Books) -> None:
    books.grant(VND=1000)
    close(books, NOVEMBER, EARLY_DECEMBER)
    with books.engine.begin() as conn:
        trigger = "closed_statement_refuses_update"
        if conn.dialect.name == "sqlite":
            conn.exec_driver_sql(f"DROP TRIGGER {trigger}")
        else:
            conn.exec_driver_sql("ALTER TABLE closed_statement DISABLE TRIGGER ALL")
        conn.execute(update(ClosedStatement).values(body="{}"))
        assert broken_statements(conn) == [NOVEMBER]


def test_nothing_slips_into_a_month_while_it_is_closed(books: Books) -> None:
    """A fold and a close at the same instant: what is charged is in the statement, or late in the next."""
    books.grant(VND=10**6)
    together = threading.Barrier(5)

    def fold(number: int) -> None:
        together.wait(timeout=60)
        for repeat in range(5):
            charge(books, usage(f"{number}-{repeat}", NIGHT, 100), job_id=UUID(int=100 + number))

    folders = [threading.Thread(target=fold, args=(number,)) for number in range(4)]
    for folder in folders:
        folder.start()
    together.wait(timeout=60)
    close(books, NOVEMBER, EARLY_DECEMBER)
    for folder in folders:
        folder.join(timeout=120)
    november, december = line_of(books, NOVEMBER), line_of(books, DECEMBER)
    assert november.charged + december.late == -2000
    assert december.opening == november.closing
    assert cpu_by(books, Dimension.MONTH).get(NOVEMBER, 0) == -november.charged
    assert differences(books, date(2026, 11, 30)) == []


def test_statements_that_do_not_agree_with_the_ledger_are_found(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, usage("a", START, 30))
    assert statement_differences(books) == []
    with books.engine.begin() as conn:
        conn.execute(update(UsageAsset).where(UsageAsset.asset == "VND").values(charged=40))  # type: ignore[arg-type]
    [found] = statement_differences(books)
    assert (found.rule, found.expected, found.found) == ("statements_close_at_balances", 970, 960)


def test_a_change_of_the_roll_ups_is_found(books: Books) -> None:
    books.grant(VND=1000)
    charge(books, usage("a", START, 30))
    day = date(2026, 11, 1)
    assert differences(books, day) == []
    with books.engine.begin() as conn:
        conn.execute(update(UsageDay).values(cpu_seconds=31))
        [found] = compare_day(conn, day)
    assert (found.folded, found.rebuilt) == ({"cpu_seconds": 31}, {"cpu_seconds": 30})


def test_records_older_than_the_roll_ups_are_folded_once(books: Books) -> None:
    books.grant(VND=10**6)
    charge(books, usage("a", NIGHT, 30_000), usage("b", START, 30))
    charge(books, usage("a", NIGHT, 20_000))
    folded = rows_of(books)
    with books.engine.begin() as conn:
        for model in ROLL_UPS:
            conn.execute(delete(table_of(model)))
        assert fold_unfolded(conn) > 0
    assert rows_of(books) == folded
    with books.engine.begin() as conn:
        assert fold_unfolded(conn) == 0
