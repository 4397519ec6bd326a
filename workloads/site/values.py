"""From a site template's parameters to the environment variables and files of a job; pure."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from schedulers.jobspec import InputFile
from workloads.site.document import Document
from workloads.site.fields import Access, FileParameter, FilesParameter, Parameter, default_of
from workloads.site.placeholders import variable

LONGEST_VALUE_BYTES = 100_000
"""Linux passes at most 128 KiB in one variable."""


def all_values(document: Document, given: Mapping[str, Any]) -> dict[str, Any]:
    """Every parameter's value, those that no form shows included."""
    hidden = {
        name: default_of(parameter)
        for name, parameter in document.parameters.items()
        if parameter.access is Access.HIDDEN
    }
    return {name: hidden.get(name, given.get(name)) for name in document.parameters}


def environment(document: Document, values: Mapping[str, Any]) -> dict[str, str]:
    """A variable for each parameter; several words are separated by line ends, which no word contains."""
    return {variable(name): _text(parameter, values[name]) for name, parameter in document.parameters.items()}


def input_files(document: Document, values: Mapping[str, Any]) -> tuple[InputFile, ...]:
    """The files that parameters bring."""
    return tuple(
        one for name, parameter in document.parameters.items() for one in _files(parameter, values[name])
    )


def _files(parameter: Parameter, value: Any) -> Iterator[InputFile]:  # noqa: ANN401 - by the type
    if isinstance(parameter, FilesParameter):
        for path, content in (value or {}).items():
            yield InputFile(path=f"{parameter.folder}/{path}", content=content)
    elif isinstance(parameter, FileParameter) and value:
        yield InputFile(path=parameter.file, content=value)


def _text(parameter: Parameter, value: Any) -> str:  # noqa: ANN401 - by the type
    match parameter, value:
        case FilesParameter(), _:
            listed = parameter.listed or parameter.suffixes
            return "\n".join(f"{parameter.folder}/{path}" for path in value or () if path.endswith(listed))
        case FileParameter(), _:
            return parameter.file if value else ""
        case _, None:
            return ""
        case _, bool():
            return str(int(value))
        case _, list() | tuple():
            return "\n".join(_items(value))
    return str(value)


def _items(value: Sequence[object]) -> Iterator[str]:
    return (str(item) for item in value)
