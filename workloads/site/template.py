"""A published document as a template: the same port as those that come with the portal."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path, PurePosixPath
from typing import Any

from schedulers.jobspec import ArraySpec, JobSpec, ResourceRequest
from workloads.campaign import summary
from workloads.errors import FieldProblem, InvalidParameters
from workloads.site.document import MOST_TASKS, Document
from workloads.site.model import given_values, model_of
from workloads.site.placeholders import variable
from workloads.site.scan import Scanner, Seen, bytes_of_a_file, path_of
from workloads.site.script import RESULTS_FOLDER, script_of
from workloads.site.values import LONGEST_VALUE_BYTES, all_values, environment, input_files
from workloads.site.words import Locale
from workloads.template import (
    N_,
    Artefact,
    CampaignCell,
    Failure,
    Parameters,
    Results,
    StopRule,
    TaskResult,
    Template,
    Verdict,
)
from workloads.verdict import judge
from workloads.workspace import list_files, read_text

_FIXED = N_(
    "The city's administrators publish this template with a script that everybody runs as it is. Ask them to "
    "allow edits in it, or run a script of your own."
)
_MOST_ARTEFACTS = 100
_LONGEST_NAME = 100
_COMMAND = re.compile(r"^[A-Za-z0-9_.+-]+$", re.ASCII)
_EXIT = "exit-"
_TASK = re.compile(r"^[0-9]{1,9}$", re.ASCII)


class SiteTemplate(Template[Parameters]):
    """One version of a document, its texts in one language."""

    def __init__(self, document: Document, *, version: int, locale: Locale = "en") -> None:
        self.document = document
        self.version = version
        self.name = document.name  # type: ignore[misc]  # of the document, not of the class
        self.title = document.title.say(locale)  # type: ignore[misc]  # of the document, not of the class
        self.summary = document.summary.say(locale)  # type: ignore[misc]  # of the document, not of the class
        self.domain = document.domain  # type: ignore[misc]  # of the document, not of the class
        self.fixed_script = "" if document.script_may_be_edited else _FIXED  # type: ignore[misc]  # as above
        self.parameters = model_of(document, locale)
        self._script = script_of(document)
        self._scanner = Scanner(document.results)

    def render(self, params: Parameters) -> JobSpec:
        """The same script for all parameters: values go into variables and files only."""
        values = self._values(params)
        variables = environment(self.document, values)
        self._refuse_too_long(variables)
        given: Any = params
        with self._refusing(_FIELDS):
            resources = self._resources(given.resources, values)
            return JobSpec(
                name=given.name,
                script=self._script,
                environment={
                    **self.document.environment,
                    **variables,
                    **self._array_variables(values),
                    "PARAM_CPUS": str(resources.cpus_per_task),
                    "PARAM_MEMORY_MIB": str(resources.memory_mib_per_node),
                },
                partition=getattr(given.resources, "partition", self.document.resources.partition),
                resources=resources,
                array=self._array(values),
                stdout_path=f"{RESULTS_FOLDER}/task-%a.out" if self.document.array else None,
                inputs=input_files(self.document, values),
            )

    def script_to_edit(self) -> str:
        """Also where some parameter has no default."""
        return "" if self.fixed_script else self._script

    def campaign(self, params: Parameters) -> Sequence[CampaignCell]:
        """Rows x columns of an array; [] for one job."""
        if self.document.array is None:
            return ()
        values = self._values(params)
        return [CampaignCell(index, *self._place(values, index)) for index in self._indices(values)]

    def parse(self, workspace: Path, params: Parameters) -> Results:
        """A result for every task that has ended by itself; a task that was killed left none."""
        found = self._parse(workspace, self._values(params), None)
        if self.document.array is None:
            return Results(tasks=found, metrics=found[0].metrics if found else ())
        return Results(tasks=found, metrics=summary(found))

    def parse_tasks(
        self, workspace: Path, params: Parameters, indices: Collection[int]
    ) -> Sequence[TaskResult]:
        """Only the logs of these are read."""
        return self._parse(workspace, self._values(params), frozenset(indices))

    def _parse(
        self, workspace: Path, values: Mapping[str, Any], wanted: frozenset[int] | None
    ) -> tuple[TaskResult, ...]:
        tasks = self._tasks(values)
        numbers = [
            name.removeprefix(_EXIT)
            for name in list_files(workspace, RESULTS_FOLDER)
            if name.startswith(_EXIT)
        ]
        ended = {int(number) for number in numbers if _TASK.match(number)}
        max_bytes = bytes_of_a_file(tasks)
        return tuple(
            result
            for index in sorted(ended if wanted is None else ended & wanted)
            if index < tasks and (result := self._task(workspace, values, index, max_bytes))
        )

    def _task(
        self, workspace: Path, values: Mapping[str, Any], index: int, max_bytes: int
    ) -> TaskResult | None:
        code = read_text(workspace, f"{RESULTS_FOLDER}/exit-{index}", max_bytes=16) or ""
        if not _TASK.match(code.strip()):
            return None
        row, column = self._place(values, index)
        names = {"task": str(index), "row": row, "column": column}
        seen = self._scanner.scan(workspace, names, max_bytes=max_bytes)
        needed = set(self.document.results.needs) - {metric.name for metric in seen.metrics}
        missing = read_text(workspace, f"{RESULTS_FOLDER}/missing-{index}", max_bytes=_LONGEST_NAME)
        verdict = judge(
            exit_code=int(code),
            fail_line=seen.failure.line if seen.failure else None,
            pass_seen=seen.is_passed and not needed,
        )
        return TaskResult(
            task_index=index,
            label=" ".join(filter(None, (row, column))) or self.document.name,
            verdict=verdict,
            metrics=seen.metrics,
            failure=_tool_missing(missing, self.document.results.log)
            or self._failure(verdict, seen, int(code), sorted(needed), names),
            artefacts=tuple(self._artefacts(workspace, names))[:_MOST_ARTEFACTS],
        )

    def _failure(
        self, verdict: Verdict, seen: Seen, code: int, needed: Sequence[str], names: Mapping[str, str]
    ) -> Failure | None:
        if verdict is Verdict.PASS or seen.failure:
            return seen.failure
        log = path_of(self.document.results.log, names)
        if code:
            return Failure(f"the tool ended with exit code {code}", "", log, 0)
        if needed:
            return Failure(f"no verdict: {needed[0]} is missing", "", log, 0)
        return Failure("no verdict: a pass text is missing", "", log, 0)

    def _artefacts(self, workspace: Path, names: Mapping[str, str]) -> Iterator[Artefact]:
        rules = self.document.results
        for wanted, kind in [(rules.log, "log"), *((one.files, one.kind) for one in rules.artefacts)]:
            path = PurePosixPath(path_of(wanted, names))
            for name in list_files(workspace, str(path.parent)):
                if fnmatchcase(name, path.name):
                    yield Artefact(str(path.parent / name), kind)

    def _values(self, params: Parameters) -> dict[str, Any]:
        given = given_values(params)
        asked = {name: given[name] for name in ("only_tasks", "seed_offset") if name in given}
        return all_values(self.document, given) | asked

    def stop_rule(self, params: Parameters) -> StopRule | None:
        """An array is a campaign that nothing ends early."""
        del params
        return StopRule() if self.document.array else None

    def rerun(self, params: Parameters, indices: Sequence[int], *, new_seeds: int, waves: bool) -> Parameters:
        """The same tasks; other seeds lie above all that were used before.

        Raises:
            InvalidParameters: the columns are no seeds, or there are none left above.
        """
        array = self.document.array
        changes: dict[str, Any] = {"only_tasks": sorted(indices)}
        if array and array.waves:
            changes[array.waves] = waves
        if array and new_seeds:
            if not array.columns:
                text = N_("This template has no other seeds. Run the same ones again.")
                raise InvalidParameters(self.name, [FieldProblem("only_tasks", text, "no_seeds", text)])
            changes["seed_offset"] = new_seeds * self._values(params)[array.columns]
        return self.validate({**params.model_dump(), **changes})

    def _array(self, values: Mapping[str, Any]) -> ArraySpec | None:
        if self.document.array is None:
            return None
        only = self._indices(values)
        if isinstance(only, range):
            return ArraySpec(expression=f"0-{only[-1]}")
        return ArraySpec(expression=",".join(map(str, only)))

    def _indices(self, values: Mapping[str, Any]) -> Sequence[int]:
        """The tasks of the matrix that are asked for: a range when all are."""
        total = self._tasks(values)
        only = sorted(set(values.get("only_tasks", ())))
        if only and only[-1] >= total:
            facts = {"last": total - 1}
            text = N_("the last task is %(last)s")
            raise InvalidParameters(
                self.name, [FieldProblem("only_tasks", text % facts, "too_large", text, facts)]
            )
        return only or range(total)

    def _tasks(self, values: Mapping[str, Any]) -> int:
        array = self.document.array
        if array is None:
            return 1
        rows = len(values[array.rows]) if array.rows else 1
        count = rows * (values[array.columns] if array.columns else 1)
        if count > MOST_TASKS:
            facts = {"count": count, "most": MOST_TASKS}
            text = N_("%(count)s tasks; a job of this template can have %(most)s")
            where = array.columns or array.rows or "parameters"
            raise InvalidParameters(self.name, [FieldProblem(where, text % facts, "too_large", text, facts)])
        return int(count)

    def _place(self, values: Mapping[str, Any], index: int) -> tuple[str, str]:
        """Row and column of a task; empty where there is none."""
        array = self.document.array
        if array is None:
            return "", ""
        columns = values[array.columns] if array.columns else 1
        row, column = divmod(index, columns)
        first = self._first_column(values)
        return str(values[array.rows][row]) if array.rows else "", str(first + column)

    def _first_column(self, values: Mapping[str, Any]) -> int:
        array = self.document.array
        first = values[array.first_column] if array and array.first_column else 1
        return int(first) + int(values.get("seed_offset", 0))

    def _array_variables(self, values: Mapping[str, Any]) -> dict[str, str]:
        array = self.document.array
        if array is None:
            return {}
        return {
            "PARAM_COLUMN_COUNT": str(values[array.columns]) if array.columns else "1",
            "PARAM_FIRST_COLUMN": str(self._first_column(values)),
        }

    def _resources(self, asked: Any, values: Mapping[str, Any]) -> ResourceRequest:  # noqa: ANN401 - made per template
        usual = self.document.resources
        amounts = {
            name: getattr(asked, name, None) or getattr(usual, name).reckon(values)
            for name in ("cpus", "memory_mib", "walltime_seconds")
        }
        gpus = usual.gpus.reckon(values)
        counted = {feature: amount.reckon(values) for feature, amount in self.document.licences.items()}
        return ResourceRequest(
            cpus_per_task=amounts["cpus"],
            memory_mib_per_node=amounts["memory_mib"],
            walltime_seconds=amounts["walltime_seconds"],
            gpus_per_node={"": gpus} if gpus else {},
            licenses={feature: count for feature, count in counted.items() if count},
        )

    def _refuse_too_long(self, variables: Mapping[str, str]) -> None:
        text = N_("together this is longer than the %(most)s bytes that a program can be given")
        facts = {"most": LONGEST_VALUE_BYTES}
        problems = [
            FieldProblem(name, text % facts, "too_long_together", text, facts)
            for name in self.document.parameters
            if len(variables[variable(name)].encode()) > LONGEST_VALUE_BYTES
        ]
        if problems:
            raise InvalidParameters(self.name, problems)


def _tool_missing(name: str | None, log: str) -> Failure | None:
    """The first command that was not on the node, as the job wrote it down."""
    tool = (name or "").strip()
    line = f"tool missing: {tool}"
    return Failure(line, line, log, 0) if _COMMAND.match(tool) else None


_FIELDS = {"tres": "resources", "licenses": "resources"}
"""Which parameter a field of the JobSpec comes from."""
