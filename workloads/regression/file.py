"""The regression file: TOML in the design repository that says which tests run, how often and how long.

seeds = 20
[tests.random]
[tests.burst]
seeds = [1, 7, 99]
timeout_seconds = 60
configurations = ["lowpower"]
[configurations.default]
[configurations.lowpower]
defines = ["LOW_POWER=1"]
[groups]
smoke = ["burst"]
[stop]
failures = 10
cost_vnd = 500_000
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from workloads.eda.sources import Define, PythonModule, Word
from workloads.errors import FieldProblem, InvalidParameters
from workloads.regression.plan import LARGEST_SEED, MOST_TASKS, Block, Configuration, Plan, seed_ranges
from workloads.template import N_
from workloads.toml_lines import line_of

LONGEST_FILE = 256 * 1024
"""Characters."""

Plusarg = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*(=[A-Za-z0-9_.,:/+-]*)?$", max_length=128)
]
Pattern = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]+$", min_length=1, max_length=200)]
Seed = Annotated[int, Field(ge=0, le=LARGEST_SEED)]
Seeds = Annotated[int, Field(ge=1, le=MOST_TASKS)] | Annotated[list[Seed], Field(min_length=1)]
Timeout = Annotated[int, Field(ge=1, le=366 * 86_400)]
Plusargs = Annotated[list[Plusarg], Field(max_length=32)]

_SYNTAX_PLACE = re.compile(r"\s*\((?:at line (\d+), column \d+|at end of document)\)$")


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class RegressionTest(_Table):
    """One test; what it leaves out holds as for the whole file."""

    seeds: Seeds | None = None
    """How many, from `first_seed` on; or which."""
    first_seed: Seed | None = None
    timeout_seconds: Timeout | None = None
    configurations: list[Word] | None = Field(default=None, min_length=1, max_length=100)
    plusargs: Plusargs = []


class RegressionConfiguration(_Table):
    """One way to build and start the bench."""

    defines: list[Define] = Field(default=[], max_length=100)
    plusargs: Plusargs = []


class StopRules(_Table):
    """When to start no further task."""

    failures: int | None = Field(default=None, ge=1, le=MOST_TASKS)
    cost_vnd: int | None = Field(default=None, ge=1, le=10**15)


class RegressionFile(_Table):
    """A whole file, with its defaults."""

    top: Word | None = None
    tool: Literal["icarus", "verilator"] | None = None
    coverage: bool | None = None
    cocotb: list[PythonModule] | None = Field(default=None, max_length=20)
    """Python modules whose tests drive the top module."""
    sources: list[Annotated[str, StringConstraints(max_length=255)]] = Field(default=[], max_length=1000)
    """Paths of what is compiled, in this order; empty compiles all that came with the job."""
    seeds: Seeds = 1
    first_seed: Seed = 1
    timeout_seconds: Timeout | None = None
    plusargs: Plusargs = []
    pass_patterns: list[Pattern] | None = Field(default=None, min_length=1, max_length=20)
    fail_patterns: list[Pattern] | None = Field(default=None, max_length=50)
    tests: dict[Word, RegressionTest] = Field(min_length=1, max_length=1000)
    configurations: dict[Word, RegressionConfiguration] = Field(default={}, max_length=100)
    groups: dict[Word, list[Word]] = Field(default={}, max_length=100)
    stop: StopRules = StopRules()


def read_regression(text: str, *, template: str = "rtl-regression") -> RegressionFile:
    """A regression file from its text.

    Raises:
        InvalidParameters: it is no such file; every problem names its line and key.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InvalidParameters(template, [_syntax_problem(text, str(error))]) from error
    try:
        file = RegressionFile.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        problems = [_problem(text, item, raw) for item in found]
        raise InvalidParameters(template, _one_each(problems)) from error
    if problems := list(_contradictions(text, file)):
        raise InvalidParameters(template, problems)
    return file


def expand(file: RegressionFile, *, groups: Sequence[str] = ()) -> Plan:
    """Every task of the file's tests, or of those in the named groups; tests in the order of the file.

    Names of groups that the file has not are ignored: `group_problems` tells of them.
    """
    chosen = {test for group in groups for test in file.groups.get(group, ())}
    configurations = [
        Configuration(name, tuple(table.defines), tuple(table.plusargs))
        for name, table in (file.configurations or {"default": RegressionConfiguration()}).items()
    ]
    blocks: list[Block] = []
    next_task = 0
    for test, table in file.tests.items():
        if groups and test not in chosen:
            continue
        for configuration in configurations:
            if table.configurations is not None and configuration.name not in table.configurations:
                continue
            for seeds in _seeds(file, table):
                blocks.append(
                    Block(
                        first_task=next_task,
                        count=len(seeds),
                        test=test,
                        configuration=configuration.name,
                        first_seed=seeds.start,
                        timeout_seconds=table.timeout_seconds or file.timeout_seconds or 0,
                        plusargs=(*file.plusargs, *configuration.plusargs, *table.plusargs),
                    )
                )
                next_task += len(seeds)
    used = {block.configuration for block in blocks}
    return Plan(tuple(one for one in configurations if one.name in used), tuple(blocks))


