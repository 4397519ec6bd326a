"""The pieces that every page shares say what their macros and Jinja's own `gettext` would."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from babel.messages.pofile import read_po
from jinja2 import Environment
from jinja2.ext import i18n
from markupsafe import Markup

from hpc_portal.web.assets import Assets
from hpc_portal.web.language import LOCALES_FOLDER, Language, load_languages
from hpc_portal.web.render import build_environment
from hpc_portal.web.words import Word

LANGUAGES = load_languages()
ASSETS = Assets()
AT = datetime(2026, 11, 26, 8, 30, tzinfo=UTC)
HOSTILE = "<b>\"&'"
ESCAPED = "&lt;b&gt;&#34;&amp;&#39;"
ICON = f'<svg class="i" aria-hidden="true"><use href="{ASSETS.url("vendor/icons.svg")}#%s"></use></svg>'


@pytest.fixture(params=LANGUAGES)
def language(request: pytest.FixtureRequest) -> Language:
    return LANGUAGES[request.param]


def shown(language: Language, template: str, **facts: object) -> str:
    return build_environment(language, ASSETS, LANGUAGES).from_string(template).render(facts)


def test_icons_and_states(language: Language) -> None:
    assert (
        shown(language, "{{ icon('bell') }}{{ icon(name) }}", name=HOSTILE) == ICON % "bell" + ICON % ESCAPED
    )
    word = Word("clock", HOSTILE, "wait")
    expected = f'<span class="state tone-wait">{ICON % "clock"}{ESCAPED}</span>'
    assert shown(language, "{{ badge(word) }}", word=word) == expected


def test_times(language: Language) -> None:
    instant, relative = language.instant(AT), language.relative(AT)
    both = shown(language, "{{ when(at) }}|{{ exact(at) }}", at=AT)
    stamp = "2026-11-26T08:30:00+00:00"
    assert both == (
        f'<time datetime="{stamp}" title="{instant}">{relative}</time>'
        f'|<time datetime="{stamp}" title="{relative}">{instant}</time>'
    )
    assert (
        shown(language, "{{ when(none) }}{{ exact(none, missing=text) }}", text=HOSTILE)
        == f"\N{EN DASH}{ESCAPED}"
    )


def test_hidden_fields_are_of_the_page_that_is_made() -> None:
    template = "{% macro form() %}{{ csrf() }}{{ once() }}{% endmacro %}{{ form() }}"
    assert shown(LANGUAGES["vi"], template, csrf_token=HOSTILE, form_key="k") == (
        f'<input type="hidden" name="csrf_token" value="{ESCAPED}"><input type="hidden" name="key" value="k">'
    )


def test_texts_are_those_of_jinja_s_own_gettext(language: Language) -> None:
    theirs = Environment(autoescape=True, extensions=[i18n])
    theirs.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    with Path(LOCALES_FOLDER / "vi/LC_MESSAGES/messages.po").open("rb") as file:
        messages = [str(message.id) for message in read_po(file) if message.id]
    plain = [text for text in messages if "%(" not in text and "%" not in text.replace("%%", "")]
    assert len(plain) > 1000
    template = "{% for text in texts %}{{ gettext(text) }}\n{% endfor %}"
    assert shown(language, template, texts=plain) == theirs.from_string(template).render(texts=plain)


def test_facts_of_a_text_are_escaped_and_markup_is_not(language: Language) -> None:
    template = "{{ gettext('%(a)s 5 %% <i>%(b)s</i>', a=a, b=b) }}"
    assert shown(language, template, a=HOSTILE, b=Markup("<b>")) == f"{ESCAPED} 5 % <i><b></i>"
