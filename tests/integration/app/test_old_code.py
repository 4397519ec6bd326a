"""While a rollout goes on, the release before serves on the new schema: it finds all it knows, and works.

What that release's schema was is recorded, so that a clone without history tests it, too. Where the commit is
there, its code really submits, dispatches and settles a job.
"""

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from tests.released_schema import RECORD, ROOT, not_additive, read_schema, schema_at

RELEASED: dict[str, Any] = json.loads(RECORD.read_text("utf-8"))
_PATIENCE_SECONDS = 240
_STORY = '''"""Written by a newer release's test: this code on that one's schema."""

import os
from pathlib import Path

import pytest

import hpc_portal
from hpc_portal.app.jobs.lifecycle import Phase
from tests.integration.app.conftest import Story
from tests.integration.app.test_job_life import spec


@pytest.fixture
def database_url() -> str:
    return os.environ["NEWER_DATABASE"]


def test_a_job_is_submitted_dispatched_and_settled(story: Story) -> None:
    assert Path(hpc_portal.__file__).is_relative_to(Path(__file__).parents[3])
    job_id = story.submit(spec())
    assert story.job(job_id).phase is Phase.ACCEPTED
    story.step()
    assert story.job(job_id).phase is Phase.TRACKED
    story.scheduler.advance(1800)
    story.scheduler.finish(job_id)
    story.step()
    job = story.job(job_id)
    assert job.phase is Phase.SETTLED
    assert job.charged_vnd > 0
    story.require_exact_ledger()
'''


@pytest.fixture
def tables() -> None:
    """The migrations make them."""


def plain(schema: object) -> Any:  # noqa: ANN401 - JSON
    """As it is in a file."""
    return json.loads(json.dumps(schema))


def test_the_migrations_of_the_release_make_what_it_was_released_with(database_url: str) -> None:
    """Whoever edits a migration that sites have run changes what they do not have."""
    dialect = make_url(database_url).get_backend_name()
    assert plain(schema_at(database_url, RELEASED["revision"])) == RELEASED[dialect]


def test_the_newest_schema_has_all_that_the_release_before_knows_and_asks_no_more_of_it(
    database_url: str, tmp_path: Path
) -> None:
    upgrade(Settings(state_dir=tmp_path / "state", database_url=database_url))
    dialect = make_url(database_url).get_backend_name()
    assert not_additive(RELEASED[dialect], plain(read_schema(database_url))) == []


@pytest.fixture
def old_code(tmp_path: Path) -> Path:
    """The released commit's tree; nothing of the checkout is touched."""
    packed = subprocess.run(
        ["git", "-C", str(ROOT), "archive", "--format=tar", RELEASED["commit"]],
        capture_output=True,
        check=False,
    )
    if packed.returncode:
        pytest.skip(f"{RELEASED['commit'][:12]} is not in this clone: git fetch --unshallow")
    folder = tmp_path / "old"
    with tarfile.open(fileobj=BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder


def test_the_code_of_the_release_before_runs_a_job_on_the_newest_schema(
    database_url: str, old_code: Path, tmp_path: Path
) -> None:
    upgrade(Settings(state_dir=tmp_path / "state", database_url=database_url))
    story = old_code / "tests" / "integration" / "app" / "test_on_newer_schema.py"
    story.write_text(_STORY)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:randomly",
        str(story),
    ]
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    done = subprocess.run(
        command,
        cwd=old_code,
        env={**inherited, "PYTHONPATH": str(old_code), "NEWER_DATABASE": database_url},
        capture_output=True,
        text=True,
        timeout=_PATIENCE_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert "1 passed" in done.stdout
