"""Words are read as options as getopt_long reads them."""

import pytest

from schedulers.directives.getopt import parse
from schedulers.directives.sbatch_options import OPTIONS
from schedulers.directives.words import Word


def read(*texts: str) -> tuple[list[tuple[str, str | None]], list[str]]:
    given, problems = parse([Word(text, 1) for text in texts], OPTIONS)
    return [(item.option.name, item.value) for item in given], [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("words", "options"),
    [
        (["--time=5"], [("time", "5")]),
        (["--time", "5"], [("time", "5")]),
        (["-t5"], [("time", "5")]),
        (["-t", "5"], [("time", "5")]),
        (["-t=5"], [("time", "=5")]),
        (["-HQN2"], [("hold", None), ("quiet", None), ("nodes", "2")]),
        (["-QN", "2"], [("quiet", None), ("nodes", "2")]),
        (["--nice"], [("nice", None)]),
        (["--nice=5"], [("nice", "5")]),
        (["--part=gpu"], [("partition", "gpu")]),
        (["--exclusive", "--hold"], [("exclusive", None), ("hold", None)]),
        (["--comment=-x", "-J", "-n"], [("comment", "-x"), ("job-name", "-n")]),
    ],
)
def test_every_way_to_write_an_option_is_understood(
    words: list[str], options: list[tuple[str, str | None]]
) -> None:
    assert read(*words) == (options, [])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--bogus"], "There is no such option."),
        (["-Z"], "There is no such option."),
        (["--tim=5"], "This abbreviation may mean any of --time, --time-min."),
        (["--hold=5"], "This option takes no value."),
        (["--time"], "This option needs a value."),
        (["stray"], "This is no option. A value with a space needs quotes."),
        (["--"], "This is no option. A value with a space needs quotes."),
    ],
)
def test_what_is_no_option_is_told(words: list[str], message: str) -> None:
    assert read(*words) == ([], [message])
