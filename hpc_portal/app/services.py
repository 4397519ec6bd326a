"""What every verb of a web process works with; built by wiring.py, passed in, never global."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from uuid import UUID

from sqlalchemy import Engine
from sqlmodel import Session

from hpc_portal.app import cluster_views, outages, paying_projects
from hpc_portal.app.announcements.read import audiences
from hpc_portal.app.cached import Cached
from hpc_portal.app.clock import Clock
from hpc_portal.app.db import reading, writing
from hpc_portal.app.group_commit import GroupCommit
from hpc_portal.app.home import cluster_figures
from hpc_portal.app.home.cluster_figures import ClusterFigures
from hpc_portal.app.outages import Outage
from hpc_portal.app.paying_projects import PayingProject
from hpc_portal.app.reports.grant_outlooks import KEPT_SECONDS, GrantOutlooks, grant_outlooks
from hpc_portal.app.settings import Settings
from hpc_portal.app.templates import published
from hpc_portal.app.templates.published import Published
from hpc_portal.app.wake import WakeSender
from quotas.pricing import PriceList
from quotas.publish_prices import current_price_list
from quotas.set_limit import limited_owners
from quotas.set_subsidy import CurrentSubsidies, current_subsidies
from quotas.storage_standing import StorageStanding, full_storages
from schedulers.cluster import ClusterSnapshot


@dataclass(frozen=True, slots=True)
class Services:
    """The database, the time, the settings and the way to wake a controller."""

    settings: Settings
    engine: Engine
    commits: GroupCommit
    wake: WakeSender
    clock: Clock
    clusters: Cached[list[ClusterSnapshot]] = field(init=False)
    """The clusters as their controllers last reported them."""
    figures: Cached[ClusterFigures] = field(init=False)
    """What everybody may know of all of them."""
    outages: Cached[list[Outage]] = field(init=False)
    """What of them does not answer now."""
    projects: Cached[dict[str, PayingProject]] = field(init=False)
    """Every project by its account name."""
    limited: Cached[frozenset[UUID]] = field(init=False)
    """Ids of the organisations, projects and people that have any limit."""
    price_list: Cached[PriceList] = field(init=False)
    """The price list in force."""
    subsidies: Cached[CurrentSubsidies] = field(init=False)
    """Who pays how much less."""
    templates: Cached[Mapping[str, Published]] = field(init=False)
    """The templates that the site has published and offers, by name."""
    announced: Cached[frozenset[UUID | None]] = field(init=False)
    """For whom anything is announced now: organisations, and None for everybody."""
    full_storage: Cached[dict[UUID, StorageStanding]] = field(init=False)
    """Projects whose workspaces hold as much as was granted, or more."""
    grant_outlooks: Cached[GrantOutlooks] = field(init=False)
    """What grants in force will still use, from the days that are over."""

    def __post_init__(self) -> None:
        engine, clock = self.engine, self.clock
        clusters = Cached(engine, cluster_views.load, clock=clock)
        prices = Cached(engine, lambda conn: current_price_list(conn, clock.now()), clock=clock)
        subsidies = Cached(engine, lambda conn: current_subsidies(conn, clock.now()), clock=clock)
        object.__setattr__(self, "clusters", clusters)
        object.__setattr__(self, "figures", Cached(engine, cluster_figures.load, clock=clock))
        object.__setattr__(self, "outages", Cached(engine, outages.load, clock=clock))
        object.__setattr__(self, "projects", Cached(engine, paying_projects.load, clock=clock))
        object.__setattr__(self, "limited", Cached(engine, limited_owners, clock=clock))
        object.__setattr__(self, "price_list", prices)
        object.__setattr__(self, "subsidies", subsidies)
        object.__setattr__(self, "templates", Cached(engine, published.load, clock=clock))
        announced = Cached(engine, lambda conn: audiences(conn, clock.now()), clock=clock)
        object.__setattr__(self, "announced", announced)
        full = Cached(engine, lambda conn: full_storages(conn, at=clock.now()), clock=clock)
        object.__setattr__(self, "full_storage", full)
        ahead = Cached(
            engine,
            lambda conn: grant_outlooks(conn, clock.now()),
            clock=clock,
            max_age_seconds=KEPT_SECONDS,
        )
        object.__setattr__(self, "grant_outlooks", ahead)

    @property
    def is_warm(self) -> bool:
        """Whether all that is kept in memory is fresh: no read of it would ask the database now."""
        return all(
            kept.is_fresh
            for kept in (
                *(self.clusters, self.projects, self.limited, self.price_list, self.subsidies),
                *(self.full_storage, self.templates),
            )
        )

    def forget_clusters(self) -> None:
        """What is known of them has changed: read it anew, not only after a second."""
        self.clusters.forget()
        self.figures.forget()
        self.outages.forget()

    def reading(self) -> Session:
        """A session that only reads; use as a context manager."""
        return Session(reading(self.engine))

    def writing(self) -> Session:
        """A session whose transaction may write; commit it yourself."""
        return Session(writing(self.engine))