def group_problems(file: RegressionFile, groups: Sequence[str]) -> Iterator[FieldProblem]:
    """Groups asked for that the file does not have."""
    for name in groups:
        if name not in file.groups:
            known = ", ".join(file.groups) or "-"
            text = N_("The regression file has no group %(name)s; it has: %(known)s")
            yield _said("groups", text, {"name": name, "known": known})


def _seeds(file: RegressionFile, table: RegressionTest) -> list[range]:
    seeds = file.seeds if table.seeds is None else table.seeds
    if isinstance(seeds, list):
        return seed_ranges(seeds)
    first = file.first_seed if table.first_seed is None else table.first_seed
    return [range(first, first + seeds)]


def _contradictions(text: str, file: RegressionFile) -> Iterator[FieldProblem]:
    yield from _unknown_names(text, file)
    for path, seeds in (
        (["seeds"], file.seeds),
        *((["tests", test, "seeds"], table.seeds) for test, table in file.tests.items()),
    ):
        if isinstance(seeds, list) and len(set(seeds)) < len(seeds):
            yield _placed(text, path, N_("A seed is listed twice."))
    plan = expand(file)
    if plan.task_count > MOST_TASKS:
        sentence = N_("%(count)s tasks; a regression can have %(most)s.")
        yield _placed(text, ["tests"], sentence, {"count": plan.task_count, "most": MOST_TASKS})
    if plan.last_seed > LARGEST_SEED:
        yield _placed(text, ["first_seed"], N_("The last seed would pass %(most)s."), {"most": LARGEST_SEED})


def _unknown_names(text: str, file: RegressionFile) -> Iterator[FieldProblem]:
    known = set(file.configurations) or {"default"}
    for test, table in file.tests.items():
        for name in set(table.configurations or ()) - known:
            sentence = N_("There is no configuration %(name)s.")
            yield _placed(text, ["tests", test, "configurations"], sentence, {"name": name})
    for group, tests in file.groups.items():
        for name in set(tests) - set(file.tests):
            yield _placed(text, ["groups", group], N_("There is no test %(name)s."), {"name": name})


def _problem(text: str, item: Mapping[str, Any], raw: Mapping[str, Any]) -> FieldProblem:
    """One of pydantic's, at its key; the arms of a union are no keys."""
    path: list[str] = []
    inner: object = raw
    for part in item["loc"]:
        if isinstance(inner, Mapping) and (part in inner or item["type"] == "missing"):
            path.append(str(part))
            inner = inner.get(part)
    facts = item.get("ctx", {})
    place = _place(text, path)
    return FieldProblem("regression", f"{place}: {item['msg']}", item["type"], "", facts, place)


def _one_each(problems: Sequence[FieldProblem]) -> list[FieldProblem]:
    """One for each key: of a number or a list, that it is no number says less than what is in the list."""
    best: dict[str, FieldProblem] = {}
    for problem in sorted(problems, key=lambda one: one.kind.endswith("_type")):
        best.setdefault(problem.place, problem)
    return list(best.values())


def _syntax_problem(text: str, message: str) -> FieldProblem:
    match = _SYNTAX_PLACE.search(message)
    number = int(match[1]) if match and match[1] else text.count("\n") + 1
    said = message[: match.start()] if match else message
    place = str(number)
    sentence = N_("This is not TOML: %(why)s")
    return FieldProblem(
        "regression", f"{place}: {sentence % {'why': said}}", "toml", sentence, {"why": said}, place
    )


def _place(text: str, path: Sequence[str]) -> str:
    return f"{line_of(text, path)}: {'.'.join(path)}" if path else "1"


def _placed(
    text: str, path: Sequence[str], sentence: str, facts: Mapping[str, object] | None = None
) -> FieldProblem:
    return _said("regression", sentence, facts or {}, _place(text, path))


def _said(field: str, sentence: str, facts: Mapping[str, object], place: str = "") -> FieldProblem:
    said = sentence % facts if facts else sentence
    return FieldProblem(field, f"{place}: {said}" if place else said, "regression", sentence, facts, place)
