"""What the commands share that start the portal's processes: options, and what is said about the address."""

import contextlib
import errno
from collections.abc import Iterator
from typing import Annotated

import typer

from hpc_portal.app.settings import Settings
from hpc_portal.cli.errors import CliError
from hpc_portal.cli.language import gettext as _
from hpc_portal.cli.render import err

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


@contextlib.contextmanager
def address_errors(settings: Settings) -> Iterator[None]:
    """An address that cannot be listened on becomes the command's error."""
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


def say_where(url: str) -> None:
    """Tell a person where the portal is."""
    err.print(_("The portal is open at {url}  (Ctrl-C stops it; jobs go on)", url=url))
