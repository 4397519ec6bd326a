"""Lists of students as teachers paste them."""

import pytest

from hpc_portal.app.errors import InvalidEntry
from hpc_portal.app.tenants.read_students import Listed, read_students

LISTS: tuple[tuple[str, list[Listed]], ...] = (
    ("", []),
    ("\n \n", []),
    ("lan\nminh\n", [("lan", {}), ("minh", {})]),
    ("lan@x.vn, minh@x.vn", [("lan@x.vn", {}), ("minh@x.vn", {})]),
    ("lan@x.vn minh@x.vn", [("lan@x.vn", {}), ("minh@x.vn", {})]),
    ("lan;minh\r\n", [("lan", {}), ("minh", {})]),
    ("email;vnd\nlan@x.vn;1.000.000\nminh@x.vn;\n", [("lan@x.vn", {"VND": 1_000_000}), ("minh@x.vn", {})]),
    (
        "\N{ZERO WIDTH NO-BREAK SPACE}Sinh viên\tĐồng\tgres/gpu:h100\nlan\t2000000\t1,5\n",
        [("lan", {"VND": 2_000_000, "gres/gpu:h100": 5400})],
    ),
    ('username,cpu\n"lan",10\n', [("lan", {"cpu": 36_000})]),
)


@pytest.mark.parametrize(("text", "students"), LISTS, ids=range(len(LISTS)))
def test_a_list_is_read_as_it_was_meant(text: str, students: list[Listed]) -> None:
    assert read_students(text) == students


@pytest.mark.parametrize("amount", ["-5", "0", "much", "1e9", "=1+1", "1.5.5"])
def test_an_amount_that_is_none_names_its_line(amount: str) -> None:
    with pytest.raises(InvalidEntry, match="Line 3"):
        read_students(f"email;vnd\na@x.vn;5\nb@x.vn;{amount}\n")


def test_a_list_without_end_is_refused() -> None:
    with pytest.raises(InvalidEntry, match="too long"):
        read_students("a\n" * 100_000)
