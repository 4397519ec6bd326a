"""Submit a script or a template: price, balance and start are shown first."""

import shlex
import sys
import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.batch_script import ScriptOptions, spec_of, translate_file, view_of
from hpc_portal.cli.errors import Refused, UsageProblem
from hpc_portal.cli.follow import follow_job, require_success
from hpc_portal.cli.job_ids import resolve_job
from hpc_portal.cli.jobs import facts_of, subsidy_of
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json, Project
from hpc_portal.cli.portal import Portal, offer_request
from hpc_portal.cli.render import err, is_interactive, out, print_json
from hpc_portal.cli.request import read_text, template_body
from quotas.money import format_vnd
from schedulers.directives.translation import Dialect
from schedulers.units import format_walltime

_STDIN = Path("-")


def submit(  # noqa: PLR0913 - one argument for each option
    context: typer.Context,
    script: Annotated[
        Path | None,
        typer.Argument(metavar="SCRIPT", help="A script with a #! line; #SBATCH and #BSUB lines count."),
    ] = None,
    *,
    template: Annotated[str, typer.Option("--template", "-t", help="A template instead of a script.")] = "",
    parameters: Annotated[
        list[str] | None,
        typer.Option("-p", "--parameter", metavar="KEY=VALUE", help="A template's parameter."),
    ] = None,
    file: Annotated[
        Path | None, typer.Option("-f", "--file", help="Parameters of the template in TOML or JSON.")
    ] = None,
    script_from: Annotated[
        Path | None,
        typer.Option(
            "--script-from",
            metavar="FILE",
            help="Run this instead of the template's script; --print-script prints that one. - is stdin.",
        ),
    ] = None,
    print_script: Annotated[
        bool, typer.Option("--print-script", help="Print the script that would run; submit nothing.")
    ] = False,
    project: Project = "",
    name: Annotated[str, typer.Option("--name", "-J", help="The job's name.")] = "",
    nodes: Annotated[int | None, typer.Option("--nodes", "-N", min=1, help="Nodes.")] = None,
    ntasks: Annotated[int | None, typer.Option("--ntasks", min=1, help="MPI tasks over all nodes.")] = None,
    cpus: Annotated[int | None, typer.Option("--cpus", "-c", min=1, help="CPUs of each task.")] = None,
    memory: Annotated[str, typer.Option("--memory", "--mem", help="Memory of each node, such as 4G.")] = "",
    gpus: Annotated[str, typer.Option("--gpus", help="GPUs of each node, such as h100:2.")] = "",
    licenses: Annotated[str, typer.Option("--licenses", "-L", help="Licences, such as vcs:1.")] = "",
    time: Annotated[str, typer.Option("--time", help="Walltime, such as 1:00:00 or 2-12.")] = "",
    array: Annotated[str, typer.Option("--array", "-a", help="Array tasks, such as 0-99%10.")] = "",
    partition: Annotated[str, typer.Option("--partition", help="Partition of the cluster.")] = "",
    environment: Annotated[
        list[str] | None, typer.Option("--env", metavar="K=V", help="A variable for the job.")
    ] = None,
    after: Annotated[
        list[str] | None, typer.Option("--after", metavar="ID", help="Start after this job completed.")
    ] = None,
    every_node: Annotated[
        bool,
        typer.Option("--every-node", help="Start the script on each of its nodes, not only on the first."),
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Follow until the job has ended.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the price only; submit nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Submit a job from a script, or from a template.

    Behind the script any option of sbatch may follow by its long name: hpc submit job.sh --nice=100. Options
    go before the script's #SBATCH or #BSUB lines; hpc translate shows what comes of them.

    Price, balance and expected start are shown first; on a terminal you are asked. With --wait the exit code
    is 0 only when the job completed.
    """
    if bool(script) == bool(template):
        raise UsageProblem(_("Give either a script or --template."))
    options = ScriptOptions(
        {
            "job-name": name,
            "nodes": nodes,
            "ntasks": ntasks,
            "cpus-per-task": cpus,
            "mem": memory,
            "gpus-per-node": gpus,
            "licenses": licenses,
            "time": time,
            "array": array,
            "partition": partition,
            "dependency": f"afterok:{':'.join(after)}" if after else "",
        },
        more=context.args,
        environment=environment or (),
        on_every_node=every_node,
    )
    if template and (options.words or options.environment or every_node):
        raise UsageProblem(
            _(
                "Options such as --cpus describe a script. Tell a template with -p, "
                "such as -p resources.cpus=4."
            )
        )
    if script and (parameters or file or script_from):
        raise UsageProblem(_("-p, --file and --script-from belong to a template; a script has none."))
    with open_portal() as portal:
        if script:
            body = _script_body(portal, script, options, project=project, show=not as_json)
        else:
            payer = project or only_project(portal)
            schema = portal.get(f"/templates/{template}")["parameters_schema"]
            body = template_body(payer, template, schema, file, parameters or ())
            body |= _edited(script_from)
        estimate = portal.post("/jobs/estimate", body, changes_nothing=True)
        if print_script:
            spec = estimate["spec"]
            sys.stdout.write(spec["script"] or f"{shlex.join(spec['argv'])}\n")
            return
        if dry_run and as_json:
            print_json(estimate)
        elif not as_json:
            _show_estimate(estimate)
        _require_no_obstacle(estimate)
        if not dry_run and _is_meant(yes=yes):
            _submit(portal, body, wait=wait, as_json=as_json)


def _show_estimate(estimate: Mapping[str, Any]) -> None:
    err.print(estimate_of(estimate))
    for note in estimate["notes"]:
        err.print(note, markup=False)


def _is_meant(*, yes: bool) -> bool:
    return yes or not is_interactive() or typer.confirm(_("Submit?"), default=True, err=True)


def _edited(script_from: Path | None) -> dict[str, str]:
    """The part of the body that replaces the template's script."""
    if script_from is None:
        return {}
    return {"script": sys.stdin.read() if script_from == _STDIN else read_text(script_from)}


def _script_body(
    portal: Portal, script: Path, options: ScriptOptions, *, project: str, show: bool
) -> dict[str, Any]:
    """The body that submits a script; the account that its header names pays, unless --project says who."""

    def resolve(text: str) -> uuid.UUID:
        return uuid.UUID(resolve_job(portal, text))

    translation = translate_file(script, options, resolve=resolve)
    spec = spec_of(translation, options)
    payer = project or spec.account or only_project(portal)
    if show and translation.dialect is not Dialect.NONE:
        err.print(view_of(translation))
    spec = spec.model_copy(update={"account": None})
    return {"project": payer, "spec": spec.model_dump(mode="json", exclude_defaults=True)}


def _submit(portal: Portal, body: Mapping[str, Any], *, wait: bool, as_json: bool) -> None:
    job_id = portal.post("/jobs", body, idempotency_key=str(uuid.uuid4()))["id"]
    if wait:
        err.print(_("Job {job} is submitted.", job=render.short_id(job_id)))
        job = follow_job(portal, job_id)
    else:
        job = portal.get(f"/jobs/{job_id}")
    if as_json:
        print_json(job)
    elif wait:
        out.print(facts_of(job))
    else:
        out.print(job_id)
    if wait:
        require_success(job)


def only_project(portal: Portal) -> str:
    """The account of the only project that this person may submit to.

    Raises:
        UsageProblem: there are several; the message names them.
        Refused: there is none.
    """
    accounts = [
        item["account"]
        for item in portal.get("/me")["projects"]
        if item["may_submit"] and item["state"] != "closed" and not item["is_students_part"]
    ]
    match accounts:
        case [account]:
            return str(account)
        case []:
            raise Refused(_("You are in no project. Ask a project's lead to add you."))
        case _:
            raise UsageProblem(
                _(
                    "You are in several projects; choose one with --project: {names}",
                    names=", ".join(accounts),
                )
            )


def estimate_of(estimate: Mapping[str, Any]) -> Any:  # noqa: ANN401 - something that rich prints
    """What a person sees before they submit."""
    start = estimate["expected_start"]
    left = estimate["available_after"].get("VND")
    return render.facts(
        [
            *subsidy_of(estimate),
            (_("At most"), format_vnd(estimate["total_vnd"])),
            (_("Balance after"), "" if left is None else format_vnd(left)),
            (_("Tasks"), estimate["tasks"] if estimate["tasks"] > 1 else ""),
            (_("Expected start"), _start_of(start)),
            *(
                (_("Licence {name}", name=fit["feature"]), f"{fit['asked']} / {fit['total'] - fit['used']}")
                for fit in estimate["licenses"]
            ),
        ]
    )


def _start_of(start: Mapping[str, Any]) -> str:
    reasons = {
        "Free": _("at once: there is room"),
        "Resources": _("when running jobs make room"),
        "Priority": _("after the jobs that wait before it"),
        "Licenses": _("when a licence is returned"),
        "NodesDown": _("when the nodes are back"),
        "SchedulerUnavailable": _("when the cluster answers again"),
        "BeginTime": _("not before its begin time"),
        "Held": _("when somebody releases it"),
    }
    told = reasons.get(start["reason"], str(start["reason"]))
    if start["reason"] == "Free" or not start["latest"]:
        return told
    return f"{told} ({_('at the latest {instant}', instant=render.instant(start['latest']))})"


def _require_no_obstacle(estimate: Mapping[str, Any]) -> None:
    if estimate["obstacles"]:
        offers = map(offer_request, estimate["shortages"])
        raise Refused("\n".join([*estimate["obstacles"], *offers, *_ways_to_pay(estimate["ways_to_pay"])]))


def _ways_to_pay(ways: Mapping[str, Any]) -> Iterator[str]:
    if seconds := ways["walltime_seconds"]:
        yield _("A walltime of {time} would fit.", time=format_walltime(seconds))
    for project in ways["projects"]:
        yield _("Project {project} could pay: --project {project}", project=project)
