"""Reads bsub's -R, `select[...] rusage[...] span[...]`, in the forms that designers' scripts use. Pure."""

import re
from collections.abc import Iterator, Sequence

from schedulers.directives import bsub_values, reasons, values
from schedulers.directives.getopt import Option
from schedulers.errors import InvalidJobSpec

_SECTION = re.compile(r"\s*([a-z]+)\s*\[([^\[\]]*)\]", re.IGNORECASE)
_FEATURE = re.compile(r"^[A-Za-z][A-Za-z0-9_.-]*$", re.ASCII)
_AVAILABLE = re.compile(r"^(?:mem|maxmem)\s*>=?\s*(\w+)$")
_ANY_HOST = re.compile(r"^type\s*==\s*(?:any|local|X86_64|LINUX86_64)$", re.IGNORECASE)
_GPU_NAMES = ("ngpus", "ngpus_physical", "ngpus_excl_p", "ngpus_excl_t")

MEMORY = Option("R", key="memory_per_node", field="resources.memory_mib_per_node", read=bsub_values.size)
NODES = Option("R", key="nodes", field="resources.nodes", read=values.nodes)
TASKS = Option("R", key="ntasks_per_node", field="resources.ntasks_per_node", read=values.count)
GPUS = Option("R", key="gpus_per_node", field="resources.gpus_per_node", read=values.gpus)
LICENSES = Option("R", key="licenses", field="resources.licenses", read=values.licenses)
FEATURES = Option("R", key="constraint", field="constraint")
NO_EFFECT = Option("R", note=reasons.PORTAL_CHOOSES)

Part = tuple[Option, str]


def read(text: str) -> Sequence[Part]:
    """One part for each thing that the resource string asks for.

    Raises:
        InvalidJobSpec: a form that the portal has no field for.
    """
    parts: list[Part] = []
    for section, content in _sections(text):
        match section:
            case "select":
                parts += _select(content)
            case "rusage":
                parts += _rusage(content)
            case "span":
                parts.append(_span(content))
            case "order":
                parts.append((NO_EFFECT, content))
            case _:
                raise InvalidJobSpec(
                    "resources", "The portal does not know %(section)s[...]", section=section
                )
    return parts


def _sections(text: str) -> Iterator[tuple[str, str]]:
    """A resource string without a section name is a selection."""
    place = 0
    while match := _SECTION.match(text, place):
        yield match[1].lower(), match[2].strip()
        place = match.end()
    rest = text[place:].strip()
    if rest and (place or "[" in rest or "]" in rest):
        raise InvalidJobSpec("resources", "%(text)r is not like rusage[mem=4GB] span[hosts=1]", text=text)
    if rest:
        yield "select", rest


def _select(content: str) -> Iterator[Part]:
    """Memory that a host must have, and names of features; `&&` and `||` are & and | of a constraint."""
    features = []
    for item in (part.strip() for part in content.split("&&")):
        if match := _AVAILABLE.match(item):
            yield MEMORY, match[1]
        elif _ANY_HOST.match(item):
            yield NO_EFFECT, item
        else:
            choices = [choice.strip() for choice in item.strip("() ").split("||")]
            if not all(map(_FEATURE.match, choices)):
                raise InvalidJobSpec("constraint", "The portal cannot select hosts by %(item)r", item=item)
            features.append("|".join(choices) if len(choices) == 1 else f"({'|'.join(choices)})")
    if features:
        yield FEATURES, "&".join(features)


def _rusage(content: str) -> Iterator[Part]:
    """Memory on each host, GPUs, and any other name as a licence feature."""
    if "||" in content or ":" in content:
        raise InvalidJobSpec(
            "resources", "The portal holds everything for the whole job: leave out duration, decay and ||"
        )
    licenses = []
    for item in content.split(","):
        name, _, amount = (part.strip() for part in item.partition("="))
        if not name or not amount:
            raise InvalidJobSpec("resources", "%(item)r is not like mem=4GB", item=item)
        if name == "mem":
            yield MEMORY, amount
        elif name in _GPU_NAMES:
            yield GPUS, amount
        elif name in {"swp", "tmp", "ut", "r1m", "r15m", "pg"}:
            raise InvalidJobSpec("resources", "The portal has no resource %(name)r", name=name)
        else:
            licenses.append(f"{name}:{amount}")
    if licenses:
        yield LICENSES, ",".join(licenses)


def _span(content: str) -> Part:
    name, _, amount = (part.strip() for part in content.partition("="))
    match name, amount:
        case "hosts", "1":
            return NODES, "1"
        case "ptile", _ if amount.isdecimal():
            return TASKS, amount
        case _:
            raise InvalidJobSpec(
                "resources", "The portal knows span[hosts=1] and span[ptile=N], not %(item)r", item=content
            )
