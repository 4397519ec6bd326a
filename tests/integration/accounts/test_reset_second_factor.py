"""A lost second factor is taken away by an administrator: with a reason, and everybody concerned is told."""

from collections.abc import Iterator
from pathlib import Path

import pyotp
import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.queries import list_users
from hpc_portal.app.accounts.reset_second_factor import reset_second_factor
from hpc_portal.app.accounts.second_factor import confirm_second_factor, offer_second_factor
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound
from hpc_portal.app.notices.tables import Mail
from hpc_portal.app.tables import BrowserSession, User
from hpc_portal.auth.sessions import open_session
from schedulers.memory import ManualClock
from tests.small_city import City, build_city


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    """Once on SQLite, once on PostgreSQL."""
    city = build_city(database_url, tmp_path, clock=ManualClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def set_up(city: City, person: Actor) -> None:
    offered = offer_second_factor(city.services, person)
    confirm_second_factor(city.services, person, pyotp.TOTP(offered.secret).at(city.services.clock.now()))


def has_codes(city: City) -> set[str]:
    with city.services.reading() as session:
        return {one.username for one in list_users(session, OPERATOR) if one.has_second_factor}


def test_who_lost_the_phone_signs_in_with_the_password_and_is_told(city: City) -> None:
    services, member = city.services, city.chips.member
    is_member = col(User.id) == member.user_id
    transact(
        services.engine,
        lambda connection: connection.execute(update(User).where(is_member).values(email="m@chips.example")),
    )
    set_up(city, member)
    set_up(city, city.chips.lead)
    for person in (member, member, city.chips.lead):
        open_session(services, person.user_id)

    assert reset_second_factor(services, OPERATOR, "chips-member", reason="Lost on the train") == 2

    assert has_codes(city) == {"chips-lead"}
    with services.engine.connect() as connection:
        assert connection.execute(select(col(BrowserSession.user_id))).scalars().all() == [
            city.chips.lead.user_id
        ]
        [(address, facts)] = connection.execute(select(col(Mail.address), col(Mail.facts))).all()
        assert (address, facts["reason"]) == ("m@chips.example", "Lost on the train")
        newest = connection.execute(
            select(col(AuditRecord.action), col(AuditRecord.subject), col(AuditRecord.facts))
            .order_by(col(AuditRecord.sequence).desc())
            .limit(1)
        ).one()
    assert (newest.action, newest.subject) == ("second_factor.reset", "chips-member")
    assert newest.facts == {"reason": "Lost on the train", "sessions": 2}


def test_nothing_happens_without_a_reason_a_second_factor_or_an_administrator(city: City) -> None:
    services = city.services
    set_up(city, city.chips.member)
    for actor, username, reason, error in (
        (OPERATOR, "chips-member", " ", InvalidEntry),
        (OPERATOR, "chips-lead", "lost", InvalidEntry),
        (OPERATOR, "nobody-at-all", "lost", NotFound),
        (city.chips.lead, "chips-member", "lost", NotAllowed),
    ):
        with pytest.raises(error):
            reset_second_factor(services, actor, username, reason=reason)
    assert has_codes(city) == {"chips-member"}
    with services.engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(Mail)).scalar_one() == 0


def test_an_administrators_own_takes_a_code(city: City) -> None:
    """A session that somebody stole could do without it otherwise."""
    set_up(city, city.chips.member)
    person = Actor(city.chips.member.user_id, "chips-member", "M", "m", 1, global_role=OPERATOR.global_role)
    with pytest.raises(InvalidEntry, match="with a code"):
        reset_second_factor(city.services, person, "chips-member", reason="lost")
    assert has_codes(city) == {"chips-member"}
