"""`hpc request`: ask the city for quota, answer its questions, see what became of it."""

import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.errors import NotFound, UsageProblem
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.pages import read_pages
from hpc_portal.cli.portal import Portal
from hpc_portal.cli.quota_amounts import (
    end_instant,
    first_instant,
    read_amounts,
    read_missing,
    read_reasons,
    show_amounts,
    show_day,
    show_last_day,
)
from hpc_portal.cli.render import err, out, print_json
from workloads.template import N_

request = typer.Typer(no_args_is_help=True, help="Ask for quota, and decide about it.")

RequestId = Annotated[
    str, typer.Argument(metavar="ID", help="A request's id, or any end of it of 4 characters or more.")
]
Message = Annotated[str, typer.Option("--message", "-m", metavar="TEXT", help="What is said with it.")]
_Kind = Annotated[
    str,
    typer.Option(
        "--kind",
        metavar="KIND",
        help="new, renew, extend (more time), increase (more of it) or surge (a few weeks).",
    ),
]
_Ask = Annotated[
    list[str] | None,
    typer.Option(
        "--ask",
        metavar="RESOURCE=AMOUNT",
        help="Hours of cpu, gres/gpu:TYPE or license/NAME; GiB-hours of mem; VND; GiB of storage.",
    ),
]
_From = Annotated[str, typer.Option("--from", metavar="DAY", help="The first day, such as 2026-12-01.")]
_Until = Annotated[str, typer.Option("--until", metavar="DAY", help="The last day, such as 2026-12-31.")]
_Purpose = Annotated[str, typer.Option("--purpose", metavar="TEXT", help="What it is for.")]
_Why = Annotated[
    list[str] | None,
    typer.Option("--why", metavar="RESOURCE=TEXT", help="Why so much of a resource is needed."),
]
_Of = Annotated[
    str, typer.Option("--allocation", metavar="ID", help="Which allocation; default: the one that ends last.")
]
_Submit = Annotated[bool, typer.Option("--submit", help="Submit it at once.")]

STATES = {
    "draft": N_("draft"),
    "submitted": N_("submitted"),
    "under_review": N_("under review"),
    "returned": N_("question to answer"),
    "approved": N_("approved"),
    "partly_approved": N_("partly approved"),
    "denied": N_("denied"),
    "withdrawn": N_("withdrawn"),
}
KINDS = {
    "new": N_("new grant"),
    "renew": N_("renewal"),
    "extend": N_("longer period"),
    "increase": N_("increase"),
    "surge": N_("surge grant"),
}
DEEDS = {
    "draft": N_("drafted"),
    "edit": N_("changed"),
    "attach": N_("file attached"),
    "detach": N_("file removed"),
    "submit": N_("submitted"),
    "withdraw": N_("withdrawn"),
    "start_review": N_("review started"),
    "return": N_("returned with a question"),
    "approve": N_("approved"),
    "approve_partly": N_("partly approved"),
    "deny": N_("denied"),
}
_SEARCHED = 500
_SHORTEST = 4


@request.command("list")
def list_requests(
    project: Annotated[str, typer.Option("--project", help="Only of this project.")] = "",
    *,
    open_: Annotated[bool, typer.Option("--open", help="Only those that are not decided.")] = False,
    as_json: Json = False,
) -> None:
    """List the requests of your projects, newest first."""
    states = ["draft", "submitted", "under_review", "returned"] if open_ else None
    with open_portal() as portal:
        found = list(read_pages(portal, "/requests", most=_SEARCHED, project=project, state=states))
    print_list(found, as_json=as_json)


@request.command()
def show(request_id: RequestId, *, as_json: Json = False) -> None:
    """Show a request with its history."""
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}")
    if as_json:
        print_json(found)
        return
    print_request(found)


@request.command()
def draft(  # noqa: PLR0913 - one argument for each option
    *,
    project: Annotated[str, typer.Option("--project", envvar="HPC_PROJECT", help="For which project.")],
    kind: _Kind = "new",
    ask: _Ask = None,
    from_: _From = "",
    until: _Until = "",
    purpose: _Purpose = "",
    why: _Why = None,
    allocation: _Of = "",
    submit: _Submit = False,
    as_json: Json = False,
) -> None:
    """Draft a request; nobody sees it before it is submitted."""
    body = {"project": project, **_body(kind, ask, from_, until, purpose, why, allocation)}
    with open_portal() as portal:
        made = portal.post("/requests", body, idempotency_key=str(uuid.uuid4()))
        _say_made(portal, made, submit=submit, as_json=as_json)


