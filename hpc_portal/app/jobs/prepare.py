"""From what a person asks for to a complete JobSpec that some cluster can run; reads, never writes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlmodel import col

from hpc_portal.app import permissions
from hpc_portal.app.actor import Actor
from hpc_portal.app.campaigns.record import RerunOf
from hpc_portal.app.clusters import visible_part
from hpc_portal.app.errors import InvalidSubmission, Problem, ProjectNotFound
from hpc_portal.app.files.workspace import layout_problems
from hpc_portal.app.jobs.choose_cluster import choose_cluster
from hpc_portal.app.jobs.edit_script import edited_spec, notes_on
from hpc_portal.app.paying_projects import PayingProject
from hpc_portal.app.permissions import Action
from hpc_portal.app.services import Services
from hpc_portal.app.tables import Job
from hpc_portal.app.templates.find import template_to_run
from schedulers.cluster import ClusterSnapshot, Partition, check_fits, whole_node_of
from schedulers.jobspec import JobSpec
from schedulers.units import format_walltime
from workloads.template import StopRule


@dataclass(frozen=True, slots=True)
class SubmitRequest:
    """What a person asks for: a template with parameters, or a complete JobSpec; exactly one of them."""

    project: str
    """The project's account name: who pays."""
    template: str | None = None
    parameters: Mapping[str, Any] | None = None
    spec: JobSpec | None = None
    script: str | None = None
    """What runs instead of the script that the template makes; None: that one."""
    idempotency_key: str | None = None
    rerun_of: RerunOf | None = None
    """Set by the portal itself, of a rerun in a campaign."""


@dataclass(frozen=True, slots=True)
class PreparedJob:
    """A job that could be submitted now."""

    project_id: UUID
    account: str
    organisation_id: UUID
    organisation: str
    """The organisation's slug."""
    spec: JobSpec
    """Complete: partition, walltime and account are filled in."""
    template: str | None
    """What the job keeps: the template's name, with the version of one that the site has published."""
    parameters: dict[str, Any] | None
    """The template's parameters with defaults filled in."""
    cluster_user: str
    """What it runs as there."""
    walltime_is_default: bool
    cluster: ClusterSnapshot
    stop_rule: StopRule | None = None
    """Of the campaign that it opens or belongs to; None: it is none."""
    generated_script: str | None = None
    """What the template made, where somebody edited it by hand; None: it runs as it was made."""
    notes: tuple[Problem, ...] = ()
    """What will be otherwise than asked, although nothing is wrong with it."""


def prepare_job(services: Services, actor: Actor, request: SubmitRequest) -> PreparedJob:
    """Render, check who may, fill in defaults, and check that the cluster can ever run it.

    Raises:
        ProjectNotFound: no such project, or none that the actor may see.
        NotAllowed: the actor sees the project but may not submit to it.
        TenantNotActive: the project or its organisation is suspended or closed.
        TemplateNotFound: there is no such template, or none for this person.
        InvalidParameters: from the template.
        InvalidSubmission: the cluster could never run it, the person has no account there, or a dependency
            is wrong; every reason is listed.
        ClusterNotSeenYet: no controller has reported the cluster so far.
    """
    project = _project(services, actor, request.project)
    rendered = _render(services, actor, request, project)
    spec = rendered.spec
    settings = services.settings
    cluster, named = choose_cluster(services.clusters.get(), settings.cluster_names, spec.partition)
    spec = spec.model_copy(update={"partition": named})
    complete, partition = _complete(spec, cluster, account=project.account)
    known = visible_part(services, actor, cluster) if spec.reservation else cluster
    problems = [Problem(misfit.field, misfit.text, misfit.facts) for misfit in check_fits(complete, known)]
    if spec.account not in {None, project.account}:
        problems.append(_other_account(spec.account or "", project.account))
    if cluster.name in settings.clusters_with_accounts and cluster.name not in actor.cluster_accounts:
        problems.append(_no_account(cluster.name))
    problems += _dependency_problems(services, actor, complete)
    problems += layout_problems(complete)
    if problems:
        raise InvalidSubmission(problems)
    return PreparedJob(
        project_id=project.id,
        account=project.account,
        organisation_id=project.organisation_id,
        organisation=project.organisation,
        spec=complete,
        template=rendered.template,
        parameters=rendered.parameters,
        generated_script=rendered.generated_script,
        cluster_user=actor.account_on(cluster.name),
        walltime_is_default=partition is not None and spec.resources.walltime_seconds is None,
        cluster=cluster,
        stop_rule=rendered.stop_rule,
        notes=(
            *_notes(spec, complete, pays_by_qos=cluster.name in settings.clusters_with_budgets),
            *(notes_on(spec) if rendered.generated_script else ()),
        ),
    )


