"""The catalogue and what every template promises."""

import re
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedulers.jobspec import JobSpec
from workloads.catalog import CATALOG, template, titles
from workloads.errors import InvalidParameters, TemplateNotFound
from workloads.forms import FormField, Widget, form_fields, parse_form


def test_the_catalogue_is_keyed_by_each_template_s_own_name() -> None:
    names = list(CATALOG)
    assert (names[0], names[-1]) == ("rtl-regression", "script"), "the most usual first, the catch-all last"
    assert all(found.name == name for name, found in CATALOG.items())
    assert titles()["script"] == "Script"


def test_an_unknown_template_is_named_with_those_that_exist() -> None:
    with pytest.raises(TemplateNotFound, match=r"rtl-regression, .*, script") as refused:
        template("vcs")
    assert refused.value.name == "vcs"


@pytest.mark.parametrize("name", CATALOG)
def test_names_are_safe_in_a_url(name: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9-]*", name)


@pytest.mark.parametrize("name", CATALOG)
def test_defaults_alone_are_a_complete_job(name: str) -> None:
    params = template(name).validate({})
    spec = template(name).render(params)
    assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("name", CATALOG)
def test_equal_parameters_give_equal_jobs(name: str) -> None:
    found = template(name)
    assert found.render(found.validate({})) == found.render(found.validate({}))


@pytest.mark.parametrize("name", [name for name, one in CATALOG.items() if not one.fixed_script])
def test_a_script_that_may_be_edited_is_the_same_text_for_all_parameters(name: str) -> None:
    found = template(name)
    made = found.render(found.validate({})).script
    assert made
    tried = 0
    for one in form_fields(found.parameters):
        for value in _others(one):
            try:
                other = found.render(found.validate(parse_form([one], [(one.name, value)])))
            except InvalidParameters:
                continue
            tried += 1
            assert other.script == made, one.name
    assert tried > 3


def _others(one: FormField) -> Sequence[str]:
    """Values that a field could have instead of its default."""
    match one.widget:
        case Widget.SEGMENTED | Widget.SELECT:
            return one.choices
        case Widget.SWITCH:
            return ("true", "false")
        case Widget.NUMBER:
            return ("1", "2", "3")
        case _:
            return ("other",)


@pytest.mark.parametrize("name", CATALOG)
def test_parameters_survive_being_stored_as_json(name: str) -> None:
    params = template(name).validate({})
    assert template(name).validate(params.model_dump(mode="json")) == params


@pytest.mark.parametrize("name", CATALOG)
def test_a_parameter_that_does_not_exist_is_refused_by_name(name: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        template(name).validate({"cpuz": 1, "resources": {"cpus": "many"}})
    assert {problem.field for problem in refused.value.problems} == {"cpuz", "resources.cpus"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize("name", CATALOG)
@settings(derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=150)
@given(data=st.data())
def test_any_json_is_either_a_job_or_a_clear_refusal(name: str, data: st.DataObject) -> None:
    found = template(name)
    fields = st.sampled_from(sorted(found.parameters.model_fields))
    raw = data.draw(st.dictionaries(fields, JSON, max_size=3))
    try:
        spec = found.render(found.validate(raw))
    except InvalidParameters as refused:
        assert refused.problems  # noqa: PT017 - either outcome is right
        return
    assert spec.task_count >= 1
