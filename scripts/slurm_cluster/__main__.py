"""`python -m scripts.slurm_cluster VERB`: what `make slurm-up`, `slurm-down` and `slurm-status` call."""

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.slurm_cluster import daemons, lifecycle, namespaces
from scripts.slurm_cluster.binds import Bind, checkout_and_python
from scripts.slurm_cluster.errors import SlurmClusterError
from scripts.slurm_cluster.host_tools import host_tools
from scripts.slurm_cluster.instance import Instance, find_instance, running_instance
from scripts.slurm_cluster.people import Person, add_person
from scripts.slurm_cluster.privilege import as_root
from scripts.slurm_cluster.root import DEFAULT_SUITE, cache_folder, locked, need_root


def main() -> int:
    """Exit code 0, or 1 with the reason on stderr; 3 for the status of a cluster that is not up."""
    arguments = parser().parse_args()
    verb: Callable[[argparse.Namespace], int] = arguments.verb
    try:
        return verb(arguments)
    except SlurmClusterError as error:
        print(f"*** {error}", file=sys.stderr)
        return 1


def parser() -> argparse.ArgumentParser:
    """The command line; each verb is a function below."""
    top = argparse.ArgumentParser(prog="python -m scripts.slurm_cluster", description=__doc__)
    top.add_argument(
        "--name", default=lifecycle.default_name(), help="of the instance (default: %(default)s)"
    )
    verbs = top.add_subparsers(required=True)

    def add_verb(name: str, verb: Callable[[argparse.Namespace], int], text: str) -> argparse.ArgumentParser:
        one = verbs.add_parser(name, help=text)
        one.set_defaults(verb=verb)
        return one

    add_verb("build-root", build_root, "make the cached Debian root, if there is none")
    start = add_verb("up", up, "start an instance")
    start.add_argument("--bind", type=Path, action="append", default=[], help="a folder that jobs may write")
    start.add_argument("--suite", default=DEFAULT_SUITE, help="the Debian release whose Slurm it is")
    start.add_argument(
        "--bind-ro", type=Path, action="append", default=[], help="a folder that jobs may read"
    )
    add_verb("down", down, "stop it; nothing of it is left")
    add_verb("status", status, "where it is and what runs")
    for name, act in {"start": daemons.start, "stop": daemons.stop, "kill": daemons.kill}.items():
        one = add_verb(name, on_daemon(act), f"{name} one daemon (slurmctld, slurmd-gpu01, ...)")
        one.add_argument("daemon")
    run = add_verb("run", run_inside, "run a command inside, with this terminal")
    run.add_argument("--user", default="root")
    run.add_argument("--cwd", default="/")
    run.add_argument("command", nargs=argparse.REMAINDER)
    person = add_verb("add-person", add, "add a user who can submit")
    person.add_argument("login")
    person.add_argument("uid", type=int)
    person.add_argument("accounts", nargs="*")
    add_verb("jwt-key", jwt_key, "print the key that signs tokens")
    return top


def build_root(_: argparse.Namespace) -> int:
    """Takes a minute the first time, and nothing later."""
    need_root()
    return 0


def up(arguments: argparse.Namespace) -> int:
    """Also when it is up already: then it only says where."""
    binds = [
        *checkout_and_python(),
        *host_tools(need_root(arguments.suite)),
        *(Bind(path.resolve(), is_writable=True) for path in arguments.bind),
        *(Bind(path.resolve()) for path in arguments.bind_ro),
    ]
    with locked(cache_folder() / "up.lock"):  # twice at once would be two of one name
        instance = lifecycle.bring_up(arguments.name, binds=binds, suite=arguments.suite)
    print(describe(instance))
    return 0


def down(arguments: argparse.Namespace) -> int:
    """Also when it is not up: then it removes what a crashed one may have left."""
    instance = find_instance(arguments.name)
    if instance is None:
        namespaces.remove_leftovers(arguments.name)
    else:
        namespaces.take_down(instance)
    return 0


def status(arguments: argparse.Namespace) -> int:
    """Daemons and nodes."""
    instance = find_instance(arguments.name)
    if instance is None:
        print(f"Slurm cluster {arguments.name} is not up.")
        return 3
    print(describe(instance))
    for name in daemons.daemons_of(instance):
        print(f"  {name:<14}{'runs' if daemons.is_running(instance, name) else 'does not run'}")
    print(instance.run("sinfo"))
    return 0


def describe(instance: Instance) -> str:
    """What somebody needs to use it."""
    return "\n".join(
        (
            f"Slurm cluster {instance.name} is up.",
            f"  REST          {instance.rest_url}, {instance.rest_socket}",
            f"  workspace     {instance.workspace} (the same path inside)",
            f"  logs          {instance.logs}",
            f"  try           python3 -m scripts.slurm_cluster --name {instance.name} run squeue",
        )
    )


def on_daemon(act: Callable[[Instance, str], None]) -> Callable[[argparse.Namespace], int]:
    """A verb that does something with one daemon."""

    def verb(arguments: argparse.Namespace) -> int:
        instance = running_instance(arguments.name)
        if arguments.daemon not in daemons.daemons_of(instance):
            print(f"*** The daemons are: {', '.join(daemons.daemons_of(instance))}", file=sys.stderr)
            return 1
        act(instance, arguments.daemon)
        return 0

    return verb


def run_inside(arguments: argparse.Namespace) -> int:
    """Becomes the command: its terminal, its signals, its exit code."""
    inside = running_instance(arguments.name).command_inside(
        *(arguments.command or ("bash",)), user=arguments.user, cwd=arguments.cwd
    )
    command = as_root(*inside)
    os.execvp(command[0], command)  # noqa: S606 - the command that was asked for


def add(arguments: argparse.Namespace) -> int:
    """The first account is the default."""
    person = Person(arguments.login, arguments.uid, tuple(arguments.accounts))
    add_person(running_instance(arguments.name), person)
    return 0


def jwt_key(arguments: argparse.Namespace) -> int:
    """The bytes as they are, for a file."""
    sys.stdout.buffer.write(running_instance(arguments.name).jwt_key())
    return 0


if __name__ == "__main__":
    sys.exit(main())
