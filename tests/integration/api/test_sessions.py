"""The browsers in which one is signed in: seen and ended by oneself only."""

import httpx

from hpc_portal.auth.sessions import open_session
from tests.integration.api.conftest import Portal


def browser(portal: Portal, agent: str, *, who: str = "member") -> httpx.Client:
    actor = getattr(portal.city.chips, who)
    secret = open_session(portal.city.services, actor.user_id, user_agent=agent)
    return httpx.Client(
        base_url=portal.url, cookies={"hpc_session": secret}, follow_redirects=False, timeout=30
    )


def end(client: httpx.Client, session: str = "") -> int:
    page = client.get("/settings").text
    token = page.split('name="csrf-token" content="')[1].split('"')[0]
    answer = client.post("/settings/sessions/end", data={"csrf_token": token, "session": session})
    return answer.status_code


def test_a_lost_phone_is_signed_out_and_everything_else_at_once(portal: Portal) -> None:
    here, phone, cafe = (browser(portal, agent) for agent in ("here", "phone", "café"))
    with here, phone, cafe, portal.client(portal.city.chips.member) as api:
        listed = {one["user_agent"]: one["id"] for one in api.get("/api/v1/sessions").json()["items"]}
        assert set(listed) == {"here", "phone", "café"}
        assert end(here, listed["phone"]) == 303
        assert [one.get("/settings").status_code for one in (here, phone, cafe)] == [200, 401, 200]
        assert end(here) == 303
        assert [one.get("/settings").status_code for one in (here, cafe)] == [200, 401]
        assert api.get("/api/v1/sessions").json()["items"][0]["id"] == listed["here"]
        assert api.delete(f"/api/v1/sessions/{listed['here']}").status_code == 204
        assert here.get("/settings").status_code == 401


def test_nobody_sees_or_ends_another_s(portal: Portal) -> None:
    with browser(portal, "mine") as mine, portal.client(portal.city.chips.lead) as lead:
        with portal.client(portal.city.chips.member) as member:
            [session] = member.get("/api/v1/sessions").json()["items"]
        assert lead.get("/api/v1/sessions").json()["items"] == []
        assert lead.delete(f"/api/v1/sessions/{session['id']}").status_code == 404
        assert mine.get("/settings").status_code == 200
