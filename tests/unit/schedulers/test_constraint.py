"""Expressions over node features, as in sbatch --constraint."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedulers.constraint import is_met, require
from schedulers.errors import InvalidJobSpec


@pytest.mark.parametrize(
    ("expression", "features", "met"),
    [
        ("a", {"a", "b"}, True),
        ("a", {"b"}, False),
        ("a&b", {"a", "b"}, True),
        ("a&b", {"a"}, False),
        ("a,b", {"a"}, False),
        ("a|b", {"b"}, True),
        ("a&b|c", {"c"}, True),
        ("(a|b)&c", {"a"}, False),
        ("(a|b)&c", {"b", "c"}, True),
        ("[rack1|rack2]", {"rack2"}, True),
        ("[rack1|rack2]&ib", {"rack2"}, False),
        ("a*2&b*4", {"b"}, True),
        ("a*2&b*4", {"c"}, False),
        (" a & b ", {"a", "b"}, True),
    ],
)
def test_a_node_meets_an_expression_by_its_features(expression: str, features: set[str], met: bool) -> None:  # noqa: FBT001 - the expectation
    assert is_met(expression, features) is met


@pytest.mark.parametrize(
    "expression", ["", "a&", "&a", "a||b", "(a", "a)", "[a", "(a]", "a b", "a!", "(" * 400]
)
def test_what_is_no_expression_is_refused(expression: str) -> None:
    with pytest.raises(InvalidJobSpec):
        require(expression)


@given(st.text("ab&|,()[]*2 ", max_size=30))
def test_any_text_is_an_expression_or_refused(text: str) -> None:
    try:
        require(text)
    except InvalidJobSpec:
        return
    assert is_met(text, {"a", "b", "2"}) in {True, False}
