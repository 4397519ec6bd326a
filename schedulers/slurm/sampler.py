"""The part of a batch script that notes, beside the job's program, what the job uses on its node. Pure.

Slurm itself tells only totals, once a run has ended. The samples are those of a Dask node, in the same file
of the workspace: one JSON line each, `{at, cpu_percent, rss_mib, gpu_percent?, gpu_mib?}`.

The sampler is no child of the program, which may wait for all of its own. It holds none of the job's files
open, ends with the program's process, and whoever ends it before has ended nothing else. Between two samples
it waits a second longer for every 500 that have passed: some 4,000 samples in a month.
"""

_SAMPLER = r"""
hpc_sample() {  # $1: the file, $2: ends with this process, $3: GPUs as nvidia-smi names them
    trap '' HUP INT QUIT USR1 USR2
    PATH="/usr/bin:/bin:$PATH" LC_ALL=C
    local file=$1 watched=$2 gpus=$3 cgroup=$(hpc_cgroup) began=$SECONDS next=0 at now last_at line
    local cpu_ms=0 last_cpu_ms=0 mib=0
    command -v nvidia-smi || gpus=
    mkdir -p "${file%/*}"
    hpc_use  # nothing yet while the program is just being loaded: it began at 0
    hpc_now || return
    last_at=$now last_cpu_ms=$cpu_ms
    while sleep 2 && kill -0 "$watched"; do
        [ "$((SECONDS - began))" -ge "$next" ] || continue
        next=$((SECONDS - began + 2 + (SECONDS - began) / 500))
        hpc_use && hpc_now && [ "$now" -gt "$last_at" ] || continue
        [ "$cpu_ms" -ge "$last_cpu_ms" ] || cpu_ms=$last_cpu_ms  # nobody waited for a process that ended
        line=$(((cpu_ms - last_cpu_ms) * 1000 / (now - last_at)))
        printf -v line '"cpu_percent": %d.%d, "rss_mib": %d' "$((line / 10))" "$((line % 10))" "$mib"
        printf -v at '%(%s)T' -1
        printf '{"at": %d, %s%s}\n' "$at" "$line" "$(hpc_gpu_use)" >>"$file"
        last_at=$now last_cpu_ms=$cpu_ms
    done
}
hpc_now() {  # milliseconds of a clock that nobody sets
    local up rest
    read -r up rest <@PROC@/uptime && now=$((10#${up/./} * 10))
}
hpc_cgroup() {  # of the whole job on this node, with all of its steps; nothing where Slurm made none
    local path
    path=$(sed -n 's/^0::\(.*\/job_'"$SLURM_JOB_ID"'\)\/step_.*/\1/p' @PROC@/self/cgroup)
    [ -n "$path" ] && [ -r "@CGROUPS@$path/memory.stat" ] && echo "@CGROUPS@$path"
}
hpc_use() {
    local name value bytes=0 files hz page
    if [ -n "$cgroup" ]; then
        while read -r name value; do
            [ "$name" != usage_usec ] || cpu_ms=$((value / 1000))
        done <"$cgroup/cpu.stat"
        while read -r name value; do
            case $name in anon|shmem) bytes=$((bytes + value)) ;; esac
        done <"$cgroup/memory.stat"
        mib=$((bytes / 1048576))
        return
    fi
    files=$(grep -lzx "SLURM_JOB_ID=$SLURM_JOB_ID" @PROC@/[0-9]*/environ)
    files=$(grep -lzx "SLURMD_NODENAME=$SLURMD_NODENAME" $files)  # several nodes may be one machine
    files=${files/"@PROC@/$BASHPID/environ"/}
    [ -n "${files//[[:space:]]/}" ] || return
    hz=$(getconf CLK_TCK) page=$(getconf PAGESIZE)
    read -r cpu_ms mib < <(cat ${files//environ/stat} | awk -v hz="$hz" -v page="$page" '
        sub(/^.*\) /, "") { ticks += $12 + $13 + $14 + $15; pages += $22 }
        END { printf "%d %d\n", ticks * 1000 / hz, pages * page / 1048576 }')
}
hpc_gpu_use() {  # the mean of how busy they are, and their memory in use together
    local busy mib total=0 used=0 count=0
    [ -n "$gpus" ] || return
    while IFS=', ' read -r busy mib; do
        case $busy$mib in ''|*[!0-9]*) continue ;; esac
        total=$((total + busy)) used=$((used + mib)) count=$((count + 1))
    done < <(timeout -s KILL 10 nvidia-smi --id="$gpus" --query-gpu=utilization.gpu,memory.used \
        --format=csv,noheader,nounits)
    [ "$count" = 0 ] || printf ', "gpu_percent": %d, "gpu_mib": %d' "$((total / count))" "$used"
}
"""


def sampler(samples: str, *, proc: str = "/proc", cgroups: str = "/sys/fs/cgroup") -> str:
    """Lines of bash that start it and go on at once; it ends with the process of the script itself.

    Args:
        samples: the file's path as a word of the shell.
        proc: where the kernel tells of processes; plain, as the next.
        cgroups: where cgroup v2 is mounted; without it the job's processes are added up.
    """
    functions = _SAMPLER.lstrip().replace("@PROC@", proc).replace("@CGROUPS@", cgroups)
    return f"""{functions}\
(hpc_sample {samples} "$$" "${{CUDA_VISIBLE_DEVICES:-}}" </dev/null >/dev/null 2>&1 &)
unset -f hpc_sample hpc_now hpc_cgroup hpc_use hpc_gpu_use
"""
