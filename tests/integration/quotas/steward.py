"""What administrators do to grants that stand, each verb in a transaction of its own."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TypeVar
from uuid import UUID, uuid4

from sqlalchemy import insert

from quotas.adjust_grant import extend, increase, reduce
from quotas.allocation_states import close, resume, set_hold_policy, suspend
from quotas.balance import AssetBalance, balance
from quotas.charge import correct_run
from quotas.expire import Expired, carry_over, expire_due
from quotas.move_budget import move_budget, return_budget
from quotas.refund import Refunded, refund
from quotas.resize_part import give_more, take_back
from quotas.settle import RunUsage
from quotas.tables import HoldPolicy, LedgerAccount, Project, TenantState, table_of
from tests.integration.quotas.books import START, USER, Books

T = TypeVar("T")

_PROJECTS = table_of(Project)
_ACCOUNTS = table_of(LedgerAccount)


@dataclass
class Steward:
    """Acts on the allocations of some books."""

    books: Books
    keys: Iterator[int] = field(default_factory=lambda: iter(range(10**6)))

    def increase(self, allocation_id: UUID, *, key: str | None = None, **lines: int) -> bool:
        return self._adjust(increase, allocation_id, lines, key)

    def reduce(self, allocation_id: UUID, *, key: str | None = None, **lines: int) -> bool:
        return self._adjust(reduce, allocation_id, lines, key)

    def extend(self, allocation_id: UUID, valid_to: datetime) -> bool:
        return self._do(partial(extend, valid_to=valid_to), allocation_id)

    def suspend(self, allocation_id: UUID) -> bool:
        return self._do(suspend, allocation_id)

    def resume(self, allocation_id: UUID) -> bool:
        return self._do(resume, allocation_id)

    def close(self, allocation_id: UUID) -> bool:
        return self._do(close, allocation_id)

    def hold_by(self, allocation_id: UUID, policy: HoldPolicy) -> bool:
        return self._do(partial(set_hold_policy, policy=policy), allocation_id)

    def expire(self, at: datetime) -> list[Expired]:
        with self.books.engine.begin() as conn:
            return expire_due(conn, at=at)

    def carry(self, source: UUID, target: UUID, *, key: str | None = None, **lines: int) -> bool:
        with self.books.engine.begin() as conn:
            return carry_over(
                conn,
                source=source,
                target=target,
                lines=lines or None,
                actor_id=USER,
                reason="renewed",
                key=key or self._key(),
                at=self.books.at,
            )

    def move(
        self,
        source: UUID,
        project_id: UUID,
        *,
        valid_to: datetime | None = None,
        key: str | None = None,
        **lines: int,
    ) -> UUID:
        with self.books.engine.begin() as conn:
            return move_budget(
                conn,
                source=source,
                target_project=project_id,
                lines=lines,
                valid_to=valid_to,
                actor_id=USER,
                reason="for a student",
                key=key or self._key(),
                at=self.books.at,
            )

    def give_back(self, allocation_id: UUID, *, key: str | None = None) -> Mapping[str, int]:
        return self._do(partial(return_budget, key=key or self._key()), allocation_id)

    def give_more(self, allocation_id: UUID, *, key: str | None = None, **lines: int) -> bool:
        return self._adjust(give_more, allocation_id, lines, key)

    def take_back(self, allocation_id: UUID, *, key: str | None = None, **lines: int) -> bool:
        return self._adjust(take_back, allocation_id, lines, key)

    def refund(
        self, job_id: UUID, percent: int | None = None, *, key: str | None = None, **amounts: int
    ) -> Refunded:
        with self.books.engine.begin() as conn:
            return refund(
                conn,
                job_id=job_id,
                percent=percent,
                amounts=amounts or None,
                actor_id=USER,
                reason="the licence server was down",
                key=key or self._key(),
                at=self.books.at,
            )

    def correct(self, job_id: UUID, one: RunUsage) -> None:
        with self.books.engine.begin() as conn:
            correct_run(conn, job_id=job_id, run=one, at=self.books.at, rules=self.books.rules)

    def sibling(self, account: str | None = None) -> Books:
        """The books of another project of the same organisation."""
        project_id, name = uuid4(), account or f"p-{uuid4().hex[:20]}"
        with self.books.engine.begin() as conn:
            organisation_id = (
                conn.execute(_PROJECTS.select().where(_PROJECTS.c.id == self.books.project_id))
                .one()
                .organisation_id
            )
            conn.execute(
                insert(_PROJECTS),
                {
                    "id": project_id,
                    "organisation_id": organisation_id,
                    "account": name,
                    "name": name,
                    "state": TenantState.ACTIVE,
                    "created_at": START,
                },
            )
        return Books(self.books.engine, project_id, self.books.price_list, self.books.at)

    def of(self, allocation_id: UUID, asset: str = "VND") -> tuple[int, int, int, int]:
        """Available, held, consumed and expired of one allocation."""
        with self.books.engine.begin() as conn:
            rows = conn.execute(
                _ACCOUNTS.select().where(_ACCOUNTS.c.owner_id == allocation_id, _ACCOUNTS.c.asset == asset)
            )
            found = {row.kind: row.balance for row in rows}
        available, held, consumed, expired = (
            found.get(kind, 0) for kind in ("available", "held", "consumed", "expired")
        )
        return available, held, consumed, expired

    def promisable(self, at: datetime, asset: str = "VND") -> int:
        with self.books.engine.begin() as conn:
            found = balance(conn, self.books.project_id, at).by_asset
        return found.get(asset, AssetBalance()).promisable

    def _adjust(
        self, verb: Callable[..., bool], allocation_id: UUID, lines: Mapping[str, int], key: str | None
    ) -> bool:
        return self._do(partial(verb, lines=lines, key=key or self._key()), allocation_id)

    def _do(self, verb: Callable[..., T], allocation_id: UUID) -> T:
        with self.books.engine.begin() as conn:
            return verb(conn, allocation_id=allocation_id, actor_id=USER, reason="a test", at=self.books.at)

    def _key(self) -> str:
        return f"{self.books.project_id}-{next(self.keys)}"
