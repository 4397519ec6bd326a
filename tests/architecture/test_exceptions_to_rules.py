"""Where a rule of security is switched off for a line, the line says why."""

import re

from scripts.write_docs import PACKAGES, ROOT

_OFF = re.compile(r"# noqa: (?P<rules>[A-Z0-9, ]+?)(?P<reason> - .+)?$")


def test_every_exception_to_a_security_rule_has_its_reason() -> None:
    bare = [
        f"{path.relative_to(ROOT)}:{number}"
        for folder in (*PACKAGES, "scripts")
        for path in (ROOT / folder).rglob("*.py")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1)
        if (found := _OFF.search(line))
        and any(re.fullmatch(r"S\d+", rule) for rule in found["rules"].split(", "))
        and not found["reason"]
    ]
    assert bare == []
