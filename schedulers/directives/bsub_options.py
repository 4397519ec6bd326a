"""The options of bsub (LSF 10.1) that scripts use, and what each means for a job of the portal."""

from schedulers.directives import bsub_values, reasons, values
from schedulers.directives.getopt import Arity, Option

_N = Arity.NONE


def _yes(text: str | None) -> bool:
    del text  # a flag has none
    return True


def _no(text: str | None) -> bool:
    del text  # a flag has none
    return False


_MEMORY_FIELD = "resources.memory_mib_per_node"

CARRIED = (
    Option("J", key="name", field="name"),
    Option("Jd", key="comment", field="comment"),
    Option("H", "", _N, key="is_held", field="hold", read=_yes),
    Option("B", "", _N, key="has_mail_at_begin", field="mail_on", read=_yes),
    Option("N", "", _N, key="has_mail_at_end", field="mail_on", read=_yes),
    Option("M", key="memory_per_node", field=_MEMORY_FIELD, read=bsub_values.memory_limit),
    Option("P", key="account", field="account"),
    Option("R"),
    Option("U", key="reservation", field="reservation", read=values.one_name),
    Option("W", key="walltime_seconds", field="resources.walltime_seconds", read=bsub_values.walltime),
    Option("b", key="begin_at", field="begin_at", read_within=bsub_values.begin_at),
    Option("cwd", key="working_directory", field="working_directory", read=values.folder),
    Option("e", key="stderr_path", field="stderr_path", read=bsub_values.output_file),
    Option("env", key="environment", field="environment", read=bsub_values.variables),
    Option("eo", key="stderr_path", field="stderr_path", read=bsub_values.output_file),
    Option("gpu", key="gpus_per_node", field="resources.gpus_per_node", read=bsub_values.gpus),
    Option("m", key="nodelist", field="nodelist", read=bsub_values.hosts),
    Option("n", key="ntasks", field="resources.ntasks", read=bsub_values.slots),
    Option("o", key="stdout_path", field="stdout_path", read=bsub_values.output_file),
    Option("oo", key="stdout_path", field="stdout_path", read=bsub_values.output_file),
    Option("q", key="partition", field="partition", read=bsub_values.one_queue),
    Option("r", "", _N, key="is_requeued", field="requeue.on_node_fail", read=_yes),
    Option("rn", "", _N, key="is_requeued", field="requeue.on_node_fail", read=_no),
    Option("w", key="dependencies", field="dependencies", read_within=bsub_values.condition),
    Option("x", "", _N, key="is_exclusive", field="exclusive", read=_yes),
)

WITHOUT_EFFECT = (
    Option("K", "", _N, note=reasons.WAIT),
    Option("We", note=reasons.PORTAL_CHOOSES),
    Option("u", note=reasons.OWN_ADDRESS),
)

REFUSED = (
    *(
        Option(name, refusal=reasons.NOT_OFFERED)
        for name in (
            "E",
            "Ep",
            "G",
            "a",
            "app",
            "ext",
            "g",
            "hl",
            "jsdl",
            "k",
            "outdir",
            "s",
            "sla",
            "t",
            "ul",
        )
    ),
    *(Option(name, refusal=reasons.NO_RANGE) for name in ("C", "D", "F", "S", "T", "c", "p", "v")),
    *(
        Option(name, "", _N, refusal=reasons.NO_INPUT)
        for name in ("I", "Ip", "Is", "IS", "ISp", "ISs", "IX", "XF")
    ),
    *(Option(name, refusal=reasons.NO_INPUT) for name in ("i", "is")),
    Option("L", refusal=reasons.NO_SUBMIT_SHELL),
    Option("Lp", refusal=reasons.OTHER_ACCOUNTING),
    Option("f", refusal=reasons.NO_FILE),
    Option("sp", refusal=reasons.OTHER_SCALE),
    Option("wa", refusal=reasons.USE_SIGNAL),
    Option("wt", refusal=reasons.USE_SIGNAL),
)

OPTIONS = (*CARRIED, *WITHOUT_EFFECT, *REFUSED)
