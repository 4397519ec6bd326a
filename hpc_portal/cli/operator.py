"""`hpc-portal`: what the person does who runs the portal."""

from typing import Annotated, NoReturn

import typer

from hpc_portal.cli.command_line import run
from hpc_portal.cli.on_demand import OnDemandGroup, Place


class Commands(OnDemandGroup):
    """What `hpc-portal` can do."""

    places = (
        Place(
            "serve",
            "serve:serve",
            "Web, controller and, unless a Dask scheduler is set, an embedded cluster: "
            "everything in one command.",
        ),
        Place("web", "web:web", "Only pages and API; run as many as you like on one PostgreSQL database."),
        Place(
            "controller",
            "controller:controller",
            "Only the loops that dispatch, track and settle jobs; "
            "a second one stands by until the first ends.",
        ),
        Place("settings", "show_settings:show_settings", "Show the settings in force; secrets are masked."),
        Place("db", "database:database", "The portal's database."),
        Place(
            "doctor",
            "doctor.command:doctor",
            "Look at settings, database, clocks, controllers, clusters, folders and books; "
            "say what is wrong.",
        ),
        Place(
            "backup",
            "backup:backup",
            "Save the database and the attachments, while the portal runs.",
        ),
        Place(
            "restore",
            "backup:restore",
            "Put a backup into an empty database and an empty folder of attachments, "
            "and compare every balance.",
        ),
        Place(
            "retention",
            "retention:retention",
            "Let go of what HPC_PORTAL_RETENTION keeps no longer, as the controller does once an hour.",
        ),
        Place("user", "accounts:user", "People who sign in."),
        Place("org", "tenants:organisation", "Organisations: the tenants."),
        Place("project", "tenants:project", "Projects: who pays for jobs."),
        Place("member", "tenants:member", "Who is what in an organisation or project."),
        Place("grant", "accounts:grant", "Grant a project budget: đồng, and hours of resources."),
        Place(
            "invite",
            "tenants:invite_people",
            "Invite people by e-mail; the links are shown once, for where mail does not arrive.",
        ),
        Place(
            "demo",
            "demo:demo",
            "Seed a small city, run a simulation and a training through the portal, and keep it open.",
        ),
        Place("mirror", "mirror:mirror", "Compare accounts, members and budgets in Slurm with the portal's."),
        Place("audit", "audit:audit", "The audit log: who did what, when, from where."),
        Place(
            "attention",
            "attention:attention",
            "Show what waits for somebody; exit code 1 where something does, for a watchdog.",
        ),
        Place(
            "announce",
            "announce:announcements",
            "What everybody, or one organisation, reads on top of every page.",
        ),
        Place(
            "report", "report:report", "Reports of the whole city, on the terminal or as CSV, XLSX and PDF."
        ),
        Place("accounting", "accounting:accounting", "The books: months, checks, and what does not add up."),
        Place("doubt", "doubt:doubt", "Jobs of which nobody can say whether their cluster has them."),
        Place("allocation", "allocation:allocation", "Budgets that were granted: change and end them."),
        Place("ledger", "ledger:ledger", "The ledger: what was granted, held, used and given back."),
        Place("end-rules", "end_rules:end_rules", "Which ends of runs are paid for."),
        Place("prices", "operator_prices:prices", "Price lists, subsidies and programmes."),
        Place("limit", "operator_limits:limit", "How much somebody may use at once, or ask for in one job."),
        Place("license", "operator_licenses:licenses", "Licences that are kept for projects."),
        Place(
            "node-tools",
            "node_tools:node_tools",
            "A script that lists which of the templates' tools a Slurm node has.",
        ),
        Place("template", "site_templates:template", "The templates of this site."),
    )


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Run the HPC portal of Da Nang.\n\n"
    "Settings are HPC_PORTAL_* variables; `hpc-portal settings` shows those in force.\n\n"
    "Exit codes: 0 done, 1 failed, 2 wrong command line or settings.",
)


@app.callback()
def common(
    lang: Annotated[
        str | None, typer.Option(metavar="vi|en", help="Language of messages; default: the shell's.")
    ] = None,
) -> None:
    """Applied before the command runs, see command_line.run."""
    del lang


def main() -> NoReturn:
    """The entry point of `hpc-portal`."""
    run(app, "hpc-portal")


if __name__ == "__main__":
    main()
