"""The regression file: what it expands to, and what it refuses, at which line and key."""

import pytest

from workloads.eda.rtl_simulation import RtlRegression
from workloads.errors import InvalidParameters
from workloads.regression.file import expand, read_regression
from workloads.regression.plan import Run, block_line, seed_ranges
from workloads.template import StopRule
from workloads.toml_lines import line_of

TEMPLATE = RtlRegression()

WHOLE = """\
seeds = 3
timeout_seconds = 60
plusargs = ["n=1200"]

[tests.random]
seeds = 2
first_seed = 40

[tests.burst]
seeds = [1, 7, 8]
timeout_seconds = 5
configurations = ["low"]
plusargs = ["depth=4"]

[configurations.plain]
[configurations.low]
defines = ["LOW_POWER=1"]
plusargs = ["slow"]

[groups]
smoke = ["burst"]

[stop]
failures = 4
cost_vnd = 900
"""


def places(text: str) -> list[str]:
    with pytest.raises(InvalidParameters) as refused:
        read_regression(text)
    assert {problem.field for problem in refused.value.problems} == {"regression"}
    return [problem.place for problem in refused.value.problems]


def test_tests_times_configurations_times_seeds_in_the_order_of_the_file() -> None:
    plan = expand(read_regression(WHOLE))
    runs = [(run.test, run.configuration, run.seed) for run in map(plan.run, range(plan.task_count))]
    assert runs == [
        ("random", "plain", 40),
        ("random", "plain", 41),
        ("random", "low", 40),
        ("random", "low", 41),
        ("burst", "low", 1),
        ("burst", "low", 7),
        ("burst", "low", 8),
    ]
    assert plan.row(Run(4, "burst", "low", 1)) == "burst/low"


def test_a_block_holds_its_time_limit_and_the_plusargs_of_file_configuration_and_test() -> None:
    assert list(map(block_line, expand(read_regression(WHOLE)).blocks)) == [
        "0 2 random plain 40 60 n=1200",
        "2 2 random low 40 60 n=1200 slow",
        "4 1 burst low 1 5 n=1200 slow depth=4",
        "5 2 burst low 7 5 n=1200 slow depth=4",
    ]


def test_a_group_runs_its_tests_only_and_builds_what_they_need_only() -> None:
    plan = expand(read_regression(WHOLE), groups=["smoke"])
    assert {block.test for block in plan.blocks} == {"burst"}
    assert [one.name for one in plan.configurations] == ["low"]
    assert plan.task_count == 3


def test_a_hundred_thousand_tasks_are_one_line_for_the_script() -> None:
    params = TEMPLATE.validate({"regression": "seeds = 100_000\n[tests.random]\n"})
    spec = TEMPLATE.render(params)
    assert spec.task_count == 100_000
    [blocks] = [one.content for one in spec.inputs if one.path == "regression/blocks.txt"]
    assert blocks == "0 100000 random default 1 0\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("seeds = \n[tests.a]", ["1"]),
        ("[tests.a]\nseeds = 0", ["2: tests.a.seeds"]),
        ("[tests.a]\nseeds = []", ["2: tests.a.seeds"]),
        ("[tests.a]\n\nseeds = [1, -1]", ["3: tests.a.seeds"]),
        ("[tests.a]\nseeds = [1, 1]", ["2: tests.a.seeds"]),
        ("[tests.a]\nsedes = 1", ["2: tests.a.sedes"]),
        ("seeds = 1", ["1: tests"]),
        ("[tests]", ["1: tests"]),
        ('[tests."a b"]', ["1: tests.a b"]),
        ("[tests.a]\ntimeout_seconds = 1.5", ["2: tests.a.timeout_seconds"]),
        ('[tests.a]\nconfigurations = ["b"]', ["2: tests.a.configurations"]),
        ('[tests.a]\nplusargs = ["a b"]', ["2: tests.a.plusargs"]),
        ('[tests.a]\nplusargs = ["a=$(id)"]', ["2: tests.a.plusargs"]),
        ('[tests.a]\n[configurations.b]\ndefines = ["-o"]', ["3: configurations.b.defines"]),
        ('[tests.a]\n[groups]\ng = ["b"]', ["3: groups.g"]),
        ("[tests.a]\n[stop]\nfailures = 0\ncost_vnd = -1", ["3: stop.failures", "4: stop.cost_vnd"]),
        ("seeds = 60_000\n[tests.a]\n[tests.b]", ["2: tests"]),
        ("first_seed = 2147483647\nseeds = 2\n[tests.a]", ["1: first_seed"]),
        ('tool = "vcs"\n[tests.a]', ["1: tool"]),
    ],
)
def test_what_is_wrong_is_named_with_its_line_and_key(text: str, expected: list[str]) -> None:
    assert places(text) == expected


def test_a_table_s_key_is_found_where_it_is_written() -> None:
    text = 'a.b = 1\n[c]\nd = 2\n[c."e f"]\n"g" = 3\n'
    assert [line_of(text, path) for path in (["a", "b"], ["c", "d"], ["c", "e f", "g"], ["x"])] == [
        1,
        3,
        5,
        1,
    ]


def test_seeds_that_rise_by_one_are_one_range() -> None:
    assert seed_ranges([1, 2, 3, 9, 8]) == [range(1, 4), range(9, 10), range(8, 9)]


def test_file_and_form_must_agree() -> None:
    raw = {
        "regression": 'sources = ["rtl/top.sv"]\ntimeout_seconds = 100\n[tests.a]\n',
        "coverage": True,
        "only_tasks": [1],
        "resources": {"walltime_seconds": 60},
    }
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate(raw))
    assert {problem.field for problem in refused.value.problems} == {
        *("coverage", "only_tasks", "sources", "resources.walltime_seconds")
    }


def test_the_file_s_stop_rule_goes_before_the_form_s() -> None:
    raw = {"regression": WHOLE, "stop_failures": 9}
    assert TEMPLATE.stop_rule(TEMPLATE.validate(raw)) == StopRule(failures=4, cost_vnd=900)
    assert TEMPLATE.stop_rule(TEMPLATE.validate({"stop_failures": 9})) == StopRule(failures=9)


def test_a_rerun_keeps_its_tasks_and_other_seeds_are_none_that_were_there() -> None:
    params = TEMPLATE.validate({"regression": WHOLE})
    same = TEMPLATE.rerun(params, [6, 4], new_seeds=0, waves=True)
    assert [(cell.task_index, cell.column) for cell in TEMPLATE.campaign(same)] == [(4, "1"), (6, "8")]
    assert same.waves
    seen = {cell.column for cell in TEMPLATE.campaign(params)}
    for attempt in (1, 2):
        other = TEMPLATE.rerun(same, [4, 6], new_seeds=attempt, waves=False)
        columns = {cell.column for cell in TEMPLATE.campaign(other)}
        assert not columns & seen
        seen |= columns


def test_a_group_that_the_file_has_not_is_named() -> None:
    with pytest.raises(InvalidParameters) as refused:
        TEMPLATE.render(TEMPLATE.validate({"regression": WHOLE, "groups": ["nightly"]}))
    assert [(one.field, one.facts) for one in refused.value.problems] == [
        ("groups", {"name": "nightly", "known": "smoke"})
    ]
