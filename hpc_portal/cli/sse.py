"""Read server-sent events: bytes of a reply become events, as the WHATWG specification parses them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerEvent:
    """One event; `id` is where to resume from when the stream breaks after it."""

    id: str
    kind: str
    data: str


def parse_events(lines: Iterable[str]) -> Iterator[ServerEvent | None]:
    """Events in order; None for a comment, which only says that the stream lives."""
    last_id, kind, data = "", "message", list[str]()
    for line in lines:
        if not line:
            if data:
                yield ServerEvent(id=last_id, kind=kind, data="\n".join(data))
            kind, data = "message", []
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match field:
            case "":
                yield None
            case "id":
                last_id = value
            case "event":
                kind = value
            case "data":
                data.append(value)
            case _:
                pass  # `retry` and fields we do not know
