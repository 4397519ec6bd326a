"""The syntax of Liberty: groups with attributes, read into a tree."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from workloads.gpu.kernels.design_error import DesignError

_TOKEN = re.compile(
    r"""
      (?P<skip>   \s+ | \\\r?\n | /\*.*?\*/ | //[^\n]* )
    | (?P<string> "(?:[^"\\]|\\.)*" )
    | (?P<mark>   [{}();:,] )
    | (?P<word>   (?:[^\s{}();:,"/\\]|/(?![/*]))+ )
    """,
    re.VERBOSE | re.DOTALL,
)
_DEEPEST = 32


@dataclass
class Group:
    """`kind (arguments) { ... }`."""

    kind: str
    arguments: tuple[str, ...]
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    """`name : value;`; of two with one name the last counts."""
    lists: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """`name (value, ...);`"""
    groups: list["Group"] = field(default_factory=list)

    def of(self, kind: str) -> list["Group"]:
        """The groups directly inside that are of this kind."""
        return [group for group in self.groups if group.kind == kind]


def read_liberty(text: str) -> Group:
    """The `library` group.

    Raises:
        DesignError: this is no Liberty.
    """
    root = Group("file", (), 1)
    stack = [root]
    tokens = _Tokens(text)
    while tokens.next is not None:
        word, line = tokens.take()
        if word == "}":
            if len(stack) == 1:
                raise DesignError("a } closes nothing", line=line)
            stack.pop()
        elif word != ";":
            _read_statement(tokens, stack, word, line)
    if len(stack) > 1:
        raise DesignError(f"the group {stack[-1].kind} is never closed", line=stack[-1].line)
    if [group.kind for group in root.groups] != ["library"]:
        raise DesignError("a Liberty file holds one library group and nothing else")
    return root.groups[0]


def _read_statement(tokens: "_Tokens", stack: list[Group], name: str, line: int) -> None:
    mark, _ = tokens.take()
    if mark == ":":
        value = []
        while tokens.next is not None and tokens.next[0] not in (";", "}"):
            value.append(_plain(tokens.take()[0]))
        stack[-1].attributes[name] = " ".join(value)
        return
    if mark != "(":
        raise DesignError(f"{mark!r} after {name!r}, where : or ( must stand", line=line)
    arguments = []
    while (word := tokens.take()[0]) != ")":
        if word != ",":
            arguments.append(_plain(word))
    if tokens.next is None or tokens.next[0] != "{":
        stack[-1].lists[name] = tuple(arguments)
        return
    tokens.take()
    if len(stack) > _DEEPEST:
        raise DesignError("groups are nested too deeply", line=line)
    group = Group(name, tuple(arguments), line)
    stack[-1].groups.append(group)
    stack.append(group)


def _plain(token: str) -> str:
    return re.sub(r"\\\r?\n", " ", token[1:-1]) if token.startswith('"') else token


class _Tokens:
    """Tokens with their lines, one of them seen ahead."""

    def __init__(self, text: str) -> None:
        self._rest = self._split(text)
        self.next = next(self._rest, None)

    def take(self) -> tuple[str, int]:
        """The next token and its line."""
        if self.next is None:
            raise DesignError("the file ends in the middle of a statement")
        taken, self.next = self.next, next(self._rest, None)
        return taken

    @staticmethod
    def _split(text: str) -> Iterator[tuple[str, int]]:
        position, line = 0, 1
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise DesignError(f"{text[position]!r} has no meaning in Liberty", line=line)
            if match.lastgroup != "skip":
                yield match[0], line
            line += match[0].count("\n")
            position = match.end()
