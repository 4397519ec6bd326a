"""Reads sbatch's --constraint: an expression over the features of a node. Pure."""

import re
from collections.abc import Callable
from collections.abc import Set as AbstractSet

from schedulers.errors import InvalidJobSpec

_WORD = re.compile(r"\s*([A-Za-z0-9_.:=+-]+(?:\*\d+)?|[&|,()\[\]])")

_DEEPEST = 3
"""Brackets in brackets; sbatch itself takes `[...]` around `(...)`."""

Check = Callable[[AbstractSet[str]], bool]


def require(expression: str) -> None:
    """Refuse an expression that is not well formed.

    Raises:
        InvalidJobSpec: it is not.
    """
    _parse(expression)


def is_met(expression: str, features: AbstractSet[str]) -> bool:
    """Whether one node with these features may be among the job's nodes.

    `*2` (so many nodes with the feature) and the brackets of "all nodes alike" are no matter of one node:
    a node serves if it meets the alternatives somehow.
    """
    return _parse(expression)(features)


def _parse(expression: str) -> Check:
    words = _tokens(expression)
    check = _alternatives(words, expression)
    if words:
        raise _malformed(expression)
    return check


def _tokens(expression: str) -> list[str]:
    found, place, depth = [], 0, 0
    text = expression.rstrip()
    while place < len(text):
        match = _WORD.match(text, place)
        if match is not None:
            depth += (match[1] in "([") - (match[1] in ")]")
        if match is None or depth > _DEEPEST:
            raise _malformed(expression)
        found.append(match[1])
        place = match.end()
    found.reverse()
    return found


def _alternatives(words: list[str], expression: str) -> Check:
    checks = [_conjunction(words, expression)]
    while words and words[-1] == "|":
        words.pop()
        checks.append(_conjunction(words, expression))
    return lambda features: any(check(features) for check in checks)


def _conjunction(words: list[str], expression: str) -> Check:
    """Counted features (`a*2&b*2`) are different nodes' matter: each node needs one of them."""
    plain: list[Check] = []
    counted: list[Check] = []
    while True:
        is_counted = bool(words) and "*" in words[-1]
        (counted if is_counted else plain).append(_term(words, expression))
        if not words or words[-1] not in {"&", ","}:
            break
        words.pop()
    return lambda features: (
        all(check(features) for check in plain) and (not counted or any(check(features) for check in counted))
    )


def _term(words: list[str], expression: str) -> Check:
    word = words.pop() if words else ""
    closing = {"(": ")", "[": "]"}.get(word)
    if closing:
        check = _alternatives(words, expression)
        if not words or words.pop() != closing:
            raise _malformed(expression)
        return check
    if not word or word in "&|,)]":
        raise _malformed(expression)
    name = word.partition("*")[0]
    return lambda features: name in features


def _malformed(expression: str) -> InvalidJobSpec:
    return InvalidJobSpec(
        "constraint", "%(text)r is not an expression such as a100&nvlink or [rack1|rack2]", text=expression
    )
