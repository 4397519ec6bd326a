"""Options that several commands of `hpc` share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JobId = Annotated[
    str, typer.Argument(metavar="ID", help="A job's id, or any end of it of 4 characters or more.")
]
JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs, or ends of them.")]
Project = Annotated[
    str, typer.Option("--project", envvar="HPC_PROJECT", help="Who pays; default: your only project.")
]
