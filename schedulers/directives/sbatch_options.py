"""Every option of sbatch (24.11), and what each means for a job of the portal."""

from schedulers import hostlist
from schedulers.directives import dependencies, reasons, values
from schedulers.directives.begin import begin_at
from schedulers.directives.getopt import Arity, Option

_N, _O = Arity.NONE, Arity.OPTIONAL


def _yes(text: str | None) -> bool:
    del text  # a flag has none
    return True


def _no(text: str | None) -> bool:
    del text  # a flag has none
    return False


CARRIED = (
    Option("account", "A", key="account", field="account"),
    Option("array", "a", key="array", field="array", read=values.array),
    Option("begin", "b", key="begin_at", field="begin_at", read_within=begin_at),
    Option("chdir", "D", key="working_directory", field="working_directory", read=values.folder),
    Option("comment", key="comment", field="comment"),
    Option("constraint", "C", key="constraint", field="constraint"),
    Option("cpus-per-gpu", key="cpus_per_gpu", field="resources.cpus_per_task", read=values.count),
    Option("cpus-per-task", "c", key="cpus_per_task", field="resources.cpus_per_task", read=values.count),
    Option("dependency", "d", key="dependencies", field="dependencies", read_within=dependencies.read),
    Option("error", "e", key="stderr_path", field="stderr_path", read=values.output_file),
    Option("exclude", "x", key="exclude_nodes", field="exclude_nodes", read=hostlist.expand),
    Option("exclusive", "", _O, key="is_exclusive", field="exclusive", read=values.exclusive),
    Option("export", key="environment", field="environment", read=values.variables),
    Option("gpus", "G", key="gpus_of_job", field="resources.gpus_per_node", read=values.gpus),
    Option("gpus-per-node", key="gpus_per_node", field="resources.gpus_per_node", read=values.gpus),
    Option("gpus-per-task", key="gpus_per_task", field="resources.gpus_per_node", read=values.gpus),
    Option("gres", key="gres", field="resources.gpus_per_node", read=values.gres),
    Option("hold", "H", _N, key="is_held", field="hold", read=_yes),
    Option("job-name", "J", key="name", field="name"),
    Option("licenses", "L", key="licenses", field="resources.licenses", read=values.licenses),
    Option("mail-type", key="mail_on", field="mail_on", read=values.mail_types),
    Option("mem", key="memory_per_node", field="resources.memory_mib_per_node", read=values.memory),
    Option("mem-per-cpu", key="memory_per_cpu", field="resources.memory_mib_per_node", read=values.memory),
    Option("mem-per-gpu", key="memory_per_gpu", field="resources.memory_mib_per_node", read=values.memory),
    Option("nice", "", _O, key="nice", field="nice", read=values.nice),
    Option("no-requeue", "", _N, key="is_requeued", field="requeue.on_node_fail", read=_no),
    Option("nodelist", "w", key="nodelist", field="nodelist", read=hostlist.expand),
    Option("nodes", "N", key="nodes", field="resources.nodes", read=values.nodes),
    Option("ntasks", "n", key="ntasks", field="resources.ntasks", read=values.count),
    Option("ntasks-per-node", key="ntasks_per_node", field="resources.ntasks_per_node", read=values.count),
    Option("output", "o", key="stdout_path", field="stdout_path", read=values.output_file),
    Option("partition", "p", key="partition", field="partition", read=values.one_name),
    Option("qos", "q", key="qos", field="qos"),
    Option("requeue", "", _N, key="is_requeued", field="requeue.on_node_fail", read=_yes),
    Option("reservation", key="reservation", field="reservation", read=values.one_name),
    Option("signal", key="warning_signal", field="warning_signal", read=values.warning_signal),
    Option("tasks-per-node", key="ntasks_per_node", field="resources.ntasks_per_node", read=values.count),
    Option("time", "t", key="walltime_seconds", field="resources.walltime_seconds", read=values.walltime),
)

WITHOUT_EFFECT = (
    Option("ignore-pbs", "", _N, note=reasons.PRINTS),
    Option("mail-user", note=reasons.OWN_ADDRESS),
    Option("parsable", "", _N, note=reasons.PRINTS),
    Option("quiet", "Q", _N, note=reasons.PRINTS),
    Option("verbose", "v", _N, note=reasons.PRINTS),
    Option("wait", "W", _N, note=reasons.WAIT),
)

