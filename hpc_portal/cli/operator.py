"""`hpc-portal`: what the person does who runs the portal."""

import asyncio
import contextlib
import errno
import gc
import signal
from collections.abc import Iterator
from typing import Annotated, NoReturn

import typer

from hpc_portal.app.schema import upgrade
from hpc_portal.app.settings import Settings
from hpc_portal.cli import (
    accounting,
    accounts,
    allocation,
    audit,
    demo,
    doubt,
    end_rules,
    ledger,
    mirror,
    operator_licenses,
    operator_limits,
    operator_prices,
    report,
    site_templates,
    tenants,
)
from hpc_portal.cli.command_line import run
from hpc_portal.cli.configuration import load_settings, shown_settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.log import configure_log
from hpc_portal.cli.parent import announce_on, end_with_parent
from hpc_portal.cli.render import err, facts, out, print_json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Run the HPC portal of Da Nang.\n\n"
    "Settings are HPC_PORTAL_* variables; `hpc-portal settings` shows those in force.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong command line or settings.",
)
database = typer.Typer(no_args_is_help=True, help="The portal's database.")
app.add_typer(database, name="db")
accounts.add_to(app)
tenants.add_to(app)
app.add_typer(audit.audit, name="audit")
app.add_typer(report.report, name="report")
app.add_typer(accounting.accounting, name="accounting")
app.add_typer(doubt.doubt, name="doubt")
app.add_typer(allocation.allocation, name="allocation")
app.add_typer(ledger.ledger, name="ledger")
app.add_typer(end_rules.end_rules, name="end-rules")
app.add_typer(operator_prices.prices, name="prices")
app.add_typer(operator_limits.limit, name="limit")
app.add_typer(operator_licenses.licenses, name="license")
app.add_typer(site_templates.template, name="template")
app.command("demo")(demo.demo)
app.command("mirror")(mirror.mirror)

Host = Annotated[str | None, typer.Option(help="Address to listen on; default: HPC_PORTAL_HOST.")]
Port = Annotated[int | None, typer.Option(min=0, max=65_535, help="Port to listen on, 0 takes a free one.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Log more.")]
DaskScheduler = Annotated[
    str | None,
    typer.Option(
        metavar="tcp://HOST:PORT|tls://...",
        help="A Dask scheduler that runs elsewhere, with its workers, instead of the embedded one; "
        "default: HPC_PORTAL_DASK_SCHEDULER.",
    ),
]
ParentFd = Annotated[int | None, typer.Option(hidden=True)]
ReadyFd = Annotated[int | None, typer.Option(hidden=True)]


@app.callback()
def common(
    lang: Annotated[
        str | None, typer.Option(metavar="vi|en", help="Language of messages; default: the shell's.")
    ] = None,
) -> None:
    """Applied before the command runs, see command_line.run."""
    del lang


@app.command()
def serve(  # noqa: PLR0913 - a command's options
    *,
    host: Host = None,
    port: Port = None,
    dask_scheduler: DaskScheduler = None,
    verbose: Verbose = False,
    parent_fd: ParentFd = None,
    ready_fd: ReadyFd = None,
) -> None:
    """Web, controller and, unless a Dask scheduler is set, an embedded cluster: everything in one command.

    Brings the database up to date first.
    """
    from hpc_portal.cli.serve import run_serve  # noqa: PLC0415 - other commands start without the web's weight

    configure_log(verbose=verbose)
    settings = load_settings(host=host, port=port, dask_scheduler=dask_scheduler)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    upgrade(settings)
    with _address_errors(settings):
        run_serve(settings, on_ready=announce_on(ready_fd) if ready_fd else _say_where)


@app.command()
def web(
    *,
    host: Host = None,
    port: Port = None,
    verbose: Verbose = False,
    parent_fd: ParentFd = None,
    ready_fd: ReadyFd = None,
) -> None:
    """Only pages and API; run as many as you like on one PostgreSQL database."""
    from hpc_portal.cli.web import listen, run_web  # noqa: PLC0415 - as above

    configure_log(verbose=verbose)
    settings = load_settings(host=host, port=port)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    with _address_errors(settings), listen(settings.host, settings.port) as listener:
        run_web(settings, listener, on_ready=announce_on(ready_fd) if ready_fd else _say_where)


@app.command()
def controller(
    *, dask_scheduler: DaskScheduler = None, verbose: Verbose = False, parent_fd: ParentFd = None
) -> None:
    """Only the loops that dispatch, track and settle jobs; a second one stands by until the first ends."""
    configure_log(verbose=verbose)
    asyncio.run(_control(load_settings(dask_scheduler=dask_scheduler), parent_fd))


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the tables to this version; does nothing when they are."""
    configure_log()
    upgrade(load_settings())
    err.print(_("The database is up to date."))


@app.command("settings")
def show_settings(*, as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False) -> None:
    """Show the settings in force; secrets are masked."""
    shown = shown_settings(load_settings())
    if as_json:
        print_json(shown)
    else:
        out.print(facts((name, value or "-") for name, value in shown.items()))


async def _control(settings: Settings, parent_fd: int | None) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    if parent_fd is not None:
        end_with_parent(parent_fd)
    from hpc_portal.app.controller_wiring import build_controllers  # noqa: PLC0415 - as above
    from hpc_portal.app.controllers import run_controllers  # noqa: PLC0415 - as above

    controllers = build_controllers(settings)
    gc.collect()
    gc.freeze()  # the code stays for good: to walk through it took a tenth of the time of a burst of jobs
    await run_controllers(controllers, stop)


@contextlib.contextmanager
def _address_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno not in {errno.EADDRINUSE, errno.EADDRNOTAVAIL, errno.EACCES}:
            raise
        message = _(
            "{host}:{port} cannot be used ({problem}). Choose another one with --port.",
            host=settings.host,
            port=settings.port,
            problem=error.strerror,
        )
        raise CliError(message) from error


def _say_where(url: str) -> None:
    err.print(_("The portal is open at {url}  (Ctrl-C stops it; jobs go on)", url=url))


def main() -> NoReturn:
    """The entry point of `hpc-portal`."""
    run(app, "hpc-portal")


if __name__ == "__main__":
    main()
