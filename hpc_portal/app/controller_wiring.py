"""Builds a controller from settings: the only file of the portal that names a scheduler backend.

Apart from wiring.py, so that web processes and commands start without Dask.
"""

import structlog
from distributed import Security

from hpc_portal.app.clock import Clock, SystemClock
from hpc_portal.app.controller import ControllerParts
from hpc_portal.app.jobs.placements import DatabasePlacementStore
from hpc_portal.app.settings import Settings
from hpc_portal.app.wiring import build_engine, build_wake
from schedulers.cluster import Partition
from schedulers.dask.backend import DaskScheduler
from schedulers.dask.gpus import find_gpus
from schedulers.dask.link import EmbeddedCluster, ExternalCluster
from schedulers.dask.node import (
    NodeConfig,
    declared_gpus,
    default_runtime_paths,
    machine_cpus,
    machine_memory_mib,
)

log = structlog.get_logger()


def build_controller(settings: Settings, *, clock: Clock | None = None) -> ControllerParts:
    """The parts of a controller of the cluster that settings describe."""
    engine = build_engine(settings)
    store = DatabasePlacementStore()
    return ControllerParts(
        settings=settings,
        engine=engine,
        clock=clock or SystemClock(),
        wake=build_wake(settings, engine),
        make_scheduler=lambda: _dask_scheduler(settings, store),
        attach=store.attach,
    )


def _dask_scheduler(settings: Settings, store: DatabasePlacementStore) -> DaskScheduler:
    return DaskScheduler(
        settings.cluster_name,
        _dask_cluster(settings),
        store,
        partitions=[
            Partition(
                name=partition.name,
                nodes=(partition.nodes,),
                max_walltime_seconds=partition.max_walltime_seconds,
                default_walltime_seconds=partition.default_walltime_seconds,
                max_nodes_per_job=partition.max_nodes_per_job,
                is_default=partition.is_default,
            )
            for partition in settings.partitions
        ],
        licenses=settings.licenses,
        node_fail_after_seconds=settings.node_fail_after_seconds,
    )


def _dask_cluster(settings: Settings) -> EmbeddedCluster | ExternalCluster:
    if not settings.dask_scheduler:
        return EmbeddedCluster(_embedded_node(settings))
    if not (settings.dask_tls_ca and settings.dask_tls_cert and settings.dask_tls_key):
        log.warning(
            "dask.unencrypted", because="any job on its network could speak for the portal; use tls://"
        )
        return ExternalCluster(settings.dask_scheduler)
    for file in (settings.dask_tls_ca, settings.dask_tls_cert, settings.dask_tls_key):
        file.read_bytes()  # Dask's error would not name the file that cannot be read
    security = Security(  # type: ignore[no-untyped-call]
        tls_ca_file=str(settings.dask_tls_ca),
        tls_client_cert=str(settings.dask_tls_cert),
        tls_client_key=str(settings.dask_tls_key),
        require_encryption=True,
    )
    return ExternalCluster(settings.dask_scheduler, security)


def _embedded_node(settings: Settings) -> NodeConfig:
    return NodeConfig(
        name=settings.node_name,
        state_dir=str((settings.state_dir / "node").absolute()),
        workspace_root=str(settings.effective_workspace_root),
        cpus=settings.node_cpus or machine_cpus(),
        memory_mib=settings.node_memory_mib or machine_memory_mib(),
        gpus=declared_gpus(settings.node_gpus) if settings.node_gpus else find_gpus(),
        runtime_paths=default_runtime_paths(),
        data_paths=tuple(str(path.absolute()) for path in settings.node_data_paths),
        allow_unisolated_tenants=settings.allow_unisolated_tenants,
    )
