"""Requests to pages as nobody's browser would send them: hostile values in every place, and broken bodies."""

import inspect
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus
from uuid import UUID

from fastapi import FastAPI
from fastapi.dependencies.utils import get_flat_params
from fastapi.params import Query
from fastapi.routing import APIRoute
from hypothesis import strategies as st

import hpc_portal.web

Pairs = Sequence[tuple[str, str]]

MARKUP = "<script>zq7</script>"
IN_AN_ATTRIBUTE = '" zq7="'
NEVER_ECHOED = (MARKUP, IN_AN_ATTRIBUTE, "<img src=x onerror=zq7>")
"""None of these is in a page as it was sent: that would be markup of whoever sent it."""

HOSTILE = (
    *("", " ", "\0", "\x07\x1b[31m", "\r\nX-Evil: 1\r\n\r\n", "\ud800", "\u202egpj.exe", "\ufeff", "e\u0301"),
    *(
        MARKUP,
        IN_AN_ATTRIBUTE,
        '"><img src=x onerror=zq7>',
        "' OR 1=1 --",
        "{{ 7 * 7 }}",
        "%s%n",
        "%(x)s",
        "{x}",
    ),
    *(
        "../../etc/passwd",
        "/etc/passwd",
        "//evil.example/",
        "\\\\evil",
        "https://evil.example/",
        "javascript:1",
    ),
    *(
        "-1",
        "0",
        "1",
        "9" * 400,
        str(2**31),
        str(2**63),
        str(-(2**63) - 1),
        "1e400",
        "1e9",
        "NaN",
        "-Infinity",
    ),
    *(
        "1_000",
        "٣",
        "１２",  # noqa: RUF001 - digits of another alphabet are what is tried
        "²",
        "½",
        "1.5",
        "1,5",
        "1.250.000",
        "0x10",
        "true",
        "on",
        "null",
        "[]",
        "{}",
        "[[[[",
    ),
    *("0001-01-01", "9999-12-31", "0000-00-00", "2026-02-30", "0001-01", "9999-12", "0000-01", "2026-13"),
    *(
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-12:00",
        "2026-12-01T00:00",
        "24:00:00",
        "-1-00:00:00",
    ),
    *(
        "99999999-00:00:00",
        ",",
        ";",
        ":",
        "=",
        "&",
        "a@b",
        "a@b.vn, , c@d.vn",
        "gpu:h100",
        "gres/gpu:",
        "license/vcs",
    ),
    *(str(UUID(int=0)), "x" * 300, "😀" * 70, "x" * 1_000_000, "\n" * 5_000),
)
NAMES = (
    *(
        "",
        "\0",
        MARKUP,
        "__proto__",
        "x" * 3_000,
        "amount.",
        "amount.VND",
        "each.VND",
        "id",
        "next",
        "parameters",
    ),
    *(
        "walltime",
        "resources.nodes",
        "resources.memory_mib",
        "array",
        "begin_at",
        "inputs.a",
        "file.inputs.",
        "cursor",
    ),
)
"""Of fields that no template names in full, or no page has."""
_WORD = re.compile(r'"([a-z][A-Za-z_.]{1,30})"')
_FIELD = re.compile(r' name="([A-Za-z_.]+)"')
_IMPORT = re.compile(r"^from (hpc_portal\.web\.\w+) import", re.MULTILINE)
_TEMPLATES = Path(hpc_portal.web.__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Page:
    """One route of the pages."""

    method: str
    path: str
    query: Sequence[str]
    """The names that it declares."""
    words: Sequence[str]
    """Names of fields that its module may read."""

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Hostile:
    """What is sent; `places` of the path are replaced, other values come after what would go through."""

    places: dict[str, str]
    query: Pairs
    fields: Pairs
    changed: Sequence[tuple[int, str]]
    """Other values of fields that would go through, by their number."""
    left_out: Sequence[int]
    """Which of the fields that would go through are not sent, by their number."""
    body: str
    """How the fields are sent; one of BODIES."""
    language: str
    is_fragment: bool


def pages_of(app: FastAPI) -> list[Page]:
    """Every route that is not of the API, as the router has it."""
    found = [page for page in _walk(app.routes, "") if not page.path.startswith(("/api/", "/static"))]
    assert len(found) > 100, "the walk over the router found too little to be true"
    return found


def _walk(routes: Iterable[Any], prefix: str) -> Iterator[Page]:
    for route in routes:
        if hasattr(route, "original_router"):
            yield from _walk(route.original_router.routes, prefix + route.include_context.prefix)
        elif isinstance(route, APIRoute) and route.endpoint.__module__.startswith("hpc_portal.web"):
            query = [
                one.alias for one in get_flat_params(route.dependant) if isinstance(one.field_info, Query)
            ]
            words = sorted(_words(route.endpoint.__module__))
            for method in sorted((route.methods or set()) - {"HEAD", "OPTIONS"}):
                yield Page(method, prefix + route.path, query, words)


@cache
def _words(module: str) -> frozenset[str]:
    """What it and what it imports of the pages name, of all fields that some form has."""
    source = inspect.getsource(sys.modules[module])
    near = [source, *(inspect.getsource(sys.modules[one]) for one in _IMPORT.findall(source))]
    return frozenset(word for text in near for word in _WORD.findall(text)) & _fields()


@cache
def _fields() -> frozenset[str]:
    texts = (one.read_text() for one in _TEMPLATES.rglob("*.html"))
    return frozenset(name for text in texts for name in _FIELD.findall(text))


def hostile(page: Page) -> st.SearchStrategy[Hostile]:
    """Requests to this page."""
    value = st.sampled_from(HOSTILE) | st.sampled_from(HOSTILE) | st.text(max_size=40)
    parameters = re.findall(r"{(\w+)(?::\w+)?}", page.path)
    places = st.dictionaries(st.sampled_from(parameters), value, max_size=1) if parameters else st.just({})
    known = st.sampled_from(page.query) if page.query else st.sampled_from(page.words or NAMES)
    name = known | known | st.sampled_from(page.words or NAMES) | st.sampled_from(NAMES)
    field = (
        st.sampled_from(page.words or NAMES) | st.sampled_from(page.words or NAMES) | st.sampled_from(NAMES)
    )
    return st.builds(
        Hostile,
        places=st.just({}) | st.just({}) | places,
        query=st.lists(st.tuples(name, value), max_size=4),
        fields=st.lists(st.tuples(field, value), max_size=5) if page.method != "GET" else st.just([]),
        changed=st.lists(st.tuples(st.integers(0, 15), value), max_size=2),
        left_out=st.lists(st.integers(0, 15), max_size=2),
        body=st.sampled_from([*(["form"] * 8), *BODIES]),
        language=st.sampled_from(["vi", "en"]),
        is_fragment=st.sampled_from([False, False, True]),
    )


def encoded(pairs: Pairs) -> str:
    """As a form sends them; half of a surrogate pair becomes bytes that are no UTF-8."""
    return "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in pairs)


def _quoted(text: str) -> str:
    return quote_plus(text.encode(errors="surrogatepass"))


def body_of(kind: str, pairs: Pairs) -> tuple[bytes, str]:  # noqa: PLR0911 - one for each kind
    """The body, and what its content type says."""
    match kind:
        case "form":
            return encoded(pairs).encode(), "application/x-www-form-urlencoded"
        case "multipart" | "cut":
            whole = b"".join(map(_part, pairs)) + b"--zq7--\r\n"
            return (whole if kind == "multipart" else whole[: len(whole) * 2 // 3]), _MULTIPART
        case "files":
            return b"".join(_part(pair, b'; filename="a.v"') for pair in pairs) + b"--zq7--\r\n", _MULTIPART
        case "without boundary":
            return encoded(pairs).encode(), "multipart/form-data"
        case "garbage":
            return b"--zq7\r\n\xff\xfe: \x00\r\n\r\n--zq7x", _MULTIPART
        case "many":
            return encoded([*pairs, *[("x", "1")] * 2_000]).encode(), "application/x-www-form-urlencoded"
        case "raw":
            raw = "&".join(f"{name}={value}" for name, value in pairs)
            return raw.encode(
                errors="replace"
            ) + b"&%ff=%zz", "application/x-www-form-urlencoded; charset=utf-7"
        case "json":
            return b'{"a": [1', "application/json"
        case _:
            return encoded(pairs).encode(), "text/plain"


BODIES = ("form", "multipart", "cut", "files", "without boundary", "garbage", "many", "raw", "json", "text")
_MULTIPART = "multipart/form-data; boundary=zq7"


def _part(pair: tuple[str, str], more: bytes = b"") -> bytes:
    name, value = (text.encode(errors="surrogatepass") for text in pair)
    about = b'content-disposition: form-data; name="' + name.replace(b'"', b"%22") + b'"' + more
    return b"--zq7\r\n" + about + b"\r\n\r\n" + value + b"\r\n"
