"""Which controllers send mail: all, as soon as there is a mail server, beside their other loops."""

from pathlib import Path
from typing import cast

import pytest

from hpc_portal.app.controller_wiring import build_controllers
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.settings import Settings, SmtpSettings

NO_CONTEXT = cast("ControllerContext", None)
"""A Dask cluster's own loops ask nothing of it."""


@pytest.mark.parametrize(
    ("smtp", "expected"),
    [(None, []), (SmtpSettings(host="mail.example.vn", sender="hpc@example.vn"), ["mail"])],
)
def test_mail_is_sent_where_there_is_a_server(
    tmp_path: Path, smtp: SmtpSettings | None, expected: list[str]
) -> None:
    [parts] = build_controllers(Settings(state_dir=tmp_path, smtp=smtp))
    names = [loop.name for loop in parts.more_loops(NO_CONTEXT)]
    assert [name for name in names if name == "mail"] == expected
    parts.engine.dispose()
