"""The files that turn a Debian root into our test cluster: text from a few numbers, no I/O."""

from dataclasses import dataclass

CLUSTER = "danang"
HOST = "slurmhost"
"""What the machine calls itself inside the instance's own UTS namespace."""
NODES = ("gpu01", "gpu02", "eda01", "eda02")
GPUS_PER_NODE = 8
PORTS_PER_INSTANCE = 1 + 3 + len(NODES)
"""A guard that marks the block as taken, slurmctld, slurmdbd, slurmrestd, and one slurmd for each node."""

CGROUPS = "/run/cgroup"
"""Where the nodes find the memory controller: a cgroup of the instance's own, mounted by the keeper."""
JWT_KEY = "/etc/slurm/jwt_hs256.key"
REST_SOCKET = "/run/slurmrestd/slurmrestd.sock"


@dataclass(frozen=True)
class Ports:
    """The TCP ports of one instance: a block of `PORTS_PER_INSTANCE` from `guard` on."""

    guard: int

    @property
    def slurmctld(self) -> int:
        """Where commands, slurmrestd and the nodes find the controller."""
        return self.guard + 1

    @property
    def slurmdbd(self) -> int:
        """Where the controller, sacct and sacctmgr find accounting."""
        return self.guard + 2

    @property
    def slurmrestd(self) -> int:
        """Where the portal finds the REST API."""
        return self.guard + 3

    def slurmd(self, node: str) -> int:
        """Where the controller finds a node."""
        return self.guard + 4 + NODES.index(node)


_LIMIT_BY_CGROUP = """\
TaskPlugin=task/cgroup
"""
_LIMIT_BY_SAMPLING = """\
TaskPlugin=task/none
JobAcctGatherParams=OverMemoryKill
"""


def slurm_conf(ports: Ports, *, has_memory_cgroup: bool) -> str:
    """slurm.conf(5). Nodes claim more than the machine has, and nothing needs systemd.

    Without a memory cgroup Slurm samples and kills, which it does not call OUT_OF_MEMORY but FAILED (0:9).
    """
    memory_limit = _LIMIT_BY_CGROUP if has_memory_cgroup else _LIMIT_BY_SAMPLING
    return f"""\
ClusterName={CLUSTER}
SlurmctldHost={HOST}(127.0.0.1)
SlurmctldPort={ports.slurmctld}
SlurmUser=slurm
StateSaveLocation=/var/lib/slurm/slurmctld
SlurmdSpoolDir=/var/spool/slurmd/%n
SlurmctldPidFile=/run/slurm/slurmctld.pid
SlurmdPidFile=/run/slurm/slurmd-%n.pid

AuthType=auth/munge
# A requeued job waits until its old credential has expired: 120 s by default.
AuthInfo=cred_expire=20
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={JWT_KEY}

AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports.slurmdbd}
AccountingStorageEnforce=associations,limits,qos,safe
AccountingStorageTRES=gres/gpu,gres/gpu:h100,gres/gpu:l40s,license/vcs,license/primetime
# Without job_comment the portal could not find its own jobs in slurmdbd.
AccountingStoreFlags=job_comment,job_script

ProctrackType=proctrack/linuxproc
MpiDefault=none
MailProg=/bin/true
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
{memory_limit}

SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerType=sched/backfill
SchedulerParameters=bf_interval=5,bf_continue
PriorityType=priority/multifactor
PriorityWeightQOS=1000
PriorityWeightAge=1000
# The same for everybody: without it all priorities are 1, and a nice value cannot lower that.
PriorityWeightPartition=10000
MaxArraySize=20001
MaxJobCount=50000
MinJobAge=300
KillWait=5
ReturnToService=2
# So long a crowded machine may keep a node's daemon from answering before its jobs are lost.
SlurmdTimeout=120
SlurmdParameters=config_overrides

GresTypes=gpu
Licenses=vcs:4,primetime:2
DefMemPerCPU=1024

# The heavier a node, the later it is taken: jobs without GPUs leave those that have them free.
NodeName=gpu01 NodeHostname={HOST} NodeAddr=127.0.0.1 Port={ports.slurmd("gpu01")} CPUs=64 \
RealMemory=512000 Gres=gpu:h100:8 Feature=gpu,h100,infiniband Weight=10
NodeName=gpu02 NodeHostname={HOST} NodeAddr=127.0.0.1 Port={ports.slurmd("gpu02")} CPUs=64 \
RealMemory=512000 Gres=gpu:h100:4,gpu:l40s:4 Feature=gpu,h100,l40s,infiniband Weight=10
NodeName=eda01 NodeHostname={HOST} NodeAddr=127.0.0.1 Port={ports.slurmd("eda01")} CPUs=128 \
RealMemory=1024000 Feature=eda,icelake
NodeName=eda02 NodeHostname={HOST} NodeAddr=127.0.0.1 Port={ports.slurmd("eda02")} CPUs=128 \
RealMemory=1024000 Feature=eda,genoa

PartitionName=short Nodes=ALL Default=YES DefaultTime=00:30:00 MaxTime=04:00:00
PartitionName=gpu Nodes=gpu[01-02] DefaultTime=01:00:00 MaxTime=2-00:00:00
PartitionName=eda Nodes=eda[01-02] DefaultTime=01:00:00 MaxTime=7-00:00:00
"""


def cgroup_conf(*, has_memory_cgroup: bool) -> str:
    """cgroup.conf(5)."""
    if not has_memory_cgroup:
        return "CgroupPlugin=disabled\n"
    return f"""\
CgroupPlugin=cgroup/v1
CgroupMountpoint={CGROUPS}
ConstrainRAMSpace=yes
"""


def gres_conf() -> str:
    """gres.conf(5). Slurm wants a device file for each GPU; the keeper makes them, of /dev/null."""
    return """\
AutoDetect=off
NodeName=gpu01 Name=gpu Type=h100 File=/dev/nvidia[0-7]
NodeName=gpu02 Name=gpu Type=h100 File=/dev/nvidia[0-3]
NodeName=gpu02 Name=gpu Type=l40s File=/dev/nvidia[4-7]
"""


def slurmdbd_conf(ports: Ports) -> str:
    """slurmdbd.conf(5). MariaDB knows the user slurm by the socket, so there is no password."""
    return f"""\
DbdHost={HOST}
DbdAddr=127.0.0.1
DbdPort={ports.slurmdbd}
SlurmUser=slurm
PidFile=/run/slurm/slurmdbd.pid
AuthType=auth/munge
AuthAltTypes=auth/jwt
AuthAltParameters=jwt_key={JWT_KEY}
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct_db
"""


def hosts() -> str:
    """Names for /etc: without them look-ups stall the daemons."""
    return f"127.0.0.1 localhost {HOST} {' '.join(NODES)}\n"
