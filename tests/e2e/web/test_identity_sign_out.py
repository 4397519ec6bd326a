"""Sign out here and at the city's identity provider, a certified one, in a real browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from hpc_portal.app.tables import BrowserSession
from tests.e2e.web.conftest import note_complaints
from tests.e2e.web.identity_site import Site, running_site, sign_in

pytestmark = pytest.mark.xdist_group("identity")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with running_site(tmp_path_factory.mktemp("identity")) as found:
        yield found


@pytest.fixture(params=["sid", "no sid"])
def page(request: pytest.FixtureRequest, site: Site, browser: Browser) -> Iterator[Page]:
    """Of the portal for which the provider names sessions, and of the one for which it names none."""
    url = site.url if request.param == "sid" else site.without_sid
    context = browser.new_context(base_url=url, locale="en-GB")
    context.add_cookies([{"name": "locale", "value": "en", "url": url}])
    complaints: list[str] = []
    page = context.new_page()
    note_complaints(page, complaints, of=url)
    yield page
    context.close()
    assert complaints == []


def test_who_signs_out_at_the_provider_is_signed_out_here(site: Site, page: Page) -> None:
    site.tell(s5={"preferred_username": "an", "name": "An"})
    sign_in(page, "s5")
    expect(page).to_have_url("/")
    assert len(site.rows(BrowserSession.id_hash)) == 1

    page.goto(f"{site.issuer}/session/end")
    page.get_by_role("button", name="Yes, sign me out").click()
    page.wait_for_url(f"{site.issuer}/session/end/success*")

    page.goto("/jobs")
    expect(page).to_have_url("/sign-in?next=/jobs")
    assert site.rows(BrowserSession.id_hash) == []


def test_who_signs_out_here_is_led_to_sign_out_at_the_provider(site: Site, page: Page) -> None:
    site.tell(s5={"preferred_username": "an", "name": "An"})
    sign_in(page, "s5")
    page.goto("/settings")
    page.locator("main").get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url("/sign-in?left=identity")
    expect(page.locator("main").get_by_role("status")).to_contain_text(
        "perhaps still signed in at Danh tính Đà Nẵng"
    )

    page.get_by_role("link", name="Sign in with Danh tính Đà Nẵng").click()
    expect(page).to_have_url("/")  # the provider lets in who never left it
    page.goto("/settings")
    page.locator("main").get_by_role("button", name="Sign out", exact=True).click()
    expect(page).to_have_url("/sign-in?left=identity")
    page.get_by_role("link", name="Sign out at Danh tính Đà Nẵng").click()
    page.get_by_role("button", name="Yes, sign me out").click()
    expect(page).to_have_url("/sign-in")

    page.get_by_role("link", name="Sign in with Danh tính Đà Nẵng").click()
    expect(page.get_by_placeholder("Enter any login")).to_be_visible()
