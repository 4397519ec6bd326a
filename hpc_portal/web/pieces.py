"""Small pieces that every page shares. In Python: a long table has a thousand, and macros take far longer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from jinja2 import pass_context
from jinja2.runtime import Context
from markupsafe import Markup, escape

from hpc_portal.web.assets import Assets
from hpc_portal.web.language import Language
from hpc_portal.web.words import Word

_NOT_KNOWN = "\N{EN DASH}"


def small_pieces(language: Language, assets: Assets) -> Mapping[str, Callable[..., Markup]]:
    """What templates may call, by name: `gettext` in this language, icons, times, hidden fields of forms."""
    sprite = escape(assets.url("vendor/icons.svg"))

    def icon(name: str) -> Markup:
        at = f"{sprite}#{escape(name)}"
        return Markup(f'<svg class="i" aria-hidden="true"><use href="{at}"></use></svg>')  # noqa: S704 - escaped

    def badge(word: Word) -> Markup:
        tone, inside = escape(word.tone), icon(word.icon) + language.text(word.text)
        return Markup(f'<span class="state tone-{tone}">{inside}</span>')  # noqa: S704 - escaped

    def when(at: datetime | None, missing: str = _NOT_KNOWN) -> Markup:
        return _time(at, language.relative, language.instant) if at else escape(missing)

    def exact(at: datetime | None, missing: str = _NOT_KNOWN) -> Markup:
        return _time(at, language.instant, language.relative) if at else escape(missing)

    @cache
    def plain(message: str) -> Markup:
        return Markup(language.translations.gettext(message)) % {}  # noqa: S704 - ours, and so is its HTML

    def gettext(message: str, **facts: object) -> Markup:
        if not facts:
            return plain(message)
        return Markup(language.translations.gettext(message)) % facts  # noqa: S704 - facts are escaped

    return {
        "icon": icon,
        "badge": badge,
        "when": when,
        "exact": exact,
        "csrf": _csrf,
        "once": _once,
        "gettext": gettext,
    }


def _time(at: datetime, shown: Callable[[datetime], str], told: Callable[[datetime], str]) -> Markup:
    title, text = escape(told(at)), escape(shown(at))
    return Markup(f'<time datetime="{at.isoformat()}" title="{title}">{text}</time>')  # noqa: S704 - escaped


@pass_context
def _csrf(context: Context) -> Markup:
    return _hidden("csrf_token", context["csrf_token"])


@pass_context
def _once(context: Context) -> Markup:
    """Beside csrf(), of a form that is carried out once, however often it is sent."""
    return _hidden("key", context["form_key"])


def _hidden(name: str, value: Any) -> Markup:  # noqa: ANN401 - of a template's context
    return Markup(f'<input type="hidden" name="{name}" value="{escape(value)}">')  # noqa: S704 - escaped
