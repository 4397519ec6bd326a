"""The limits on what runs at once, as the placement of a cluster of ours checks them before each start."""

from collections.abc import Iterable, Iterator, Mapping

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.tables import ProjectMember, User
from quotas.limits import EVERYBODY, LimitKind, LimitOwner, Owner
from quotas.set_limit import read_all_limits
from quotas.tables import Organisation, Project
from schedulers.dask.placement import ConcurrentLimits
from schedulers.dask.queue import LimitGroup
from schedulers.tres import gpu_tres

_AT_START = {LimitKind.JOBS_RUNNING, LimitKind.GPUS_RUNNING}
_Values = Mapping[tuple[LimitKind, str], int]


def limits_at_start(connection: Connection) -> dict[LimitGroup, ConcurrentLimits]:
    """Who may hold how much at once; whoever has neither a limit of their own nor a default is left out."""
    by_owner = {
        owner: {key: value for key, value in values.items() if key[0] in _AT_START}
        for owner, values in read_all_limits(connection).items()
    }
    if not any(by_owner.values()):
        return {}
    found = {}
    for group, owner in _owners(connection, {kind for kind, _, _ in by_owner}):
        default = by_owner.get((owner.kind, EVERYBODY, EVERYBODY), {})
        values = {**default, **by_owner.get((owner.kind, owner.id, owner.within), {})}
        if values:
            found[group] = _concurrent(values)
    return found


def _owners(connection: Connection, kinds: Iterable[LimitOwner]) -> Iterator[tuple[LimitGroup, Owner]]:
    """Everybody at these levels, by the name that the placement knows them by."""
    for kind in kinds:
        match kind:
            case LimitOwner.ORGANISATION:
                for row in connection.execute(select(col(Organisation.id), col(Organisation.slug))):
                    yield ("organisation", row.slug), Owner(kind, row.id, row.slug)
            case LimitOwner.PROJECT:
                for row in connection.execute(select(col(Project.id), col(Project.account))):
                    yield ("project", row.account), Owner(kind, row.id, row.account)
            case LimitOwner.USER:
                for row in connection.execute(select(col(User.id), col(User.username))):
                    yield ("user", row.username), Owner(kind, row.id, row.username)
            case LimitOwner.MEMBER:
                members = connection.execute(
                    select(
                        col(ProjectMember.project_id), col(Project.account), col(User.id), col(User.username)
                    )
                    .join(Project, col(Project.id) == col(ProjectMember.project_id))
                    .join(User, col(User.id) == col(ProjectMember.user_id))
                )
                for member in members:
                    name = f"{member.account}/{member.username}"
                    yield ("member", name), Owner(kind, member.id, member.username, within=member.project_id)


def _concurrent(values: _Values) -> ConcurrentLimits:
    gpus = {
        gpu_tres(gpu_type): value
        for (kind, gpu_type), value in values.items()
        if kind is LimitKind.GPUS_RUNNING
    }
    return ConcurrentLimits(values.get((LimitKind.JOBS_RUNNING, "")), gpus)
