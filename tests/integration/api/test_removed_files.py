"""A job whose files are no longer kept says when they went and by which rule: page, API and command."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from hpc_portal.app.db import transact
from hpc_portal.app.retention.removed import mark_removed, take_back
from hpc_portal.auth.sessions import open_session
from tests.in_process import signed_in
from tests.integration.api.conftest import Portal
from tests.integration.api.test_jobs import submit
from tests.integration.cli.conftest import run_program


def test_who_looks_for_the_files_is_told_when_they_went_and_why(portal: Portal, tmp_path: Path) -> None:
    services, member = portal.city.services, portal.city.chips.member
    browser = signed_in(portal.app, open_session(services, member.user_id))
    environment = {"HOME": str(tmp_path), "HPC_URL": portal.url, "HPC_TOKEN": portal.token_of(member)}
    with portal.client(member) as client, portal.client(None, **browser) as pages:
        job_id = submit(client).json()["id"]
        kept = client.get(f"/api/v1/jobs/{job_id}").json()
        assert (kept["files_removed_at"], kept["files_kept_days"]) == (None, None)
        assert "data-files-removed" not in pages.get(f"/jobs/{job_id}").text
        at = datetime.now(UTC).replace(microsecond=0) - timedelta(days=3)
        one = [UUID(job_id)]
        transact(services.engine, lambda connection: mark_removed(connection, one, at=at, days=180))

        gone = client.get(f"/api/v1/jobs/{job_id}").json()
        assert datetime.fromisoformat(gone["files_removed_at"]) == at
        assert gone["files_kept_days"] == 180
        for tab in ("", "/files", "/log"):
            page = pages.get(f"/jobs/{job_id}{tab}").text
            assert "data-files-removed" in page, tab
            assert "180 days" in page
            assert at.isoformat() in page
        shown = run_program("hpc", "show", job_id, environment=environment)
        assert shown.code == 0, shown.stderr
        assert "for 180 days" in " ".join(shown.stdout.split())

        transact(services.engine, lambda connection: take_back(connection, one))
        assert client.get(f"/api/v1/jobs/{job_id}").json()["files_removed_at"] is None
