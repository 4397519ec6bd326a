"""How many licences stay kept where there are fewer than were promised."""

import pytest

from hpc_portal.app.licenses.set_aside import as_far_as_there_are


@pytest.mark.parametrize(
    ("kept", "room", "left"),
    [
        ({"a": 1, "b": 2}, 5, {"a": 1, "b": 2}),
        ({"a": 1, "b": 4}, 3, {"a": 1, "b": 2}),
        ({"a": 3, "b": 3}, 3, {"a": 1, "b": 2}),
        ({"a": 1, "b": 1}, 1, {"b": 1}),
        ({"a": 10**9}, 2, {"a": 2}),
        ({"a": 2}, 0, {}),
        ({}, 4, {}),
    ],
)
def test_who_has_most_kept_gives_up_first(kept: dict[str, int], room: int, left: dict[str, int]) -> None:
    assert as_far_as_there_are(kept, room) == left
