"""One waveform as the reading process knows it: its header, its scopes and signals, windows of time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any, TypeVar

from pywellen import Var, Waveform

from hpc_portal.app.files import wave_bounds as bounds
from hpc_portal.app.files.wave_end import last_time
from hpc_portal.app.files.wave_values import Radix, Shape, SignalKind, Value, show, visible
from hpc_portal.app.files.wave_window import Changes, cut_window, look_at

T = TypeVar("T")
_NO_SIGNALS = ("Parameter",)
_SIGNALS_READ_FOR_THE_END = 4096
_LONGEST_LINE = 200


_NOTHING: dict[str, Any] = {
    "kind": "",
    "width": 0,
    "points": [],
    "value": None,
    "state": "",
    "since": None,
    "until": None,
    "sampled": [],
}
"""Of a signal that the file does not have, or that is too wide."""


@dataclass(frozen=True, slots=True)
class _Cut:
    """A window as asked for, within our bounds."""

    begin: int
    end: int
    columns: int
    at: int
    samples: int

    @property
    def sampled_at(self) -> list[int]:
        steps = max(1, self.samples - 1)
        return [self.begin + (self.end - self.begin) * step // steps for step in range(self.samples)]


class NotReadable(Exception):
    """The library makes nothing of the file."""


class WaveFile:
    """A file that is open; what is read of it once is kept."""

    def __init__(self, descriptor: int) -> None:
        """Read its header.

        Raises:
            NotReadable: see there.
        """
        self._descriptor = descriptor
        self._waves = _read(lambda: Waveform(f"/dev/fd/{descriptor}", multi_threaded=False))

    def header(self) -> dict[str, Any]:
        """What the file says of itself; times are in ticks of `factor` `unit`."""
        scale = self._waves.timescale
        return {
            "format": str(self._waves.file_format),
            "factor": int(scale.factor) if scale else 1,
            "unit": str(scale.unit) if scale else "",
            "end": self._end,
            "signals": len(self._variables),
            "version": visible((self._waves.version or "").strip())[:_LONGEST_LINE],
        }

    def entries(self, *, scope: str, search: str, after: int, limit: int) -> dict[str, Any]:
        """Of a scope its scopes and then its signals, or all signals whose names have these words.

        `after` as the last answer gave it; 0 begins.
        """
        words = search.casefold().split()
        found = list(islice(self._found(words) if words else self._inside(scope), after, after + limit + 1))
        return {"items": found[:limit], "next": after + limit if len(found) > limit else None}

    def window(  # noqa: PLR0913 - which signals, which part of the time, and how finely
        self,
        *,
        signals: Sequence[tuple[str, str]],
        begin: int,
        end: int | None,
        columns: int,
        at: int | None,
        samples: int,
    ) -> dict[str, Any]:
        """What signals do in a part of the time, each with how its values are written.

        `end` None is the file's end. `at`: a time at which values are told exactly; None is `begin`. So many
        `samples` of the values are told beside, evenly over the window. A name that the file does not have is
        answered without points.
        """
        begin = max(0, min(begin, bounds.MOST_TIME - 1))
        end = max(begin + 1, min(self._end if end is None else end, bounds.MOST_TIME))
        at = begin if at is None else max(0, min(at, bounds.MOST_TIME))
        columns = max(1, min(columns, bounds.MOST_COLUMNS, bounds.MOST_POINTS // (2 * len(signals) or 1)))
        cut = _Cut(begin, end, columns, at, samples)
        drawn = [self._drawn(name, Radix(radix), cut) for name, radix in signals]
        return {"begin": begin, "end": end, "at": at, "sampled_at": cut.sampled_at, "signals": drawn}

    def _drawn(self, name: str, radix: Radix, cut: _Cut) -> dict[str, Any]:
        facts: dict[str, Any] = {"name": name, "label": visible(name), "radix": radix.value}
        variable = self._by_name.get(name)
        shape = shape_of(variable) if variable is not None else None
        if variable is None or shape is None or shape.width > bounds.MOST_WIDTH:
            return facts | _NOTHING
        changes = self._changes(variable)
        now = look_at(changes, cut.at)
        value, state = _written(now.value, shape, radix)
        return facts | {
            "kind": shape.kind.value,
            "width": shape.width,
            "points": [
                (point.time, *_written(point.value, shape, radix))
                for point in cut_window(changes, cut.begin, cut.end, cut.columns)
            ],
            "value": value,
            "state": state,
            "since": now.since,
            "until": now.until,
            "sampled": [_written(look_at(changes, time).value, shape, radix)[0] for time in cut.sampled_at],
        }

    def _found(self, words: Sequence[str]) -> Iterator[dict[str, Any]]:
        for name, variable in self._by_name.items():
            if all(word in name.casefold() for word in words):
                yield _signal(name, variable)

    def _inside(self, scope: str) -> Iterator[dict[str, Any]]:
        inner = self._waves if not scope else self._scopes.get(scope)
        if inner is None:
            return
        for one in inner.scopes():
            yield {
                "is_scope": True,
                "name": one.full_name,
                "label": visible(one.name),
                "kind": "",
                "width": 0,
            }
        for variable in inner.vars():
            if variable.var_type not in _NO_SIGNALS:
                yield _signal(variable.full_name, variable)

    def _changes(self, variable: Var) -> Changes:
        changes: Changes = _read(lambda: variable.signal)
        return changes

    @cached_property
    def _variables(self) -> list[Var]:
        found = [one for one in self._waves.all_vars() if one.var_type not in _NO_SIGNALS]
        if len(found) > bounds.MOST_VARIABLES:
            raise MemoryError
        return found

    @cached_property
    def _by_name(self) -> Mapping[str, Var]:
        """Of several with one name the first."""
        return {one.full_name: one for one in reversed(self._variables)}

    @cached_property
    def _scopes(self) -> Mapping[str, Any]:
        return {one.full_name: one for one in reversed(self._waves.all_scopes())}

    @cached_property
    def _end(self) -> int:
        end = last_time(self._descriptor, str(self._waves.file_format))
        if end is None:
            read = (self._changes(one) for one in self._variables[:_SIGNALS_READ_FOR_THE_END])
            end = max((changes[len(changes) - 1][0] for changes in read if len(changes)), default=0)
        return max(1, min(end, bounds.MOST_TIME))


def shape_of(variable: Var) -> Shape:
    """What a variable's values are, from what the file declares."""
    width = variable.bitwidth or 0
    labels = {
        int(bits, 2): label for bits, label in (variable.enum_type or ("", ()))[1] if set(bits) <= {"0", "1"}
    }
    if variable.var_type == "Event":
        return Shape(SignalKind.EVENT, 0)
    if variable.is_real:
        return Shape(SignalKind.REAL, 0)
    if variable.is_string or not width:
        return Shape(SignalKind.TEXT, 0)
    if width == 1 and not labels:
        return Shape(SignalKind.BIT, 1)
    return Shape(SignalKind.BITS, width, labels)


def _signal(name: str, variable: Var) -> dict[str, Any]:
    shape = shape_of(variable)
    label = variable.name
    return {
        "is_scope": False,
        "name": name,
        "label": visible(label),
        "kind": shape.kind.value,
        "width": shape.width,
    }


def _written(value: Value | None, shape: Shape, radix: Radix) -> tuple[str | None, str]:
    if value is None:
        return None, ""
    shown = show(value, shape, radix)
    return shown.text, shown.state


def _read(deed: Callable[[], T]) -> T:
    """What the library answers; its panics are no `Exception`.

    Raises:
        NotReadable: it made nothing of the file.
        MemoryError: there was not enough.
    """
    try:
        return deed()
    except (MemoryError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise NotReadable(str(error)) from error
