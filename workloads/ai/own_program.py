"""The program that a form takes: a person's own files, which of them starts, and with what arguments."""

import re
from collections.abc import Collection, Mapping
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

from schedulers.jobspec import InputFile
from workloads.errors import FieldProblem
from workloads.scripts import shipped
from workloads.template import N_

FOLDER = "program"
"""Where the files lie in a job's workspace."""
_FILE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*")
_LONGEST_PATH = 255


def _file_path(path: str) -> str:
    if not _FILE.fullmatch(path) or len(path) > _LONGEST_PATH:
        raise ValueError(N_("a file needs a relative path of letters, digits and _ . + -"))
    return path


FilePath = Annotated[str, AfterValidator(_file_path)]
FileText = Annotated[str, StringConstraints(strip_whitespace=False, max_length=1024 * 1024)]
Argument = Annotated[str, Field(max_length=4096, pattern=r"^[^\x00-\x1f\x7f]*$")]
NodePath = Annotated[str, Field(max_length=1024, pattern=r"^/[^\x00-\x1f\x7f]+$")]
"""An absolute path on the nodes."""
ProgramPath = Annotated[
    str,
    Field(
        max_length=1024,
        pattern=r"^(/[^\x00-\x1f\x7f]+|[A-Za-z0-9_][A-Za-z0-9_.+-]*(/[A-Za-z0-9_][A-Za-z0-9_.+-]*)*)$",
        title=N_("Program"),
        description=N_(
            "One of the files, or an absolute path on the nodes. .py is run by Python, .sh by bash, others "
            "by themselves."
        ),
    ),
]
"""Which file starts: one of the form's, or one that lies on the nodes."""


def program_files(files: Mapping[str, str], example: Collection[str]) -> tuple[InputFile, ...]:
    """The files under `program/`; when there are none those of the example, shipped."""
    texts = files or {name: shipped(name) for name in example}
    return tuple(
        InputFile(path=f"{FOLDER}/{path}", content=text, executable=text.startswith("#!"))
        for path, text in texts.items()
    )


def program_path(program: str) -> str:
    """Where a ProgramPath lies, seen from the workspace."""
    return program if program.startswith("/") else f"{FOLDER}/{program}"


def program_problem(program: str, files: Mapping[str, str], example: Collection[str]) -> FieldProblem | None:
    """A program that is neither on the nodes nor among the files."""
    if program.startswith("/") or program in (files or example):
        return None
    text = N_("is none of the files; give the path of one of them, or an absolute path on the nodes")
    return FieldProblem("program", text, "value_error", text)
