"""A portal with two of everything on a network of hosts, and the handles that faults take hold of."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Engine, make_url, select, text
from sqlmodel import col

from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.tables import Job, JobTask, Lease
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from schedulers.jobspec import JobSpec, ResourceRequest
from tests.e2e.chaos.clocks import Clock, right_clock, sweep
from tests.e2e.chaos.network import Network
from tests.e2e.chaos.people import SCRIPT
from tests.portal_processes import CLUSTER_UID_BASE, OPERATOR, Processes, wait_until
from tests.postgres import PostgresServer, running_server
from tests.small_city import City, build_city

CLUSTER = "chaos"
CONTROLLERS = ("controller-1", "controller-2")
REPLICAS = ("web-1", "web-2")
WORKERS = ("node-1", "node-2")
WEB_PORT, DASK_PORT = 8000, 8786
PATIENCE_SECONDS = 300.0
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
    probes: list[str] = field(default_factory=list)
    """Jobs that nobody but the test submitted."""

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
        running = self.processes.running
        return next((name for name in CONTROLLERS if name in running and running[name].pid == number), "")

    def wait_for_leader(self, but: str = "") -> str:
        """The active controller, as soon as there is one that is not `but`."""
        wait_until(
            lambda: self.leader() not in {"", but}, what="an active controller", seconds=PATIENCE_SECONDS
        )
        return self.leader()

    def submit(self) -> str:
        """A job beside the network and the replicas, whatever is cut or killed just now."""
        resources = ResourceRequest(walltime_seconds=120, memory_mib_per_node=64)
        spec = JobSpec(name="probe", script=SCRIPT, resources=resources)
        member = self.city.chips.member
        request = SubmitRequest(project="chips", spec=spec)
        job = asyncio.run(submit_job(self.city.services, member, request)).job_id
        self.probes.append(str(job))
        return str(job)

    def wait_for_placement(self, job: str) -> datetime:
        """When the active controller gave this job to a node."""
        placed = select(col(JobTask.placed_at)).where(col(JobTask.job_id) == UUID(job))
        found: list[datetime] = []

        def is_placed() -> bool:
            self.processes.revive()
            with self.engine.connect() as connection:
                found[:] = [at for at in connection.execute(placed).scalars() if at]
            return bool(found)

        try:
            wait_until(is_placed, what="a job to be given to a node", seconds=PATIENCE_SECONDS)
        except TimeoutError as problem:
            with self.engine.connect() as connection:
                row = connection.execute(select(Job.__table__).where(col(Job.id) == UUID(job))).one()  # type: ignore[attr-defined]
            problem.add_note(f"the job is {dict(row._mapping)}")
            raise
        return found[0]

    def wait_for_standby(self) -> None:
        """Until one controller is active and the other one asks for the lease."""

        def is_there() -> bool:
            leader = self.leader()
            return bool(leader) and all(self._has_session(name) for name in CONTROLLERS)

        wait_until(is_there, what="two controllers", seconds=PATIENCE_SECONDS)

    def _has_session(self, name: str) -> bool:
        session = f"{socket.gethostname()}:{self.processes.running[name].pid}"
        statement = text("SELECT 1 FROM pg_stat_activity WHERE application_name = :session LIMIT 1")
        with self.engine.connect() as connection:
            return connection.execute(statement, {"session": session}).scalar() is not None


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
        stack.callback(sweep)
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
