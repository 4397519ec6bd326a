"""Budgets' forecasts and idle grants start from what was charged, day by day."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from hpc_portal.app.db import transact
from hpc_portal.app.errors import NotAllowed, ProjectNotFound
from hpc_portal.app.reports.budget_forecast import BudgetForecast, forecast_budget, forecast_document
from hpc_portal.app.reports.daily_use import daily_use
from hpc_portal.app.reports.document import Edition
from hpc_portal.app.reports.idle_grants import IdleGrant, idle_grants, idle_grants_document
from quotas.grant import grant
from quotas.tables import OrganisationKind
from quotas.usage_report import Dimension
from tests.integration.reports.conftest import NOW, Books
from tests.small_city import Tenant

TODAY = date(2026, 11, 26)


def forecasts(books: Books, account: str = "chips") -> dict[str, BudgetForecast]:
    with books.city.services.reading() as session:
        found = forecast_budget(session.connection(), books.auditor, account, at=NOW)
    return {one.asset: one for one in found}


def idle(books: Books) -> dict[tuple[str, str], IdleGrant]:
    found = idle_grants(books.city.services, books.auditor, at=NOW)
    return {(one.project, one.asset): one for one in found}


def give(books: Books, tenant: Tenant, *, since: datetime, until: datetime, **lines: int) -> None:
    transact(
        books.city.services.engine,
        lambda connection: grant(
            connection,
            project_id=tenant.project_id,
            lines={name.replace("_", "/"): amount for name, amount in lines.items()},
            valid_from=since,
            valid_to=until,
            overdraft=None,
            actor_id=None,
            reason="test",
            idempotency_key=f"more-{tenant.account}-{since}",
            at=since,
        ),
    )


def work(books: Books, tenant: Tenant, days: int, *, tres: dict[str, int], seconds: int = 1000) -> None:
    """The same run at noon on each of the last days."""
    for number in range(1, days + 1):
        at = datetime(2026, 11, 26, 5, tzinfo=UTC) - timedelta(days=number)
        books.charge(tenant, f"{tenant.account}-{number}", started_at=at, seconds=seconds, tres=tres)


def lab(books: Books, *, until: datetime, **lines: int) -> Tenant:
    tenant = books.organisation("lab", OrganisationKind.UNIVERSITY)
    give(books, tenant, since=datetime(2026, 9, 1, tzinfo=UTC), until=until, **lines)
    return tenant


def test_an_even_pace_of_money_and_gpus_ends_where_a_division_says(books: Books) -> None:
    # 2 H100 for 1,000 s are 20,000 đồng and 2,000 GPU-seconds a day; 56 of 60 days are looked at.
    tenant = lab(books, until=datetime(2027, 6, 30, 17, tzinfo=UTC), VND=20_000 * 65, gres_gpu=2_000 * 80)
    work(books, tenant, 60, tres={"gres/gpu": 2, "gres/gpu:h100": 2})
    found = forecasts(books, "lab")
    money = found["VND"].forecast
    gpus = found["gres/gpu"].forecast
    assert money is not None
    assert gpus is not None
    assert (found["VND"].left, money.daily) == (100_000, 20_000)
    assert money.earliest_on == money.exhausted_on == money.latest_on == TODAY + timedelta(days=6)
    assert (found["gres/gpu"].left, gpus.daily) == (40_000, 2_000)
    assert gpus.exhausted_on == TODAY + timedelta(days=21)
    assert found["VND"].last_day == date(2027, 6, 30)


def test_a_project_without_history_is_told_so_and_not_guessed(books: Books) -> None:
    assert forecasts(books)["VND"].forecast is None
    document = forecast_document("chips", list(forecasts(books).values()), Edition("vi", NOW))
    assert "chưa đủ số liệu" in {getattr(cell, "shown", "") for cell in document.tables[0].rows[0]}


def test_licences_are_shared_out_as_the_months_say(books: Books) -> None:
    tenant = lab(books, until=datetime(2027, 1, 1, tzinfo=UTC), VND=10**9, license_vcs=10**6)
    work(books, tenant, 20, tres={"cpu": 1, "license/vcs": 3})
    with books.city.services.reading() as session:
        used = daily_use(session.connection(), Dimension.PROJECT, today=TODAY)
    assert set(used[tenant.project_id]["license/vcs"].values()) == {3_000}
    found = forecasts(books, "lab")["license/vcs"].forecast
    assert found is not None
    assert found.daily == 3_000


def test_what_nobody_will_use_can_be_granted_again(books: Books) -> None:
    # 5 days remain after today: 30 November, at 1,000 CPU-seconds (100 đồng) a day, needs 400 to 500.
    tenant = lab(books, until=datetime(2026, 11, 30, 17, tzinfo=UTC), VND=100_000, cpu=50_000)
    work(books, tenant, 40, tres={"cpu": 1})
    found = idle(books)
    line = found["lab", "VND"]
    assert (line.granted, line.used, line.available) == (100_000, 4_000, 96_000)
    assert (line.needed, line.regrantable, line.days_left) == (400, 95_600, 4)
    assert found["lab", "cpu"].regrantable == 50_000 - 40_000 - 4_000
    document = idle_grants_document(list(found.values()), Edition("en", NOW))
    assert len(document.tables[0].rows) == len(found)


def test_a_grant_that_is_used_well_or_quite_new_is_not_idle(books: Books) -> None:
    tenant = lab(books, until=datetime(2026, 12, 31, 17, tzinfo=UTC), VND=7_200)
    work(books, tenant, 40, tres={"cpu": 1})
    fresh = books.organisation("fresh", OrganisationKind.STARTUP)
    give(books, fresh, since=NOW - timedelta(days=5), until=NOW + timedelta(days=90), VND=10**6)
    found = idle(books)
    assert ("lab", "VND") not in found  # of 3,200 left, 35 days need 2,800: 6 % of it remain
    assert ("fresh", "VND") not in found
    assert ("rivals", "VND") in found


def test_days_that_are_over_are_kept_for_minutes_and_balances_are_of_now(books: Books) -> None:
    tenant = lab(books, until=datetime(2026, 11, 30, 17, tzinfo=UTC), VND=100_000)
    work(books, tenant, 40, tres={"cpu": 1})
    before = idle(books)["lab", "VND"]
    books.charge(tenant, "late", started_at=NOW - timedelta(days=6), seconds=36_000, tres={"cpu": 1})
    after = idle(books)["lab", "VND"]
    assert (after.used, after.needed) == (before.used + 1000 * 36 // 10, before.needed)
    books.city.services.grant_outlooks.forget()
    assert idle(books)["lab", "VND"].needed > before.needed


def test_outlooks_of_another_day_are_not_believed(books: Books) -> None:
    tenant = lab(books, until=datetime(2026, 11, 30, 17, tzinfo=UTC), VND=100_000)
    work(books, tenant, 40, tres={"cpu": 1})
    assert idle(books)["lab", "VND"].needed == 400
    tomorrow = idle_grants(books.city.services, books.auditor, at=NOW + timedelta(days=1))
    assert next(one.needed for one in tomorrow if one.project == "lab") < 400


def test_whose_budget_it_is_others_are_not_told(november: Books) -> None:
    with november.city.services.reading() as session:
        connection = session.connection()
        with pytest.raises(ProjectNotFound):
            forecast_budget(connection, november.city.rivals.member, "chips", at=NOW)
    with pytest.raises(NotAllowed):
        idle_grants(november.city.services, november.city.chips.lead, at=NOW)


def test_some_assets_are_told_as_they_are_among_all(books: Books) -> None:
    runs: list[dict[str, int]] = [
        {"cpu": 4, "mem": 1024, "gres/gpu": 2, "gres/gpu:h100": 2},
        {"cpu": 2, "license/vcs": 3},
        {"cpu": 1},
    ]
    for number, held in enumerate(runs * 2):
        started_at = datetime.combine(TODAY - timedelta(days=2 + number // 4), time(), UTC)
        tenant = (books.city.chips, books.city.rivals)[number % 2]
        books.charge(tenant, str(number), started_at=started_at, seconds=1003, tres=held)
    with books.city.services.reading() as session:
        for of in (Dimension.PROJECT, Dimension.ALLOCATION):
            everything = daily_use(session.connection(), of, today=TODAY)
            assert everything
            for assets in (["VND"], ["cpu", "mem"], ["gres/gpu"], ["VND", "gres/gpu:h100"], ["license/vcs"]):
                for asked in (list(everything), list(everything)[:1]):
                    narrowed = {
                        owner: {asset: days for asset, days in everything[owner].items() if asset in assets}
                        for owner in asked
                    }
                    found = daily_use(
                        session.connection(), of, today=TODAY, assets=dict.fromkeys(asked, assets)
                    )
                    assert found == {owner: used for owner, used in narrowed.items() if used}
