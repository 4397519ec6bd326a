"""The design that a chip-design form takes: source files by path, and words that tools read as names."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

from schedulers.jobspec import InputFile
from workloads.scripts import shipped
from workloads.template import N_

_SOURCE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*\.(sv|v|svh|vh)")
_PYTHON = re.compile(r"([A-Za-z_][A-Za-z0-9_]*/)*[A-Za-z_][A-Za-z0-9_]*\.py")
_LONGEST_PATH = 255
_COMPILED = (".sv", ".v")


def _source_path(path: str) -> str:
    if not _SOURCE.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(
            N_(
                "a source needs a relative path of letters, digits and _ . + - "
                "that ends in .sv, .v, .svh or .vh"
            )
        )
    return path


def _bench_path(path: str) -> str:
    return path if _PYTHON.fullmatch(path) and len(path) <= _LONGEST_PATH else _source_path(path)


def written_as(pattern: str, sentence: str) -> AfterValidator:
    """Refuse a text that does not match the whole pattern, in a sentence that is marked for translation."""
    compiled_pattern = re.compile(pattern)

    def check(text: str) -> str:
        if not compiled_pattern.fullmatch(text):
            raise ValueError(sentence)
        return text

    return AfterValidator(check)


SourcePath = Annotated[str, AfterValidator(_source_path)]
BenchPath = Annotated[str, AfterValidator(_bench_path)]
"""A source, or a Python module for cocotb: `test_fifo.py`, `benches/axi.py`."""
SourceText = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024 * 1024)]
Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)]
"""An identifier of Verilog, Tcl and SPICE alike: it can be nothing else in any of them."""
PythonModule = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$", max_length=200)
]
Define = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(=[A-Za-z0-9_'.]*)?$", max_length=128)
]


def compiled(sources: Mapping[str, str]) -> list[str]:
    """Paths of the files that a tool compiles, in their order; the others are for `include only."""
    return [path for path in sources if path.endswith(_COMPILED)]


def design_files(sources: Mapping[str, str], example: Mapping[str, str]) -> tuple[InputFile, ...]:
    """The sources under design/; when there are none those of `example`, shipped path by path."""
    texts = sources or {path: shipped(origin) for path, origin in example.items()}
    return tuple(InputFile(path=f"design/{path}", content=text) for path, text in texts.items())


def lines_file(path: str, lines: list[str]) -> InputFile:
    """One item a line, for a script to read; no item may hold a newline."""
    return InputFile(path=path, content="".join(f"{line}\n" for line in lines))
