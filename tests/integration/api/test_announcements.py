"""Announcements: made once by administrators, seen by whom they are for, put aside by each."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.announcements.announce import NewAnnouncement, announce, withdraw_announcement
from hpc_portal.app.announcements.dismiss import dismiss_announcement
from hpc_portal.app.announcements.read import AnnouncementStanding, list_announcements, list_in_force
from hpc_portal.app.announcements.tables import Announcement
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.errors import InvalidEntry, NotAllowed, NotFound
from quotas.errors import KeyReused
from quotas.tables import table_of
from tests.integration.api.conftest import Portal
from tests.small_city import City

WORDS = {"text_vi": "Bảo trì tối thứ Bảy.", "text_en": "Maintenance on Saturday night."}
ALL = "/api/v1/announcements"


def wanted(city: City, *, days: int = 2, **more: Any) -> NewAnnouncement:  # noqa: ANN401 - any field
    ends_at = city.services.clock.now() + timedelta(days=days)
    return NewAnnouncement(**{"starts_at": None, "ends_at": ends_at, **WORDS, **more})


def count(city: City, model: type) -> int:
    with city.services.engine.connect() as connection:
        return int(connection.execute(select(func.count()).select_from(table_of(model))).scalar_one())


def test_everybody_reads_it_until_they_put_it_aside(city: City, portal: Portal) -> None:
    asked = wanted(city)
    made = announce(city.services, OPERATOR, asked, key="one")
    assert announce(city.services, OPERATOR, asked, key="one") == made
    with pytest.raises(KeyReused):
        announce(city.services, OPERATOR, replace(asked, text_en="Otherwise"), key="one")
    assert (count(city, Announcement), count(city, AuditRecord)) == (1, 1)
    with portal.client(city.chips.member) as client:
        [seen] = client.get(ALL).json()["items"]
        assert (seen["text_vi"], seen["text_en"], seen["is_dismissed"]) == (*WORDS.values(), False)
        for _ in range(2):
            assert client.put(f"{ALL}/{made}/dismissal").status_code == 204
        assert client.get(ALL, params={"with_dismissed": False}).json()["items"] == []
        assert [one["is_dismissed"] for one in client.get(ALL).json()["items"]] == [True]
    with portal.client(city.rivals.member) as client:
        assert len(client.get(ALL, params={"with_dismissed": False}).json()["items"]) == 1


def test_one_organisation_alone_reads_what_is_for_it(city: City, portal: Portal) -> None:
    made = announce(city.services, OPERATOR, wanted(city, organisation="chips-org"), key="theirs")
    with portal.client(city.rivals.member) as client:
        assert client.get(ALL).json()["items"] == []
        assert client.put(f"{ALL}/{made}/dismissal").status_code == 404
        assert client.get(f"{ALL}/all").status_code == 403
    with portal.client(city.chips.member) as client:
        assert [one["organisation"] for one in client.get(ALL).json()["items"]] == ["chips-org"]


def test_it_is_seen_in_its_time_only_urgent_ones_in_front(city: City) -> None:
    services, now = city.services, city.services.clock.now()
    announce(services, OPERATOR, wanted(city, is_urgent=True, text_en="Now"), key="urgent")
    announce(services, OPERATOR, wanted(city, text_en="Later too"), key="calm")
    announce(services, OPERATOR, wanted(city, days=9, starts_at=now + timedelta(days=5)), key="coming")
    withdrawn = announce(services, OPERATOR, wanted(city), key="withdrawn")
    for _ in range(2):
        withdraw_announcement(services, OPERATOR, withdrawn)
    now = services.clock.now()
    with services.reading() as session:
        seen = list_in_force(session, city.chips.member, at=now)
        later = list_in_force(session, city.chips.member, at=now + timedelta(days=6))
        listed = list_announcements(session, OPERATOR, at=now + timedelta(days=3))
    assert [one.text_en for one in seen] == ["Now", "Later too"]
    assert [one.text_en for one in later] == [WORDS["text_en"]]
    assert [one.standing for one in listed] == [
        AnnouncementStanding.WITHDRAWN,
        AnnouncementStanding.COMING,
        AnnouncementStanding.OVER,
        AnnouncementStanding.OVER,
    ]
    assert count(city, AuditRecord) == 5


def test_what_makes_no_sense_is_refused_and_announces_nothing(city: City, portal: Portal) -> None:
    now = city.services.clock.now()
    for bad in (
        {"text_en": " "},
        {"text_vi": "x" * 1001},
        {"ends_at": None},
        {"ends_at": now},
        {"starts_at": now + timedelta(days=3)},
        {"days": 400},
    ):
        with pytest.raises(InvalidEntry):
            announce(city.services, OPERATOR, wanted(city, **bad), key="bad")
    with pytest.raises(NotFound):
        announce(city.services, OPERATOR, wanted(city, organisation="nowhere"), key="bad")
    with pytest.raises(NotAllowed):
        announce(city.services, city.chips.lead, wanted(city), key="bad")
    with pytest.raises(NotFound):
        dismiss_announcement(city.services, city.chips.lead, city.chips.project_id)
    body = {**WORDS, "ends_at": (now + timedelta(days=1)).isoformat()}
    with portal.client(city.chips.lead) as client:
        refused = client.post(ALL, json=body, headers={"Idempotency-Key": "bad", "Accept-Language": "vi"})
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/not-allowed")
    assert count(city, Announcement) == 0
