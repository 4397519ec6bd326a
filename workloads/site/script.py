"""The whole script of a job: modules, tools and words first, then the body; the same for all values."""

import shlex
from collections.abc import Iterator

from workloads.site.document import Document
from workloads.site.fields import BooleanParameter, FileParameter, FilesParameter, ListParameter, Parameter
from workloads.site.placeholders import fill, is_word_list, variable, words_name

RESULTS_FOLDER = "results"
"""Where each task writes its exit code, as `exit-TASK`, and a tool that is not there, as `missing-TASK`."""

_BEGIN = """#!/bin/bash
export PARAM_TASK="${HPC_ARRAY_TASK_ID:-0}"
workspace="$PWD"
mkdir -p "$workspace/results"
keep_exit_code() {
    local code=$?
    printf '%s\\n' "$code" > "$workspace/results/.exit-$PARAM_TASK"
    mv -f "$workspace/results/.exit-$PARAM_TASK" "$workspace/results/exit-$PARAM_TASK"
}
trap keep_exit_code EXIT
rm -f "$workspace/results/exit-$PARAM_TASK" "$workspace/results/missing-$PARAM_TASK"
require_tool() {
    command -v "$1" > /dev/null && return
    printf '%s\\n' "$1" > "$workspace/results/missing-$PARAM_TASK"
    printf 'tool missing: %s\\n' "$1" >&2
    exit 127
}
"""

_FIND_MODULES = """if ! command -v module > /dev/null; then
    for init in /etc/profile.d/modules.sh /etc/profile.d/lmod.sh /usr/share/lmod/lmod/init/bash; do
        if [ -r "$init" ]; then . "$init"; break; fi
    done
fi
"""


def script_of(document: Document) -> str:
    """The script of every job of this version."""
    return "".join(_parts(document))


def _parts(document: Document) -> Iterator[str]:
    yield _BEGIN
    tool = document.tool
    if tool.modules:
        yield _FIND_MODULES
        loads = "".join(f"    module load {shlex.quote(one)} || exit 127\n" for one in tool.modules)
        yield f"if command -v module > /dev/null; then\n{loads}fi\n"
    if tool.paths:
        yield f'PATH={":".join(map(shlex.quote, tool.paths))}:"$PATH"\n'
    for command in tool.commands:
        yield f"require_tool {command}\n"
    if document.array:
        yield from _place_in_array(document)
    for name, parameter in document.parameters.items():
        if is_word_list(parameter):
            yield from _words(name, parameter)
    yield f"\n{fill(document).rstrip()}\n"


def _place_in_array(document: Document) -> Iterator[str]:
    """Which row and column this task is: columns count fastest."""
    array = document.array
    assert array  # noqa: S101 - the caller has asked
    yield 'columns="${PARAM_COLUMN_COUNT}"\n'
    yield "export PARAM_ROW= PARAM_COLUMN\n"
    yield "PARAM_COLUMN=$((PARAM_FIRST_COLUMN + PARAM_TASK % columns))\n"
    if array.rows:
        yield f'mapfile -t rows < <(printf %s "${{{variable(array.rows)}}}")\n'
        yield 'PARAM_ROW="${rows[PARAM_TASK / columns]}"\n'


def _words(name: str, parameter: Parameter) -> Iterator[str]:
    words, value = words_name(name), f'"${{{variable(name)}}}"'
    if isinstance(parameter, BooleanParameter):
        given = " ".join(map(shlex.quote, parameter.words))
        yield f"{words}=()\nif [ {value} = 1 ]; then {words}=({given}); fi\n"
        return
    option = f"{shlex.quote(parameter.option)} " if parameter.option else ""
    if isinstance(parameter, (ListParameter, FilesParameter)):
        prefix = shlex.quote(parameter.prefix) if parameter.prefix else ""
        yield (
            f'{words}=()\nwhile IFS= read -r item; do {words}+=({option}{prefix}"$item"); '
            f"done < <([ -z {value} ] || printf '%s\\n' {value})\n"
        )
        return
    assert isinstance(parameter, FileParameter) or option  # noqa: S101 - see is_word_list
    yield f"{words}=()\nif [ -n {value} ]; then {words}=({option}{value}); fi\n"
