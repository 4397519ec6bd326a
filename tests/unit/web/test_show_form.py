"""Forms of templates: what is typed comes back as it was, and what it means is checked once."""

import pytest

from hpc_portal.web.show_form import (
    default_pairs,
    field_of,
    read_parameters,
    show_form,
)
from workloads import catalog
from workloads.forms import form_fields

SCRIPT = form_fields(catalog.template("script").parameters)


def _shown(pairs: list[tuple[str, str]]) -> dict[str, str]:
    groups = show_form(SCRIPT, pairs, {})
    return {field.name: field.value for group in groups for field in (*group.fields, *group.advanced)}


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_an_untouched_form_means_the_defaults(name: str) -> None:
    template = catalog.CATALOG[name]
    fields = form_fields(template.parameters)
    read = template.validate(read_parameters(fields, default_pairs(fields, None)))
    assert read == template.validate({})


def test_a_copy_starts_with_the_parameters_of_the_job() -> None:
    stored = {
        "name": "again",
        "environment": {"TOP": "soc", "SEED": "7"},
        "requeue_exit_codes": [75, 76],
        "resources": {"cpus": 8, "walltime_seconds": 5400, "gpus_per_node": {"h100": 2}},
    }
    shown = _shown(list(default_pairs(SCRIPT, stored)))
    assert shown["name"] == "again"
    assert shown["environment"] == "TOP=soc\nSEED=7"
    assert shown["requeue_exit_codes"] == "75\n76"
    assert shown["resources.cpus"] == "8"
    assert shown["resources.walltime_seconds"] == "01:30:00"
    assert shown["resources.gpus_per_node"] == "h100=2"
    assert shown["resources.memory_mib"] == "1G"


def test_times_and_sizes_are_read_as_sbatch_reads_them() -> None:
    pairs = [("resources.walltime_seconds", "2-12:00:00"), ("resources.memory_mib", "1536M")]
    resources = read_parameters(SCRIPT, pairs)["resources"]
    assert resources["walltime_seconds"] == str(60 * 3600)
    assert resources["memory_mib"] == "1536"


def test_what_was_not_understood_is_kept_as_it_was_typed() -> None:
    pairs = [("resources.walltime_seconds", "tomorrow"), ("name", "kept")]
    assert read_parameters(SCRIPT, pairs)["resources"]["walltime_seconds"] == "tomorrow"
    assert _shown(pairs)["resources.walltime_seconds"] == "tomorrow"
    assert _shown(pairs)["name"] == "kept"


@pytest.mark.parametrize(
    ("where", "field"),
    [
        ("name", "name"),
        ("requeue_exit_codes.3", "requeue_exit_codes"),
        ("resources.cpus", "resources.cpus"),
        ("cpus_per_task", "resources.cpus"),
        ("memory_mib_per_node", "resources.memory_mib"),
        ("walltime_seconds", "resources.walltime_seconds"),
        ("somewhere else", ""),
    ],
)
def test_an_error_finds_its_field(where: str, field: str) -> None:
    assert field_of(SCRIPT, where) == field


@pytest.mark.parametrize("name", list(catalog.CATALOG))
def test_every_group_of_a_form_stands_once(name: str) -> None:
    fields = form_fields(catalog.CATALOG[name].parameters)
    groups = show_form(fields, default_pairs(fields, None), {})
    titles = [group.title for group in groups]
    assert len(titles) == len(set(titles))
    shown = [field.name for group in groups for field in (*group.fields, *group.advanced)]
    assert sorted(shown) == sorted(one.name for one in fields)
    assert not any(group.is_open for group in groups), "a new form folds what few need"


def test_folded_fields_are_seen_when_they_are_not_the_usual_or_wrong() -> None:
    plain = default_pairs(SCRIPT, None)
    changed = [*plain, ("environment", "TOP=fifo")]
    wrong = {"requeue_exit_codes": "Enter a whole number."}
    assert [show_form(SCRIPT, pairs, {})[0].is_open for pairs in (plain, changed)] == [False, True]
    assert show_form(SCRIPT, plain, wrong)[0].is_open
