"""No parameter becomes shell: every text field of every template, with every hostile text."""

from typing import Any

import pytest

from schedulers.jobspec import JobSpec
from tests.unit.workloads.hostile import TEXTS
from workloads.catalog import CATALOG
from workloads.errors import InvalidParameters
from workloads.forms import FormField, Widget, form_fields

FIELDS = [
    pytest.param(name, field, id=f"{name}:{field.name}")
    for name, template in CATALOG.items()
    for field in form_fields(template.parameters)
]


def nested(field: FormField, text: str) -> dict[str, Any]:
    value: Any = text
    if field.widget is Widget.LIST:
        value = [text]
    if field.widget in (Widget.MAPPING, Widget.FILES):
        value = {text: text}
    for part in reversed(field.name.split(".")):
        value = {part: value}
    return dict(value)


def render(name: str, raw: dict[str, Any]) -> JobSpec | None:
    """The job, or None when the parameters are refused, which must name a field."""
    try:
        return CATALOG[name].render(CATALOG[name].validate(raw))
    except InvalidParameters as refused:
        assert all(problem.field and problem.message for problem in refused.problems)  # noqa: PT017
        return None


@pytest.mark.parametrize(("name", "field"), FIELDS)
def test_a_hostile_text_is_refused_or_carried_as_plain_text(name: str, field: FormField) -> None:
    innocent = render(name, {})
    assert innocent
    for text in TEXTS:
        spec = render(name, nested(field, text))
        if spec is None:
            continue
        if (name, field.name) != ("script", "script"):
            assert spec.script == innocent.script, "only the script template's script is the user's own"
        assert all(one.path == one.path.strip() and ".." not in one.path for one in spec.inputs)
        assert JobSpec.model_validate_json(spec.model_dump_json()) == spec


@pytest.mark.parametrize("text", TEXTS)
def test_a_refusal_does_not_repeat_a_megabyte(text: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        CATALOG["rtl-regression"].validate({"top": f"{text} {text}", "seeds": text or "x"})
    assert len(str(refused.value)) < 2000