@request.command("for-shortage")
def for_shortage(
    project: Annotated[str, typer.Option("--project", envvar="HPC_PROJECT", help="For which project.")],
    missing: Annotated[
        list[str],
        typer.Option("--missing", metavar="RESOURCE=AMOUNT", help="As the refusal said; may be repeated."),
    ],
    purpose: _Purpose = "",
    *,
    submit: _Submit = False,
    as_json: Json = False,
) -> None:
    """Draft the request for what a refused submission lacked."""
    body = {"project": project, "missing": read_missing(missing)}
    with open_portal() as portal:
        made = portal.post("/requests/from-shortage", body, idempotency_key=str(uuid.uuid4()))
        if purpose:
            made = portal.put(f"/requests/{made['id']}", {**_as_body(made), "purpose": purpose})
        _say_made(portal, made, submit=submit, as_json=as_json)


@request.command()
def edit(  # noqa: PLR0913 - one argument for each option
    request_id: RequestId,
    *,
    kind: _Kind = "",
    ask: _Ask = None,
    from_: _From = "",
    until: _Until = "",
    purpose: _Purpose = "",
    why: _Why = None,
    as_json: Json = False,
) -> None:
    """Change a draft, or a request that was returned; what is not named stays, an amount of 0 goes."""
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}")
        body = _as_body(found)
        changes = _body(kind or found["kind"], ask, from_, until, purpose, why, "")
        lines = {**body["lines"], **changes["lines"]}
        body |= {name: value for name, value in changes.items() if value}
        body["lines"] = {asset: amount for asset, amount in lines.items() if amount}
        body["reasons"] = _as_body(found)["reasons"] | changes["reasons"]
        changed = portal.put(f"/requests/{found['id']}", {**body, "version": found["version"]})
    if as_json:
        print_json(changed)
        return
    print_request(changed)


@request.command()
def submit(request_id: RequestId, message: Message = "", *, as_json: Json = False) -> None:
    """Ask the city to decide; --message answers its question."""
    do(request_id, "submit", {"message": message}, as_json=as_json)


@request.command()
def withdraw(request_id: RequestId, message: Message = "", *, as_json: Json = False) -> None:
    """Take a request back that is not decided."""
    do(request_id, "withdraw", {"message": message}, as_json=as_json)


@request.command()
def attach(
    request_id: RequestId, files: Annotated[list[Path], typer.Argument(help="Files to attach.")]
) -> None:
    """Attach files: PDF, office documents, images or text."""
    with open_portal() as portal:
        found = resolve_request(portal, request_id)
        for file in files:
            try:
                content = file.read_bytes()
            except OSError as error:
                raise UsageProblem(
                    _("{file} cannot be read ({problem}).", file=file, problem=error.strerror or error)
                ) from error
            portal.upload(f"/requests/{found}/attachments", content, name=file.name)
            out.print(_("Attached {file}.", file=file.name))


@request.command()
def detach(
    request_id: RequestId, names: Annotated[list[str], typer.Argument(help="Names of attached files.")]
) -> None:
    """Take files away from a request that can still be changed."""
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}")
        there = {item["name"]: item["id"] for item in found["attachments"]}
        for name in names:
            if name not in there:
                raise NotFound(_("No file {name} is attached.", name=name))
            portal.delete(f"/requests/{found['id']}/attachments/{there[name]}")
            out.print(_("Removed {file}.", file=name), markup=False)


@request.command()
def download(
    request_id: RequestId,
    folder: Annotated[Path, typer.Option("--to", metavar="FOLDER", help="Where to.")] = Path(),
) -> None:
    """Download all files of a request; files that are there already are not replaced."""
    with open_portal() as portal:
        found = portal.get(f"/requests/{resolve_request(portal, request_id)}")
        for item in found["attachments"]:
            content = portal.download(f"/requests/{found['id']}/attachments/{item['id']}")
            target = folder / Path(item["name"]).name
            try:
                with target.open("xb") as file:
                    file.write(content)
            except OSError as error:
                raise UsageProblem(
                    _("{file} cannot be written ({problem}).", file=target, problem=error.strerror or error)
                ) from error
            out.print(str(target), markup=False)


