"""`make demo SLURM=1`: a real Slurm cluster with the demo's people on it, and `hpc-portal demo` in front.

With `--exit` a cluster that was started here goes down again. Otherwise it stays up when the portal ends, and
its jobs go on, as on a real site; `make slurm-down` ends it.
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path

from hpc_portal.app.demo import accounts_there
from scripts.slurm_cluster import lifecycle
from scripts.slurm_cluster.binds import CHECKOUT, Bind, checkout_and_python
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed, SlurmClusterError
from scripts.slurm_cluster.host_tools import host_tools
from scripts.slurm_cluster.instance import Instance, find_instance
from scripts.slurm_cluster.namespaces import take_down
from scripts.slurm_cluster.people import add_login
from scripts.slurm_cluster.privilege import as_root
from scripts.slurm_cluster.root import cache_folder, locked, need_root

_POLLING_USER, _ADMIN_USER = "hpcportal", "slurm"
_HAS_TORCH = "import importlib.util, sys; sys.exit(not importlib.util.find_spec('torch'))"


def main() -> int:
    """The demo's exit code; 1 with the reason on stderr where there can be no cluster."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo_on_slurm", description=__doc__)
    parser.add_argument(
        "--name", default=lifecycle.default_name(), help="of the cluster (default: %(default)s)"
    )
    parser.add_argument(
        "--state-dir", type=Path, default=CHECKOUT / ".state/slurm", help="for the demo's data"
    )
    parser.add_argument("--exit", action="store_true", help="end after the jobs, and the cluster as well")
    own, others = parser.parse_known_args()
    state_dir = own.state_dir.absolute()
    try:
        was_up = find_instance(own.name) is not None
        say("Using the Slurm cluster that is up ..." if was_up else "Starting a real Slurm cluster ...")
        instance = bring_up(own.name, state_dir / "workspaces")
        say(f"Slurm cluster {instance.name} is up; `make slurm-status` shows it.")
        command = demo_command(instance, state_dir, *(("--exit",) if own.exit else ()), *others)
        if not own.exit or was_up:
            os.execvp(command[0], command)  # noqa: S606 - signals and exit code are the demo's own
        try:
            return subprocess.run(command, check=False).returncode  # noqa: S603 - our own command line
        finally:
            take_down(instance)
    except SlurmClusterError as error:
        print(f"*** {error}", file=sys.stderr)
        return 1


def say(text: str) -> None:
    """To where the demo says what it does."""
    print(f"==> {text}", file=sys.stderr, flush=True)


def bring_up(name: str, workspaces: Path) -> Instance:
    """A cluster whose jobs may write to `workspaces`, with a login for everybody of the demo.

    Associations and limits are the portal's own business.

    Raises:
        SlurmClusterError: there can be none, or the one that is up cannot serve the demo.
    """
    workspaces.mkdir(parents=True, exist_ok=True)
    with locked(cache_folder() / "up.lock"):
        tools = host_tools(need_root())
        instance = lifecycle.bring_up(
            name, binds=[*checkout_and_python(), *tools, Bind(workspaces, is_writable=True)]
        )
    for account in accounts_there().values():
        assert account.uid is not None  # noqa: S101 - the demo counts them
        add_login(instance, account.cluster_user, account.uid)
    require_access(instance, workspaces, somebody=next(iter(accounts_there().values())).cluster_user)
    return instance


def require_access(instance: Instance, workspaces: Path, *, somebody: str) -> None:
    """Fail before the demo does.

    Raises:
        ClusterFailed: jobs could not write results there, or not start our Python.
    """
    try:
        instance.run("test", "-w", str(workspaces))
    except CommandFailed as error:
        text = f"The Slurm cluster that is up cannot write to {workspaces}: `make slurm-down`, and try again."
        raise ClusterFailed(text) from error
    try:
        instance.run(f"{sys.prefix}/bin/python", "-c", _HAS_TORCH, user=somebody, cwd=workspaces)
    except CommandFailed as error:
        text = f"Jobs cannot use {sys.prefix}: are its folders open to everybody?\n{error}"
        raise ClusterFailed(text) from error


def demo_command(instance: Instance, state_dir: Path, *options: str) -> list[str]:
    """`hpc-portal demo`; as root, since it gives the folders of jobs to the people's accounts."""
    key = state_dir / "jwt_hs256.key"
    key.touch(mode=0o600)
    key.write_bytes(instance.jwt_key())
    slurm = {
        "cluster_name": "slurm",
        "url": instance.rest_url,
        "jwt_key": str(key),
        "polling_user": _POLLING_USER,
        "admin_user": _ADMIN_USER,
        "runtime_paths": [sys.prefix],
        "mirror_quotas": True,
        "import_external": True,
        "import_interval_seconds": 5,
    }
    given = {name: value for name, value in os.environ.items() if name.startswith("HPC_")}
    settings = {"HPC_PORTAL_CLUSTER_NAME": "dask", **given, "HPC_PORTAL_SLURM": json.dumps(slurm)}
    return as_root(
        "env",
        *(f"{name}={value}" for name, value in settings.items()),
        *(f"{sys.prefix}/bin/hpc-portal", "demo", f"--state-dir={state_dir}", *options),
    )


if __name__ == "__main__":
    sys.exit(main())
