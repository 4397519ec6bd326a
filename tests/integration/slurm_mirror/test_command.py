"""`hpc-portal mirror` compares a real cluster with the portal, and makes it so."""

import json
import os
import subprocess
import sys

import pytest

from tests.integration.slurm_mirror.conftest import CLUSTER, Live

pytestmark = pytest.mark.anyio


def mirror(live: Live, *options: str) -> "subprocess.CompletedProcess[str]":
    settings = live.city.services.settings
    assert settings.slurm
    variables = {
        "HPC_PORTAL_STATE_DIR": str(settings.state_dir),
        "HPC_PORTAL_DATABASE_URL": settings.database_url,
        "HPC_PORTAL_SLURM__CLUSTER_NAME": CLUSTER,
        "HPC_PORTAL_SLURM__URL": settings.slurm.url,
        "HPC_PORTAL_SLURM__JWT_KEY": str(settings.slurm.jwt_key),
    }
    return subprocess.run(
        [sys.executable, "-m", "hpc_portal.cli.operator", "mirror", *options],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_it_says_what_differs_makes_it_so_and_is_then_content(live: Live) -> None:
    assert mirror(live, "--check").returncode == 0
    live.sacctmgr("modify", "account", live.account, "set", "GrpJobs=3")
    told = mirror(live, "--check", "--json")
    assert told.returncode == 1
    assert json.loads(told.stdout)["remaining"] == [
        {"subject": f"account {live.account}", "field": "grp_jobs", "wanted": "-", "found": "3"}
    ]
    assert mirror(live, "--apply").returncode == 0
    assert mirror(live, "--check").returncode == 0
