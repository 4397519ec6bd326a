"""Options that several commands of `hpc` share."""

from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print JSON for scripts.")]
JobId = Annotated[
    str, typer.Argument(metavar="ID", help="A job's id, or any end of it of 4 characters or more.")
]
JobIds = Annotated[list[str], typer.Argument(metavar="ID...", help="Ids of jobs, or ends of them.")]
SomeJobIds = Annotated[
    list[str] | None, typer.Argument(metavar="[ID]...", help="Ids of jobs, or ends of them.")
]
All = Annotated[bool, typer.Option("--all", help="All jobs of yours that go on and fit the filters.")]
Everyone = Annotated[bool, typer.Option("--everyone", help="With --all: not only your own jobs.")]
State = Annotated[str, typer.Option("--state", "-s", help="With --all: only in this state, such as pending.")]
OfProject = Annotated[str, typer.Option("--project", help="With --all: only of this project.")]
OfUser = Annotated[str, typer.Option("--user", help="With --all: this person's jobs.")]
Named = Annotated[str, typer.Option("--name", help="With --all: only with this in the name.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Project = Annotated[
    str, typer.Option("--project", envvar="HPC_PROJECT", help="Who pays; default: your only project.")
]
