"""Builds the controllers from settings: the only file of the portal that names a scheduler backend.

Apart from wiring.py, so that web processes and commands start without Dask.
"""

import ssl
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import assert_never

import structlog
from distributed import Security
from sqlalchemy import Engine

from hpc_portal.app.accounting.check_step import CHECK_SECONDS
from hpc_portal.app.accounting.compare_cluster import CompareClusterStep
from hpc_portal.app.clock import Clock, SystemClock
from hpc_portal.app.controller import ControllerParts
from hpc_portal.app.external.find import FindExternalStep
from hpc_portal.app.jobs.context import ControllerContext
from hpc_portal.app.jobs.placements import DatabasePlacementStore
from hpc_portal.app.licenses.poll import PollLicensesStep
from hpc_portal.app.licenses.set_aside import SET_ASIDE_SECONDS, SetAsideLicensesStep
from hpc_portal.app.loops import Loop
from hpc_portal.app.mirror.reconcile import MirrorStep
from hpc_portal.app.notices.digest import DIGEST_SECONDS, GatherDigestsStep
from hpc_portal.app.notices.send_mail import SEND_SECONDS, SendMailStep
from hpc_portal.app.notices.send_webhooks import WEBHOOK_SECONDS, SendWebhooksStep
from hpc_portal.app.retention.step import RETENTION_REST_SECONDS, RETENTION_SECONDS, RetentionStep
from hpc_portal.app.settings import Settings, SlurmSettings
from hpc_portal.app.storage.measure_step import STORAGE_REST_SECONDS, STORAGE_SECONDS, MeasureStorageStep
from hpc_portal.app.telemetry.traced_connection import TracedConnection
from hpc_portal.app.templates.publish_step import PUBLISH_SECONDS, PublishFolderStep
from hpc_portal.app.wake import SharedWake
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
from schedulers.slurm.backend import SlurmScheduler
from schedulers.slurm.client import SlurmClient
from schedulers.slurm.external import SlurmExternalJobs
from schedulers.slurm.mirror import SlurmMirror
from schedulers.slurm.set_aside_licenses import ReservedLicenses
from schedulers.slurm.tokens import MintedTokens, ProxyToken, TokenFile, TokenSource

log = structlog.get_logger()


def build_controllers(settings: Settings, *, clock: Clock | None = None) -> list[ControllerParts]:
    """The parts of one controller for each cluster that settings describe; they share the database."""
    engine = build_engine(settings)
    shared = _Shared(settings, engine, clock or SystemClock(), SharedWake(build_wake(settings, engine)))
    found = [_slurm_controller(shared, settings.slurm)] if settings.slurm else []
    found += [_dask_controller(shared)] if settings.dask_enabled else []
    first = _polling_licenses(_measuring_storage(found[0], shared), shared)
    first = _letting_go(_publishing_templates(first, shared), shared)
    return [_with_outboxes(parts, shared) for parts in (first, *found[1:])]


def _with_outboxes(parts: ControllerParts, shared: "_Shared") -> ControllerParts:
    """Every active controller posts to webhooks and, where there is a server, sends mails: each by one."""
    smtp, url = shared.settings.smtp, shared.settings.public_url
    networks = shared.settings.webhook_networks
    webhooks = SendWebhooksStep(shared.engine, shared.clock, public_url=url, networks=networks)
    outboxes = [Loop("webhooks", webhooks, WEBHOOK_SECONDS)]
    if smtp is not None:
        mail = SendMailStep(shared.engine, shared.clock, smtp, public_url=url)
        outboxes.append(Loop("mail", mail, SEND_SECONDS))
        outboxes.append(Loop("digests", GatherDigestsStep(shared.engine, shared.clock), DIGEST_SECONDS))

    def loops(context: ControllerContext) -> list[Loop]:
        return [*parts.more_loops(context), *outboxes]

    return replace(parts, more_loops=loops)


def _measuring_storage(parts: ControllerParts, shared: "_Shared") -> ControllerParts:
    """Workspaces are of all clusters; one controller walks them."""
    every = timedelta(seconds=shared.settings.storage_interval_seconds)
    kept = timedelta(days=shared.settings.retention.uploads_days)

    def loops(context: ControllerContext) -> list[Loop]:
        step = MeasureStorageStep(context, every=every, uploads_kept=kept)
        measure = Loop("measure_storage", step, STORAGE_SECONDS, rest_seconds=STORAGE_REST_SECONDS)
        return [*parts.more_loops(context), measure]

    return replace(parts, more_loops=loops)


def _polling_licenses(parts: ControllerParts, shared: "_Shared") -> ControllerParts:
    """Licence servers are of all clusters; one controller asks them."""
    servers = shared.settings.license_servers
    if not servers:
        return parts
    step = PollLicensesStep(shared.engine, shared.clock, servers)

    def loops(context: ControllerContext) -> list[Loop]:
        poll = Loop("licenses", step, shared.settings.license_interval_seconds)
        return [*parts.more_loops(context), poll]

    return replace(parts, more_loops=loops)


