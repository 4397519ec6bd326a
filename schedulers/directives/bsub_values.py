"""Reads the values of bsub's options: memory, times, GPUs, hosts, file names, arrays. Pure."""

import re
from collections.abc import Sequence
from datetime import datetime, timedelta

from schedulers.directives import dependencies, values
from schedulers.directives.circumstances import Circumstances
from schedulers.directives.getopt import Option
from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import Dependency
from schedulers.units import parse_memory_mib

_NAME = re.compile(r"^([^\[\]]*)(?:\[([^\[\]]+)\](%\d+)?)?$")
_WALLTIME = re.compile(r"^(?:(\d{1,5}):)?(\d{1,7})$", re.ASCII)
_SIZE = re.compile(r"^(\d{1,15}(?:\.\d{1,9})?)\s*([KMGT]?)B?$", re.IGNORECASE | re.ASCII)
_BEGIN = re.compile(r"^(?:(?:(?:(\d{4}):)?(\d{1,2}):)?(\d{1,2}):)?(\d{1,2}):(\d{2})$", re.ASCII)
_CONDITION = re.compile(r"^(done|ended|exit)\s*\(\s*\"?([^()\"]+?)\"?\s*\)$|^\"?([^()\"]+)\"?$")
_KINDS = {"done": "afterok", "ended": "afterany", "exit": "afternotok"}

NAME = Option("J", key="name", field="name")
ARRAY = Option("J", key="array", field="array", read=values.array)


def name_and_array(text: str) -> Sequence[tuple[Option, str]]:
    """`sim[1-100]%10` is a name and an array; either may be missing."""
    match = _NAME.match(text)
    if match is None or not text:
        raise InvalidJobSpec("name", "%(text)r is not like name or name[1-100]%%10", text=text)
    found = [(NAME, match[1])] if match[1] else []
    return [*found, (ARRAY, match[2] + (match[3] or ""))] if match[2] else found


def one_queue(text: str) -> str:
    """LSF chooses among several queues; only one has a price."""
    if len(text.split()) != 1:
        raise InvalidJobSpec(
            "partition", "%(text)s are several, and each may have its own price: name one", text=text
        )
    return text


def slots(text: str) -> int:
    """`4`; a range of different counts has no price."""
    least, _, most = text.partition(",")
    if most and most != least:
        raise InvalidJobSpec(
            "ntasks",
            "%(text)s may become few slots or many, and the price is held before: give one number",
            text=text,
        )
    return values.count(least)


def walltime(text: str) -> int:
    """`90` are minutes and `1:30` hours and minutes, unlike with sbatch."""
    match = _WALLTIME.match(text)
    seconds = (int(match[1] or 0) * 60 + int(match[2])) * 60 if match else 0
    if not seconds:
        raise InvalidJobSpec("walltime", "%(text)r is not minutes or hours:minutes", text=text)
    return seconds


def memory_limit(text: str) -> int:
    """MiB in a limit, whose plain number is KiB (LSF_UNIT_FOR_LIMITS=KB, the default)."""
    return size(text, default_unit="K")


def size(text: str, *, default_unit: str = "M") -> int:
    """MiB in `4000`, `4G`, `4GB` or `1.5GB`; a fraction of a MiB is rounded up."""
    match = _SIZE.match(text)
    if match is None:
        raise InvalidJobSpec("memory", "%(text)r is not a size such as 4000 or 4GB", text=text)
    if "." not in match[1]:
        return max(1, parse_memory_mib(match[1] + (match[2] or default_unit)))
    kib = (
        float(match[1])
        * parse_memory_mib("1G")
        * {"K": 1, "M": 2**10, "G": 2**20, "T": 2**30}[(match[2] or default_unit).upper()]
    )
    return max(1, -int(-kib // 2**20))


def gpus(text: str) -> dict[str, int]:
    """`num=2:gmodel=h100`, on each host; whether a GPU is shared is not asked: here it never is."""
    number, model = 1, ""
    for item in [] if text == "-" else text.split(":"):
        name, _, value = item.partition("=")
        match name.strip():
            case "num":
                number = values.count(value)
            case "gmodel":
                model = value.lower()
            case "mode" | "j_exclusive":
                pass
            case "mps" if value.startswith("no"):
                pass
            case _:
                raise InvalidJobSpec("gpus_per_node", "The portal does not know %(item)r of -gpu", item=item)
    return {model: number}


def hosts(text: str) -> tuple[str, ...]:
    """One host. Of several LSF would choose, and the portal asks for all that are named."""
    names = text.split()
    if len(names) != 1 or "+" in names[0] or "!" in names[0]:
        raise InvalidJobSpec(
            "nodelist",
            "bsub would choose among %(text)s; the portal takes all named nodes: name one",
            text=text,
        )
    return (names[0],)


def output_file(text: str) -> str:
    """%J is the job and %I the array task; a folder gets a file for each job."""
    path = f"{text}%J.out" if text.endswith("/") else text
    return values.output_file(
        re.sub(r"%(\d*)([JI])", lambda m: f"%{m[1]}{'j' if m[2] == 'J' else 'a'}", path)
    )


def variables(text: str) -> dict[str, str]:
    """`all, NAME=value` or `none`."""
    return values.variables(",".join(part.strip() for part in text.split(",")))


def begin_at(text: str, circumstances: Circumstances) -> datetime:
    """`[[[year:]month:]day:]hour:minute`; what is left out is the next that comes."""
    match = _BEGIN.match(text)
    problem = InvalidJobSpec("begin_at", "%(text)r is not a time such as 20:00 or 12:31:20:00", text=text)
    if match is None:
        raise problem
    try:
        return _next(circumstances.now, *(int(part) if part else None for part in match.groups()))
    except ValueError as error:
        raise problem from error


def _next(  # noqa: PLR0913, PLR0917 - the parts of a time
    now: datetime,
    year: int | None,
    month: int | None,
    day: int | None,
    hour: int | None,
    minute: int | None,
) -> datetime:
    found = now.replace(
        year=year or now.year,
        month=month or now.month,
        day=day or now.day,
        hour=hour or 0,
        minute=minute or 0,
        second=0,
        microsecond=0,
    )
    if found > now or year:
        return found
    if month:
        return found.replace(year=now.year + 1)
    if day:
        return found.replace(year=now.year + now.month // 12, month=now.month % 12 + 1)
    return found + timedelta(days=1)


def condition(text: str, circumstances: Circumstances) -> tuple[Dependency, ...]:
    """`done(ID) && ended(ID)`; by name is refused, for many jobs may have one name."""
    if "||" in text or "!" in text:
        raise InvalidJobSpec(
            "dependencies", "The portal waits for all conditions: || and ! are not supported"
        )
    found = []
    for part in text.split("&&"):
        match = _CONDITION.match(part.strip())
        if match is None:
            raise InvalidJobSpec(
                "dependencies",
                "The portal waits with done(ID), ended(ID) or exit(ID), not %(text)r",
                text=part.strip(),
            )
        job = match[2] or match[3]
        if circumstances.resolve(job) is None:
            raise InvalidJobSpec(
                "dependencies",
                "The portal waits for a job's id, not for its name %(name)r: several jobs may have it. "
                "Submit with --after and the id that the first job got.",
                name=job,
            )
        found.append(f"{_KINDS[match[1] or 'done']}:{job}")
    return dependencies.read(",".join(found), circumstances)
