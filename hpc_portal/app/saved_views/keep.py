"""Keep a filter of the list of jobs under a name, forget it, and list one's own."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

from sqlalchemy import Connection, delete, func, select, update
from sqlmodel import Session, col

from hpc_portal.app.actor import Actor
from hpc_portal.app.db import transact
from hpc_portal.app.errors import InvalidEntry, Problem
from hpc_portal.app.jobs.since import begin_of
from hpc_portal.app.saved_views.tables import SavedView
from hpc_portal.app.services import Services
from quotas.journal import insert_once
from quotas.tables import table_of

FILTERS = ("text", "state", "project", "owner", "cluster", "since")
"""What a list can be narrowed by, as it stands in addresses."""
MOST_VIEWS = 50
_MOST_NAME, _MOST_QUERY = 60, 1000
_VIEWS = table_of(SavedView)


@dataclass(frozen=True, slots=True)
class View:
    """One's own filter; `query` stands behind `/jobs?`."""

    name: str
    query: str

    @property
    def filters(self) -> dict[str, str]:
        """By name, as the API's list of jobs takes them but for `text` and `owner`."""
        return dict(parse_qsl(self.query))


def query_of(filters: Mapping[str, str]) -> str:
    """The filters that are set, in one order, so that the same view has one address."""
    return urlencode([(name, filters[name]) for name in FILTERS if filters.get(name)])


def save_view(services: Services, actor: Actor, name: str, filters: Mapping[str, str]) -> View:
    """Keep a filter; one of the same name is replaced.

    Raises:
        InvalidEntry: no name, no filter, too long, since no day, or too many views.
    """
    view = View(" ".join(name.split()), query_of(filters))
    problems = _problems(view, now=services.clock.now())
    if problems:
        raise InvalidEntry(problems)
    row = {"user_id": actor.user_id, "name": view.name, "query": view.query, "saved_at": services.clock.now()}

    def work(connection: Connection) -> None:
        connection.execute(insert_once(_VIEWS)[connection.dialect.name], row)
        own = col(SavedView.user_id) == actor.user_id
        connection.execute(update(SavedView).where(own, col(SavedView.name) == view.name).values(row))
        count = connection.execute(select(func.count()).select_from(SavedView).where(own)).scalar_one()
        if count > MOST_VIEWS:
            raise InvalidEntry(
                [Problem("name", "You keep %(most)s views already: forget one first.", {"most": MOST_VIEWS})]
            )

    transact(services.engine, work)
    return view


def _problems(view: View, *, now: datetime) -> list[Problem]:
    found: list[Problem] = []
    if not view.name or len(view.name) > _MOST_NAME or not view.name.isprintable():
        found.append(
            Problem("name", "Give the view a name of at most %(most)s characters.", {"most": _MOST_NAME})
        )
    if not view.query or len(view.query) > _MOST_QUERY:
        found.append(Problem("query", "Filter the list first: a view keeps what it is narrowed to."))
    try:
        begin_of(view.filters.get("since", ""), now=now)
    except InvalidEntry as error:
        found += error.problems
    return found


def forget_view(services: Services, actor: Actor, name: str) -> None:
    """Drop one's own view; one that is not there is no error."""
    is_it = (col(SavedView.user_id) == actor.user_id) & (col(SavedView.name) == name)
    transact(services.engine, lambda connection: connection.execute(delete(SavedView).where(is_it)))


def list_views(session: Session, actor: Actor) -> tuple[View, ...]:
    """One's own, by name."""
    rows = session.connection().execute(
        select(col(SavedView.name), col(SavedView.query))
        .where(col(SavedView.user_id) == actor.user_id)
        .order_by(col(SavedView.name))
    )
    return tuple(View(row.name, row.query) for row in rows)
