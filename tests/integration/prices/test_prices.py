"""Prices: drafted, compared, published by one of two at the same instant, retired; and by whom."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlmodel import col

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.accounts.set_membership import set_organisation_membership
from hpc_portal.app.audit_log.read import list_audit
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound
from hpc_portal.app.notices.tables import Notice
from hpc_portal.app.prices import queries
from hpc_portal.app.prices.draft import change_draft, discard_draft, draft_prices
from hpc_portal.app.prices.history import price_history, price_list_at
from hpc_portal.app.prices.publish import publish_draft, publish_prices, retire_prices
from hpc_portal.app.prices.queries import Standing
from hpc_portal.app.tables import OrganisationRole
from quotas.compare_prices import PriceChange, Unpriced
from quotas.errors import DraftChanged, DraftNotFound, InvalidAmount, PriceListNotPublished, PricesChanged
from quotas.pricing import PriceItem, PriceList
from quotas.publish_prices import current_price_list
from schedulers.errors import InvalidJobSpec
from tests.small_city import GRANTED_AT, PRICES, City, build_city

DEARER = [PriceItem("cpu", 720), *PRICES[1:]]


@pytest.fixture
def city(database_url: str, tmp_path: Path) -> Iterator[City]:
    city = build_city(database_url, tmp_path, clock=SystemClock())
    yield city
    city.services.commits.close()
    city.services.engine.dispose()


def now(city: City) -> datetime:
    return city.services.clock.now()


def in_force(city: City, at: datetime | None = None) -> int:
    with city.services.engine.connect() as connection:
        return current_price_list(connection, at or now(city)).version


def standings(city: City) -> list[tuple[int, Standing]]:
    with city.services.engine.connect() as connection:
        return [(item.version, item.standing) for item in queries.price_lists(connection, now(city))]


def review(city: City, draft: int) -> queries.DraftReview:
    with city.services.engine.connect() as connection:
        return queries.review_draft(city.services, connection, OPERATOR, draft)


def test_a_draft_begins_as_a_copy_is_compared_and_published(city: City) -> None:
    services = city.services
    draft = draft_prices(services, OPERATOR, name="From January")
    assert set(review(city, draft).draft.items) == set(PRICES)
    assert review(city, draft).changes == ()
    change_draft(services, OPERATOR, draft, name="From January", items=DEARER, edition=1)
    seen = review(city, draft)
    assert seen.changes == (PriceChange("cpu", None, 360, 720),)
    assert in_force(city) == 1
    publish_draft(services, OPERATOR, draft, edition=seen.draft.edition, seen=seen.latest)
    assert in_force(city) == 2
    with pytest.raises(DraftNotFound):
        review(city, draft)
    with services.reading() as session:
        entry = list_audit(session, OPERATOR).items[0]
    assert entry.action == "prices.published"
    assert (entry.facts["was"], entry.facts["prices"]) == ({"cpu": 360}, {"cpu": 720})


def test_prices_to_come_are_in_force_from_their_instant_on(city: City) -> None:
    tomorrow = now(city) + timedelta(days=1)
    publish_prices(city.services, OPERATOR, DEARER, valid_from=tomorrow)
    assert standings(city) == [(2, Standing.COMING), (1, Standing.IN_FORCE)]
    assert in_force(city, tomorrow - timedelta(microseconds=1)) == 1
    assert in_force(city, tomorrow) == 2


def test_of_two_administrators_who_publish_at_once_one_wins(city: City) -> None:
    services = city.services
    drafts = [draft_prices(services, OPERATOR, name=name) for name in ("mine", "yours")]

    def publish(draft: int) -> PriceList | Exception:
        try:
            return publish_draft(services, OPERATOR, draft, edition=1, seen=1)
        except PricesChanged as error:
            return error

    with ThreadPoolExecutor() as pool:
        outcomes = list(pool.map(publish, drafts))
    assert sorted(type(outcome).__name__ for outcome in outcomes) == ["PriceList", "PricesChanged"]
    assert len(standings(city)) == 2
    left = [draft for draft, outcome in zip(drafts, outcomes, strict=True) if isinstance(outcome, Exception)]
    assert review(city, left[0]).latest == 2  # the loser's draft is still there, to be compared again


def test_of_two_who_publish_the_same_draft_one_wins(city: City) -> None:
    draft = draft_prices(city.services, OPERATOR, name="ours")

    def publish(_: int) -> bool:
        try:
            publish_draft(city.services, OPERATOR, draft, edition=1, seen=1)
        except (DraftNotFound, DraftChanged, PricesChanged):
            return False
        return True

    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(publish, range(4))) == 1
    assert len(standings(city)) == 2


def test_an_edit_that_saw_an_older_edition_is_refused(city: City) -> None:
    draft = draft_prices(city.services, OPERATOR, name="ours")
    change_draft(city.services, OPERATOR, draft, name="ours", items=DEARER, edition=1)
    with pytest.raises(DraftChanged):
        change_draft(city.services, OPERATOR, draft, name="ours", items=PRICES, edition=1)
    with pytest.raises(DraftChanged):
        publish_draft(city.services, OPERATOR, draft, edition=1, seen=1)
    assert set(review(city, draft).draft.items) == set(DEARER)
    discard_draft(city.services, OPERATOR, draft)
    with pytest.raises(DraftNotFound):
        discard_draft(city.services, OPERATOR, draft)


def test_what_the_clusters_have_and_nobody_priced_is_found_before_publishing(city: City) -> None:
    draft = draft_prices(
        city.services,
        OPERATOR,
        name="forgetful",
        items=[PriceItem("cpu", 1), PriceItem("mem", 1, "main"), PriceItem("gres/gpu:a100", 5)],
    )
    seen = review(city, draft)
    assert seen.unpriced == (
        Unpriced("memory", "main", "gres/gpu"),
        Unpriced("memory", "main", "gres/gpu:h100"),
    )
    assert seen.unknown == (PriceItem("gres/gpu:a100", 5),)


def test_a_retired_list_prices_nothing_and_the_one_before_steps_in(city: City) -> None:
    services = city.services
    publish_prices(services, OPERATOR, DEARER)
    assert in_force(city) == 2
    retire_prices(services, OPERATOR, 2, reason="a wrong digit")
    assert in_force(city) == 1
    assert standings(city) == [(2, Standing.RETIRED), (1, Standing.IN_FORCE)]
    with pytest.raises(PriceListNotPublished, match="retired before"):
        retire_prices(services, OPERATOR, 2, reason="again")
    with pytest.raises(PriceListNotPublished, match="only one in force"):
        retire_prices(services, OPERATOR, 1, reason="none left")
    with pytest.raises(PriceListNotPublished, match="does not exist"):
        retire_prices(services, OPERATOR, 9, reason="never was")
    assert in_force(city) == 1


def test_of_two_lists_retired_at_once_one_stays_in_force(city: City) -> None:
    publish_prices(city.services, OPERATOR, DEARER)

    def retire(version: int) -> bool:
        try:
            retire_prices(city.services, OPERATOR, version, reason="a race")
        except PriceListNotPublished:
            return False
        return True

    with ThreadPoolExecutor() as pool:
        assert sum(pool.map(retire, [1, 2])) == 1
    assert in_force(city) in {1, 2}


def test_only_administrators_touch_prices_and_nothing_wrong_gets_in(city: City) -> None:
    services, lead = city.services, city.chips.lead
    for deed in (
        lambda: publish_prices(services, lead, PRICES),
        lambda: draft_prices(services, lead, name="mine"),
        lambda: retire_prices(services, lead, 1, reason="dear"),
    ):
        with pytest.raises(NotAllowed):
            deed()
    with pytest.raises(InvalidEntry):
        publish_prices(services, OPERATOR, PRICES, valid_from=now(city) - timedelta(seconds=1))
    for wrong in ([], [PriceItem("cpu", 1, "x" * 65)]):
        with pytest.raises(InvalidEntry):
            publish_prices(services, OPERATOR, wrong)
    with pytest.raises(InvalidAmount):
        publish_prices(services, OPERATOR, [*PRICES, PRICES[0]])
    for rate in (-1, 10**12 + 1):
        with pytest.raises(InvalidAmount):
            PriceItem("cpu", rate)
    with pytest.raises(InvalidJobSpec):
        PriceItem("gold", 1)
    assert standings(city) == [(1, Standing.IN_FORCE)]
    with services.engine.connect() as connection, pytest.raises(NotFound):
        queries.price_list(connection, 2, now(city))


def test_managers_are_told_of_new_prices(city: City) -> None:
    for tenant in (city.chips, city.rivals):
        set_organisation_membership(
            city.services,
            OPERATOR,
            organisation=f"{tenant.account}-org",
            username=tenant.lead.username,
            role=OrganisationRole.MANAGER,
        )
    publish_prices(city.services, OPERATOR, DEARER)
    with city.services.engine.connect() as connection:
        told = connection.execute(select(col(Notice.kind), col(Notice.facts), col(Notice.user_id))).all()
    assert {row.user_id for row in told} == {city.chips.lead.user_id, city.rivals.lead.user_id}
    assert {(row.kind, row.facts["version"], row.facts["changes"]) for row in told} == {
        ("prices.published", 2, 1)
    }


def test_history_tells_what_was_in_force_when_and_what_each_version_changed(city: City) -> None:
    begin = now(city)
    publish_prices(city.services, OPERATOR, DEARER, valid_from=None, seen=1)
    second = now(city)
    publish_prices(city.services, OPERATOR, PRICES, valid_from=begin + timedelta(days=9), seen=2)
    publish_prices(city.services, OPERATOR, PRICES, valid_from=None, seen=3)
    retire_prices(city.services, OPERATOR, 4, reason="a slip of the pen")
    with city.services.engine.connect() as connection:
        found = {one.published.version: one for one in price_history(connection, now(city))}
        then = price_list_at(connection, begin, now=now(city)).version
        with pytest.raises(NotFound):
            price_list_at(connection, GRANTED_AT - timedelta(seconds=1), now=now(city))
    assert (then, found[1].replaced) == (1, None)
    assert begin <= (found[1].until or begin) <= second
    assert (found[2].replaced, found[2].changes) == (1, (PriceChange("cpu", None, 360, 720),))
    assert found[2].until == found[4].published.valid_from
    assert (found[3].replaced, found[3].until) == (2, None)
    assert (found[4].replaced, found[4].until) == (2, found[4].published.retired_at)
