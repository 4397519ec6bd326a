"""A city whose people ask for quota: a lead, a member, the rivals, two administrators and an auditor."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import insert, update

from hpc_portal.app.actor import Actor, load_actor
from hpc_portal.app.db import transact
from hpc_portal.app.ids import new_id
from hpc_portal.app.requests.checks import WantedQuota
from hpc_portal.app.requests.transitions import RequestKind
from hpc_portal.app.services import Services
from hpc_portal.app.tables import GlobalRole, User
from quotas.tables import Allocation
from tests.small_city import City, build_city

HOUR = 3600
H100 = "gres/gpu:h100"


@dataclass
class HandClock:
    """Time that a test moves."""

    at: datetime = datetime(2026, 3, 2, 3, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


@dataclass(frozen=True)
class Asking:
    """The city and who decides in it."""

    city: City
    clock: HandClock
    chief: Actor
    deputy: Actor
    auditor: Actor

    @property
    def services(self) -> Services:
        return self.city.services

    @property
    def lead(self) -> Actor:
        return self.city.chips.lead

    def wanted(
        self,
        kind: RequestKind = RequestKind.NEW,
        *,
        lines: dict[str, int] | None = None,
        days: int = 30,
        purpose: str = "tape-out of the NPU in May",
        allocation_id: UUID | None = None,
    ) -> WantedQuota:
        """A request that nobody could object to, from today on."""
        return WantedQuota(
            kind,
            {H100: 500 * HOUR} if lines is None else lines,
            self.clock.at,
            self.clock.at + timedelta(days=days),
            purpose,
            allocation_id=allocation_id,
        )


def _person(services: Services, number: int, username: str, role: GlobalRole) -> Actor:
    user_id = new_id()
    row = {
        "id": user_id,
        "username": username,
        "display_name": username.title(),
        "email": f"{username}@example.vn",
        "password_hash": "",
        "global_role": role,
        "cluster_user": f"u{number}",
        "cluster_number": number,
        "locale": "en",
        "theme": "auto",
        "is_active": True,
        "created_at": datetime(2026, 1, 1, tzinfo=UTC),
    }
    transact(services.engine, lambda connection: connection.execute(insert(User), row))
    with services.reading() as session:
        actor = load_actor(session, user_id)
    assert actor
    return actor


@pytest.fixture
def asking(database_url: str, tmp_path: Path) -> Iterator[Asking]:
    clock = HandClock()
    city = build_city(database_url, tmp_path, clock=clock)
    services = city.services
    ends = clock.at + timedelta(days=60)
    transact(services.engine, lambda connection: connection.execute(update(Allocation).values(valid_to=ends)))
    yield Asking(
        city,
        clock,
        _person(services, 91, "chief", GlobalRole.ADMINISTRATOR),
        _person(services, 92, "deputy", GlobalRole.ADMINISTRATOR),
        _person(services, 93, "auditor", GlobalRole.AUDITOR),
    )
    services.commits.close()
    services.engine.dispose()
