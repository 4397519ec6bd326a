"""From a template and facts to a page: one Jinja environment per language, nothing request-global."""

import functools
import gzip
from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import Any
from uuid import uuid4

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from hpc_portal.app.actor import Actor
from hpc_portal.app.clusters import list_troubles
from hpc_portal.app.jobs.decide_doubt import may_decide_doubt
from hpc_portal.app.jobs.lifecycle import Phase
from hpc_portal.app.jobs.may_act import may_cancel, may_change, may_hold, may_release, may_run_again
from hpc_portal.app.jobs.queries import JobSummary
from hpc_portal.app.jobs.waiting import Waiting, why_waiting
from hpc_portal.auth.csrf import csrf_token
from hpc_portal.web.assets import Assets
from hpc_portal.web.compiled_templates import CompiledTemplates
from hpc_portal.web.cookies import LOCALE_COOKIE, THEME_COOKIE
from hpc_portal.web.help_places import help_for
from hpc_portal.web.language import Language, choose, load_languages
from hpc_portal.web.navigation import menu
from hpc_portal.web.page_top import read_page_top
from hpc_portal.web.pieces import small_pieces
from hpc_portal.web.words import BECOMING, METRICS, Word, state_word
from schedulers.refusals import say_refusal
from schedulers.units import format_walltime
from workloads.template import N_

TEMPLATES = Path(__file__).parent / "templates"
_COMPILED = CompiledTemplates()
_COMPRESSION = 5
"""Of 9: a page of 100 kB takes a millisecond, and the last levels twice as long for a hundredth less."""
_WORTH_COMPRESSING = 1000
"""Bytes; less fits into one packet anyway."""
THEMES = (("auto", N_("As the system")), ("light", N_("Light")), ("dark", N_("Dark")))

_SIGNS = {
    "wait": "favicon-wait.svg",
    "run": "favicon-run.svg",
    "good": "favicon-good.svg",
    **dict.fromkeys(("bad", "odd", "late"), "favicon-bad.svg"),
}
"""By a state's tone: what a tab among many shows of a job."""


class Pages:
    """Everything that turns facts into HTML; made once at start."""

    def __init__(self, assets: Assets, *, default_locale: str) -> None:
        self.languages = load_languages()
        self._default_locale = default_locale
        self._environments = {
            code: build_environment(language, assets, self.languages)
            for code, language in self.languages.items()
        }

    def language(self, request: Request) -> Language:
        """The reader's language."""
        actor: Actor | None = getattr(request.state, "actor", None)
        return choose(
            self.languages,
            cookie=request.cookies.get(LOCALE_COOKIE),
            saved=actor.locale if actor else None,
            accepted=request.headers.get("accept-language", ""),
            default=self._default_locale,
        )

    def render(
        self,
        request: Request,
        template: str,
        facts: Mapping[str, Any] | None = None,
        *,
        status: int = HTTPStatus.OK,
    ) -> HTMLResponse:
        """The page in the reader's language and theme; never stored by a cache."""
        language = self.language(request)
        actor: Actor | None = getattr(request.state, "actor", None)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        context = {
            "actor": actor,
            "theme": _theme(request, actor),
            "csrf_token": csrf_token(request),
            "form_key": str(uuid4()),
            "here": here if request.method == "GET" else "/",
            "navigation": menu(actor, request.url.path) if actor else (),
            "help_href": help_for(request.url.path),
            "has_clusters": len(request.app.state.services.settings.cluster_names) > 1,
            "page_top": functools.cache(lambda: read_page_top(request, actor)),
            "troubles": list_troubles(request.app.state.services) if actor else (),
            "stream": "",
            "log_stream": "",
            **(facts or {}),
        }
        return _reply(request, self.fragment(language, template, context).encode(), status)

    def fragment(self, language: Language, template: str, facts: Mapping[str, Any]) -> str:
        """A part of a page that needs nothing but these facts."""
        return self._environments[language.code].get_template(template).render(facts)


def _reply(request: Request, html: bytes, status: int) -> HTMLResponse:
    """Compressed where the browser takes it: its one secret, the CSRF token, is masked anew each time."""
    headers = {"cache-control": "no-store", "vary": "HX-Request, Cookie, Accept-Encoding"}
    if len(html) < _WORTH_COMPRESSING or "gzip" not in request.headers.get("accept-encoding", ""):
        return HTMLResponse(html, status_code=status, headers=headers)
    headers["content-encoding"] = "gzip"
    return HTMLResponse(gzip.compress(html, _COMPRESSION, mtime=0), status_code=status, headers=headers)


def pages_of(request: Request) -> Pages:
    """The application's pages."""
    found: Pages = request.app.state.pages
    return found


def build_environment(language: Language, assets: Assets, languages: Mapping[str, Language]) -> Environment:
    """The templates with everything that they may call, in one language."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
        bytecode_cache=_COMPILED,
    )
    environment.install_gettext_translations(language.translations, newstyle=True)  # type: ignore[attr-defined]
    environment.globals.update(
        static=assets.url,
        sign_of=lambda word: assets.url(_SIGNS.get(word.tone, "favicon.svg")),
        language=language,
        languages=languages,
        becoming=BECOMING,
        may_cancel=may_cancel,
        may_change=may_change,
        may_decide_doubt=may_decide_doubt,
        may_hold=may_hold,
        may_release=may_release,
        may_run_again=may_run_again,
        **small_pieces(language, assets),
    )
    environment.filters.update(
        amount=language.amount,
        day=language.day,
        duration=language.duration,
        instant=language.instant,
        memory=language.memory,
        energy=language.energy,
        metric=language.metric,
        metric_name=lambda name: METRICS.get(name, name),
        number=language.number,
        relative=language.relative,
        resource=language.resource,
        resource_hours=language.resource_hours,
        size=language.size,
        t=language.text,
        vnd=language.vnd,
        elapsed=_elapsed_seconds,
        gpus=_gpus,
        walltime=_walltime,
        why=lambda job: _why(job, language),
        word=_word,
    )
    return environment


def _word(job: JobSummary) -> Word:
    return state_word(
        phase=job.phase,
        state=job.state,
        cancel_requested_at=job.cancel_requested_at,
        is_held=job.holder is not None,
    )


def _why(job: JobSummary, language: Language) -> Waiting | None:
    """Why it waits or was refused; other ends are explained on the job's own page."""
    if job.phase is Phase.REFUSED:
        text = say_refusal(language.text(job.state_reason), language.code)
        return Waiting(text, text, who="", advice="", tasks_waiting=0, tasks_running=0)
    return why_waiting(job, language.code)


def _walltime(seconds: int | None) -> str:
    return format_walltime(seconds) if seconds else ""


def _gpus(job: JobSummary) -> int:
    """GPUs of one task, on all its nodes."""
    per_node = sum(job.resources.get("gpus_per_node", {}).values())
    return int(per_node * job.resources.get("nodes", 1))


def _elapsed_seconds(job: JobSummary) -> float:
    if job.started_at is None:
        return 0
    return ((job.ended_at or datetime.now(UTC)) - job.started_at).total_seconds()


def _theme(request: Request, actor: Actor | None) -> str:
    chosen = request.cookies.get(THEME_COOKIE) or (actor.theme if actor else "auto")
    return chosen if chosen in dict(THEMES) else "auto"
