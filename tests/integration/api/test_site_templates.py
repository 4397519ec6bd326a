"""Site templates over HTTP and as pages: who publishes, who sees, and what refusals say."""

import httpx

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.tables import GlobalRole, User
from hpc_portal.app.templates.publish import publish_template
from tests.integration.api.conftest import Portal

DOCUMENT = """\
name = "simulate"
title = { vi = "Mô phỏng", en = "Simulate" }
summary = { vi = "Chạy.", en = "Run." }
script = '''
echo {{top}}
'''

[who_may_use]
projects = ["chips"]

[parameters.top]
type = "word"
title = { vi = "Đỉnh", en = "Top" }
default = "tb"

[results]
log = "run.log"
pass = ['PASSED']
"""
PATH = "/api/v1/site-templates"


def administrator(portal: Portal) -> httpx.Client:
    """The lead of chips, who also administers the city."""
    lead = portal.city.chips.lead
    with portal.city.services.writing() as session:
        user = session.get(User, lead.user_id)
        assert user
        user.global_role = GlobalRole.ADMINISTRATOR
        session.commit()
    return portal.client(lead)


def test_an_administrator_checks_publishes_reads_and_retires(portal: Portal) -> None:
    with administrator(portal) as client:
        wrong = client.post(f"{PATH}/check", json={"document": DOCUMENT.replace("word", "wrd")})
        assert wrong.status_code == 422
        assert wrong.json()["type"] == "/problems/invalid-template"
        (problem,) = wrong.json()["problems"]
        assert problem["field"] == "parameters.top.type"
        assert problem["message"].startswith("12: 'wrd' is no type of parameter")
        checked = client.post(f"{PATH}/check", json={"document": DOCUMENT}, headers={"accept-language": "vi"})
        assert checked.json() == {"name": "simulate", "title": "Mô phỏng"}
        assert client.get(PATH).json()["items"] == []
        for is_new in (True, False):
            reply = client.post(PATH, json={"document": DOCUMENT})
            assert reply.json() == {"name": "simulate", "version": 1, "is_new": is_new}
        assert client.get(f"{PATH}/simulate").json()["document"] == DOCUMENT
        assert client.get(f"{PATH}/simulate?version=2").status_code == 404
        assert client.get("/api/v1/templates/simulate").json()["version"] == 1
        assert client.post(f"{PATH}/simulate/retire").status_code == 204
        assert client.get("/api/v1/templates/simulate").status_code == 404
        assert client.get(PATH).json()["items"][0]["retired_at"]


def test_others_see_only_what_is_theirs_to_use(portal: Portal) -> None:
    publish_template(portal.city.services, OPERATOR, DOCUMENT)
    chips, rivals = portal.city.chips, portal.city.rivals
    with portal.client(chips.member) as ours, portal.client(rivals.member) as theirs:
        names = [
            {item["name"] for item in client.get("/api/v1/templates").json()["items"]}
            for client in (ours, theirs)
        ]
        assert ("simulate" in names[0], "simulate" in names[1]) == (True, False)
        for reference in ("simulate", "simulate@1", "simulate@9", "nothing"):
            refused = theirs.get(f"/api/v1/templates/{reference}")
            assert refused.status_code == 404
            assert "simulate," not in refused.text
        job = {"project": "rivals", "template": "simulate", "parameters": {}}
        unknown = theirs.post("/api/v1/jobs", json=job | {"template": "nothing"})
        assert theirs.post("/api/v1/jobs", json=job).status_code == unknown.status_code == 404
        submitted = ours.post("/api/v1/jobs", json=job | {"project": "chips"})
        assert submitted.status_code == 201, submitted.text
        detail = ours.get(f"/api/v1/jobs/{submitted.json()['id']}").json()
        assert detail["template"] == "simulate@1"
        for client in (ours, theirs):
            assert client.get(PATH).status_code == 403
            assert client.post(PATH, json={"document": DOCUMENT}).status_code == 403
            assert client.post(f"{PATH}/simulate/retire").status_code == 403


def test_titles_follow_the_language_that_is_asked_for(portal: Portal) -> None:
    publish_template(portal.city.services, OPERATOR, DOCUMENT)
    with portal.client(portal.city.chips.member) as client:
        for language, title, top in (("vi", "Mô phỏng", "Đỉnh"), ("en-US,vi", "Simulate", "Top")):
            found = client.get("/api/v1/templates/simulate", headers={"accept-language": language}).json()
            assert found["title"] == title
            assert found["parameters_schema"]["properties"]["top"]["title"] == top