def _project(services: Services, actor: Actor, account: str) -> PayingProject:
    project = services.projects.get().get(account)
    if project is None:
        raise ProjectNotFound(account)
    permissions.require(
        actor,
        Action.SUBMIT,
        organisation_id=project.organisation_id,
        project_id=project.id,
        hidden_as=ProjectNotFound(account),
    )
    project.require_active()
    return project


@dataclass(frozen=True, slots=True)
class _Rendered:
    """What a template makes of parameters; a job without a template is its specification alone."""

    spec: JobSpec
    template: str | None = None
    parameters: dict[str, Any] | None = None
    stop_rule: StopRule | None = None
    generated_script: str | None = None


def _render(services: Services, actor: Actor, request: SubmitRequest, project: PayingProject) -> _Rendered:
    if (request.template is None) == (request.spec is None):
        raise InvalidSubmission([Problem("template", "Give either a template or a job specification.")])
    if request.template is None:
        assert request.spec is not None  # noqa: S101 - the line above
        if request.script is not None:
            raise InvalidSubmission([Problem("script", "A job specification has its script inside.")])
        return _Rendered(request.spec)
    template, reference = template_to_run(services, actor, request.template, project)
    parameters = template.validate(request.parameters or {})
    made = template.render(parameters)
    spec = edited_spec(template, made, request.script)
    return _Rendered(
        spec,
        reference,
        parameters.model_dump(mode="json"),
        template.stop_rule(parameters),
        made.script if spec is not made else None,
    )


def _no_account(cluster: str) -> Problem:
    return Problem(
        "partition",
        "You have no account on the cluster %(cluster)s yet. Ask the city's administrators for one.",
        {"cluster": cluster},
    )


def _other_account(asked: str, paying: str) -> Problem:
    return Problem(
        "account",
        "The job names the account %(asked)s, but %(paying)s pays. Choose that project, or leave it out.",
        {"asked": asked, "paying": paying},
    )


def _complete(spec: JobSpec, cluster: ClusterSnapshot, *, account: str) -> tuple[JobSpec, Partition | None]:
    partition = cluster.partition(spec.partition)
    if partition is None:
        return spec, None
    asked = spec.resources.walltime_seconds or partition.default_walltime_seconds
    walltime = cluster.whole_walltime(asked)
    known = {"walltime_seconds": walltime, "whole_node": whole_node_of(spec, cluster)}
    resources = spec.resources.model_copy(update=known)
    changes = {"partition": partition.name, "account": account, "resources": resources}
    return spec.model_copy(update=changes), partition


def _notes(asked: JobSpec, complete: JobSpec, *, pays_by_qos: bool) -> Iterator[Problem]:
    wanted, given = asked.resources.walltime_seconds, complete.resources.walltime_seconds
    if wanted and given and wanted != given:
        yield Problem(
            "walltime_seconds",
            "This cluster rounds time limits up: %(asked)s becomes %(given)s.",
            {"asked": format_walltime(wanted), "given": format_walltime(given)},
        )
    if asked.qos and pays_by_qos:
        yield Problem(
            "qos",
            "The job runs in the budget that is held for it, which is a QOS on this cluster; "
            "the QOS %(qos)s that it names does not count.",
            {"qos": asked.qos},
        )


def _dependency_problems(services: Services, actor: Actor, spec: JobSpec) -> list[Problem]:
    wanted = {dependency.job_id for dependency in spec.dependencies}
    if not wanted:
        return []
    visible = select(func.count()).where(col(Job.id).in_(wanted), permissions.visible_jobs(actor))
    with services.engine.connect() as connection:
        found = connection.execute(visible).scalar_one()
    if found == len(wanted):
        return []
    return [Problem("dependencies", "A job that this one depends on does not exist. Check its id.")]
