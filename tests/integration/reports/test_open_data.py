"""What everybody sees is of closed months and of five organisations at least."""

from dataclasses import replace
from datetime import UTC, date, datetime

from hpc_portal.app.db import transact
from hpc_portal.app.reports.document import Share
from hpc_portal.app.reports.open_data import Figures, OpenMonth, open_data
from hpc_portal.app.reports.watch_capacity import add_look
from quotas.grant import grant
from quotas.tables import OrganisationKind
from schedulers.cluster import ClusterSnapshot, Node, NodeState
from tests.integration.api.conftest import Portal
from tests.integration.reports.conftest import NOW, Books
from tests.small_city import GRANTED_AT, Tenant

OCTOBER = date(2026, 10, 1)
HIDDEN = Figures(None, None, None, None)


def months(books: Books) -> list[OpenMonth]:
    with books.city.services.reading() as session:
        return open_data(session.connection())


def use(books: Books, tenant: Tenant, *, gpus: int = 1, waited: int = 30) -> None:
    """1,000 seconds in October; granted first."""
    transact(
        books.city.services.engine,
        lambda connection: grant(
            connection,
            project_id=tenant.project_id,
            lines={"VND": 10**9},
            valid_from=GRANTED_AT,
            valid_to=datetime(2027, 1, 1, tzinfo=UTC),
            overdraft=None,
            actor_id=None,
            reason="test",
            idempotency_key=f"open-{tenant.account}",
            at=GRANTED_AT,
        ),
    )
    books.charge(
        tenant,
        f"run of {tenant.account}",
        started_at=datetime(2026, 10, 10, tzinfo=UTC),
        seconds=1000,
        tres={"cpu": 1, "gres/gpu": gpus, "gres/gpu:h100": gpus} if gpus else {"cpu": 1},
        waited_seconds=waited,
    )


def startups(books: Books, count: int) -> None:
    for number in range(count):
        use(books, books.organisation(f"startup-{number}", OrganisationKind.STARTUP))


def universities(books: Books, count: int) -> None:
    for number in range(count):
        use(books, books.organisation(f"university-{number}", OrganisationKind.UNIVERSITY))


def test_an_open_month_is_not_shown(books: Books) -> None:
    startups(books, 6)
    assert months(books) == []


def test_six_startups_are_shown_and_what_they_used_adds_up(books: Books) -> None:
    startups(books, 6)
    books.close_through(OCTOBER)
    month, *_earlier = months(books)
    assert month.month == OCTOBER
    assert month.whole == Figures(organisations=6, gpu_seconds=6_000, runs=6, mean_wait_seconds=30)
    assert month.by_sector == {OrganisationKind.STARTUP: month.whole}


def test_two_universities_are_hidden_and_so_are_the_startups_that_would_give_them_away(books: Books) -> None:
    startups(books, 6)
    universities(books, 2)
    books.close_through(OCTOBER)
    month, *_earlier = months(books)
    assert month.whole.gpu_seconds == 8_000
    assert month.by_sector == {OrganisationKind.STARTUP: HIDDEN, OrganisationKind.UNIVERSITY: HIDDEN}


def test_five_universities_are_shown(books: Books) -> None:
    startups(books, 6)
    universities(books, 5)
    books.close_through(OCTOBER)
    month, *_earlier = months(books)
    assert month.by_sector[OrganisationKind.UNIVERSITY].gpu_seconds == 5_000
    assert month.by_sector[OrganisationKind.STARTUP].gpu_seconds == 6_000


def test_a_month_of_four_says_nothing_of_use_but_all_of_availability(books: Books) -> None:
    startups(books, 4)
    node = Node("n1", NodeState.UP, 64, 1024, {"h100": 8}, 8, 8, {"h100": 6})
    seen = ClusterSnapshot("memory", NOW, (), (node, Node("n2", NodeState.DOWN, 64, 1024, {"h100": 8})))
    noon = datetime(2026, 10, 10, 5, tzinfo=UTC)
    transact(
        books.city.services.engine,
        lambda connection: add_look(connection, seen, since=noon, until=noon.replace(minute=4)),
    )
    books.close_through(OCTOBER)
    month, *_earlier = months(books)
    assert month.whole == HIDDEN
    assert month.gpu_utilisation is None
    assert month.cpu_utilisation is None
    assert month.gpu_availability == Share(8 * 240, 16 * 240)
    assert month.gpu_capacity_seconds == 16 * 240


def test_utilisation_is_shown_once_five_used_gpus(books: Books) -> None:
    startups(books, 5)
    node = Node("n1", NodeState.UP, 64, 1024, {"h100": 8}, 16, 8, {"h100": 6})
    noon = datetime(2026, 10, 10, 5, tzinfo=UTC)
    transact(
        books.city.services.engine,
        lambda connection: add_look(
            connection,
            ClusterSnapshot("memory", NOW, (), (node,)),
            since=noon,
            until=noon.replace(minute=4),
        ),
    )
    books.close_through(OCTOBER)
    month, *_earlier = months(books)
    assert month.gpu_utilisation == Share(6 * 240, 8 * 240)
    assert month.cpu_utilisation == Share(16 * 240, 64 * 240)


def test_nothing_is_there_for_strangers_unless_the_city_wants_it(portal: Portal) -> None:
    with portal.client() as stranger:
        assert stranger.get("/api/v1/open-data").status_code == 404
        assert stranger.get("/open-data").status_code == 404


def test_with_the_setting_on_strangers_get_page_json_and_files(books: Books, portal: Portal) -> None:
    startups(books, 6)
    books.close_through(OCTOBER)
    services = portal.city.services
    settings = services.settings.model_copy(update={"open_data": True})
    portal.app.state.services = replace_settings(services, settings)
    with portal.client() as stranger:
        json = stranger.get("/api/v1/open-data").json()
        assert json["least_organisations"] == 5
        assert json["months"][0]["whole"]["gpu_seconds"] == 6_000
        page = stranger.get("/open-data", headers={"accept-language": "vi"})
        assert "Dữ liệu mở" in page.text
        assert "startup-" not in page.text
        for form, start in (("csv", b"month,"), ("xlsx", b"PK"), ("pdf", b"%PDF")):
            reply = stranger.get("/api/v1/open-data", params={"format": form})
            assert reply.content.startswith(start)
            assert f".{form}" in reply.headers["content-disposition"]


def replace_settings(services: object, settings: object) -> object:
    return replace(services, settings=settings)  # type: ignore[type-var]
