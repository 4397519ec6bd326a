"""Locks jobs in the order in which everybody does."""

from sqlalchemy import ColumnElement, Connection, select
from sqlmodel import col

from hpc_portal.app.tables import Job


def lock_jobs(connection: Connection, *which: ColumnElement[bool]) -> None:
    """Nobody else changes the jobs that fit until the transaction ends; what refers to them may be written.

    Call it before the transaction takes its turn, see `events.take_turns`.
    """
    mine = select(col(Job.id)).where(*which).order_by(col(Job.id))
    connection.execute(mine.with_for_update(key_share=True)).all()
