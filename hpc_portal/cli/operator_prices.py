"""`hpc-portal prices`: publish and retire price lists, subsidies and programmes on the machine itself."""

import csv
import re
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.prices import queries
from hpc_portal.app.prices.publish import publish_prices, retire_prices
from hpc_portal.app.prices.subsidise import (
    add_to_programme,
    create_programme,
    end_rule,
    make_rule,
    remove_from_programme,
)
from hpc_portal.app.services import Services
from hpc_portal.cli import render
from hpc_portal.cli.accounts import operator_services
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json, Yes
from hpc_portal.cli.prices import rate_of, standing_of, subsidies_table
from hpc_portal.cli.render import err, is_interactive, out, print_json
from quotas.compare_prices import compare, unknown, unpriced
from quotas.errors import InvalidAmount
from quotas.pricing import PriceItem
from quotas.publish_prices import latest_version
from quotas.tables import OrganisationKind
from schedulers.errors import InvalidJobSpec
from schedulers.units import CITY_TIME

prices = typer.Typer(no_args_is_help=True, help="Price lists, subsidies and programmes.")
subsidy = typer.Typer(no_args_is_help=True, help="How much of prices the city pays, and for whom.")
programme = typer.Typer(no_args_is_help=True, help="What the city promotes, and which projects take part.")
prices.add_typer(subsidy, name="subsidy")
prices.add_typer(programme, name="programme")

Reason = Annotated[str, typer.Option("--reason", help="For the audit log and for those concerned.")]
_PERCENT = re.compile(r"(?P<whole>[0-9]{1,3})(?:\.(?P<rest>[0-9]{1,2}))?")
_COLUMNS = ("tres", "partition", "rate_vnd_per_hour")


@prices.command("list")
def list_published(*, as_json: Json = False) -> None:
    """List every version, and where it stands."""
    with operator_services() as services, services.engine.connect() as connection:
        found = queries.price_lists(connection, services.clock.now())
    if as_json:
        print_json([_as_json(item) for item in found])
        return
    rows = [
        (
            item.version,
            standing_of(item.standing),
            render.instant(item.valid_from.isoformat()),
            len(item.items),
        )
        for item in found
    ]
    out.print(render.table((_("Version"), _("Standing"), _("From"), _("Prices")), rows, right=(0, 3)))


@prices.command("export")
def export(
    version: Annotated[
        int, typer.Argument(metavar="[VERSION]", min=0, help="Default: the one in force.")
    ] = 0,
) -> None:
    """Write prices as CSV to standard output, to be edited and published."""
    with operator_services() as services, services.engine.connect() as connection:
        now = services.clock.now()
        items = (
            queries.price_list(connection, version, now).items if version else services.price_list.get().items
        )
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_COLUMNS)
    writer.writerows((item.tres, item.partition or "", item.rate_vnd_per_hour) for item in items)


@prices.command("publish")
def publish(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", exists=True, dir_okay=False, readable=True)],
    valid_from: Annotated[
        str, typer.Option("--from", metavar="YYYY-MM-DDTHH:MM", help="The city's time; default: from now on.")
    ] = "",
    *,
    yes: Yes = False,
) -> None:
    """Publish the next version from a CSV as `export` writes it; shows what changes first and asks."""
    items = _read(file)
    at = _instant(valid_from)
    with operator_services() as services:
        seen = _show_changes(services, items)
        if not yes:
            if not is_interactive():
                raise UsageProblem(_("Nothing was published: say --yes where nobody can be asked."))
            if not typer.confirm(_("Publish them as version {version}?", version=seen + 1)):
                raise typer.Exit(Exit.FAILED)
        published = publish_prices(services, OPERATOR, items, valid_from=at, seen=seen)
    err.print(_("Version {version} is published.", version=published.version))


@prices.command("retire")
def retire(version: int, *, reason: Reason) -> None:
    """Let a version price no new job; one to come never comes."""
    with operator_services() as services:
        retire_prices(services, OPERATOR, version, reason=reason)
    err.print(_("Version {version} is retired.", version=version))


@subsidy.command("list")
def list_subsidies(*, as_json: Json = False) -> None:
    """List every rule, ended ones too."""
    with operator_services() as services, services.engine.connect() as connection:
        found = queries.subsidy_rules(connection, OPERATOR, services.clock.now())
    shown = [
        {
            **asdict(item),
            "valid_from": item.valid_from.isoformat(),
            "valid_to": item.valid_to.isoformat() if item.valid_to else None,
        }
        for item in found
    ]
    if as_json:
        print_json(shown)
    else:
        out.print(subsidies_table(shown))


@subsidy.command("add")
def add_subsidy(  # noqa: PLR0913 - one argument for each option
    percent: Annotated[str, typer.Argument(help="Of the list price; at most two decimals, such as 12.5.")],
    *,
    reason: Reason,
    organisation: Annotated[str, typer.Option("--organisation", help="Only this one.")] = "",
    in_programme: Annotated[str, typer.Option("--programme", help="Only projects in it.")] = "",
    kind: Annotated[OrganisationKind | None, typer.Option("--kind", help="Only organisations of it.")] = None,
    cap_vnd: Annotated[
        int | None, typer.Option("--cap-vnd", min=0, help="At most so much for each run.")
    ] = None,
    valid_from: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DDTHH:MM")] = "",
    valid_to: Annotated[str, typer.Option("--until", metavar="YYYY-MM-DDTHH:MM")] = "",
) -> None:
    """Have a part of prices paid by the city; the most particular rule that fits a project counts."""
    basis_points = _basis_points(percent)
    with operator_services() as services:
        rule_id = make_rule(
            services,
            OPERATOR,
            basis_points=basis_points,
            organisation=organisation or None,
            programme=in_programme or None,
            organisation_kind=kind,
            cap_vnd=cap_vnd,
            valid_from=_instant(valid_from),
            valid_to=_instant(valid_to),
            reason=reason,
        )
    err.print(_("Rule {rule} is made.", rule=rule_id))


