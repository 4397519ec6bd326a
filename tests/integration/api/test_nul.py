"""A NUL character, which PostgreSQL cannot store, is refused at every door, in words."""

import pytest

from tests.integration.api.conftest import Portal


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/api/v1/requests", {"kind": "new", "project": "chips", "lines": {"VND": 1}, "purpose": "a\0b"}),
        ("/api/v1/tokens", {"name": "a\0b"}),
        ("/api/v1/jobs", {"project": "chips", "template": "script", "parameters": {"script": "a\0b"}}),
    ],
)
def test_a_body_with_it_is_refused(portal: Portal, path: str, body: dict[str, object]) -> None:
    with portal.client(portal.city.chips.lead) as client:
        reply = client.post(path, json=body)
    assert reply.status_code == 422
    assert "NUL" in reply.text


def test_a_form_with_it_is_refused(portal: Portal) -> None:
    with portal.client(accept="text/html") as client:
        reply = client.post("/sign-in", data={"username": "a\0b", "password": "long enough"})
    assert reply.status_code == 422
    assert "<html" in reply.text
