"""Verilog text as tokens: comments, attributes and compiler directives are left out."""

import re

from workloads.gpu.kernels.design_error import DesignError

_TOKEN = re.compile(
    r"""
      (?P<skip>     \s+ | //[^\n]* | /\*.*?\*/ | \(\*.*?\*\) | `[^\n]* )
    | (?P<escaped>  \\[^\s]+ )
    | (?P<name>     [A-Za-z_][\w$]* )
    | (?P<constant> \d+\s*'\s*[sS]?[bBhHdDoO]\s*[0-9a-fA-FxXzZ_?]+ | \d+ )
    | (?P<mark>     [(){}\[\],;:.=] )
    """,
    re.VERBOSE | re.DOTALL,
)
_LARGEST_INTEGER = 10_000_000


class Tokens:
    """A cursor over the tokens of one text."""

    def __init__(self, text: str) -> None:
        self._tokens: list[tuple[str, str, int]] = []
        self._at = 0
        position, line = 0, 1
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise DesignError(f"{text[position]!r} has no place in a structural netlist", line=line)
            if match.lastgroup != "skip":
                self._tokens.append((match.lastgroup or "", re.sub(r"\s", "", match[0]), line))
            line += match[0].count("\n")
            position = match.end()

    @property
    def is_at_end(self) -> bool:
        """Whether all tokens are taken."""
        return self._at == len(self._tokens)

    @property
    def line(self) -> int:
        """Where the next token stands; at the end, the last one."""
        return self._tokens[min(self._at, len(self._tokens) - 1)][2] if self._tokens else 1

    def peek(self) -> str:
        """The next token; empty at the end. An escaped name equals no keyword: it keeps its backslash."""
        return "" if self.is_at_end else self._tokens[self._at][1]

    def take(self) -> str:
        """The next token."""
        if self.is_at_end:
            raise DesignError("the text ends in the middle of a module", line=self.line)
        self._at += 1
        return self._tokens[self._at - 1][1]

    def accept(self, token: str) -> bool:
        """Take the next token if it is this one."""
        if self.peek() != token:
            return False
        self._at += 1
        return True

    def expect(self, token: str) -> None:
        """Take this token."""
        if not self.accept(token):
            raise DesignError(f"{self.peek() or 'the end'!r} where {token!r} must stand", line=self.line)

    def name(self) -> str:
        """Take a name, without the backslash of an escaped one."""
        if self.is_at_end or self._tokens[self._at][0] not in ("name", "escaped"):
            raise DesignError(f"{self.peek() or 'the end'!r} where a name must stand", line=self.line)
        return self.take().removeprefix("\\")

    def integer(self) -> int:
        """Take a plain number."""
        if not re.fullmatch(r"\d{1,8}", self.peek()) or int(self.peek()) > _LARGEST_INTEGER:
            raise DesignError(f"{self.peek() or 'the end'!r} where an index must stand", line=self.line)
        return int(self.take())
