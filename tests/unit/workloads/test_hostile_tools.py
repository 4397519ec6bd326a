"""No parameter becomes Tcl, a Yosys command, a SPICE line or an option: hostile texts by language."""

import re
from typing import Any

import pytest

from tests.unit.workloads.hostile import TEXTS
from tests.unit.workloads.test_hostile import nested, render
from workloads.catalog import CATALOG
from workloads.forms import FormField, form_fields

TOOLS = (
    "lint",
    "formal",
    "synthesis",
    "place-and-route",
    "layout-check",
    "layout-rules",
    "spice",
    "fpga",
    "vhdl",
    "characterisation",
)
TCL = (
    "[exec touch INJECTED]",
    "$env(HOME)",
    "a;exec touch INJECTED",
    "{*}[exec id]",
    '"',
    "a\\\nexec id",
    "# a",
)
YOSYS = ("!touch INJECTED", "a; shell touch INJECTED", "-p shell", "@a", "a %u", "<<EOT")
SPICE = (
    ".control",
    "a\n.control\nshell touch INJECTED\n.endc",
    "tt\n+ a=1",
    "{system}",
    "'1'",
    "a=1 b=`id`",
    '.include "/etc/passwd"',
    "1k;",
    "1e400",
    "0x10",
)
OPTIONS = ("--exe x.cpp", "-CFLAGS -x", "+incdir+/etc", "-f /etc/passwd", "-y /", "--Mdir /tmp")
CORPUS = (*TCL, *YOSYS, *SPICE, *OPTIONS, *TEXTS)
OWN_FILES = ("design/", "liberty/", "vhdl/pass.txt")
"""What a user uploads is his own text, as a script is; what grep -F looks for is read by nothing else."""
COMMANDS = re.compile(r"[\[\]$;|&<>*?!#\\{}~\x00-\x08\x0b-\x1f\x7f]")
"""What begins, ends or joins commands in bash, Tcl, Yosys or SPICE; a quote alone opens none of our lines."""

FIELDS = [
    pytest.param(name, field, id=f"{name}:{field.name}")
    for name in TOOLS
    for field in form_fields(CATALOG[name].parameters)
    if field.name != "name"
]


def written(name: str, raw: dict[str, Any]) -> dict[str, str]:
    """The files that the template itself writes for its tools, and its variables; {} when refused."""
    spec = render(name, raw)
    if spec is None:
        return {}
    files = {one.path: one.content for one in spec.inputs if not one.path.startswith(OWN_FILES)}
    return files | spec.environment


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_nothing_that_a_tool_reads_as_a_command_comes_from_a_parameter(name: str, field: FormField) -> None:
    usual = written(name, {})
    for text in CORPUS:
        for path, content in written(name, nested(field, text)).items():
            if content == usual[path]:
                continue
            assert not COMMANDS.search(content), f"{text!r} in {path}"
            assert not re.search(r"^[-.@%]", content, re.MULTILINE), f"{text!r} begins a line of {path}"


@pytest.mark.parametrize("name", TOOLS)
def test_programs_that_travel_with_the_job_are_the_same_for_all(name: str) -> None:
    params = {
        "spice": {"supply": "other"},
        "characterisation": {"library": "other"},
        "layout-check": {"checks": "lvs"},
    }.get(name, {"top": "other"})
    usual, other = written(name, {}), written(name, {"resources": {"cpus": 3}, **params})
    programs = [path for path in usual if path.endswith((".tcl", ".awk"))]
    assert {path: other[path] for path in programs} == {path: usual[path] for path in programs}
