"""What administrators and time do to the ledger, beside a naive one; see machine.py for jobs."""

from datetime import date, timedelta
from uuid import UUID, uuid4

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from quotas.close_month import close_month
from quotas.errors import AllocationStateRefused, InvalidAmount, MonthNotClosable, NotEnoughFree
from quotas.money import VND
from quotas.tables import HoldPolicy
from tests.integration.quotas.books import END
from tests.integration.quotas.driven import BUDGETS, CRASHES, PICKS, DrivenLedger
from tests.integration.quotas.naive import ENDED, NaiveAllocation


class StewardMachine(DrivenLedger):
    """Grants that begin, change, are split, end and are renewed; months; prices."""

    # Grants, by administrators.

    @precondition(lambda self: len(self.naive.allocations) < 4)
    @rule(
        vnd=BUDGETS,
        cpu=st.none() | BUDGETS,
        overdraft=st.sampled_from([0, 0, 100]),
        days=st.integers(0, 5),
        rolling=st.booleans(),
        crash_at=CRASHES,
    )
    def grant(  # noqa: PLR0913, PLR0917 - what Hypothesis may choose
        self,
        vnd: int,
        cpu: int | None,
        overdraft: int,
        days: int,
        rolling: bool,  # noqa: FBT001
        crash_at: int | None,
    ) -> None:
        valid_to = self.new_end(END - timedelta(days=days))
        if valid_to <= self.books.at:
            return
        lines = {VND: vnd} if cpu is None else {VND: vnd, "cpu": cpu}
        allowed = dict.fromkeys(lines, overdraft)
        key = uuid4().hex

        def grant() -> UUID:
            return self.books.grant(lines, valid_to=valid_to, overdraft=allowed, key=key)

        allocation = self.survive(crash_at, grant)
        assert grant() == allocation
        self.naive.allocations[allocation] = NaiveAllocation(
            self.books.project_id, valid_to, dict(lines), allowed
        )
        if rolling:
            self.steward.hold_by(allocation, HoldPolicy.ROLLING)
            self.naive.allocations[allocation].rolling = True

    @rule(pick=PICKS, amount=st.sampled_from([1, 200, 600]), more=st.booleans(), crash_at=CRASHES)
    def adjust(self, pick: int, amount: int, more: bool, crash_at: int | None) -> None:  # noqa: FBT001
        key, one = self.allocation(pick)
        name, verb = uuid4().hex, self.steward.increase if more else self.steward.reduce
        try:
            assert self.survive(crash_at, lambda: verb(key, key=name, VND=amount))
        except AllocationStateRefused:
            assert one.state in ENDED
            return
        except NotEnoughFree:
            assert not more
            assert amount > self.naive.free(key, VND)
            return
        assert not verb(key, key=name, VND=amount)
        one.total[VND] += amount if more else -amount

    @rule(pick=PICKS, days=st.integers(1, 40), crash_at=CRASHES)
    def extend(self, pick: int, days: int, crash_at: int | None) -> None:
        key, one = self.allocation(pick)
        source = self.naive.allocations[one.parent] if one.parent else None
        valid_to = self.new_end(one.valid_to + timedelta(days=days))
        try:
            assert self.survive(crash_at, lambda: self.steward.extend(key, valid_to))
        except AllocationStateRefused:
            assert one.state in ENDED or (source and source.state in ENDED)
            return
        except InvalidAmount:
            assert source
            assert valid_to > source.valid_to
            return
        assert not self.steward.extend(key, valid_to)
        one.valid_to = valid_to

    @rule(pick=PICKS, suspends=st.booleans(), crash_at=CRASHES)
    def suspend_or_resume(self, pick: int, suspends: bool, crash_at: int | None) -> None:  # noqa: FBT001
        key, one = self.allocation(pick)
        verb, state = (self.steward.suspend, "suspended") if suspends else (self.steward.resume, "active")
        try:
            assert self.survive(crash_at, lambda: verb(key)) == (one.state != state)
        except AllocationStateRefused:
            assert one.state in ENDED
            return
        one.state = state

    @precondition(lambda self: len(self.naive.allocations) > 2)
    @rule(pick=PICKS, crash_at=CRASHES)
    def close_allocation(self, pick: int, crash_at: int | None) -> None:
        key, one = self.allocation(pick)
        assert self.survive(crash_at, lambda: self.steward.close(key)) == (one.state != "closed")
        assert not self.steward.close(key)
        if one.state != "closed":
            self.naive.end(key, "closed", self.books.at)

    @precondition(lambda self: len(self.naive.allocations) < 7)
    @rule(pick=PICKS, amount=st.sampled_from([50, 150, 400]), days=st.integers(0, 20), crash_at=CRASHES)
    def split_off(self, pick: int, amount: int, days: int, crash_at: int | None) -> None:
        key, one = self.allocation(pick)
        name = uuid4().hex
        valid_to = self.new_end(one.valid_to - timedelta(days=days))
        if not self.books.at < valid_to <= one.valid_to:
            return

        def move() -> UUID:
            return self.steward.move(key, self.student.project_id, valid_to=valid_to, key=name, VND=amount)

        try:
            part = self.survive(crash_at, move)
        except AllocationStateRefused:
            assert not self.naive.is_usable(key, self.books.at)
            return
        except NotEnoughFree:
            assert amount > self.naive.free(key, VND)
            return
        assert move() == part
        one.total[VND] -= amount
        self.naive.allocations[part] = NaiveAllocation(
            self.student.project_id,
            valid_to,
            dict.fromkeys(one.total, 0) | {VND: amount},
            {},
            parent=key,
            rolling=one.rolling,
        )

    @precondition(lambda self: any(one.parent for one in self.naive.allocations.values()))
    @rule(pick=PICKS, crash_at=CRASHES)
    def give_back(self, pick: int, crash_at: int | None) -> None:
        parts = [(key, one) for key, one in self.naive.allocations.items() if one.parent]
        key, one = parts[pick % len(parts)]
        assert one.parent
        parent, name = self.naive.allocations[one.parent], uuid4().hex
        try:
            given = self.survive(crash_at, lambda: self.steward.give_back(key, key=name))
        except AllocationStateRefused:
            assert parent.state in ENDED
            return
        assert given == {a: self.naive.free(key, a) for a in one.total if self.naive.free(key, a)}
        assert self.steward.give_back(key, key=name) == {}
        for asset, amount in given.items():
            one.total[asset] -= amount
            parent.total[asset] += amount

    @precondition(lambda self: len(self.naive.allocations) > 1)
    @rule(pick=PICKS, other=PICKS, crash_at=CRASHES)
    def carry_over(self, pick: int, other: int, crash_at: int | None) -> None:
        """Renewal: all that is left of one, expired or not, goes on into another."""
        (source, old), (target, new) = self.allocation(pick), self.allocation(other)
        if source == target or old.project != new.project:
            return
        name = uuid4().hex
        both = [asset for asset in old.total if asset in new.total]
        left = {a: self.naive.free(source, a) + old.expired[a] for a in both}
        try:
            assert self.survive(crash_at, lambda: self.steward.carry(source, target, key=name))
        except AllocationStateRefused:
            assert new.state in ENDED or not any(left.values())
            return
        assert not self.steward.carry(source, target, key=name)
        for asset, amount in left.items():
            old.total[asset] -= self.naive.free(source, asset)
            old.expired[asset] = 0
            new.total[asset] += amount

    # Time.

    @rule(days=st.sampled_from([0, 1, 20, 45]), crash_at=CRASHES)
    def time_passes(self, days: int, crash_at: int | None) -> None:
        self.books.at += timedelta(days=days)
        self.student.at = self.books.at
        self.survive(crash_at, lambda: self.steward.expire(self.books.at))
        while self.steward.expire(self.books.at):
            pass  # parts of parts follow
        self.naive.expire(self.books.at)

    @rule(month=st.sampled_from([date(2026, 11, 1), date(2026, 12, 1)]), crash_at=CRASHES)
    def close_a_month(self, month: date, crash_at: int | None) -> None:
        """Of all projects, those of other stories too; what is recorded later goes to the next one."""

        def close() -> str:
            with self.books.engine.begin() as conn:
                return close_month(
                    conn, month=month, actor_id=None, reason="a test", unsettled=0, at=self.books.at
                ).sha256

        try:
            closed = self.survive(crash_at, close)
        except MonthNotClosable:
            return
        self.closed_months[month] = closed

    @precondition(lambda self: self.rate == 1)
    @rule()
    def publish_prices(self) -> None:
        """Jobs that are held already keep the old prices."""
        self.books.publish_twice_as_dear()
        self.student.price_list = self.books.price_list
        self.rate = 2