def do(request_id: str, deed: str, body: dict[str, Any], *, as_json: bool) -> None:
    """Do something with a request, and show how it stands afterwards."""
    with open_portal() as portal:
        done = portal.post(f"/requests/{resolve_request(portal, request_id)}/{deed}", body)
    if as_json:
        print_json(done)
        return
    out.print(
        _("Request {id} of {project}: {state}.", id=done["id"], project=done["account"], state=_state(done))
    )


def resolve_request(portal: Portal, text: str) -> str:
    """The complete id of a request.

    Raises:
        NotFound: no visible request's id ends so.
        UsageProblem: several do, or the text is too short or no id at all.
    """
    wanted = text.lower()
    try:
        return str(uuid.UUID(wanted))
    except ValueError:
        pass
    if len(wanted) < _SHORTEST or not set(wanted) <= set("0123456789abcdef-"):
        raise UsageProblem(
            _("{text} is no id. Give all of it, or its last {count} characters or more.", text=text, count=4)
        )
    found = [
        item["id"] for item in read_pages(portal, "/requests", most=_SEARCHED) if item["id"].endswith(wanted)
    ]
    match found:
        case [request_id]:
            return str(request_id)
        case []:
            raise NotFound(_("There is no request ending in {text} that you can see.", text=text))
        case _:
            raise UsageProblem(_("{text} fits several requests. Give more of it.", text=text))


def print_list(found: list[Any], *, as_json: bool) -> None:
    """Requests one below the other."""
    if as_json:
        print_json(found)
        return
    if not found:
        err.print(_("There is no request."))
        return
    columns = (_("Request"), _("Project"), _("State"), _("Kind"), _("Asked for"), _("Period"))
    rows = [
        (
            render.short_id(item["id"]),
            item["account"],
            _state(item),
            _kind(item),
            show_amounts(item["lines"]),
            f"{show_day(item['valid_from'])} .. {show_last_day(item['valid_to'])}",
        )
        for item in found
    ]
    out.print(render.table(columns, rows))


def print_request(found: dict[str, Any]) -> None:
    """One request in words."""
    facts = [
        (_("Request"), found["id"]),
        (_("Project"), f"{found['account']} · {found['organisation_name']}"),
        (_("State"), _state(found)),
        (_("Kind"), _kind(found)),
        (_("Period"), f"{show_day(found['valid_from'])} .. {show_last_day(found['valid_to'])}"),
        (_("Asked for"), show_amounts(found["lines"])),
        (_("Granted"), show_amounts(found["lines"], "granted")),
        (_("Purpose"), found["purpose"]),
        (_("Files"), ", ".join(item["name"] for item in found["attachments"])),
    ]
    out.print(render.table(("", ""), [fact for fact in facts if fact[1]]))
    for event in found["events"]:
        by = event["by"] or _("the operator")
        deed = _(DEEDS.get(event["deed"], event["deed"]))
        line = f"{render.instant(event['at'])}  {deed}  {by}  {event['message']}"
        out.print(line.rstrip(), markup=False)


def _say_made(portal: Portal, made: dict[str, Any], *, submit: bool, as_json: bool) -> None:
    if submit:
        made = portal.post(f"/requests/{made['id']}/submit", {"message": ""})
    if as_json:
        print_json(made)
        return
    print_request(made)
    if not submit:
        err.print(_("Submit it with: hpc request submit {id}", id=render.short_id(made["id"])))


def _state(found: dict[str, Any]) -> str:
    return _(STATES.get(found["state"], found["state"]))


def _kind(found: dict[str, Any]) -> str:
    return _(KINDS.get(found["kind"], found["kind"]))


def _body(  # noqa: PLR0913, PLR0917 - one argument for each option
    kind: str,
    ask: list[str] | None,
    from_: str,
    until: str,
    purpose: str,
    why: list[str] | None,
    allocation: str,
) -> dict[str, Any]:
    return {
        "kind": kind,
        "lines": read_amounts(ask or ()),
        "valid_from": first_instant(from_),
        "valid_to": end_instant(until),
        "purpose": purpose,
        "reasons": read_reasons(why or ()),
        "allocation_id": allocation or None,
    }


def _as_body(found: dict[str, Any]) -> dict[str, Any]:
    """A request as it would be drafted again."""
    return {
        "kind": found["kind"],
        "lines": {line["asset"]: line["asked"] for line in found["lines"]},
        "valid_from": found["valid_from"],
        "valid_to": found["valid_to"],
        "purpose": found["purpose"],
        "reasons": {line["asset"]: line["reason"] for line in found["lines"] if line["reason"]},
        "allocation_id": found["allocation_id"],
    }
