"""Whose processes a tenant's are on this node, and handing a job's folder to that account."""

import os
import pwd
import re
import stat
from dataclasses import dataclass
from typing import Self

from schedulers.dask.messages import Tenant

_NAME = re.compile(r"^[A-Za-z_][A-Za-z0-9_.-]{0,63}$")


class RunRefused(Exception):
    """This node cannot run what it was sent; the text says why and ends in the report of the run."""


@dataclass(frozen=True, slots=True)
class Account:
    """A user of this node."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    """Supplementary ones."""

    @classmethod
    def own(cls, name: str) -> Self:
        """The account that this process runs as, under the name of a tenant."""
        return cls(name, os.geteuid(), os.getegid())


def resolve_account(tenant: Tenant, *, lowest_uid: int) -> Account:
    """The account that the tenant's processes run as.

    Only root can choose; a node that does not run as root runs everything as itself.

    Raises:
        RunRefused: the tenant has no account here, or one that no job may have.
    """
    name = tenant.cluster_user
    if not _NAME.match(name):
        raise RunRefused(f"{name!r} is not the name of an account.")
    if os.geteuid() != 0:
        return Account.own(name)
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        if tenant.cluster_uid is None:
            raise RunRefused(f"There is no account {name!r} on this node.") from None
        account = Account(name, tenant.cluster_uid, tenant.cluster_uid)
    else:
        groups = set(os.getgrouplist(name, entry.pw_gid)) - {0, entry.pw_gid}
        account = Account(name, entry.pw_uid, entry.pw_gid, tuple(sorted(groups)))
    if account.uid < lowest_uid or account.gid == 0:
        raise RunRefused(f"Account {name!r} (uid {account.uid}) belongs to the system; no job runs as it.")
    return account


def hand_over_workspace(path: str, account: Account) -> None:
    """Make the tenant the owner of a job's folder and of all in it; only root can, others need not.

    The group stays the portal's and is inherited by new files (setgid folders), so that a portal that is
    not root still reads logs and results. Works on descriptors and never follows a link; files with
    several names are left alone, because another name may lie elsewhere. Done last, the folder itself
    tells that all below it is done.

    Raises:
        RunRefused: the folder does not exist or is not a folder.
    """
    if os.geteuid() != 0:
        return
    try:
        top = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as problem:
        raise RunRefused(f"The job's folder cannot be opened on this node: {problem.strerror}.") from problem
    try:
        if os.fstat(top).st_uid == account.uid:
            return
        for _, _, files, folder in os.fwalk(".", topdown=False, follow_symlinks=False, dir_fd=top):
            for name in files:
                _give_file(name, folder, account.uid)
            os.fchown(folder, account.uid, -1)
            os.fchmod(folder, 0o2770)
    finally:
        os.close(top)


def _give_file(name: str, folder: int, uid: int) -> None:
    found = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if stat.S_ISLNK(found.st_mode) or found.st_nlink == 1:
        os.chown(name, uid, -1, dir_fd=folder, follow_symlinks=False)
