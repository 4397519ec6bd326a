"""Files that came with a form are let go of, whether or not the page wanted any."""

import gc
import warnings

import pytest

from tests.integration.api.conftest import Portal

FILE = {"unasked": ("notes.txt", b"nobody asked for this", "text/plain")}


@pytest.mark.parametrize(("name", "status"), [("Minh", 303), ("x" * 1000, 422)], ids=["taken", "refused"])
def test_a_file_that_no_field_asked_for_is_closed(portal: Portal, name: str, status: int) -> None:
    gc.collect()  # what others left is not of this form
    with (
        warnings.catch_warnings(record=True, action="always", category=ResourceWarning) as left_open,
        portal.client(portal.city.chips.lead, accept="text/html") as client,
    ):
        reply = client.post("/settings/profile", data={"display_name": name}, files=FILE)
        gc.collect()
    assert reply.status_code == status, reply.text
    assert [str(one.message) for one in left_open] == []
