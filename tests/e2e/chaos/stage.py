"""A portal with two of everything on a network of hosts, and the handles that faults take hold of."""

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, Engine, make_url, select
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.tables import Lease
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from tests.e2e.chaos.clocks import Clock, right_clock
from tests.e2e.chaos.network import Network
from tests.portal_processes import CLUSTER_UID_BASE, OPERATOR, Processes, wait_until
from tests.postgres import PostgresServer, running_server
from tests.small_city import City, build_city

CLUSTER = "chaos"
CONTROLLERS = ("controller-1", "controller-2")
REPLICAS = ("web-1", "web-2")
WORKERS = ("node-1", "node-2")
WEB_PORT, DASK_PORT = 8000, 8786
PATIENCE_SECONDS = 180.0
"""For what takes seconds on a machine that is not loaded."""


@dataclass(frozen=True)
class Stage:
    """Each process is a host of its name, `database` one more, and `city` is where people sit."""

    city: City
    network: Network
    postgres: PostgresServer
    processes: Processes
    clocks: dict[str, Clock]
    disk: Path

    @property
    def engine(self) -> Engine:
        """By a UNIX socket, and so beside the network."""
        return self.city.services.engine

    @property
    def urls(self) -> Sequence[str]:
        """Of both web replicas."""
        return [f"http://{self.network.hosts[name].address}:{WEB_PORT}" for name in REPLICAS]

    def leader(self) -> str:
        """The controller that holds the lease; "" while none does."""
        with self.engine.connect() as connection:
            holder = connection.execute(select(col(Lease.holder))).scalar()
        number = int(holder.rpartition(":")[2]) if holder else 0
        return next((name for name in CONTROLLERS if self.processes.running[name].pid == number), "")

    def wait_for_leader(self, but: str = "") -> str:
        """The active controller, as soon as there is one that is not `but`."""
        wait_until(
            lambda: self.leader() not in {"", but}, what="an active controller", seconds=PATIENCE_SECONDS
        )
        return self.leader()


@contextmanager
def running_stage(folder: Path, disk: Path) -> Iterator[Stage]:
    """Everything is started; nothing is waited for."""
    with ExitStack() as stack:
        network = stack.enter_context(Network())
        database = network.host("database")
        settings = {"listen_addresses": database.address}
        postgres = stack.enter_context(running_server(prefix=database.prefix, settings=settings))
        with (postgres.folder / "data" / "pg_hba.conf").open("a") as rules:
            rules.write("host all all 10.77.0.0/16 trust\n")
        postgres.restart(signal.SIGINT)
        postgres.wait_until_ready()
        near = stack.enter_context(postgres.database(None))
        far = make_url(near).set(host=database.address, query={}).render_as_string()
        city = build_city(near, folder, clock=SystemClock(), cluster_name=CLUSTER)
        transact(city.services.engine, _ask_a_price_that_shows)
        stack.callback(city.services.engine.dispose)
        stack.callback(city.services.commits.close)
        network.host("city")
        scheduler = network.host("scheduler")
        address = f"tcp://{scheduler.address}:{DASK_PORT}"
        environment = {
            "HPC_PORTAL_STATE_DIR": str(folder),
            "HPC_PORTAL_DATABASE_URL": far,
            "HPC_PORTAL_CLUSTER_NAME": CLUSTER,
            "HPC_PORTAL_CLUSTER_UID_BASE": str(CLUSTER_UID_BASE),
            "HPC_PORTAL_DASK_SCHEDULER": address,
            "HPC_PORTAL_HOST": "0.0.0.0",  # noqa: S104 - of a network that is ours alone
            "HPC_NODE_WORKSPACE_ROOT": str(disk),
            "HPC_NODE_CPUS": "2",
            "HPC_NODE_MEMORY_MIB": "4096",
        }
        processes = stack.enter_context(Processes(folder, environment))
        stage = Stage(city, network, postgres, processes, {}, disk)
        dask = (sys.executable, "-m", "dask")
        options = ("--port", str(DASK_PORT), "--no-dashboard")
        processes.start("scheduler", *scheduler.prefix, *dask, "scheduler", *options)
        for name in WORKERS:
            place = ("env", f"HPC_NODE_NAME={name}", f"HPC_NODE_STATE_DIR={folder / name}")
            plugin = ("--preload", "schedulers.dask.plugin", "--no-nanny", "--no-dashboard")
            prefix = network.host(name).prefix
            processes.start(
                name, *prefix, *place, *dask, "worker", address, "--name", name, "--nthreads", "1", *plugin
            )
        for name in (*CONTROLLERS, *REPLICAS):
            clock = stage.clocks[name] = right_clock(folder, name)
            command = ("controller",) if name in CONTROLLERS else ("web", "--port", str(WEB_PORT))
            processes.start(name, *network.host(name).prefix, *clock.prefix, *OPERATOR, *command)
        yield stage


def _ask_a_price_that_shows(connection: Connection) -> None:
    """A thousand đồng for each second of a CPU: a job that runs twice, or is charged twice, is seen."""
    now = SystemClock().now()
    items = [PriceItem("cpu", 3_600_000), PriceItem("mem", 0)]
    publish_price_list(connection, items, valid_from=now, actor_id=None, at=now)
