"""A document is refused with the line, the key, what is wrong and what would be right."""

import re

import pytest

from workloads.errors import InvalidSiteTemplate
from workloads.site.read_document import read_document
from workloads.site.template import SiteTemplate

GOOD = """\
name = "simulate"
title = { vi = "Mô phỏng", en = "Simulate" }
summary = { vi = "Chạy một bộ mô phỏng.", en = "Run a simulator." }

script = '''
mkdir -p logs
sim -top {{top}} {{defines}} > logs/run.log
'''

[tool]
modules = ["sim/1.0"]
commands = ["sim"]

[licences]
Sim = 1

[resources]
cpus = 2

[resources.memory_mib]
base = 1024
each = { defines = 256 }

[parameters.top]
type = "word"
title = { vi = "Đỉnh", en = "Top" }
default = "tb"

[parameters.defines]
type = "list"
items = "text"
title = { vi = "Định nghĩa", en = "Defines" }
prefix = "+define+"
default = []

[parameters.mode]
type = "choice"
access = "hidden"
title = { vi = "Chế độ", en = "Mode" }
choices = ["a", "b"]
default = "b"

[results]
log = "logs/run.log"
pass = ['^PASSED$']
fail = ['^ERROR']

[results.metrics]
cycles = { pattern = 'cycles=(\\d+)' }
"""


def problems(text: str) -> list[str]:
    """Each as `line: key: what`."""
    with pytest.raises(InvalidSiteTemplate) as refused:
        read_document(text, source="sim.toml")
    assert str(refused.value).startswith("sim.toml")
    return [f"{one.place}: {one.field}: {one.message}" for one in refused.value.problems]


def line(text: str, start: str) -> int:
    return next(number for number, one in enumerate(text.splitlines(), start=1) if one.startswith(start))


def test_the_good_document_is_good() -> None:
    template = SiteTemplate(read_document(GOOD), version=3, locale="vi")
    assert (template.name, template.title, template.version) == ("simulate", "Mô phỏng", 3)
    spec = template.render(template.validate({"defines": ["A", "B=1"]}))
    assert spec.environment["PARAM_DEFINES"] == "A\nB=1"
    assert spec.environment["PARAM_MODE"] == "b"
    assert (spec.resources.cpus_per_task, spec.resources.memory_mib_per_node) == (2, 1536)
    assert spec.resources.licenses == {"Sim": 1}


@pytest.mark.parametrize(
    ("old", "new", "at", "key", "says"),
    [
        ('name = "simulate"', 'name = "Simulate It"', "name", "name", "it must match"),
        (', en = "Simulate" }', " }", "title", "title.en", "missing"),
        (
            'type = "word"',
            'type = "string"',
            "type = ",
            "parameters.top.type",
            "Choose one of boolean, choice",
        ),
        ('default = "tb"', 'default = "t b"', "default = ", "parameters.top.default", "default is wrong"),
        ('default = "tb"', 'defualt = "tb"', "defualt", "parameters.top.defualt", "no such key"),
        (
            'default = "b"',
            'default = "c"',
            'default = "c"',
            "parameters.mode.default",
            "none of the choices: a, b",
        ),
        ("cpus = 2", 'cpus = "many"', "cpus", "resources.cpus", "valid dictionary"),
        (
            "each = { defines",
            "each = { tests",
            "each",
            "resources.memory_mib.each",
            "tests cannot be counted",
        ),
        ("['^PASSED$']", "['PASS(?=ED)']", "pass", "results.pass.0", "Look-around"),
        ("(\\d+)", "\\d+", "cycles", "results.metrics.cycles.pattern", "round brackets"),
        ("pass = ['^PASSED$']", "", "[results]", "results", "how a success is told"),
        ("Sim = 1", '"a b" = 1', '"a b"', "licences.a b", "it must match"),
        ("{{top}}", "{{topp}}", "sim", "script", "There is no parameter topp"),
        ("{{top}}", '"{{top}}"', "sim", "script", "without quotes around it"),
        ("{{top}}", "$PARAM_TOP", "sim", "script", "never as $PARAM_NAME"),
        ("sim -top {{top}}", "eval sim {{top}}", "eval", "script", "eval would read values as commands"),
        ("sim -top {{top}}", "bash -c sim {{top}}", "bash -c", "script", "would read values as commands"),
        ("sim -top {{top}}", "[[ {{top}} -eq 3 ]]", "[[ ", "script", "may be any text"),
        ("sim -top {{top}}", "if true; sim {{top}}", "'''", "script", "Bash cannot read this"),
        ("sim -top {{top}}", "cat <<E\n{{top}}\nE", "{{top}}", "script", "$::env(PARAM_TOP) in Tcl"),
    ],
)
def test_a_mistake_is_named_with_its_line(old: str, new: str, at: str, key: str, says: str) -> None:
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    found = problems(text)
    expected = line(text, at)
    assert found[0].startswith(f"{expected}: {key}: "), found[0]
    assert says in found[0]


def test_what_is_no_toml_is_named_with_its_line() -> None:
    assert problems('name = "x"\ntitle = {\n')[0].startswith("2: document: This is not TOML: ")


def test_every_mistake_is_told_at_once() -> None:
    text = GOOD.replace('name = "simulate"', 'name = "S"').replace("cpus = 2", "cpus = -1")
    assert [re.split(": ", one)[1] for one in problems(text)] == ["name", "resources.cpus.base"]


def test_what_nobody_can_change_is_refused_from_a_form() -> None:
    locked = SiteTemplate(
        read_document(GOOD.replace('default = "tb"', 'default = "tb"\naccess = "locked"')), version=1
    )
    assert locked.render(locked.validate({"top": "tb"})).environment["PARAM_TOP"] == "tb"
    with pytest.raises(Exception, match="fixed this"):
        locked.validate({"top": "other"})
    with pytest.raises(Exception, match="mode"):
        locked.validate({"mode": "a"})


def test_its_script_is_edited_only_where_the_document_says_so() -> None:
    fixed = SiteTemplate(read_document(GOOD), version=1)
    assert (fixed.script_to_edit(), bool(fixed.fixed_script)) == ("", True)
    allowed = read_document(GOOD.replace("\nscript =", "\nscript_may_be_edited = true\nscript =", 1))
    template = SiteTemplate(allowed, version=2)
    assert template.fixed_script == ""
    assert template.script_to_edit() == template.render(template.validate({})).script
