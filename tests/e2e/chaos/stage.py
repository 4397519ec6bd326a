"""A portal with two of everything on a network of hosts, and the handles that faults take hold of."""

import asyncio
import signal
import socket
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from uuid import UUID

from sqlalchemy import Connection, Engine, make_url, select, text
from sqlmodel import col

from hpc_portal.app.accounts.map_cluster_user import AccountThere, map_cluster_user
from hpc_portal.app.accounts.operator import OPERATOR as AN_OPERATOR
from hpc_portal.app.actor import load_actor
from hpc_portal.app.clock import SystemClock
from hpc_portal.app.db import transact
from hpc_portal.app.jobs.submit import SubmitRequest, submit_job
from hpc_portal.app.settings import SlurmSettings
from hpc_portal.app.tables import Job, JobTask, Lease
from quotas.pricing import PriceItem
from quotas.publish_prices import publish_price_list
from schedulers.jobspec import JobSpec, ResourceRequest
from scripts.slurm_cluster.instance import Instance
from tests.e2e.chaos.bad_gateway import BACKLOG, BadGateway
from tests.e2e.chaos.clocks import Clock, right_clock, sweep
from tests.e2e.chaos.network import Network
from tests.e2e.chaos.people import ON_SLURM, SCRIPT
from tests.e2e.chaos.promises import SLURM
from tests.e2e.chaos.starvation import StarvationWatch
from tests.portal_processes import CLUSTER_UID_BASE, OPERATOR, Processes, wait_until
from tests.postgres import PostgresServer, running_server
from tests.small_city import City, build_city

DASK = "chaos"
PARTITION = {DASK: f"{DASK}:main", SLURM: ON_SLURM}
ALICE = AccountThere("alice", 5001)
"""She has an account on the test cluster, in the account of our project."""
CONTROLLERS = ("controller-1", "controller-2")
REPLICAS = ("web-1", "web-2")
WORKERS = ("node-1", "node-2")
WEB_PORT, DASK_PORT = 8000, 8786
PATIENCE_SECONDS = 300.0
"""For what takes seconds on a machine that is not loaded."""


@dataclass(frozen=True)
class Stage:
    """Each process is a host of its name; `database` and `slurmrestd` are two more, people sit in `city`."""

    city: City
    network: Network
    postgres: PostgresServer
    processes: Processes
    slurm: Instance
    gateway: BadGateway
    """How the host `slurmrestd` is reached; what runs behind it has no part in our network."""
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

    def wait_for_slurm(self) -> None:
        """Until a controller has reported it: nobody may submit to what was never seen."""

        def is_seen() -> bool:
            seen = {cluster.name: cluster for cluster in self.city.services.clusters.get()}
            return seen[SLURM].partition(ON_SLURM) is not None

        wait_until(is_seen, what="Slurm to be seen", seconds=PATIENCE_SECONDS)

    def leader(self, cluster: str = DASK) -> str:
        """The controller that holds the cluster's lease; "" while none does."""
        with self.engine.connect() as connection:
            of_cluster = col(Lease.name) == f"controller:{cluster}"
            holder = connection.execute(select(col(Lease.holder)).where(of_cluster)).scalar()
        number = int(holder.rpartition(":")[2]) if holder else 0
        running = self.processes.running
        return next((name for name in CONTROLLERS if name in running and running[name].pid == number), "")

    def wait_for_leader(self, cluster: str = DASK, *, but: str = "") -> str:
        """The active controller, as soon as there is one that is not `but`."""
        wait_until(
            lambda: self.leader(cluster) not in {"", but},
            what=f"an active controller of {cluster}",
            seconds=PATIENCE_SECONDS,
        )
        return self.leader(cluster)

    def submit(self, cluster: str = DASK) -> str:
        """A job beside the network and the replicas, whatever is cut or killed just now."""
        resources = ResourceRequest(walltime_seconds=120, memory_mib_per_node=64)
        spec = JobSpec(name="probe", script=SCRIPT, resources=resources, partition=PARTITION[cluster])
        member = self.city.chips.member
        request = SubmitRequest(project="chips", spec=spec)
        job = asyncio.run(submit_job(self.city.services, member, request)).job_id
        self.probes.append(str(job))
        return str(job)

    def wait_for_dispatch(self, job: str) -> datetime:
        """When the active controller gave this job to a node of Dask, or to Slurm."""
        found: list[datetime] = []

        def is_there() -> bool:
            self.processes.revive()
            found[:] = [at for at in self._dispatched_at(job) if at]
            return bool(found)

        try:
            wait_until(is_there, what="a job to be dispatched", seconds=PATIENCE_SECONDS)
        except TimeoutError as problem:
            with self.engine.connect() as connection:
                row = connection.execute(select(Job.__table__).where(col(Job.id) == UUID(job))).one()  # type: ignore[attr-defined]
            problem.add_note(f"the job is {dict(row._mapping)}")
            raise
        return found[0]

    def _dispatched_at(self, job: str) -> Sequence[datetime | None]:
        placed = select(col(JobTask.placed_at)).where(col(JobTask.job_id) == UUID(job))
        sent = select(col(Job.dispatched_at)).where(col(Job.id) == UUID(job), col(Job.scheduler) == SLURM)
        with self.engine.connect() as connection:
            return [*connection.execute(sent).scalars(), *connection.execute(placed).scalars()]

    def watch_starvation(self) -> StarvationWatch:
        """Of the controllers, whichever run."""
        running = self.processes.running
        return StarvationWatch(
            lambda: [one.pid for name, one in list(running.items()) if name in CONTROLLERS]
        )

    def wait_for_standby(self) -> None:
        """Until each cluster has an active controller and the other one asks for the lease."""

        def is_there() -> bool:
            is_led = all(self.leader(cluster) for cluster in PARTITION)
            return is_led and all(self._has_session(name) for name in CONTROLLERS)

        wait_until(is_there, what="two controllers", seconds=PATIENCE_SECONDS)

    def _has_session(self, name: str) -> bool:
        session = f"{socket.gethostname()}:{self.processes.running[name].pid}"
        statement = text("SELECT 1 FROM pg_stat_activity WHERE application_name = :session LIMIT 1")
        with self.engine.connect() as connection:
            return connection.execute(statement, {"session": session}).scalar() is not None


