"""A forgotten password is replaced by an administrator; its owner is told, and one's own is no exception."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import func, select, update
from sqlmodel import col

from hpc_portal.app.accounts.authenticate import authenticate
from hpc_portal.app.accounts.change_settings import change_password, reset_password
from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.notices.tables import Mail, Notice
from hpc_portal.app.tables import BrowserSession, GlobalRole, User
from hpc_portal.auth.sessions import open_session
from schedulers.memory import ManualClock
from tests.small_city import City, build_city

PASSWORD = "a password of theirs"


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    """Once on SQLite, once on PostgreSQL; the member has an address."""
    city = build_city(database_url, tmp_path, clock=ManualClock())
    change = update(User).where(col(User.id) == city.chips.member.user_id).values(email="m@chips.example")
    transact(city.services.engine, lambda connection: connection.execute(change))
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def told(city: City) -> list[tuple[str, str]]:
    """The addresses and kinds of mails."""
    with city.services.engine.connect() as connection:
        found = connection.execute(select(col(Mail.address), col(Mail.kind)).order_by(col(Mail.id)))
        return [(row.address, row.kind) for row in found]


def test_whose_password_was_reset_is_told_by_mail_and_on_the_page(city: City) -> None:
    services, member = city.services, city.chips.member
    open_session(services, member.user_id)
    reset_password(services, OPERATOR, username="chips-member", new=PASSWORD)
    assert authenticate(services, "chips-member", PASSWORD) == member.user_id
    assert told(city) == [("m@chips.example", "password.reset")]
    with services.engine.connect() as connection:
        notices = connection.execute(select(col(Notice.user_id), col(Notice.kind), col(Notice.facts))).all()
        sessions = connection.execute(select(func.count()).select_from(BrowserSession)).scalar_one()
    assert [tuple(row) for row in notices] == [(member.user_id, "password.reset", {"by": "Operator"})]
    assert sessions == 0


def test_who_changed_their_own_did_so_themselves(city: City) -> None:
    services, member = city.services, city.chips.member
    reset_password(services, OPERATOR, username="chips-member", new=PASSWORD)
    change_password(services, member, present=PASSWORD, new="another one of theirs")
    assert len(told(city)) == 1, "of the reset"


def test_an_administrators_own_takes_the_present_one(city: City) -> None:
    """A session or token that somebody stole could do without it otherwise."""
    services, member = city.services, city.chips.member
    reset_password(services, OPERATOR, username="chips-member", new=PASSWORD)
    person = Actor(member.user_id, "chips-member", "M", "m", 1, global_role=GlobalRole.ADMINISTRATOR)
    with pytest.raises(InvalidEntry, match="with the present one"):
        reset_password(services, person, username="chips-member", new="whoever stole it knows this")
    assert authenticate(services, "chips-member", PASSWORD) == member.user_id
    assert len(told(city)) == 1, "of the operator's"
