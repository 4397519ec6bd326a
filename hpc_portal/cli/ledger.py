"""`hpc-portal ledger`: verify every rule of the ledger, and replay its journal into an empty database."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import sqlalchemy
import typer
from sqlalchemy import Engine

from hpc_portal.app.audit_log.verify import verify_chain
from hpc_portal.app.wiring import build_engine
from hpc_portal.cli.audit import print_chain
from hpc_portal.cli.configuration import load_settings
from hpc_portal.cli.exits import Exit
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import err, out, print_json, table
from quotas.replay import create_ledger_tables, replay
from quotas.verify import Discrepancy, verify

ledger = typer.Typer(no_args_is_help=True, help="The ledger: what was granted, held, used and given back.")


@ledger.command("verify")
def verify_(*, as_json: Json = False) -> None:
    """Check every rule of the ledger and the chain of the audit log. Exit code 1 when something is wrong."""
    engine = build_engine(load_settings())
    try:
        with _snapshot(engine).connect() as connection:
            found, chain = verify(connection), verify_chain(connection)
    finally:
        engine.dispose()
    if as_json:
        print_json({"ledger": [asdict(one) for one in found], "audit_log": asdict(chain)})
    else:
        _print_broken_rules(found)
        print_chain(chain)
    if found or chain.broken:
        raise typer.Exit(Exit.FAILED)


def _print_broken_rules(found: Sequence[Discrepancy]) -> None:
    if found:
        rows = [(one.rule.value, one.subject, one.asset, one.expected, one.found) for one in found]
        headings = (_("Rule"), _("About"), _("Resource"), _("Expected"), _("Found"))
        out.print(table(headings, rows, right=(3, 4)))
    else:
        err.print(_("Every rule of the ledger holds."))


@ledger.command("replay")
def replay_(
    into: Annotated[
        str,
        typer.Option(
            "--into", metavar="URL", help="An empty database that keeps the result; default: memory."
        ),
    ] = "",
    *,
    as_json: Json = False,
) -> None:
    """Write the journal into an empty database and compare all balances. Exit code 1 when one differs."""
    engine, empty = build_engine(load_settings()), sqlalchemy.create_engine(into or "sqlite://")
    try:
        with _snapshot(engine).connect() as source, empty.begin() as target:
            create_ledger_tables(target)
            done = replay(source, target)
    finally:
        engine.dispose()
        empty.dispose()
    if as_json:
        print_json(asdict(done))
    else:
        err.print(
            _(
                "Replayed {transfers} transfers with {entries} entries, and {records} records of runs.",
                transfers=done.transfers,
                entries=done.entries,
                records=done.records,
            )
        )
    if not done.wrong:
        return
    if not as_json:
        rows = [(one.account_id, one.kind.value, one.asset, one.replayed, one.cached) for one in done.wrong]
        headings = (_("Account"), _("Kind"), _("Resource"), _("Replayed"), _("Found"))
        out.print(table(headings, rows, right=(0, 3, 4)))
    raise typer.Exit(Exit.FAILED)


def _snapshot(engine: Engine) -> Engine:
    """Several statements that see one state; readers of SQLite do anyway."""
    if engine.dialect.name == "postgresql":
        return engine.execution_options(isolation_level="REPEATABLE READ")
    return engine
