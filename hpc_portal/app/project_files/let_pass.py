"""Which accounts of the clusters may read a project's shared files: those that its members' jobs run as."""

import pwd
from collections.abc import Collection
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, select, union
from sqlmodel import col

from hpc_portal.app.errors import FileNotInWorkspace
from hpc_portal.app.files.open_file import open_folder
from hpc_portal.app.files.shared_folder import gate_folder, keep_only, let_pass, open_gate
from hpc_portal.app.tables import ClusterAccount, Job, ProjectMember, User
from schedulers.protocol import Submission


def let_job_pass(root: Path, submission: Submission) -> None:
    """Make the folder of shared files when it is missing, and let the job's account read it; again is fine.

    Raises:
        OSError: a part of the path is a link or no folder, or the disk is full.
    """
    uid = submission.cluster_uid
    if uid is None:
        uid = _uid_here(submission.cluster_user)
    with open_gate(root, organisation=submission.organisation, account=submission.project) as gate:
        if uid is not None:
            let_pass(gate, uid)


def shut_out_others(root: Path, *, organisation: str, account: str, members: Collection[int]) -> None:
    """Let nobody read them any more who is no member; nothing to do where nobody shared a file yet.

    Raises:
        OSError: the file system refused.
    """
    try:
        with open_folder(root, gate_folder(organisation=organisation, account=account)) as gate:
            keep_only(gate, members)
    except FileNotInWorkspace:
        return


def member_uids(connection: Connection, project_id: UUID, *, uid_base: int) -> set[int]:
    """The numbers of all accounts that jobs of the project's members may run as, on any cluster.

    Administrators are no members, and have a job there at times: they count until it has ended.
    """
    members = union(
        select(col(ProjectMember.user_id)).where(col(ProjectMember.project_id) == project_id),
        select(col(Job.user_id)).where(col(Job.project_id) == project_id, col(Job.ended_at).is_(None)),
    )
    given = select(col(ClusterAccount.uid)).where(col(ClusterAccount.user_id).in_(members))
    found = set(connection.execute(given).scalars())
    own = select(col(User.cluster_user), col(User.cluster_number)).where(col(User.id).in_(members))
    for name, number in connection.execute(own):
        uid = _uid_here(name)
        found |= {uid} if uid is not None else set()
        found |= {uid_base + number} if uid_base else set()
    return found


def _uid_here(name: str) -> int | None:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError:
        return None