@contextmanager
def running_stage(folder: Path, disk: Path, slurm: Instance) -> Iterator[Stage]:
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
        slurmrestd = network.host("slurmrestd")
        target = ("127.0.0.1", slurm.ports.slurmrestd)
        gateway = stack.enter_context(BadGateway(target, slurmrestd.listen(backlog=BACKLOG)))
        key = folder / "jwt_hs256.key"
        key.write_bytes(slurm.jwt_key())
        key.chmod(0o600)
        rest = SlurmSettings(cluster_name=SLURM, url=gateway.url, jwt_key=key, polling_user="hpcportal")
        city = build_city(near, folder, clock=SystemClock(), cluster_name=DASK, slurm=rest)
        city = _with_account_on_slurm(city)
        transact(city.services.engine, _ask_a_price_that_shows)
        stack.callback(city.services.engine.dispose)
        stack.callback(city.services.commits.close)
        network.host("city")
        scheduler = network.host("scheduler")
        address = f"tcp://{scheduler.address}:{DASK_PORT}"
        environment = {
            "HPC_PORTAL_STATE_DIR": str(folder),
            "HPC_PORTAL_DATABASE_URL": far,
            "HPC_PORTAL_CLUSTER_NAME": DASK,
            "HPC_PORTAL_DEFAULT_CLUSTER": DASK,
            "HPC_PORTAL_SLURM__CLUSTER_NAME": SLURM,
            "HPC_PORTAL_SLURM__URL": rest.url,
            "HPC_PORTAL_SLURM__JWT_KEY": str(key),
            "HPC_PORTAL_SLURM__POLLING_USER": rest.polling_user,
            "HPC_PORTAL_CLUSTER_UID_BASE": str(CLUSTER_UID_BASE),
            "HPC_PORTAL_DASK_SCHEDULER": address,
            "HPC_PORTAL_HOST": "0.0.0.0",  # noqa: S104 - of a network that is ours alone
            "HPC_NODE_WORKSPACE_ROOT": str(disk),
            "HPC_NODE_CPUS": "2",
            "HPC_NODE_MEMORY_MIB": "4096",
        }
        stack.callback(sweep)
        processes = stack.enter_context(Processes(folder, environment))
        stage = Stage(city, network, postgres, processes, slurm, gateway, {}, disk)
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


def _with_account_on_slurm(city: City) -> City:
    member = city.chips.member
    map_cluster_user(city.services, AN_OPERATOR, member.username, cluster=SLURM, account=ALICE)
    with city.services.reading() as session:
        known = load_actor(session, member.user_id)
    assert known
    return replace(city, chips=replace(city.chips, member=known))


def _ask_a_price_that_shows(connection: Connection) -> None:
    """A thousand đồng for each second of a CPU: a job that runs twice, or is charged twice, is seen."""
    now = SystemClock().now()
    items = [PriceItem("cpu", 3_600_000), PriceItem("mem", 0)]
    publish_price_list(connection, items, valid_from=now, actor_id=None, at=now)
