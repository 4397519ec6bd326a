"""Who asked is remembered for a moment only: memory does not grow with all who were ever here."""

import asyncio

import pytest

from hpc_portal.auth.identify import Identities
from tests.portal_processes import issue_token
from tests.small_city import City


@pytest.mark.parametrize(("kept_seconds", "remembered"), [(0.0, 0), (600.0, 2)])
def test_who_went_away_is_not_remembered(city: City, kept_seconds: float, remembered: int) -> None:
    identities = Identities(city.services, kept_seconds=kept_seconds)
    for person in (city.chips.lead, city.chips.member):
        token = issue_token(city.services, person.user_id)
        for _ in range(2):
            found = asyncio.run(identities.by_token(token))
            assert found
            assert found.user_id == person.user_id
    assert len(identities) == remembered
