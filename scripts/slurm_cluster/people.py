"""Users and accounts of an instance. Nothing is added to the machine itself or to the cached root."""

import time
from dataclasses import dataclass

from scripts.slurm_cluster import config
from scripts.slurm_cluster.errors import ClusterFailed, CommandFailed
from scripts.slurm_cluster.instance import Instance

_KNOWN_SECONDS = 60
_POLL_SECONDS = 0.05
_NOTHING_TO_DO = ("Already existing", "didn't affect anything", "Nothing new added", "Nothing modified")


@dataclass(frozen=True)
class Person:
    """The first account is the default. `uid` counts outside too: it owns the files that jobs write."""

    name: str
    uid: int
    accounts: tuple[str, ...] = ()
    is_operator: bool = False


EVERYBODY = (
    Person("alice", 5001, ("chips", "lab")),
    Person("bob", 5002, ("lab", "chips")),
    Person("hpcportal", 5003, ("lab",), is_operator=True),
)
"""Two who submit, and the portal's own identity: it reads everything and administers nothing."""


def add_person(instance: Instance, person: Person) -> None:
    """Record somebody, and wait until they can submit. Twice is no error.

    Raises:
        ClusterFailed: slurmctld does not hear of them within a minute.
    """
    record_person(instance, person)
    wait_until_known(instance, person)


def record_person(instance: Instance, person: Person) -> None:
    """A login and its associations in slurmdbd, with the accounts that do not exist yet."""
    add_login(instance, person.name, person.uid)
    for account in person.accounts:
        administer(instance, "add", "account", account, f"Organization={config.CLUSTER}")
        administer(
            instance,
            *("add", "user", person.name, f"Account={account}", f"DefaultAccount={person.accounts[0]}"),
            *(("AdminLevel=Operator",) if person.is_operator else ()),
        )


def wait_until_known(instance: Instance, person: Person) -> None:
    """Until slurmctld has the associations too: slurmdbd tells it when it comes to it."""
    deadline = time.monotonic() + _KNOWN_SECONDS
    asked = ("scontrol", "--oneliner", "show", "assoc_mgr", "flags=assoc", f"users={person.name}")
    wanted = {f"Account={account} UserName={person.name}({person.uid})" for account in person.accounts}
    while missing := {one for one in wanted if one not in (known := instance.run(*asked))}:
        if time.monotonic() > deadline:
            raise ClusterFailed(
                f"slurmctld does not hear of {missing}; it knows:\n{known}", instance.logs / "slurmdbd.log"
            )
        time.sleep(_POLL_SECONDS)


def add_login(instance: Instance, name: str, uid: int) -> None:
    """A user that Linux knows and Slurm does not: jobs of theirs are refused for want of an association."""
    try:
        instance.run("id", "--user", name)
    except CommandFailed:
        instance.run("useradd", "--create-home", f"--uid={uid}", "--user-group", "--shell=/bin/bash", name)


def administer(instance: Instance, *words: str) -> str:
    """One command of sacctmgr as root. That there is nothing to change is no error."""
    try:
        return instance.run("sacctmgr", "--immediate", *words)
    except CommandFailed as error:
        if any(text in error.stdout + error.stderr for text in _NOTHING_TO_DO):
            return error.stdout
        raise
