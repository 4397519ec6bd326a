"""What a terminal would show of a program's output in the end: escapes gone, overwritten text gone."""

import re

_ESCAPE = re.compile(
    rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]*[0-~])|\x1b", re.DOTALL
)
"""ECMA-48: control sequences, strings (titles, links) that end, and what else may follow an ESC."""


def without_escapes(content: bytes) -> bytes:
    """Plain text of whole lines; their number stays."""
    if b"\r" in content:
        content = content.replace(b"\r\n", b"\n")
    if b"\r" in content:
        content = b"\n".join(map(last_state, content.split(b"\n")))
    return _ESCAPE.sub(b"", content) if b"\x1b" in content else content


def plain_text(line: str) -> str:
    """The same of one line that was read already."""
    return without_escapes(line.encode()).decode() if "\x1b" in line else line


def last_state(line: bytes) -> bytes:
    """A carriage return starts a line over: of a progress bar its last state is left."""
    if b"\r" not in line:
        return line
    return line.rstrip(b"\r").rpartition(b"\r")[2]
