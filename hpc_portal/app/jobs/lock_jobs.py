"""Locks jobs in the order in which everybody does."""

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import Connection, select
from sqlmodel import col

from hpc_portal.app.tables import Job


def lock_jobs(connection: Connection, job_ids: Collection[UUID]) -> None:
    """Nobody else changes these until the transaction ends; before its turn at events (`events.take_turns`).

    What only refers to them may be written by others.
    """
    mine = select(col(Job.id)).where(col(Job.id).in_(job_ids)).order_by(col(Job.id))
    connection.execute(mine.with_for_update(key_share=True)).all()
