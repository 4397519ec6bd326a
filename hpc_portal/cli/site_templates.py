"""`hpc-portal template`: check, publish, look at and retire the templates of this site."""

import contextlib
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.services import Services
from hpc_portal.app.templates.folder import publish_folder, read_file
from hpc_portal.app.templates.publish import publish_template, retire_template, validate_template
from hpc_portal.app.templates.queries import TemplateVersion, get_version, list_versions
from hpc_portal.cli import render
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.errors import CliError, NotFound, Refused, UsageProblem
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import active
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json
from workloads.errors import InvalidSiteTemplate, TemplateNotFound
from workloads.site.examples import example, example_names
from workloads.site.words import Locale

template = typer.Typer(no_args_is_help=True, help="The templates of this site.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="A template's name.")]
File = Annotated[Path, typer.Argument(metavar="FILE", help="A document (TOML).")]


@template.command("example")
def show_example(
    name: Annotated[str, typer.Argument(metavar="[NAME]", help="Which one; default: list them.")] = "",
) -> None:
    """Print an example to begin with: VCS, Design Compiler, Innovus, Spectre, Calibre and others."""
    if not name:
        out.print("\n".join(example_names()))
        return
    document = example(name)
    if document is None:
        raise NotFound(_("There is no template {name}.", name=name))
    sys.stdout.write(document)


@template.command("validate")
def validate(file: File) -> None:
    """Check a document; nothing is stored. Exit code 4 when something is wrong, each with its line."""
    with _portal() as services:
        found = validate_template(services, OPERATOR, read_file(file), source=str(file))
    out.print(_("{name} can be published.", name=found.name))


@template.command("publish")
def publish(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE|FOLDER]",
            help="A document, or a folder of them; default: HPC_PORTAL_SITE_TEMPLATES.",
        ),
    ] = None,
) -> None:
    """Publish a document as the current version of its template, or what is new in a folder."""
    with _portal() as services:
        wanted = path or services.settings.site_templates
        if wanted is None:
            raise UsageProblem(_("Name a file or a folder, or set HPC_PORTAL_SITE_TEMPLATES."))
        if wanted.is_dir():
            _publish_all(services, wanted)
            return
        found = publish_template(services, OPERATOR, read_file(wanted), source=str(wanted))
    out.print(_said(found.name, found.version, is_new=found.is_new))


def _publish_all(services: Services, folder: Path) -> None:
    refused = False
    for outcome in publish_folder(services.engine, folder, at=services.clock.now()):
        if outcome.published:
            found = outcome.published
            out.print(_said(found.name, found.version, is_new=found.is_new))
        else:
            refused = True
            err.print(str(outcome.refusal), markup=False)
    if refused:
        raise typer.Exit(Exit.REFUSED)


def _said(name: str, version: int, *, is_new: bool) -> str:
    if is_new:
        return _("{name}: version {version} is published.", name=name, version=version)
    return _("{name}: nothing is new; version {version} stays.", name=name, version=version)


@template.command("list")
def list_published(*, as_json: Json = False) -> None:
    """List what was published, and who may use it."""
    with _portal() as services, services.reading() as session:
        found = list_versions(session, OPERATOR, _locale(), current_only=True)
    if as_json:
        print_json([_as_json(item) for item in found])
        return
    rows = [
        (
            item.name,
            item.version,
            item.title,
            _who(item),
            _("retired") if item.retired_at else _("offered"),
            render.instant(item.published_at.isoformat()),
        )
        for item in found
    ]
    heads = (_("Template"), _("Version"), _("Title"), _("For"), _("Standing"), _("Published"))
    out.print(render.table(heads, rows, right=(1,)))


@template.command("show")
def show(
    name: Name,
    *,
    version: Annotated[int | None, typer.Option(min=1, help="Default: the current one.")] = None,
) -> None:
    """Print a published document, byte by byte."""
    with _portal() as services, services.reading() as session:
        found = get_version(session, OPERATOR, name, version)
    sys.stdout.write(found.document)


@template.command("retire")
def retire(name: Name) -> None:
    """Offer a template to nobody any more; jobs that were submitted keep it."""
    with _portal() as services:
        is_new = retire_template(services, OPERATOR, name)
    err.print(_("{name} is retired.", name=name) if is_new else _("{name} was retired already.", name=name))


@contextlib.contextmanager
def _portal() -> Iterator[Services]:
    """The portal's database; what is wrong with a document becomes this command's error."""
    try:
        with operator_services() as services:
            yield services
    except InvalidSiteTemplate as error:
        raise Refused(str(error)) from error
    except TemplateNotFound as error:
        raise NotFound(_("There is no template {name}.", name=error.name)) from error
    except OSError as error:
        raise CliError(str(error)) from error


def _who(item: TemplateVersion) -> str:
    who = item.who_may_use
    named = [*who.organisation_kinds, *who.organisations, *who.projects]
    return ", ".join(named) if named else _("everybody")


def _as_json(item: TemplateVersion) -> dict[str, object]:
    facts = asdict(item)
    facts["who_may_use"] = item.who_may_use.model_dump(mode="json")
    facts.pop("document")
    return facts


def _locale() -> Locale:
    return "vi" if active() == "vi" else "en"