@subsidy.command("end")
def end_subsidy(
    rule: int,
    *,
    reason: Reason,
    valid_to: Annotated[str, typer.Option("--at", metavar="YYYY-MM-DDTHH:MM", help="Default: now.")] = "",
) -> None:
    """Let a rule end; jobs that are held already keep it."""
    with operator_services() as services:
        end_rule(services, OPERATOR, rule, valid_to=_instant(valid_to), reason=reason)
    err.print(_("Rule {rule} ends.", rule=rule))


@programme.command("list")
def list_programmes(*, as_json: Json = False) -> None:
    """List programmes and their projects."""
    with operator_services() as services, services.engine.connect() as connection:
        found = queries.programmes(connection, OPERATOR)
    if as_json:
        print_json([asdict(item) for item in found])
        return
    rows = [(item.slug, item.name, ", ".join(item.projects)) for item in found]
    out.print(render.table((_("Programme"), _("Name"), _("Projects")), rows))


@programme.command("add")
def add_programme(slug: str, *, name: Annotated[str, typer.Option("--name", help="For people.")]) -> None:
    """Name something that the city promotes."""
    with operator_services() as services:
        create_programme(services, OPERATOR, slug=slug, name=name)
    err.print(_("Created {name}.", name=slug))


@programme.command("join")
def join(slug: str, account: str) -> None:
    """Let a project take part from now on."""
    with operator_services() as services:
        add_to_programme(services, OPERATOR, programme=slug, account=account)
    err.print(_("{name} takes part in {programme}.", name=account, programme=slug))


@programme.command("leave")
def leave(slug: str, account: str) -> None:
    """End a project's part; jobs that are held already keep their subsidy."""
    with operator_services() as services:
        remove_from_programme(services, OPERATOR, programme=slug, account=account)
    err.print(_("{name} takes no part in {programme} any more.", name=account, programme=slug))


def _as_json(item: queries.ShownList) -> dict[str, object]:
    return {
        "version": item.version,
        "standing": item.standing,
        "valid_from": item.valid_from.isoformat(),
        "published_at": item.published_at.isoformat(),
        "retired_at": item.retired_at.isoformat() if item.retired_at else None,
        "items": [
            {"tres": one.tres, "partition": one.partition, "rate_vnd_per_hour": one.rate_vnd_per_hour}
            for one in item.items
        ],
    }


def _show_changes(services: Services, items: Sequence[PriceItem]) -> int:
    """On the standard error; the latest version, which the publication names."""
    clusters = services.clusters.get()
    with services.engine.connect() as connection:
        latest = latest_version(connection)
        lists = queries.price_lists(connection, services.clock.now())
    before = next((one.items for one in lists if one.standing is queries.Standing.IN_FORCE), ())
    rows = [
        (
            change.tres,
            change.partition or _("all"),
            rate_of(change.tres, change.before) or _("none"),
            rate_of(change.tres, change.after) or _("none"),
        )
        for change in compare(before, items)
    ]
    if rows:
        columns = (_("Resource"), _("Partition"), _("Now"), _("Then"))
        err.print(render.table(columns, rows, right=(2, 3)))
    else:
        err.print(_("No price changes."))
    for lacking in unpriced(items, clusters):
        err.print(
            _(
                "Warning: {resource} in {cluster}:{partition} has no price; such jobs would be refused.",
                resource=lacking.tres,
                cluster=lacking.cluster,
                partition=lacking.partition,
            )
        )
    for item in unknown(items, clusters) if clusters else ():
        resource = f"{item.tres} {item.partition or ''}".strip()
        err.print(_("Warning: no cluster has {resource}.", resource=resource))
    return latest


def _read(file: Path) -> list[PriceItem]:
    found = []
    with file.open(encoding="utf-8-sig", newline="") as lines:
        reader = csv.DictReader(lines)
        if tuple(reader.fieldnames or ()) != _COLUMNS:
            raise UsageProblem(_("The first line must be: {columns}", columns=",".join(_COLUMNS)))
        for number, row in enumerate(reader, start=2):
            rate = (row["rate_vnd_per_hour"] or "").strip()
            if not (rate.isascii() and rate.isdecimal()):
                raise UsageProblem(_("Line {line}: {text} is no whole number.", line=number, text=rate))
            try:
                name, partition = ((row[column] or "").strip() for column in ("tres", "partition"))
                found.append(PriceItem(name, int(rate), partition or None))
            except (InvalidAmount, InvalidJobSpec) as error:
                raise UsageProblem(_("Line {line}: {text}", line=number, text=error)) from error
    return found


def _basis_points(text: str) -> int:
    """`12.5` percent are 1250 of them; never by way of a float."""
    found = _PERCENT.fullmatch(text.replace(",", "."))
    if not found:
        raise UsageProblem(_("{text} is no percentage with at most two decimals.", text=text))
    return int(found["whole"]) * 100 + int((found["rest"] or "").ljust(2, "0"))


def _instant(text: str) -> datetime | None:
    if not text:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageProblem(_("{text} is no time such as 2027-01-01T00:00.", text=text)) from error
    return at if at.tzinfo else at.replace(tzinfo=CITY_TIME)
