"""Print a script that a node runs to list its tools, since nothing of the portal runs on Slurm's nodes."""

import typer

from schedulers.programs import search_script


def node_tools() -> None:
    """A script that lists which of the templates' tools a Slurm node has.

    `srun --partition=eda bash --login SCRIPT` then prints the list as HPC_PORTAL_SLURM__PROGRAMS wants it.
    """
    typer.echo(search_script(), nl=False)
