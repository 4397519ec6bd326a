"""`hpc-portal mirror` compares a real cluster with the portal, and makes it so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.cli.doctor.finding import Level
from hpc_portal.cli.doctor.network import look_at_network
from scripts.slurm_cluster.instance import Instance
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


def test_the_doctor_finds_a_real_slurm_in_order_and_a_user_without_rights(
    slurm: Instance, tmp_path: Path
) -> None:
    key = tmp_path / "jwt_hs256.key"
    key.write_bytes(slurm.jwt_key())
    well = SlurmSettings(url=slurm.rest_url, jwt_key=key, polling_user="hpcportal")
    poor = SlurmSettings(url=slurm.rest_url, jwt_key=key, polling_user="hpcportal", admin_user="binh")

    assert {finding.level for finding in look_at_network(Settings(slurm=well))} == {Level.WELL}
    [wrong] = [one for one in look_at_network(Settings(slurm=poor)) if one.level is Level.WRONG]
    assert "sacctmgr modify user binh" in wrong.said
