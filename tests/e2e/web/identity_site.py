"""A portal, a certified OpenID Connect provider that it trusts, and the people over there."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page
from pydantic import SecretStr
from sqlalchemy import select

from hpc_portal.app.db import create_engine
from hpc_portal.app.settings import IdentityPlace, IdentityProject, IdentitySettings
from tests.e2e.web.city import City, build_city
from tests.e2e.web.serve import served

PROVIDER = Path(sys.prefix) / "identity_provider" / "provider.js"
NODE = Path(sys.prefix) / "bin" / "node"
SECRET = "a secret of the tests, not of anybody"


@dataclass
class Site:
    """A portal, the provider that it trusts, and the people over there."""

    city: City
    url: str
    without_sid: str
    """Another web process of the same city: the provider's tokens for it name no session."""
    issuer: str
    people: Path

    def tell(self, **people: dict[str, Any]) -> None:
        """From now on the provider says this of them."""
        self.people.write_text(json.dumps(people), "utf-8")

    def rows(self, *columns: Any) -> list[Any]:  # noqa: ANN401 - any columns
        engine = create_engine(self.city.settings.effective_database_url)
        with engine.connect() as connection:
            found = list(connection.execute(select(*columns)))
        engine.dispose()
        return found


@contextmanager
def running_site(folder: Path) -> Iterator[Site]:
    """The provider as a process, and two web processes of one city, in this folder."""
    people = folder / "people.json"
    people.write_text("{}")
    city = build_city(folder)
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    url, without_sid = (f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners)
    with subprocess.Popen(
        [NODE, PROVIDER, people, url, without_sid], stdout=subprocess.PIPE, text=True
    ) as provider:
        assert provider.stdout
        issuer = provider.stdout.readline().strip()
        identity = IdentitySettings(
            issuer=issuer,
            client_id="hpc-portal",
            client_secret=SecretStr(SECRET),
            name="Danh tính Đà Nẵng",
            places=[
                IdentityPlace(group="dut", organisation="sao-bien"),
                IdentityPlace(group="dut-managers", organisation="sao-bien", role="manager"),
            ],
            projects=[IdentityProject(group="npu-team", project="npu-verif")],
            administrators_group="city-admins",
        )
        other = identity.model_copy(update={"client_id": "hpc-portal-without-sid"})
        with (
            served(city.settings.model_copy(update={"identity": identity}), listeners[0]),
            served(city.settings.model_copy(update={"identity": other}), listeners[1]),
        ):
            yield Site(city, url, without_sid, issuer, people)
        provider.kill()


def go_through_provider(page: Page, subject: str) -> None:
    """Sign in over there: its own pages ask who it is, and whether the portal may know."""
    page.get_by_placeholder("Enter any login").fill(subject)
    page.get_by_placeholder("and password").fill("any")
    page.get_by_role("button", name="Sign-in").click()
    page.get_by_role("button", name="Continue").click()


def sign_in(page: Page, subject: str, *, goal: str = "/") -> None:
    page.goto(f"/sign-in?next={goal}")
    page.get_by_role("link", name="Sign in with Danh tính Đà Nẵng").click()
    go_through_provider(page, subject)
