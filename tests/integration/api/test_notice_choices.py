"""Choices of notices, webhooks and one's name: through the API and on the settings page, each for oneself."""

import httpx

from hpc_portal.auth.sessions import open_session
from tests.integration.api.conftest import Portal

URL = "https://hooks.example.vn/hpc"


def test_choices_and_webhook_are_ones_own(portal: Portal) -> None:
    choice = {"on_page": False, "by_mail": "daily", "by_webhook": True}
    with portal.client(portal.city.chips.member) as member, portal.client(portal.city.rivals.member) as rival:
        url = "/api/v1/notices/choices"
        assert member.put(f"{url}/budgets", json=choice).status_code == 204
        assert member.put(f"{url}/moon", json=choice).status_code == 422
        assert member.put(f"{url}/budgets", json={**choice, "by_mail": "weekly"}).status_code == 422
        mine = {one.pop("group"): one for one in member.get(url).json()["items"]}
        theirs = {one.pop("group"): one for one in rival.get(url).json()["items"]}
        assert mine["budgets"] == choice
        assert theirs["budgets"]["by_mail"] == "at_once"
        assert mine["jobs.failed"] == {"on_page": False, "by_mail": "off", "by_webhook": False}

        assert member.get("/api/v1/webhook").json() is None
        refused = member.put("/api/v1/webhook", json={"url": "http://169.254.169.254/latest"})
        assert refused.status_code == 422
        secret = member.put("/api/v1/webhook", json={"url": URL}).json()["secret"]
        assert secret.startswith("whsec_")
        assert member.put("/api/v1/webhook", json={"url": f"{URL}?room=7"}).json()["secret"] is None
        assert member.post("/api/v1/webhook/secret").json()["secret"] != secret
        assert member.post("/api/v1/webhook/test").status_code == 202
        [delivery] = member.get("/api/v1/webhook/deliveries").json()["items"]
        assert (delivery["kind"], delivery["attempts"], delivery["delivered_at"]) == ("webhook.test", 0, None)
        assert rival.get("/api/v1/webhook").json() is None
        assert rival.get("/api/v1/webhook/deliveries").json()["items"] == []
        assert rival.delete("/api/v1/webhook").status_code == 404
        assert "whsec" not in member.get("/api/v1/webhook").text
        assert member.delete("/api/v1/webhook").status_code == 204


def test_the_settings_page_stores_what_its_forms_say(portal: Portal) -> None:
    member = portal.city.chips.member
    secret = open_session(portal.city.services, member.user_id, user_agent="here")
    client = httpx.Client(
        base_url=portal.url, cookies={"hpc_session": secret}, headers={"accept-language": "en"}, timeout=30
    )
    with client, portal.client(member) as api:
        page = client.get("/settings").text
        token = page.split('name="csrf-token" content="')[1].split('"')[0]

        def post(path: str, **fields: str) -> httpx.Response:
            return client.post(path, data={"csrf_token": token, **fields})

        assert post("/settings/profile", display_name="  Lê  Thu ").status_code == 303
        assert api.get("/api/v1/me").json()["display_name"] == "Lê Thu"
        assert post("/settings/profile", display_name=" ").status_code == 422
        assert api.patch("/api/v1/me", json={"display_name": "Lê Thu Hà"}).status_code == 204
        assert 'value="Lê Thu Hà"' in client.get("/settings").text

        assert post("/settings/notices", **{"page-prices": "yes", "mail-prices": "daily"}).status_code == 303
        told = {one["group"]: one for one in api.get("/api/v1/notices/choices").json()["items"]}
        assert (told["prices"]["by_mail"], told["prices"]["by_webhook"]) == ("daily", False)
        assert told["budgets"]["on_page"] is False, "a tick that is missing means no"

        refused = post("/settings/webhook", url="https://10.0.0.7/hook")
        assert refused.status_code == 422
        assert 'value="https://10.0.0.7/hook"' in refused.text, "what was typed stays"
        shown = post("/settings/webhook", url=URL)
        assert shown.status_code == 200
        assert "whsec_" in shown.text
        assert "whsec_" not in client.get("/settings").text
        assert post("/settings/webhook", deed="test").headers["location"] == "/settings/webhook"
        assert "webhook.test" in client.get("/settings/webhook").text
        assert post("/settings/webhook", deed="remove").status_code == 303
        assert post("/settings/webhook", deed="secret").status_code in {404, 422}
        assert api.get("/api/v1/webhook").json() is None
