"""Reads the values of options: counts, GPUs, licences, arrays, signals, file names, variables. Pure."""

import re
from collections.abc import Iterator
from itertools import pairwise

from schedulers.errors import InvalidJobSpec
from schedulers.jobspec import MAX_ARRAY_TASKS, ArraySpec, MailOn, SignalTarget, WarningSignal
from schedulers.units import parse_memory_mib, parse_walltime

_COUNT = re.compile(r"^\+?(\d{1,9})$", re.ASCII)
_NODES = re.compile(r"^(\d{1,6})([km]?)(?:-(\d{1,6})([km]?))?$", re.IGNORECASE | re.ASCII)
_INDICES = re.compile(r"^(\d{1,7})(?:-(\d{1,7})(?::(\d{1,7}))?)?$", re.ASCII)
_SIGNAL = re.compile(r"^(?:([RB]+):)?(?:SIG)?([A-Z0-9]+)(?:@(\d{1,5}))?$", re.IGNORECASE | re.ASCII)
_PATTERN = re.compile(r"%(\d*)(.?)", re.DOTALL)
_SUFFIX = {"": 1, "k": 1024, "m": 1024**2}
_SIGNAL_NUMBERS = {"1": "HUP", "2": "INT", "10": "USR1", "12": "USR2", "15": "TERM"}
_DEFAULT_SIGNAL_SECONDS = 60
_DEFAULT_NICE = 100


def count(text: str) -> int:
    """A whole number above 0, as `--ntasks` takes it."""
    match = _COUNT.match(text)
    if match is None or not int(match[1]):
        raise InvalidJobSpec("count", "%(text)r is not a whole number above 0", text=text)
    return int(match[1])


def nodes(text: str) -> int:
    """`4`, `2-2` or `1k`; a range of different counts has no price."""
    match = _NODES.match(text)
    if match is None:
        raise InvalidJobSpec("nodes", "%(text)r is not a number of nodes", text=text)
    least = int(match[1]) * _SUFFIX[match[2].lower()]
    most = int(match[3]) * _SUFFIX[match[4].lower()] if match[3] else least
    if least != most:
        raise InvalidJobSpec(
            "nodes",
            "%(text)s may become few nodes or many, and the price is held before: give one number",
            text=text,
        )
    return least


def gpus(text: str) -> dict[str, int]:
    """`2`, `h100`, `h100:2` or `h100:2,l40s:1`, by type; "" is any type."""
    counts: dict[str, int] = {}
    for item in text.split(","):
        name, separator, number = item.strip().rpartition(":")
        if not separator:
            name, number = ("", number) if number.isdecimal() else (number, "1")
        if not number.isdecimal() or not number.isascii() or (separator and not name):
            raise InvalidJobSpec("gpus_per_node", "%(text)r is not like 2 or h100:2", text=text)
        counts[name] = counts.get(name, 0) + int(number)
    return {name: amount for name, amount in counts.items() if amount}


def gres(text: str) -> dict[str, int]:
    """`gpu`, `gpu:2`, `gpu:h100:2` or `gpu=2`, several with commas; `none` takes them all back."""
    if text.lower() == "none":
        return {}
    counts: dict[str, int] = {}
    for item in text.split(","):
        name, _, rest = item.strip().removeprefix("gres/").replace("=", ":").partition(":")
        if name != "gpu":
            raise InvalidJobSpec(
                "gpus_per_node",
                "The portal accounts for no generic resource %(name)r, only for gpu",
                name=name,
            )
        for gpu_type, amount in gpus(rest or "1").items():
            counts[gpu_type] = counts.get(gpu_type, 0) + amount
    return counts


def licenses(text: str) -> dict[str, int]:
    """`vcs:2,primetime` or `vcs=2`; one each where no number stands."""
    counts: dict[str, int] = {}
    for item in text.split(","):
        name, _, number = item.strip().replace("=", ":").partition(":")
        if not name or (number and not number.isdecimal()):
            raise InvalidJobSpec("licenses", "%(text)r is not like vcs:1,dc:2", text=text)
        counts[name] = counts.get(name, 0) + int(number or 1)
    return counts


def memory(text: str) -> int:
    """MiB; 0, which means all that the node has, has no price."""
    mib = parse_memory_mib(text)
    if not mib:
        raise InvalidJobSpec("memory", "0 takes all of a node's memory, which has no price: give a size")
    return mib


def walltime(text: str) -> int:
    """Seconds; a job without an end has no price."""
    if text.upper() in {"0", "-1", "INFINITE", "UNLIMITED"}:
        raise InvalidJobSpec("walltime", "A job without a time limit has no price: give a time")
    days, dash, clock = text.partition("-")
    return parse_walltime(f"{days}-0" if dash and not clock else text)


def array(text: str) -> ArraySpec:
    """Array indices in any order, overlapping or not, in the rising order that ArraySpec keeps."""
    members, percent, throttle = text.replace(" ", "").partition("%")
    ranges = sorted(_ranges(members), key=lambda found: (found.start, found[-1]))
    if any(left[-1] >= right.start for left, right in pairwise(ranges)):
        if sum(map(len, ranges)) > MAX_ARRAY_TASKS:
            raise InvalidJobSpec(
                "array", "%(text)r has more tasks than %(most)s", text=text, most=MAX_ARRAY_TASKS
            )
        ranges = list(_runs(sorted({index for found in ranges for index in found})))
    return ArraySpec(expression=",".join(map(_written, ranges)) + (f"%{throttle}" if percent else ""))


