"""See what can be submitted: the templates and their parameters."""

from typing import Annotated, Any

import typer

from hpc_portal.cli import render
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.login import open_portal
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json

template = typer.Typer(no_args_is_help=True, help="One template.")


def templates(*, as_json: Json = False) -> None:
    """List the templates that jobs can be made from."""
    with open_portal() as portal:
        found = portal.get("/templates")["items"]
    if as_json:
        print_json(found)
        return
    rows = [(item["name"], item["domain"], item["title"]) for item in found]
    out.print(render.table((_("Template"), _("Domain"), _("What it does")), rows))


@template.command("show")
def show_template(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A template's name.")], *, as_json: Json = False
) -> None:
    """Show a template's parameters, to be given with: hpc submit --template NAME -p key=value."""
    with open_portal() as portal:
        found = portal.get(f"/templates/{name}")
    if as_json:
        print_json(found)
        return
    out.print(f"[bold]{found['title']}[/bold]\n{found['summary']}\n")
    schema = found["parameters_schema"]
    rows = [
        (key, _type_of(item), _default_of(item, key in schema.get("required", ())), item.get("title", ""))
        for key, item in schema.get("properties", {}).items()
    ]
    out.print(render.table((_("Parameter"), _("Type"), _("Default"), _("Meaning")), rows))


def _type_of(item: dict[str, Any]) -> str:
    if "enum" in item:
        return "|".join(map(str, item["enum"]))
    if "$ref" in item:
        return str(item["$ref"]).rpartition("/")[2]
    if "anyOf" in item:
        return "|".join(filter(None, map(_type_of, item["anyOf"])))
    if item.get("type") == "array":
        return f"{_type_of(item.get('items', {}))},..."
    return str(item.get("type", ""))


def _default_of(item: dict[str, Any], is_required: bool) -> str:  # noqa: FBT001 - one private caller
    if is_required:
        return _("(required)")
    default = item.get("default", "")
    return ",".join(map(str, default)) if isinstance(default, list) else str(default)