def _letting_go(parts: ControllerParts, shared: "_Shared") -> ControllerParts:
    """What is over is over for all clusters; one controller lets go of it."""
    settings = shared.settings.retention

    def loops(context: ControllerContext) -> list[Loop]:
        step = RetentionStep(context, settings)
        go = Loop("retention", step, RETENTION_SECONDS, rest_seconds=RETENTION_REST_SECONDS)
        return [*parts.more_loops(context), go]

    return replace(parts, more_loops=loops)


def _publishing_templates(parts: ControllerParts, shared: "_Shared") -> ControllerParts:
    """The site's folder is one; one controller looks into it."""
    folder = shared.settings.site_templates
    if folder is None:
        return parts
    step = PublishFolderStep(shared.engine, shared.clock, folder)

    def loops(context: ControllerContext) -> list[Loop]:
        return [*parts.more_loops(context), Loop("templates", step, PUBLISH_SECONDS)]

    return replace(parts, more_loops=loops)


@dataclass(frozen=True, slots=True)
class _Shared:
    """What all controllers of a process have in common."""

    settings: Settings
    engine: Engine
    clock: Clock
    wake: SharedWake


def _slurm_controller(shared: _Shared, slurm: SlurmSettings) -> ControllerParts:
    turn = _SlurmTurn(slurm, counts_licenses=bool(shared.settings.license_servers))
    return ControllerParts(
        cluster=slurm.cluster_name,
        settings=shared.settings,
        engine=shared.engine,
        clock=shared.clock,
        wake=shared.wake,
        make_scheduler=turn.scheduler,
        enforces_budgets=slurm.mirror_quotas,
        more_loops=turn.loops,
    )


class _SlurmTurn:
    """One turn of a Slurm cluster's controller: its scheduler and its own loops share a client."""

    def __init__(self, slurm: SlurmSettings, *, counts_licenses: bool) -> None:
        self._slurm = slurm
        self._counts_licenses = counts_licenses
        self._client: SlurmClient | None = None

    def scheduler(self) -> SlurmScheduler:
        """A fresh backend on a fresh client, which it closes at the end of the turn."""
        self._client = slurm_client(self._slurm)
        return SlurmScheduler(
            self._slurm.cluster_name,
            self._client,
            admin_user=self._slurm.admin_user,
            default_partition=self._slurm.default_partition,
            runtime_paths=[str(path) for path in self._slurm.runtime_paths],
            takes_samples=self._slurm.samples,
            programs=self._slurm.programs,
        )

    def loops(self, context: ControllerContext) -> list[Loop]:
        """Budgets, jobs from outside and licences in use outside, where settings ask for them."""
        assert self._client  # noqa: S101 - the turn's scheduler was made before
        found = []
        if self._slurm.mirror_quotas and context.budgets is not None:
            mirror = MirrorStep(context, slurm_mirror(self._slurm, self._client))
            interval = self._slurm.mirror_interval_seconds
            found.append(Loop("mirror", mirror, interval, wake=context.budgets.missed))
        if self._slurm.scontrol and self._counts_licenses:
            aside = SetAsideLicensesStep(context, ReservedLicenses(self._slurm.scontrol))
            found.append(Loop("set_aside_licenses", aside, SET_ASIDE_SECONDS))
        if self._slurm.import_external:
            accounting = SlurmExternalJobs(self._client)
            finder = FindExternalStep(context, accounting)
            found.append(Loop("external", finder, self._slurm.import_interval_seconds))
            found.append(Loop("compare", CompareClusterStep(context, accounting), CHECK_SECONDS))
        return found


def slurm_client(slurm: SlurmSettings) -> SlurmClient:
    """A client of the slurmrestd that settings name."""
    trusted = ssl.create_default_context(cafile=str(slurm.tls_ca)) if slurm.tls_ca else None
    return SlurmClient(
        slurm.url,
        _tokens(slurm),
        polling_user=slurm.polling_user,
        ssl_context=trusted,
        allow_unknown_version=slurm.allow_unknown_api_version,
        around=TracedConnection,
    )


def slurm_mirror(slurm: SlurmSettings, client: SlurmClient) -> SlurmMirror:
    """The cluster's accounts and budgets, as the administrator that settings name."""
    return SlurmMirror(client, admin_user=slurm.admin_user)


def _tokens(slurm: SlurmSettings) -> TokenSource:
    match slurm.auth:
        case "jwt_key":
            return MintedTokens(_given(slurm.jwt_key))
        case "token_file":
            return TokenFile(_given(slurm.token_file))
        case "proxy_token":
            return ProxyToken(_given(slurm.token_file))
        case _:
            assert_never(slurm.auth)


def _given(path: Path | None) -> Path:
    assert path  # noqa: S101 - SlurmSettings has checked it
    return path


def _dask_controller(shared: _Shared) -> ControllerParts:
    store = DatabasePlacementStore(shared.settings.licenses)
    return ControllerParts(
        cluster=shared.settings.cluster_name,
        settings=shared.settings,
        engine=shared.engine,
        clock=shared.clock,
        wake=shared.wake,
        make_scheduler=lambda: _dask_scheduler(shared.settings, store),
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
