"""A path into a JSON document: names and indices only, such as `fmax.clk.achieved` or `paths[0].slack`."""

import re

_STEP = re.compile(r"""\.?([A-Za-z_][A-Za-z0-9_-]*)|\[(\d{1,9})\]|\["([^"\]]{1,200})"\]""")


class JsonPath:
    """One path."""

    __slots__ = ("_steps",)

    def __init__(self, text: str) -> None:
        """Read it.

        Raises:
            ValueError: what of it cannot be read.
        """
        steps: list[str | int] = []
        rest = text.removeprefix("$")
        while rest:
            found = _STEP.match(rest)
            if found is None:
                raise ValueError(f'{rest!r} is neither a name, [number] nor ["name"]')
            name, index, quoted = found.groups()
            steps.append(int(index) if index is not None else name or quoted)
            rest = rest[found.end() :]
        if not steps:
            raise ValueError("it names nothing")
        self._steps = tuple(steps)

    def find(self, document: object) -> object:
        """What lies there; None when nothing does."""
        place = document
        for step in self._steps:
            match place, step:
                case dict(), str():
                    place = place.get(step)
                case list(), int() if step < len(place):
                    place = place[step]
                case _:
                    return None
        return place
