"""`hpc`: what the person does who runs jobs."""

from typing import Annotated, NoReturn

import typer

from hpc_portal.cli import (
    ask_quota,
    campaign,
    cancel,
    change,
    classes,
    clusters,
    jobs,
    licenses,
    limits,
    login,
    logs,
    members,
    notices,
    prices,
    quota,
    refund,
    results,
    review_quota,
    submit,
    templates,
    translate,
    usage,
)
from hpc_portal.cli.command_line import run

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help="Use the HPC portal of Da Nang from a terminal.\n\n"
    "Exit codes: 0 ok, 1 the job failed (with --wait) or the command did, 2 wrong command line, "
    "3 not signed in, 4 refused (limits, budget, validation), 5 not found, 6 the portal does not answer.\n\n"
    "HPC_URL and HPC_TOKEN go before what `hpc login` stored.",
)


@app.callback()
def common(
    lang: Annotated[
        str | None, typer.Option(metavar="vi|en", help="Language of messages; default: the shell's.")
    ] = None,
) -> None:
    """Applied before the command runs, see command_line.run."""
    del lang


app.command()(login.login)
app.command()(login.logout)
app.command()(login.whoami)
app.command()(templates.templates)
app.add_typer(templates.template, name="template")
_SBATCH_OPTIONS = {"allow_extra_args": True, "ignore_unknown_options": True}
app.command(context_settings=_SBATCH_OPTIONS)(submit.submit)
app.command(context_settings=_SBATCH_OPTIONS)(translate.translate)
app.command()(jobs.jobs)
app.command()(jobs.show)
app.command()(jobs.tasks)
app.command()(results.results)
app.add_typer(campaign.campaign, name="campaign")
app.command()(logs.logs)
app.command()(cancel.cancel)
app.command("hold")(change.hold)
app.command("release")(change.release)
app.command("requeue")(change.requeue)
app.command()(change.change)
app.command()(change.changes)
app.command()(quota.quota)
app.add_typer(limits.limits, name="limits")
app.command()(prices.prices)
app.add_typer(refund.refund, name="refund")
assert review_quota  # noqa: S101 - its commands belong to the group
app.add_typer(ask_quota.request, name="request")
app.command()(notices.notices)
app.command()(usage.usage)
app.command()(usage.statement)
app.command()(clusters.clusters)
app.command()(licenses.licenses)
app.add_typer(members.members, name="members")
app.command()(members.invite)
app.add_typer(members.invitations, name="invitations")
app.add_typer(classes.classes, name="class")


def main() -> NoReturn:
    """The entry point of `hpc`."""
    run(app, "hpc")


if __name__ == "__main__":
    main()
