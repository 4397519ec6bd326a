"""Header lines are found and taken apart as sbatch does it (checked by hand against sbatch 24.11.5)."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.directives.words import header_of, late_lines, split


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", []),
        (" --time=5  -N 2\t", ["--time=5", "-N", "2"]),
        (' --comment="a b" -n 1', ["--comment=a b", "-n", "1"]),
        (" --job-name=x'y z'w", ["--job-name=xy zw"]),
        (" --comment=a\\ b\\'c", ["--comment=a b'c"]),
        (""" '--comment=say "hi"'""", ['--comment=say "hi"']),
        (" --time=5 # what -N 2", ["--time=5"]),
        (" --job-name=a#b --time=5", ["--job-name=a"]),
        (' --job-name="a#b"', ["--job-name=a#b"]),
        (" --ntasks=4 \\", ["--ntasks=4"]),
    ],
)
def test_a_line_becomes_words(line: str, words: list[str]) -> None:
    assert split(line) == words


def test_only_lines_that_start_with_the_magic_word_before_the_first_command_count() -> None:
    script = (
        "#!/bin/bash\n#SBATCH -n 1\n##SBATCH -n 2\n #SBATCH -n 3\n\n# x\n#SBATCH -c 4\nset -e\n#SBATCH -c 5\n"
    )
    header = header_of(script, "#SBATCH")
    assert [(word.text, word.line) for word in header.words] == [("-n", 2), ("1", 2), ("-c", 7), ("4", 7)]
    assert late_lines(script, "#SBATCH") == [9]


def test_an_open_quote_is_told_with_its_line_and_the_others_are_still_read() -> None:
    header = header_of('#!/bin/sh\n#SBATCH --comment="a\n#SBATCH -n 1\n', "#SBATCH")
    assert [(problem.line, problem.message) for problem in header.problems] == [
        (2, 'The quote " is not closed.')
    ]
    assert [word.text for word in header.words] == ["-n", "1"]


@given(st.text())
def test_whatever_the_text_reading_it_never_crashes(text: str) -> None:
    header = header_of(f"#SBATCH {text}", "#SBATCH")
    assert all(word.text for word in header.words)


@given(st.lists(st.text(st.characters(exclude_characters="\0\n\r", exclude_categories=["Cs"]), min_size=1)))
def test_quoted_words_come_back_as_they_were(words: list[str]) -> None:
    quoted = ['"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"' for word in words]
    assert split(" ".join(quoted)) == words
