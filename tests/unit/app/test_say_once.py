"""A loop that meets the same trouble every two seconds says so once."""

from uuid import uuid4

from structlog.testing import capture_logs

from hpc_portal.app.jobs.say_once import SaidBefore


def test_the_same_is_said_once_of_each_and_again_after_something_else_was() -> None:
    said, one, other = SaidBefore(), uuid4(), uuid4()
    with capture_logs() as logs:
        for about in (one, one, other, one):
            said.warn(about, "dispatch.uncertain", problem="timeout")
        said.warn(one, "dispatch.uncertain", problem="refused")
        said.warn(one, "dispatch.uncertain", problem="timeout")
    assert [log["problem"] for log in logs] == ["timeout", "timeout", "refused", "timeout"]
