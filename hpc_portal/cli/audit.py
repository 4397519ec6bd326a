"""`hpc-portal audit`: verify that nobody rewrote the log, and write it out for an auditor."""

import sys
from dataclasses import asdict
from enum import StrEnum
from typing import Annotated

import typer

from hpc_portal.app.accounts.operator import OPERATOR
from hpc_portal.app.audit_log.export import as_csv, as_json_lines
from hpc_portal.app.audit_log.read import AuditFilter, walk_audit
from hpc_portal.app.audit_log.verify import ChainEnd, Verified, verify_chain
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.errors import UsageProblem
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table

audit = typer.Typer(no_args_is_help=True, help="The audit log: who did what, when, from where.")


class Format(StrEnum):
    """How the log is written."""

    CSV = "csv"
    JSONL = "jsonl"


@audit.command("verify")
def verify(
    *,
    known: Annotated[
        str,
        typer.Option(
            metavar="SEQUENCE:HASH",
            help="An end of the log that you noted earlier: nothing up to it may have changed.",
        ),
    ] = "",
    as_json: Json = False,
) -> None:
    """Walk along the whole chain of hashes. Exit code 1 when it does not hold.

    Note the end that it prints somewhere else: with it, even who can rewrite the whole database cannot
    rewrite what was before.
    """
    engine = build_engine(load_settings())
    try:
        with engine.connect() as connection:
            found = verify_chain(connection, known=_known(known))
    finally:
        engine.dispose()
    if as_json:
        print_json(asdict(found))
    else:
        print_chain(found)
    if found.broken:
        raise typer.Exit(Exit.FAILED)


def print_chain(found: Verified) -> None:
    """Where it is broken; or that it holds, and its end for who wants to note it."""
    if found.broken:
        rows = [(one.sequence, one.problem) for one in found.broken]
        out.print(table((_("Record"), _("What is wrong")), rows, right=(0,)))
    else:
        err.print(_("All {count} records are as they were written.", count=found.end.sequence))
        out.print(f"{found.end.sequence}:{found.end.hash}")


@audit.command("export")
def export(  # noqa: PLR0913 - one argument for each option
    *,
    kind: Annotated[
        Format, typer.Option("--format", help="CSV, or a JSON object in each line.")
    ] = Format.JSONL,
    user: Annotated[str, typer.Option("--user", help="Only what this person did; or `operator`.")] = "",
    action: Annotated[str, typer.Option("--action", help="Only such: prices, or prices.published.")] = "",
    subject: Annotated[str, typer.Option("--subject", help="Only what concerns this.")] = "",
    address: Annotated[str, typer.Option("--address", help="Only what came from this address.")] = "",
    after: Annotated[int, typer.Option("--after", min=0, help="Go on after this sequence.")] = 0,
) -> None:
    """Write the log to standard output, oldest first, with its hashes."""
    engine = build_engine(load_settings())
    try:
        with engine.connect() as connection:
            wanted = AuditFilter(username=user, action=action, subject=subject, address=address)
            entries = walk_audit(connection, OPERATOR, wanted=wanted, after=after)
            for line in as_csv(entries) if kind is Format.CSV else as_json_lines(entries):
                sys.stdout.write(line)
    finally:
        engine.dispose()


def _known(text: str) -> ChainEnd | None:
    if not text:
        return None
    sequence, _colon, sealed = text.partition(":")
    if not sequence.isdecimal() or len(sealed) != len("0" * 64):
        raise UsageProblem(_("--known takes what `audit verify` printed: SEQUENCE:HASH."))
    return ChainEnd(int(sequence), sealed)
