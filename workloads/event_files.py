"""Scalars of TensorBoard event files, read without TensorBoard, also while they are being written.

The format: TFRecord (tensorflow/core/lib/io/record_writer.h) around Event messages
(tensorflow/core/util/event.proto). Checksums are not verified: what cannot be read ends the file.
"""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_LENGTH = struct.Struct("<Q")
_AROUND = 4
"""Bytes of the checksum behind the length, and of the one behind the record."""
_LARGEST_RECORD = 1024 * 1024
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_EVENT_STEP, _EVENT_SUMMARY = 2, 5
_SUMMARY_VALUE = 1
_VALUE_TAG, _VALUE_SIMPLE, _VALUE_TENSOR = 1, 2, 8
_TENSOR_TYPE, _TENSOR_CONTENT, _TENSOR_FLOATS = 1, 4, 5
_FLOAT32 = 1
_LONGEST_TAG = 200


@dataclass(frozen=True, slots=True)
class Scalar:
    """One point of a curve."""

    tag: str
    step: int
    value: float


def is_event_file(name: str) -> bool:
    """Whether TensorBoard would read a file of this name."""
    return "tfevents" in name


def read_scalars(content: bytes) -> list[Scalar]:
    """The finite scalars in the order in which they were written; what is no event file has none."""
    found: list[Scalar] = []
    try:
        for record in _records(content):
            found.extend(_scalars(record))
    except _Broken:
        pass
    return found


class _Broken(Exception):
    """The bytes end early, or are no protocol buffer."""


def _records(content: bytes) -> Iterator[bytes]:
    at = 0
    while at + _LENGTH.size + _AROUND <= len(content):
        (length,) = _LENGTH.unpack_from(content, at)
        start = at + _LENGTH.size + _AROUND
        at = start + length + _AROUND
        if length > _LARGEST_RECORD or at > len(content):
            return
        yield content[start : start + length]


def _scalars(event: bytes) -> Iterator[Scalar]:
    step, summaries = 0, []
    for number, value in _fields(event):
        if number == _EVENT_STEP and isinstance(value, int):
            step = value
        elif number == _EVENT_SUMMARY and isinstance(value, bytes):
            summaries.append(value)
    for summary in summaries:
        for number, value in _fields(summary):
            if number == _SUMMARY_VALUE and isinstance(value, bytes):
                yield from _scalar(value, step)


def _scalar(message: bytes, step: int) -> Iterator[Scalar]:
    tag, found = "", None
    for number, value in _fields(message):
        if not isinstance(value, bytes):
            continue
        if number == _VALUE_TAG:
            tag = value.decode("utf-8", errors="replace")[:_LONGEST_TAG]
        elif number == _VALUE_SIMPLE and len(value) == 4:  # noqa: PLR2004 - a float's bytes
            found = _float(value)
        elif number == _VALUE_TENSOR:
            found = _of_tensor(value)
    if found is not None and math.isfinite(found) and tag and step < 2**63:
        yield Scalar(tag, step, found)


def _of_tensor(message: bytes) -> float | None:
    """The only element of a float tensor; None for any other, such as an image or a text."""
    kind, content = 0, b""
    for number, value in _fields(message):
        if number == _TENSOR_TYPE and isinstance(value, int):
            kind = value
        elif number in (_TENSOR_CONTENT, _TENSOR_FLOATS) and isinstance(value, bytes):
            content += value
    return _float(content) if kind == _FLOAT32 and len(content) == 4 else None  # noqa: PLR2004 - a float's bytes


def _float(content: bytes) -> float:
    return float(struct.unpack("<f", content)[0])


def _fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """Field numbers with their values: varints as numbers, everything else as bytes."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            value, at = _varint(message, at)
            yield key >> 3, value
            continue
        if kind == _BYTES:
            length, at = _varint(message, at)
        elif kind in (_FIXED64, _FIXED32):
            length = 8 if kind == _FIXED64 else 4
        else:
            raise _Broken
        if at + length > len(message):
            raise _Broken
        yield key >> 3, message[at : at + length]
        at += length


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            raise _Broken
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the highest bit says that more bytes follow
            return value, at
    raise _Broken
