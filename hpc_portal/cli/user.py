"""`hpc`: what the person does who runs jobs."""

from typing import Annotated, NoReturn

import typer

from hpc_portal.cli.command_line import run
from hpc_portal.cli.on_demand import OnDemandGroup, Place


class Commands(OnDemandGroup):
    """What `hpc` can do."""

    places = (
        Place(
            "login",
            "login:login",
            "Sign in and keep a token in ~/.config/hpc/credentials.toml, readable by you only.",
        ),
        Place("logout", "login:logout", "Revoke the token and forget it."),
        Place("whoami", "login:whoami", "Who the portal takes you for, and what you may do where."),
        Place(
            "status",
            "status:status",
            "Show your jobs under way, budgets, what is free, and what was announced.",
        ),
        Place("templates", "templates:templates", "List the templates that jobs can be made from."),
        Place(
            "submit",
            "submit:submit",
            "Submit a job from a script, or from a template.",
            takes_sbatch_options=True,
        ),
        Place(
            "translate",
            "translate:translate",
            "Show what each #SBATCH or #BSUB line of a script becomes, or why it cannot be translated.",
            takes_sbatch_options=True,
        ),
        Place("jobs", "jobs:jobs", "List jobs, newest first."),
        Place("show", "jobs:show", "Show one job: its state, times, request and cost."),
        Place(
            "tasks",
            "jobs:tasks",
            "List the runs of a job's tasks; tasks that have not started yet are not listed.",
        ),
        Place("script", "job_script:script", "Print the script that a job runs."),
        Place(
            "results",
            "results:results",
            "Show verdicts, failures and metrics as far as they are known; a running job shows a part.",
        ),
        Place("waves", "waves:waves", "List the signals of a waveform, or print their values at one time."),
        Place(
            "logs",
            "logs:logs",
            "Print a job's output; with -f go on until it ends, also over a restart of the portal.",
        ),
        Place(
            "cancel",
            "cancel:cancel",
            "Ask for jobs to be cancelled: all of them or, when one may not be, none.",
        ),
        Place(
            "hold",
            "change:hold",
            "Hold jobs: what of them waits does not start before it is released; what runs goes on.",
        ),
        Place("release", "change:release", "Release held jobs."),
        Place(
            "requeue",
            "change:requeue",
            "End what runs of jobs and put it back into the queue; the ended runs are charged.",
        ),
        Place(
            "change", "change:change", "Change the time limit or the priority of jobs, also of running ones."
        ),
        Place(
            "changes",
            "change:changes",
            "List what was asked of a job under way, and what the scheduler said to it.",
        ),
        Place(
            "run-again",
            "run_again:run_again",
            "Submit ended jobs once more as they were asked for, at today's prices; shows the price first.",
        ),
        Place(
            "quota",
            "quota:quota",
            "Show what projects were granted, hold for jobs under way, have used, and have left.",
        ),
        Place(
            "charges",
            "charges:charges",
            "Show what a project paid, run by run, the newest first, each with the formula of its price.",
        ),
        Place(
            "prices",
            "prices:prices",
            "Show the prices in force and those to come, and the subsidies that concern you.",
        ),
        Place("files", "files:files", "Files that a project's people share and its jobs read."),
        Place("notices", "notices:notices", "Show your notices, newest first."),
        Place("usage", "usage:usage", "Show what was used and what it cost, of everything that you may see."),
        Place(
            "statement",
            "usage:statement",
            "Show a month's statement: opening, grants, charges, refunds, expiry, closing.",
        ),
        Place(
            "clusters",
            "clusters:clusters",
            "Show what the clusters have, what of it is in use, and what of them does not answer.",
        ),
        Place(
            "licenses",
            "licenses:licenses",
            "Show licences: how many there are, who has them, and what others use.",
        ),
        Place(
            "invite",
            "members:invite",
            "Invite people by e-mail; the links are shown once, for where mail does not arrive.",
        ),
        Place("template", "templates:template", "One template."),
        Place("campaign", "campaign:campaign", "Regressions and other campaigns: an array and its reruns."),
        Place("limits", "limits:limits", "How much you may use at once, or ask for in one job."),
        Place("refund", "refund:refund", "Get back what a job was charged."),
        Place("request", "review_quota:request", "Ask for quota, and decide about it."),
        Place("members", "members:members", "Members of a project or an organisation."),
        Place("invitations", "members:invitations", "Invitations that were sent."),
        Place(
            "service-accounts",
            "service_accounts:service_accounts",
            "Service accounts of a project, for pipelines.",
        ),
        Place("class", "classes:classes", "Classes: split a course's budget over students."),
    )


app = typer.Typer(
    cls=Commands,
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


def main() -> NoReturn:
    """The entry point of `hpc`."""
    run(app, "hpc")


if __name__ == "__main__":
    main()
