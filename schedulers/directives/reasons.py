"""Why the portal does not support an option, or why it changes nothing: sentences that pages translate."""


def N_(text: str) -> str:  # noqa: N802 - gettext's own name for "mark, do not translate here"
    """Mark a text for translation; it is translated where it is shown."""
    return text


NO_PINNING = N_(
    "The portal asks for CPUs and nodes, not for sockets, cores, threads or where tasks are bound."
)
NO_RANGE = N_("The price is held before: a job cannot ask for more or less than one amount.")
ADMINISTRATORS = N_("Only the cluster's administrators may set it.")
OTHER_CLUSTER = N_("The portal chooses the cluster that has the partition: name the partition.")
OTHER_ACCOUNTING = N_("The portal accounts by project only.")
NO_SHARING = N_("The portal shares no CPU among jobs.")
NO_FILE = N_("The file is on your machine or the login node, where the portal does not see it.")
NO_DEVICE_SETTINGS = N_("The portal changes no clock rates and no power limits.")
NOT_OFFERED = N_("The portal does not offer it.")
PORTAL_SUBMITS = N_("The portal submits the script itself.")
NO_INPUT = N_("A job of the portal has no standard input.")
NO_SUBMIT_SHELL = N_("The portal does not see the shell that you submit from.")
TRUNCATES = N_("The portal appends when a job runs again, so that nothing it printed is lost.")
OTHER_SCALE = N_(
    "Priorities mean something else on each LSF cluster: lower this job's with hpc submit --nice."
)
USE_SIGNAL = N_("Ask for a signal before the end with hpc submit --signal, such as USR1@120.")

OWN_ADDRESS = N_("It has no effect: the portal sends mail to the address of your account only.")
PRINTS = N_("It has no effect: it tells sbatch what to print.")
PORTAL_CHOOSES = N_("It has no effect: it is left to the cluster.")
LATE = N_("It has no effect: it stands after the first command, where sbatch overlooks it.")
WAIT = N_("It has no effect in a script: hpc submit --wait waits for the end.")
