"""What pydantic does not take, said in the reader's language, by the type of its error."""

from collections.abc import Mapping

from hpc_portal.app.offered import OFFERED
from hpc_portal.web.language import Language
from hpc_portal.web.show_quota import asset_label
from schedulers.errors import InvalidJobSpec
from workloads.template import N_

_PLAIN = {
    "missing": N_("Fill this in."),
    "int_parsing": N_("Enter a whole number."),
    "int_parsing_size": N_("This number is too large."),
    "int_type": N_("Enter a whole number."),
    "int_from_float": N_("Enter a whole number."),
    "float_parsing": N_("Enter a number."),
    "float_type": N_("Enter a number."),
    "decimal_parsing": N_("Enter a number."),
    "finite_number": N_("Enter a number."),
    "bool_parsing": N_("Choose yes or no."),
    "bool_type": N_("Choose yes or no."),
    "literal_error": OFFERED,
    "enum": OFFERED,
    "union_tag_invalid": OFFERED,
    "union_tag_not_found": OFFERED,
    "string_type": N_("Enter text."),
    "string_pattern_mismatch": N_("This contains a character that is not allowed here."),
    "list_type": N_("This must be a list."),
    "dict_type": N_("This must be an object with named values."),
    "model_type": N_("This must be an object with named values."),
    "model_attributes_type": N_("This must be an object with named values."),
    "extra_forbidden": N_("This parameter does not exist."),
    "json_invalid": N_("This is not JSON."),
    "uuid_parsing": N_("This is no id."),
    "uuid_type": N_("This is no id."),
    "date_parsing": N_("Enter a day such as 2026-12-31."),
    "date_from_datetime_parsing": N_("Enter a day such as 2026-12-31."),
    "date_from_datetime_inexact": N_("Enter a day such as 2026-12-31."),
    "date_type": N_("Enter a day such as 2026-12-31."),
    "datetime_parsing": N_("Enter a time such as 2026-12-31T17:00:00+07:00."),
    "datetime_from_date_parsing": N_("Enter a time such as 2026-12-31T17:00:00+07:00."),
    "datetime_type": N_("Enter a time such as 2026-12-31T17:00:00+07:00."),
    "timezone_aware": N_("Give the time zone, such as 2026-12-01T00:00:00+07:00."),
}

_WITH_LIMIT = {
    "greater_than_equal": N_("Enter %(ge)s or more."),
    "greater_than": N_("Enter more than %(gt)s."),
    "less_than_equal": N_("Enter %(le)s or less."),
    "less_than": N_("Enter less than %(lt)s."),
    "string_too_short": N_("Enter at least %(min_length)s characters."),
    "string_too_long": N_("Enter at most %(max_length)s characters."),
    "too_short": N_("Enter at least %(min_length)s."),
    "too_long": N_("Enter at most %(max_length)s."),
}
"""Limits are named as in pydantic's context."""


def say_validation(kind: str, facts: Mapping[str, object], language: Language) -> str:
    """What an error of this type means; "" when it is none of those that people meet."""
    if kind in _WITH_LIMIT:
        return say_sentence(_WITH_LIMIT[kind], facts, language)
    return language.gettext(_PLAIN[kind]) if kind in _PLAIN else ""


def say_request_item(item: Mapping[str, object], language: Language) -> str:
    """One of the errors that FastAPI lists of a request that it could not read."""
    facts = item.get("ctx")
    context: Mapping[str, object] = facts if isinstance(facts, Mapping) else {}
    cause = context.get("error")
    if isinstance(cause, InvalidJobSpec):
        return say_sentence(cause.text, cause.facts, language)
    said = say_validation(str(item["type"]), context, language)
    return said or language.gettext(
        N_("This value is not valid here. Look it up in the description of the API.")
    )


def say_sentence(text: str, facts: Mapping[str, object], language: Language) -> str:
    """A text with %(name)s for facts; numbers and resources among these as the language writes them."""
    shown = {name: _fact(name, value, language) for name, value in facts.items()}
    return language.gettext(text, **shown) if facts else language.text(text)


def _fact(name: str, value: object, language: Language) -> object:
    if name == "asset":
        return asset_label(str(value), language)
    return language.number(value) if isinstance(value, int) else value
