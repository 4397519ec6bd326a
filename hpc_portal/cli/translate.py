"""Show what a script's header lines ask for, without submitting it."""

from pathlib import Path
from typing import Annotated

import typer

from hpc_portal.cli.batch_script import ScriptOptions, json_of, translate_file, view_of
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import out, print_json


def translate(
    context: typer.Context,
    script: Annotated[Path, typer.Argument(metavar="SCRIPT", help="A script with #SBATCH or #BSUB lines.")],
    *,
    as_json: Json = False,
) -> None:
    """Show what each #SBATCH or #BSUB line of a script becomes, or why it cannot be translated.

    Behind the script any option of sbatch may follow, as for hpc submit; nothing is sent to the portal.
    """
    translation = translate_file(script, ScriptOptions(more=context.args))
    if as_json:
        print_json(json_of(translation))
    else:
        out.print(view_of(translation))
