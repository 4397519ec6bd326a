"""`hpc-portal settings`: the settings in force."""

from hpc_portal.cli.configuration import load_settings, shown_settings
from hpc_portal.cli.options import Json
from hpc_portal.cli.render import facts, out, print_json


def show_settings(*, as_json: Json = False) -> None:
    """Show the settings in force; secrets are masked."""
    shown = shown_settings(load_settings())
    if as_json:
        print_json(shown)
    else:
        out.print(facts((name, value or "-") for name, value in shown.items()))