REFUSED = (
    Option("acctg-freq", refusal=reasons.NOT_OFFERED),
    Option("batch", refusal=reasons.NOT_OFFERED),
    Option("bb", refusal=reasons.NOT_OFFERED),
    Option("bbf", refusal=reasons.NO_FILE),
    Option("cluster", refusal=reasons.OTHER_CLUSTER),
    Option("cluster-constraint", refusal=reasons.OTHER_CLUSTER),
    Option("clusters", "M", refusal=reasons.OTHER_CLUSTER),
    Option("container", refusal=reasons.NOT_OFFERED),
    Option("container-id", refusal=reasons.NOT_OFFERED),
    Option("context", refusal=reasons.NOT_OFFERED),
    Option("contiguous", "", _N, refusal=reasons.NOT_OFFERED),
    Option("core-spec", "S", refusal=reasons.ADMINISTRATORS),
    Option("cores-per-socket", refusal=reasons.NO_PINNING),
    Option("cpu-freq", refusal=reasons.NO_DEVICE_SETTINGS),
    Option("deadline", refusal=reasons.NOT_OFFERED),
    Option("delay-boot", refusal=reasons.NOT_OFFERED),
    Option("distribution", "m", refusal=reasons.NO_PINNING),
    Option("export-file", refusal=reasons.NO_FILE),
    Option("extra", refusal=reasons.NOT_OFFERED),
    Option("extra-node-info", "B", refusal=reasons.NO_PINNING),
    Option("get-user-env", "", _O, refusal=reasons.NO_SUBMIT_SHELL),
    Option("gid", refusal=reasons.ADMINISTRATORS),
    Option("gpu-bind", refusal=reasons.NO_PINNING),
    Option("gpu-freq", refusal=reasons.NO_DEVICE_SETTINGS),
    Option("gpus-per-socket", refusal=reasons.NO_PINNING),
    Option("gres-flags", refusal=reasons.NO_PINNING),
    Option("help", "h", _N, refusal=reasons.PORTAL_SUBMITS),
    Option("hint", refusal=reasons.NO_PINNING),
    Option("input", "i", refusal=reasons.NO_INPUT),
    Option("kill-on-invalid-dep", refusal=reasons.NOT_OFFERED),
    Option("mcs-label", refusal=reasons.ADMINISTRATORS),
    Option("mem-bind", refusal=reasons.NO_PINNING),
    Option("mincpus", refusal=reasons.NO_RANGE),
    Option("network", refusal=reasons.NOT_OFFERED),
    Option("no-kill", "k", _O, refusal=reasons.NOT_OFFERED),
    Option("nodefile", "F", refusal=reasons.NO_FILE),
    Option("ntasks-per-core", refusal=reasons.NO_PINNING),
    Option("ntasks-per-gpu", refusal=reasons.NO_PINNING),
    Option("ntasks-per-socket", refusal=reasons.NO_PINNING),
    Option("ntasks-per-tres", refusal=reasons.NO_PINNING),
    Option("oom-kill-step", "", _O, refusal=reasons.NOT_OFFERED),
    Option("open-mode", refusal=reasons.TRUNCATES),
    Option("overcommit", "O", _N, refusal=reasons.NO_SHARING),
    Option("oversubscribe", "s", _N, refusal=reasons.NO_SHARING),
    Option("prefer", refusal=reasons.NOT_OFFERED),
    Option("priority", refusal=reasons.ADMINISTRATORS),
    Option("profile", refusal=reasons.NOT_OFFERED),
    Option("propagate", "", _O, refusal=reasons.NO_SUBMIT_SHELL),
    Option("reboot", "", _N, refusal=reasons.ADMINISTRATORS),
    Option("resv-ports", "", _O, refusal=reasons.NOT_OFFERED),
    Option("segment", refusal=reasons.NOT_OFFERED),
    Option("sockets-per-node", refusal=reasons.NO_PINNING),
    Option("spread-job", "", _N, refusal=reasons.NOT_OFFERED),
    Option("stepmgr", "", _N, refusal=reasons.NOT_OFFERED),
    Option("switches", refusal=reasons.NOT_OFFERED),
    Option("test-only", "", _N, refusal=reasons.PORTAL_SUBMITS),
    Option("thread-spec", refusal=reasons.ADMINISTRATORS),
    Option("threads-per-core", refusal=reasons.NO_PINNING),
    Option("time-min", refusal=reasons.NO_RANGE),
    Option("tmp", refusal=reasons.NOT_OFFERED),
    Option("tres-bind", refusal=reasons.NO_PINNING),
    Option("tres-per-task", refusal=reasons.NOT_OFFERED),
    Option("uid", refusal=reasons.ADMINISTRATORS),
    Option("usage", "", _N, refusal=reasons.PORTAL_SUBMITS),
    Option("use-min-nodes", "", _N, refusal=reasons.NO_RANGE),
    Option("version", "V", _N, refusal=reasons.PORTAL_SUBMITS),
    Option("wait-all-nodes", refusal=reasons.NOT_OFFERED),
    Option("wckey", refusal=reasons.OTHER_ACCOUNTING),
    Option("wrap", refusal=reasons.PORTAL_SUBMITS),
)

OPTIONS = (*CARRIED, *WITHOUT_EFFECT, *REFUSED)
