"""The variables that tell every program of a job what it is, on whatever cluster it runs; pure."""

from schedulers.project_files import VARIABLE as PROJECT_FILES_VARIABLE
from schedulers.project_files import project_files_of
from schedulers.protocol import Submission

SCRIPT_NAME = "job.sh"
"""Where the portal wrote the job's script, in its workspace."""

_FIELDS_OF_SLURM = {
    "HPC_JOB_ID": "SLURM_JOB_ID",
    "HPC_JOB_NAME": "SLURM_JOB_NAME",
    "HPC_RESTART_COUNT": "SLURM_RESTART_COUNT",
    "HPC_NTASKS": "SLURM_NTASKS",
    "HPC_CPUS_PER_TASK": "SLURM_CPUS_PER_TASK",
    "HPC_MEM_PER_NODE": "SLURM_MEM_PER_NODE",
    "HPC_PARTITION": "SLURM_JOB_PARTITION",
    "HPC_ACCOUNT": "SLURM_JOB_ACCOUNT",
    "HPC_SUBMIT_DIR": "SLURM_SUBMIT_DIR",
    "HPC_ARRAY_JOB_ID": "SLURM_ARRAY_JOB_ID",
    "HPC_ARRAY_TASK_COUNT": "SLURM_ARRAY_TASK_COUNT",
    "HPC_ARRAY_TASK_MIN": "SLURM_ARRAY_TASK_MIN",
    "HPC_ARRAY_TASK_MAX": "SLURM_ARRAY_TASK_MAX",
}


def job_variables(submission: Submission) -> dict[str, str]:
    """What is the same for every run of the job; those of LSF, too, for the scripts that read them."""
    spec, asked = submission.spec, submission.spec.resources
    job_id = str(submission.job_id)
    variables = {
        "HPC_JOB_ID": job_id,
        "HPC_JOB_NAME": spec.name,
        "HPC_NTASKS": str(asked.ntasks),
        "HPC_CPUS_PER_TASK": str(asked.cpus_per_task),
        "HPC_MEM_PER_NODE": str(asked.memory_mib_per_node),
        "HPC_MEMORY_MIB": str(asked.memory_mib_per_node),
        "HPC_PARTITION": spec.partition or "",
        "HPC_ACCOUNT": spec.account or submission.project,
        "HPC_SUBMIT_DIR": submission.workspace,
        PROJECT_FILES_VARIABLE: project_files_of(submission.workspace),
        "LSB_JOBID": job_id,
        "LSB_JOBNAME": spec.name,
        "LSB_JOBINDEX": "0",
    }
    if spec.array is None:
        return variables
    ranges = spec.array.ranges
    return variables | {
        "HPC_ARRAY_JOB_ID": job_id,
        "HPC_ARRAY_TASK_COUNT": str(spec.task_count),
        "HPC_ARRAY_TASK_MIN": str(ranges[0].start),
        "HPC_ARRAY_TASK_MAX": str(ranges[-1][-1]),
    }


def as_in_slurm(variables: dict[str, str]) -> dict[str, str]:
    """The same with the names that Slurm itself gives them, for the scripts that were written for it."""
    named = {_FIELDS_OF_SLURM[name]: value for name, value in variables.items() if name in _FIELDS_OF_SLURM}
    return variables | named