def _ranges(members: str) -> Iterator[range]:
    for part in members.split(","):
        match = _INDICES.match(part)
        if match is None:
            raise InvalidJobSpec(
                "array", "%(part)r is not an index or a range such as 0-99 or 0-99:2", part=part
            )
        found = range(int(match[1]), int(match[2] or match[1]) + 1, int(match[3] or 1) or 1)
        if not found:
            raise InvalidJobSpec("array", "%(part)r is empty", part=part)
        yield found


def _runs(indices: list[int]) -> Iterator[range]:
    first = last = indices[0]
    for index in indices[1:]:
        if index != last + 1:
            yield range(first, last + 1)
            first = index
        last = index
    yield range(first, last + 1)


def _written(members: range) -> str:
    if len(members) == 1:
        return str(members.start)
    return f"{members.start}-{members[-1]}" + (f":{members.step}" if members.step > 1 else "")


def warning_signal(text: str) -> WarningSignal:
    """`[B:]USR1[@120]`: a name or number, and so many seconds before the end."""
    match = _SIGNAL.match(text)
    if match is None:
        raise InvalidJobSpec("warning_signal", "%(text)r is not like USR1@120 or B:USR1@120", text=text)
    flags = (match[1] or "").upper()
    if "R" in flags:
        raise InvalidJobSpec(
            "warning_signal", "The portal sends no signal for a reservation that comes near (R)"
        )
    name = _SIGNAL_NUMBERS.get(match[2], match[2].upper())
    if name not in _SIGNAL_NUMBERS.values():
        raise InvalidJobSpec(
            "warning_signal",
            "The portal sends USR1, USR2, TERM, INT or HUP before the end, not %(name)s",
            name=name,
        )
    return WarningSignal(
        name=f"SIG{name}",
        seconds_before_end=int(match[3] or _DEFAULT_SIGNAL_SECONDS),
        target=SignalTarget.SCRIPT if "B" in flags else SignalTarget.STEPS,
    )


def exclusive(text: str | None) -> bool:
    """Whole nodes; sharing them within a user or a group is not offered."""
    if text is not None:
        raise InvalidJobSpec(
            "exclusive", "The portal offers whole nodes only, not --exclusive=%(text)s", text=text
        )
    return True


def one_name(text: str) -> str:
    """Of partitions and reservations: sbatch takes several, but only one has a price."""
    if "," in text:
        raise InvalidJobSpec(
            "partition", "%(text)s are several, and each may have its own price: name one", text=text
        )
    return text


def mail_types(text: str) -> tuple[MailOn, ...]:
    """`END,FAIL`, `ALL` or `NONE`."""
    wanted: set[MailOn] = set()
    for word in text.upper().split(","):
        match word.strip():
            case "NONE":
                wanted.clear()
            case "ALL":
                wanted.update(MailOn)
            case "BEGIN" | "END" | "FAIL" as kind:
                wanted.add(MailOn(kind.lower()))
            case other:
                raise InvalidJobSpec(
                    "mail_on",
                    "The portal sends mail at BEGIN, END, FAIL or ALL, not at %(other)s",
                    other=other,
                )
    return tuple(sorted(wanted))


def nice(text: str | None) -> int:
    """How much to lower the priority: 100 when no number is given."""
    if text is None:
        return _DEFAULT_NICE
    if not re.fullmatch(r"-?\d{1,10}", text, re.ASCII):
        raise InvalidJobSpec("nice", "%(text)r is not a whole number", text=text)
    if int(text) < 0:
        raise InvalidJobSpec("nice", "Only the cluster's administrators may raise a priority")
    return int(text)


def output_file(text: str) -> str:
    """A relative path with patterns that the portal can fill in before the job runs."""
    if text in {"none", "/dev/null"}:
        raise InvalidJobSpec(
            "stdout_path", "The portal keeps what a job prints; redirect it within the script instead"
        )
    if text.startswith("/"):
        raise InvalidJobSpec(
            "stdout_path", "%(text)r is outside the job's own folder: give a relative path", text=text
        )
    if "\\" in text:
        raise InvalidJobSpec(
            "stdout_path", "%(text)r: a backslash in a file's name is not supported", text=text
        )
    for match in _PATTERN.finditer(text):
        if not match[2] or match[2] not in "jAaxub%":
            raise InvalidJobSpec(
                "stdout_path",
                "%(pattern)s is not known before the job runs, and the portal must know where its files are. "
                "Use %%j, %%A, %%a, %%b, %%x or %%u.",
                pattern=match[0],
            )
    return text


def folder(text: str) -> str:
    """A relative path: each job has a folder of its own and sees no other."""
    if text.startswith("/"):
        raise InvalidJobSpec(
            "working_directory",
            "%(text)r is outside the job's own folder: give a relative path, or cd within the script",
            text=text,
        )
    return text


def variables(text: str) -> dict[str, str]:
    """`ALL`, `NONE` or `NIL`, and `NAME=value` after commas; quotes group a value that holds commas."""
    found: dict[str, str] = {}
    for item in _outside_quotes(text):
        name, equals, value = item.partition("=")
        if equals:
            found[name] = value
        elif name and name.upper() not in {"ALL", "NONE", "NIL"}:
            raise InvalidJobSpec(
                "environment",
                "The portal does not see the variables of your shell: write %(name)s=value",
                name=name,
            )
    return found


def _outside_quotes(text: str) -> Iterator[str]:
    item, quote = "", ""
    for char in text:
        if quote:
            item, quote = (item, "") if char == quote else (item + char, quote)
        elif char in "\"'":
            quote = char
        elif char == ",":
            yield item
            item = ""
        else:
            item += char
    yield item
