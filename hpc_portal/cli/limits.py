"""Limits: what holds for you, and set those below you."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json
from quotas.limits import LimitKind, LimitOwner
from schedulers.errors import InvalidJobSpec
from schedulers.units import format_walltime, parse_walltime

limits = typer.Typer(invoke_without_command=True, help="How much you may use at once, or ask for in one job.")

KindArgument = Annotated[LimitKind, typer.Argument(metavar="KIND", help=", ".join(LimitKind))]
ValueArgument = Annotated[
    str, typer.Argument(metavar="VALUE", help="A number, a time such as 72:00:00, or none.")
]
OfOrganisation = Annotated[str, typer.Option("--organisation", help="Of an organisation, by its slug.")]
OfProject = Annotated[str, typer.Option("--project", help="Of a project, by its account name.")]
OfUser = Annotated[str, typer.Option("--user", help="Of a person; with --project within it only.")]
Everybody = Annotated[
    LimitOwner | None,
    typer.Option("--everybody", help="The default of a level, for all who have none of their own."),
]
GpuType = Annotated[str, typer.Option("--gpu-type", help="Of one type; default: all types together.")]
Reason = Annotated[str, typer.Option("--reason", help="For the audit log.")]


@limits.callback()
def show(
    context: typer.Context,
    project: Annotated[str, typer.Option("--project", help="Only in this project.")] = "",
    user: Annotated[str, typer.Option("--user", help="For this person; default: you.")] = "",
    *,
    as_json: Json = False,
) -> None:
    """Show what holds for you, whose limit it is, and who can raise it."""
    if context.invoked_subcommand:
        return
    with open_portal() as portal:
        accounts = [project] if project else [item["account"] for item in portal.get("/projects")["items"]]
        found = [portal.get(f"/projects/{account}/limits", user=user or None) for account in accounts]
    if as_json:
        print_json(found)
        return
    columns = (_("Project"), _("What"), _("At most"), _("In use"), _("Whose limit"), _("Raised by"))
    rows = [
        (
            one["project"],
            what_of(limit["kind"], limit["gpu_type"]),
            amount_of(limit["kind"], limit["value"]),
            "" if limit["in_use"] is None else limit["in_use"],
            f"{limit['level']} {limit['owner']}" + (f" ({_('default')})" if limit["is_default"] else ""),
            limit["raised_by"],
        )
        for one in found
        for limit in one["limits"]
    ]
    if rows:
        out.print(render.table(columns, rows, right=(2, 3)))
    else:
        err.print(_("No limits: only the budget and the size of the clusters count."))


@limits.command("list")
def list_set(*, as_json: Json = False) -> None:
    """List the limits that somebody set, as far as you may see them."""
    with open_portal() as portal:
        found = portal.get("/limits")["items"]
    if as_json:
        print_json(found)
    else:
        out.print(set_table(found))


@limits.command("set")
def set_one(  # noqa: PLR0913 - one argument for each option
    kind: KindArgument,
    value: ValueArgument,
    *,
    organisation: OfOrganisation = "",
    project: OfProject = "",
    user: OfUser = "",
    everybody: Everybody = None,
    gpu_type: GpuType = "",
    reason: Reason = "",
) -> None:
    """Set a limit, or take it away with `none`: leads for people in their project, managers for projects."""
    body = {
        "level": level_of(organisation=organisation, project=project, user=user, everybody=everybody),
        "organisation": organisation,
        "project": project,
        "user": user,
        "everybody": everybody is not None,
        "kind": kind,
        "gpu_type": gpu_type,
        "value": value_of(kind, value),
        "reason": reason,
    }
    with open_portal() as portal:
        was = portal.put("/limits", body)["was"]
    say_what_was(kind, was)


def level_of(*, organisation: str, project: str, user: str, everybody: LimitOwner | None) -> LimitOwner:
    """At which level a limit is meant.

    Raises:
        UsageProblem: nobody is named, or too many are.
    """
    match (bool(organisation), bool(project), bool(user), everybody):
        case (True, False, False, None):
            return LimitOwner.ORGANISATION
        case (False, True, False, None):
            return LimitOwner.PROJECT
        case (False, True, True, None):
            return LimitOwner.MEMBER
        case (False, False, True, None):
            return LimitOwner.USER
        case (False, False, False, LimitOwner()):
            assert everybody is not None  # noqa: S101 - the pattern above
            return everybody
    raise UsageProblem(
        _("Say whose limit: --organisation, --project, --user, both of these, or --everybody.")
    )


def value_of(kind: LimitKind, text: str) -> int | None:
    """The number; None to take the limit away.

    Raises:
        UsageProblem: it is none.
    """
    if text == "none":
        return None
    if kind is LimitKind.WALLTIME_SECONDS and (":" in text or "-" in text):
        try:
            return parse_walltime(text)
        except InvalidJobSpec as error:
            raise UsageProblem(str(error)) from error
    if not (text.isascii() and text.isdecimal()):
        raise UsageProblem(_("{text} is no whole number.", text=text))
    return int(text)


def say_what_was(kind: LimitKind, was: int | None) -> None:
    """On the standard error: a script gets nothing to parse."""
    if was is None:
        err.print(_("Done. There was none before."))
    else:
        err.print(_("Done. It was {value} before.", value=amount_of(kind, was)))


def set_table(found: Iterable[Mapping[str, Any]]) -> Any:  # noqa: ANN401 - something that rich prints
    """One limit in each line."""
    rows = [
        (
            item["level"],
            _("everybody")
            if item["is_default"]
            else " ".join(filter(None, (item["organisation"], item["project"], item["user"]))),
            what_of(item["kind"], item["gpu_type"]),
            amount_of(item["kind"], item["value"]),
        )
        for item in found
    ]
    return render.table((_("Level"), _("Whose limit"), _("What"), _("At most")), rows, right=(3,))


def what_of(kind: str, gpu_type: str) -> str:
    """What is limited."""
    what = {
        LimitKind.GPUS_RUNNING: _("GPUs in use at once"),
        LimitKind.GPUS_PER_JOB: _("GPUs in one job"),
        LimitKind.JOBS_RUNNING: _("running jobs and array tasks"),
        LimitKind.JOBS_QUEUED: _("jobs that have not ended"),
        LimitKind.ARRAY_TASKS: _("tasks in one array"),
        LimitKind.WALLTIME_SECONDS: _("time limit of one job"),
    }[LimitKind(kind)]
    return f"{what} ({gpu_type})" if gpu_type else what


def amount_of(kind: str, value: int) -> str:
    """A number, or a time."""
    return format_walltime(value) if kind == LimitKind.WALLTIME_SECONDS else str(value)
