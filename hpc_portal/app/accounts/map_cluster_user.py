"""Say which account a person has on a cluster that gives out accounts of its own, such as Slurm."""

import pwd
from dataclasses import dataclass

from sqlalchemy import Connection, delete, exists, insert, select
from sqlmodel import col

from hpc_portal.app import audit, permissions
from hpc_portal.app.accounts import checks
from hpc_portal.app.accounts.find import find_user
from hpc_portal.app.actor import Actor
from hpc_portal.app.audit_log.tables import AuditRecord
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, NameTaken, NotFound, Problem
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import ClusterAccount, Job, User
from workloads.template import N_

_SET = "user.cluster_account_set"


@dataclass(frozen=True, slots=True)
class AccountThere:
    """An account on a cluster."""

    cluster_user: str
    """Its name there."""
    uid: int | None = None
    """Its number there; None: as this machine knows it."""


def map_cluster_user(
    services: Services, actor: Actor, username: str, *, cluster: str, account: AccountThere
) -> int:
    """The person's jobs on this cluster run as this account from now on; returns its uid.

    Jobs that the cluster has already go on as they are. Saying the same again changes nothing.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such person.
        InvalidEntry: the cluster gives out no accounts, the account is the system's, or its uid is not known,
            somebody else's, or owns the folders of somebody else's jobs.
        NameTaken: the account is somebody else's.
    """
    permissions.require(actor, Action.GRANT)
    _require_cluster(services, cluster)
    checks.require([checks.cluster_user_problem(account.cluster_user)])
    uid = account.uid if account.uid is not None else _uid_here(account.cluster_user)
    checks.require([checks.uid_problem(uid)])
    now = services.clock.now()

    def work(connection: Connection) -> None:
        user_id = find_user(connection, username)
        own = (col(ClusterAccount.cluster) == cluster, col(ClusterAccount.user_id) == user_id)
        before = connection.execute(
            select(col(ClusterAccount.cluster_user), col(ClusterAccount.uid)).where(*own)
        ).first()
        if before is not None and tuple(before) == (account.cluster_user, uid):
            return
        taken = select(col(ClusterAccount.user_id)).where(
            col(ClusterAccount.cluster) == cluster,
            col(ClusterAccount.cluster_user) == account.cluster_user,
            col(ClusterAccount.user_id) != user_id,
        )
        if connection.execute(taken).first():
            raise NameTaken("cluster account", account.cluster_user)
        _require_uid_is_new(connection, uid, cluster=cluster, username=username)
        connection.execute(delete(ClusterAccount).where(*own))
        connection.execute(
            insert(ClusterAccount).values(
                cluster=cluster,
                user_id=user_id,
                cluster_user=account.cluster_user,
                uid=uid,
                created_at=now,
            )
        )
        audit.record(
            connection,
            at=now,
            actor=actor,
            action=_SET,
            subject=username,
            cluster=cluster,
            cluster_user=account.cluster_user,
            uid=uid,
            was=before and before.cluster_user,
        )

    transact(services.engine, work)
    return uid


def unmap_cluster_user(services: Services, actor: Actor, username: str, *, cluster: str) -> None:
    """The person has no account there any more: jobs not handed over yet are refused, later ones not taken.

    Raises:
        NotAllowed: only administrators may.
        NotFound: there is no such person, or they have none.
    """
    permissions.require(actor, Action.GRANT)
    now = services.clock.now()

    def work(connection: Connection) -> None:
        user_id = find_user(connection, username)
        was = connection.execute(
            delete(ClusterAccount)
            .where(col(ClusterAccount.cluster) == cluster, col(ClusterAccount.user_id) == user_id)
            .returning(col(ClusterAccount.cluster_user))
        ).scalar()
        if was is None:
            raise NotFound("cluster account", f"of {username} on {cluster}")
        audit.record(
            connection,
            at=now,
            actor=actor,
            action="user.cluster_account_removed",
            subject=username,
            cluster=cluster,
            was=was,
        )

    transact(services.engine, work)


def _require_cluster(services: Services, cluster: str) -> None:
    known = services.settings.clusters_with_accounts
    if cluster in known:
        return
    if not known:
        raise InvalidEntry([Problem("cluster", "No cluster of this portal gives out accounts of its own.")])
    facts = {"known": ", ".join(sorted(known))}
    raise InvalidEntry(
        [Problem("cluster", "Choose one of: %(known)s. Other clusters need no account.", facts)]
    )


def _require_uid_is_new(connection: Connection, uid: int, *, cluster: str, username: str) -> None:
    """Whoever has the uid reads the folders of all jobs that ever ran with it."""
    holder = connection.execute(
        select(col(User.username))
        .join(ClusterAccount, col(ClusterAccount.user_id) == col(User.id))
        .where(
            col(ClusterAccount.cluster) == cluster,
            col(ClusterAccount.uid) == uid,
            col(User.username) != username,
        )
    ).scalar()
    if holder is not None:
        text = N_("On %(cluster)s it is %(username)s's: with it one could read that person's files.")
        raise InvalidEntry([Problem("uid", text, {"cluster": cluster, "username": holder})])
    given = connection.execute(
        select(col(AuditRecord.subject), col(AuditRecord.facts)).where(
            col(AuditRecord.action) == _SET, col(AuditRecord.subject) != username
        )
    )
    earlier = {
        subject for subject, facts in given if (facts.get("cluster"), facts.get("uid")) == (cluster, uid)
    }
    ran = connection.execute(
        select(col(User.username))
        .where(
            col(User.username).in_(earlier),
            exists().where(col(Job.user_id) == col(User.id), col(Job.scheduler) == cluster),
        )
        .limit(1)
    ).scalar()
    if ran is not None:
        text = N_(
            "On %(cluster)s it was %(username)s's, whose jobs' files it owns. "
            "Give the account a number of its own."
        )
        raise InvalidEntry([Problem("uid", text, {"cluster": cluster, "username": ran})])


def _uid_here(name: str) -> int:
    try:
        return pwd.getpwnam(name).pw_uid
    except KeyError as error:
        problem = Problem("uid", "This machine knows no such account. Give its uid on the cluster.")
        raise InvalidEntry([problem]) from error
